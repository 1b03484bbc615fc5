"""The sandbox processor as tests start it: the program itself, in its own process."""

import http.client
import http.server
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import stripe

ROOT = Path(__file__).resolve().parents[2]


class Program:
    """Run ``python -m payments.sandbox`` and speak to it."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "payments.sandbox", "--port", str(self.port), "--data", str(self.data)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.port = int(line.rsplit(":", 1)[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def control(self, method: str, name: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, f"/_sandbox/{name}", json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        read = json.loads(answer.read())
        connection.close()
        assert answer.status == 200 or "error" in read, read
        return read

    def merchant(self, name: str, **more: Any) -> "Merchant":
        account = {
            "id": f"acct_{name}",
            "publishable_key": f"pk_test_{name}",
            "secret_keys": {"portal": f"sk_test_{name}_portal", "host": f"sk_test_{name}_host"},
        }
        self.control("POST", "accounts", {**account, **more})
        return Merchant(self, name)

    def ledger(self, account: str) -> list[dict[str, Any]]:
        return self.control("GET", f"ledger?account={account}")


class Merchant:
    """Hold one account's clients: the portal's credential and the host's."""

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name, self.id = program, name, f"acct_{name}"
        self.portal, self.host = self.client("portal"), self.client("host")
        self.v1 = self.portal.v1

    def client(self, credential: str, *, retries: int = 0) -> stripe.StripeClient:
        return stripe.StripeClient(
            f"sk_test_{self.name}_{credential}",
            base_addresses={"api": self.program.url},
            max_network_retries=retries,
            http_client=stripe.RequestsClient(timeout=10),
        )

    def token(self, number: str = "4242424242424242", **more: Any) -> str:
        given = {
            "account": self.id,
            "number": number,
            "exp_month": 12,
            "exp_year": 2034,
            "cvc": "123",
            **more,
        }
        return self.program.control("POST", "confirmation_tokens", given)["id"]

    def payment(self, number: str = "4242424242424242", **more: Any) -> dict[str, Any]:
        """Return the parameters of a card payment of $50.00 by a consumer who is present."""
        return {
            "amount": 50_00,
            "currency": "usd",
            "confirm": True,
            "confirmation_token": self.token(number),
            "allowed_payment_method_types": ["card"],
            **more,
        }

    def bank(self, number: str = "000123456789", **more: Any) -> stripe.PaymentMethod:
        return self.v1.payment_methods.create(
            {
                "type": "us_bank_account",
                "us_bank_account": {
                    "routing_number": "110000000",
                    "account_number": number,
                    "account_holder_type": "individual",
                },
                "billing_details": {"name": "Ada Lindqvist"},
                **more,
            }
        )

    def ledger(self) -> list[dict[str, Any]]:
        return self.program.ledger(self.id)

    def charged(self) -> list[dict[str, Any]]:
        return [one for one in self.ledger() if one["kind"] == "charge" and one["status"] == "succeeded"]


class Listener:
    """Receive webhooks; ``answers`` are the next statuses to give, then 200."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.received.append((dict(self.headers), body))
                self.send_response(listener.answers.pop(0) if listener.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhooks/processor"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.received]

    def wait_for(self, kind: str, *, count: int = 1) -> dict[str, Any]:
        """Return the newest event of a kind once that many arrived."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = [json.loads(body) for _, body in list(self.received) if json.loads(body)["type"] == kind]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(f"no {kind} in {self.types()}")


MANDATE = {
    "customer_acceptance": {
        "type": "online",
        "online": {"ip_address": "127.0.0.1", "user_agent": "test"},
    }
}
