"""The carrier sandbox as a real process, and what tests do with it."""

import contextlib
import http.client
import json
import subprocess
import sys
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlencode

from django.test import Client

from accounts.tenancy import acting_for
from campaigns.channels import twilio
from campaigns.models import TextProvider
from campaigns.services import carriers

ROOT = Path(__file__).parents[2]
MOBILE = "+15185550199"
_numbers = count(1)
_sids = count(1)


class CarrierProgram:
    """A running carrier sandbox; it reports nothing by itself unless it is told to."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "campaigns.sandbox.carrier", "--port", "0", "--data", str(folder)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip().removeprefix("listening on ")
        self.port = int(self.url.rpartition(":")[2])

    def call(self, method: str, path: str, body: object = None) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            return json.loads(content)

    def fault(self, mode: str, times: int = 1) -> None:
        self.call("POST", "/_sandbox/faults", {"mode": mode, "times": times})

    def texts(self, *, sender: str = "", to: str = "") -> list[dict]:
        """List texts, the oldest first."""
        found = self.call("GET", f"/_sandbox/texts?from={quote(sender)}&to={quote(to)}")["texts"]
        return found[::-1]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def make_text_provider(agency, program: CarrierProgram, **values) -> TextProvider:
    """Give an agency its approved account at the carrier, with its exception; numbers are new each time."""
    number = f"+1518556{next(_numbers):04}"
    with acting_for(agency):
        row = TextProvider.objects.create(
            **{
                "name": "Carrier",
                "account": f"AC{agency.pk.hex[-12:]}",
                "token": f"token-{agency.slug}",
                "signing_key": f"sign-{agency.slug}",
                "number": number,
                "api_url": program.url,
                "per_second": 100,
                "keywords": "portal",
                "permit": "Twilio, letter of 2026-05-02",
                "registration": "CM0001",
                "approved_on": "2026-06-01",
            }
            | values
        )
    account = {"sid": row.account, "token": f"token-{agency.slug}", "number": number, "keywords": row.keywords}
    program.call("POST", "/_sandbox/accounts", account)
    return row


def post(provider: TextProvider, form: dict, *, message=None, key: str = "", client: Client | None = None):
    """Send a signed webhook as the carrier does; `message` is the text that it reports on."""
    url = carriers.hook_url(provider, message)
    path = "/" + url.split("/", 3)[3]
    signature = twilio.signature(url=url, form=form, token=key or provider.signing_key)
    return (client or Client()).post(
        path,
        urlencode(form),
        "application/x-www-form-urlencoded",
        headers={"host": "localhost", "X-Twilio-Signature": signature},
    )


def report(provider: TextProvider, message, status: str, **more):
    """Tell what became of a text."""
    form = {"MessageSid": message.provider_id or "SM1", "MessageStatus": status, "To": MOBILE} | more
    return post(provider, form, message=message)


def write_in(provider: TextProvider, text: str, *, sender: str = MOBILE, sid: str = "", **more):
    """Let somebody text the agency."""
    sid = sid or f"SMin{next(_sids)}"
    return post(provider, {"MessageSid": sid, "From": sender, "To": provider.number, "Body": text} | more)
