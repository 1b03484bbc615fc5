"""Bare libcurl clients: the limit that the product is measured beside, and the load that pages are put under."""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pycurl


class Ask(NamedTuple):
    """One request; a body makes it a POST, or what `method` says."""

    url: str
    headers: tuple[str, ...] = ()
    body: bytes | None = None
    method: str = "POST"


class Took(NamedTuple):
    """The times of many requests: seconds each, seconds in all, and the HTTP statuses seen."""

    each: list[float]
    whole: float
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        return len(self.each) / self.whole


def prepare(easy: pycurl.Curl, ask: Ask) -> None:
    """Point a kept-alive handle at the next request."""
    easy.setopt(pycurl.URL, ask.url)
    easy.setopt(pycurl.HTTPHEADER, [*ask.headers, "Expect:"])
    if ask.body is None:
        easy.setopt(pycurl.HTTPGET, 1)
    else:
        easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.CUSTOMREQUEST, ask.method)
        easy.setopt(pycurl.POSTFIELDSIZE, len(ask.body))
        easy.setopt(pycurl.POSTFIELDS, ask.body)


def handle() -> pycurl.Curl:
    """Make a handle that throws the answer away."""
    easy = pycurl.Curl()
    easy.setopt(pycurl.NOSIGNAL, 1)
    easy.setopt(pycurl.TCP_NODELAY, 1)
    easy.setopt(pycurl.PROXY, "")
    easy.setopt(pycurl.WRITEFUNCTION, len)
    return easy


def one_by_one(asks: Iterable[Ask]) -> Took:
    """Send requests one after another on one connection."""
    easy, each, statuses = handle(), [], {}
    began = time.perf_counter()
    for ask in asks:
        prepare(easy, ask)
        sent = time.perf_counter()
        easy.perform()
        each.append(time.perf_counter() - sent)
        status = easy.getinfo(pycurl.RESPONSE_CODE)
        statuses[status] = statuses.get(status, 0) + 1
    whole = time.perf_counter() - began
    easy.close()
    return Took(each, whole, statuses)


def many(asks: Sequence[Ask], *, clients: int) -> Took:
    """Send requests over so many kept-alive connections at once, each sending its next when it was answered."""
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, clients)
    waiting, each, statuses, sent = iter(asks), [], {}, {}
    began = time.perf_counter()

    def send(easy: pycurl.Curl) -> bool:
        ask = next(waiting, None)
        if ask is None:
            easy.close()
            return False
        prepare(easy, ask)
        sent[easy] = time.perf_counter()
        multi.add_handle(easy)
        return True

    flying = sum(send(handle()) for _ in range(clients))
    while flying:
        multi.perform()
        _left, done, failed = multi.info_read(clients)
        now = time.perf_counter()
        for easy in [*done, *(easy for easy, _number, _text in failed)]:
            each.append(now - sent[easy])
            status = easy.getinfo(pycurl.RESPONSE_CODE)
            statuses[status] = statuses.get(status, 0) + 1
            multi.remove_handle(easy)
            flying -= not send(easy)
        if flying and not done and not failed:
            multi.select(1.0)
    whole = time.perf_counter() - began
    multi.close()
    return Took(each, whole, statuses)


def paced(asks: Sequence[Ask], *, per_second: float) -> list[int]:
    """Send requests at a steady rate on one connection; give each one's start on the machine's monotonic clock, ns."""
    easy, starts = handle(), []
    began = time.monotonic()
    for number, ask in enumerate(asks):
        if (rest := began + number / per_second - time.monotonic()) > 0:
            time.sleep(rest)
        prepare(easy, ask)
        starts.append(time.monotonic_ns())
        easy.perform()
    easy.close()
    return starts
