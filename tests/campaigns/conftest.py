"""The mail sandbox as a real process, and both agencies with a provider account in it."""

import contextlib
import http.client
import json
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from accounts.tenancy import acting_for
from campaigns.models import MailProvider

ROOT = Path(__file__).parents[2]


class Provider:
    """A running mail sandbox."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "campaigns.sandbox", "--port", "0", "--data", str(folder)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def call(self, method: str, path: str, body: object = None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            return json.loads(content) if answer.headers.get_content_type() == "application/json" else content

    def mails(self, to: str = "") -> list[dict]:
        """List what the provider took, newest first."""
        return self.call("GET", f"/_sandbox/messages?to={to}")

    def paper(self, mail: dict, number: int = 0) -> bytes:
        """Fetch an attachment."""
        return self.call("GET", mail["attachments"][number]["url"])

    def act(self, mail: dict, action: str, body: object = None) -> dict:
        """Do what a person or a mail server does to a mail."""
        return self.call("POST", f"/_sandbox/messages/{mail['id']}/{action}", body or {})

    def fault(self, domain: str, mode: str, times: int = 1, seconds: float = 0) -> None:
        self.call("POST", "/_sandbox/faults", {"domain": domain, "mode": mode, "times": times, "seconds": seconds})

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """One sandbox for the session; every agency of every test has a domain of its own in it."""
    provider = Provider(tmp_path_factory.mktemp("mail"))
    provider.call("POST", "/_sandbox/behaviour", {"delivery_delay_ms": 5})
    yield provider
    provider.stop()


def make_provider(agency, sandbox, **values) -> MailProvider:
    """Give an agency its account at the sandbox; domains are new in each test, so nobody sees old mail."""
    with acting_for(agency):
        domain = f"{agency.slug}-{agency.pk.hex[-8:]}.example.com"
        row = MailProvider.objects.create(
            **{
                "name": "Mail",
                "domain": domain,
                "from_name": agency.name,
                "from_address": f"no-reply@{domain}",
                "api_key": f"key-{domain}",
                "signing_key": f"sign-{domain}",
                "api_url": f"http://127.0.0.1:{sandbox.port}/v3",
            }
            | values
        )
    sandbox.call(
        "POST",
        "/_sandbox/domains",
        {"domain": row.domain, "api_key": f"key-{domain}", "signing_key": f"sign-{domain}"},
    )
    return row


@pytest.fixture
def provider(agency, sandbox) -> MailProvider:
    return make_provider(agency, sandbox)


@pytest.fixture
def others_provider(other_agency, sandbox) -> MailProvider:
    return make_provider(other_agency, sandbox)


@pytest.fixture
def mails(sandbox, provider):
    """The mails that the provider took from the agency, newest first."""
    return lambda: sandbox.call("GET", f"/_sandbox/messages?domain={provider.domain}")


def wait_for(condition, seconds: float = 5.0):
    """Poll until the condition gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("It did not happen in time.")


def digits_in_pdf(pdf: bytes) -> str:
    """Read the big figure of the sample paper: the only text in a font that has nothing but digits."""
    parts = []
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            parts.append(zlib.decompressobj().decompress(match[1]))
    maps = [
        {int(a, 16): chr(int(b, 16)) for a, b in re.findall(rb"<(\w{4})> <(\w{4})>", found[1])}
        for part in parts
        if (found := re.search(rb"beginbfchar(.*?)endbfchar", part, re.DOTALL))
    ]
    (digits,) = [found for found in maps if all(sign.isdigit() for sign in found.values())]
    (shown,) = re.findall(rb" 40 Tf [^\n]*?\[(.*?)\]TJ", b"".join(part for part in parts if b" 40 Tf" in part), re.S)
    codes = re.findall(rb"\\(\d{3})\\?(\d{3}|[nrtbf])", shown)
    named = {b"b": 8, b"t": 9, b"n": 10, b"f": 12, b"r": 13}
    return "".join(digits[named[low] if low in named else int(low, 8)] for _high, low in codes)
