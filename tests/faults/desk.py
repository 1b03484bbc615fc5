"""Who gives money back: staff on the staff pages, a merchant at the processor instead, a program by API.

Whoever gets no answer sends the same form again: it carries its key.
"""

import contextlib
import http.client
import json
import random
from base64 import b64encode
from urllib.parse import urlencode, urlsplit

from portal.local.browser import Broken, Browser
from portal.local.stack import PASSWORD, Stack
from tests.faults.consumers import Told
from tests.faults.load import insist

SHARE = 0.08
"""Of the payments that went through on a day, so many are given back on the next, in part or whole."""


class Desk:
    """One member of staff with some payments to give back."""

    def __init__(self, stack: Stack, slug: str, told: list[Told], *, seed: str) -> None:
        self.stack, self.slug = stack, slug
        self.chance = random.Random(seed)
        self.chosen = [one for one in told if self.chance.random() < SHARE]

    def __str__(self) -> str:
        return f"staff of {self.slug}"

    def play(self) -> None:
        """Sign in and give back."""
        if not self.chosen:
            return
        browser = Browser(self.stack, self.slug)
        browser.host = f"localhost:{self.stack.port}"
        page = insist(lambda: browser.get("/staff/login/"), sentence=f"{self} cannot open the door")
        door = page.form_with("login", "password")
        page = insist(
            lambda: browser.submit(door, login=f"{self.slug}-desk", password=PASSWORD),
            sentence=f"{self} cannot sign in",
        )
        for one in self.chosen:
            # Half of what is paid, as cents have no halves of their own; or all of it.
            cents = self.chance.choice((one.cents, one.cents // 2))
            if self.chance.random() < 0.5:
                self._at_the_processor(one, cents)
                continue
            path = f"/admin/payments/payment/{one.payment}/give_back/"
            page = insist(lambda path=path: browser.get(path), sentence=f"{self} cannot open {path}")
            form = page.form_with("amount_cents", "reason", "key")
            values = {"amount_cents": f"{cents / 100:.2f}", "reason": "asked for"}
            sent = insist(
                lambda path=path, form=form, values=values: browser._ask("POST", path, form["fields"] | values),
                sentence=f"{self} gets no answer about {one.payment}",
            )
            if sent.status != 200 or sent.path == path:
                raise Broken(f"{self}: {sent.path} {sent.status} {sent.text[:200]}")

    def _at_the_processor(self, one: Told, cents: int) -> None:
        """Give back in the processor's own dashboard: the portal hears of it by webhook only."""
        parts = urlsplit(self.stack.urls["processor"])
        headers = {
            "Authorization": "Basic " + b64encode(f"sk_test_{self.slug}_portal:".encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }

        def ask(method: str, path: str, body: dict | None, **more: str) -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
            connection.request(method, path, urlencode(body) if body else None, headers | more)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= 500:
                raise OSError(f"{path}: {answer.status}")
            if answer.status != 200:
                raise Broken(f"{path}: {answer.status} {said[:200]!r}")
            return said

        search = "/v1/payment_intents/search?" + urlencode({"query": f"metadata['payment']:'{one.payment}'"})
        found = json.loads(insist(lambda: ask("GET", search, None), sentence="the processor does not answer"))["data"]
        body = {"payment_intent": found[0]["id"], "amount": cents}
        key = {"Idempotency-Key": f"dashboard-{one.payment}"}
        insist(lambda: ask("POST", "/v1/refunds", body, **key), sentence="the processor does not answer")


class Program:
    """A program of the agency that gives back by API what a due run took, and asks each time twice with one key."""

    def __init__(self, stack: Stack, slug: str, payments: list[dict], *, seed: str) -> None:
        self.stack, self.slug = stack, slug
        self.chance = random.Random(seed)
        self.chosen = [one for one in payments if self.chance.random() < SHARE]

    def __str__(self) -> str:
        return f"the program of {self.slug}"

    def play(self) -> None:
        """Give back; what had an answer has the same one again, byte for byte."""
        for one in self.chosen:
            body = {"amount_cents": self.chance.choice((one["cents"], one["cents"] // 2)), "reason": "asked for"}
            path = f"/api/v1/payments/{one['id']}/refunds"
            first = insist(lambda path=path, body=body: self._ask(path, body), sentence=f"{self} gets no answer")
            again = insist(lambda path=path, body=body: self._ask(path, body), sentence=f"{self} gets no answer")
            if first != again:
                raise Broken(f"{self}: another answer the second time: {first!r} {again!r}"[:500])

    def _ask(self, path: str, body: dict) -> list:
        """Ask once; `idempotency_unknown` is an answer: the first try's was lost, and a person would look.

        :raises OSError: no answer yet.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.port, timeout=20)
        headers = {
            "Host": self.stack.environment["PORTAL_DOMAIN"],
            "Authorization": f"Bearer {self.stack.keys[self.slug]['api_key']}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"faults {path}",
        }
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
        code = json.loads(said).get("code", "") if answer.status >= 400 else ""
        if answer.status >= 500 or answer.status == 429 or code == "idempotency_running":
            raise OSError(f"{path}: {answer.status}")
        if answer.status != 201 and code != "idempotency_unknown":
            raise Broken(f"{self}: {path} {answer.status} {said[:200]!r}")
        return [answer.status, said]
