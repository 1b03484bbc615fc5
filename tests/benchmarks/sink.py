"""A host that takes everything at once and stamps when it came: the limit of what any client can reach here.

A program of its own on raw sockets (`python -m tests.benchmarks.sink`); its first line says where it listens.
`/events` answers as a SCollect host does, `/v1/...` as a processor that approves at once,
`/v3/...` as a mail provider and `/2010-04-01/...` as a carrier of texts that take everything, `/_stamps` gives and
forgets what was received: event id, or a text's number -> nanoseconds of the machine's monotonic clock.
"""

import json
import re
import select
import socket
import time
from urllib.parse import parse_qs

EVENT_ID = re.compile(rb'"EventID":"([0-9a-f-]{36})"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
READ_AT_ONCE = 1 << 18
TEXTS = b"/2010-04-01/"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Sink:
    """One thread, one epoll, no framework."""

    def __init__(self) -> None:
        self.door = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.door.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.door.fileno(), select.EPOLLIN)
        self.open: dict[int, tuple[socket.socket, bytearray]] = {}
        self.stamps: dict[str, int] = {}
        self.requests = 0

    def serve(self) -> None:
        print(f"listening on http://127.0.0.1:{self.door.getsockname()[1]}", flush=True)
        while True:
            for number, _what in self.epoll.poll():
                if number == self.door.fileno():
                    self.let_in()
                else:
                    self.read(number)

    def let_in(self) -> None:
        caller, _address = self.door.accept()
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open[caller.fileno()] = (caller, bytearray())
        self.epoll.register(caller.fileno(), select.EPOLLIN)

    def read(self, number: int) -> None:
        caller, buffer = self.open[number]
        try:
            got = caller.recv(READ_AT_ONCE)
        except OSError:
            got = b""
        if not got:
            self.epoll.unregister(number)
            del self.open[number]
            caller.close()
            return
        buffer += got
        while (head := buffer.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(buffer, 0, head)
            end = head + 4 + (int(found[1]) if found else 0)
            if len(buffer) < end:
                return
            now = time.monotonic_ns()
            path = bytes(buffer[: buffer.find(b"\r\n")]).split(b" ", 2)[1]
            answer = self.answer(path, bytes(buffer[head + 4 : end]), now)
            del buffer[:end]
            whole = ANSWER % (len(answer), answer)
            self.say(caller, whole.replace(b"200 OK", b"201 Created", 1) if path.startswith(TEXTS) else whole)

    def say(self, caller: socket.socket, answer: bytes) -> None:
        sent = caller.send(answer)
        if sent < len(answer):
            caller.setblocking(True)
            caller.sendall(answer[sent:])

    def answer(self, path: bytes, body: bytes, now: int) -> bytes:
        if path.endswith(b"/events"):
            self.requests += 1
            ids = EVENT_ID.findall(body)
            for one in ids:
                self.stamps.setdefault(one.decode(), now)
            return b'{"results":[%b]}' % b",".join(b'{"EventID":"%b","Outcome":"accepted"}' % one for one in ids)
        if path.startswith(b"/v3/"):
            return b'{"id":"<bench@example.com>","message":"Queued. Thank you."}'
        if path.startswith(b"/v1/"):
            return approve(body)
        if path.startswith(TEXTS):
            self.stamps.setdefault(parse_qs(body.decode())["To"][0], now)
            return b'{"sid":"SM%032d","num_segments":"1"}' % len(self.stamps)
        said = json.dumps({"stamps": self.stamps, "requests": self.requests}).encode()
        self.stamps, self.requests = {}, 0
        return said


def approve(body: bytes) -> bytes:
    """Answer a confirmed PaymentIntent as a processor does whose bank says yes."""
    asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    payment = asked.get("metadata[payment]", "none")
    card = {"brand": "visa", "funding": "debit", "last4": "5556", "exp_month": 12, "exp_year": 2034}
    charge = {
        "id": f"ch_{payment}",
        "object": "charge",
        "amount_refunded": 0,
        "payment_method": f"pm_{payment}",
        "payment_method_details": {"type": "card", "card": card | {"fingerprint": "bench"}},
    }
    intent = {
        "id": f"pi_{payment}",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": int(asked.get("amount", 0)),
        "currency": asked.get("currency", "usd"),
        "customer": None,
        "latest_charge": charge,
        "metadata": {"payment": payment},
    }
    return json.dumps(intent).encode()


if __name__ == "__main__":
    Sink().serve()
