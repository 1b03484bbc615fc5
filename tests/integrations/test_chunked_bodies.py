"""A body in chunks, whose length nobody said, is refused by a real gunicorn: it would be read as no body at all."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings as product
from django.db import connection

from accounts.tenancy import acting_for
from portal.local.stack import free_port
from settlements.models import RuleSet
from tests.conftest import make_account, make_agency
from tests.integrations.api_caller import Caller, contents
from tests.integrations.file_cast import FileHost, ndjson, record
from tests.integrations.test_api_rulesets import drafted

PATIENCE = 60  # seconds until it listens, on a machine that does other things too


class Site:
    """gunicorn on the tests' database."""

    def __init__(self) -> None:
        self.port = free_port()
        server = os.environ["DATABASE_URL"].rpartition("/")[0]
        environment = os.environ | {
            "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
            "FILES_DIR": str(product.FILES_DIR),
            "TLS": "0",  # nobody ends it here
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{self.port}", "--threads", "2"],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            with contextlib.suppress(OSError):
                self.post("/api/v1/accounts", b"", {"Host": "localhost"})
                return
            time.sleep(0.1)
        raise TimeoutError("gunicorn did not listen")

    def post(self, path: str, body: bytes, headers: dict, *, chunked: bool = False) -> tuple[int, dict]:
        """Send a body whole or in chunks; give the status and what was said."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(line):
            if chunked:
                headers = headers | {"Transfer-Encoding": "chunked"}
            line.request("POST", path, iter([body]) if chunked else body, headers, encode_chunked=chunked)
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.mark.django_db(transaction=True)
def test_a_body_in_chunks_is_refused_by_files_pushes_and_the_api_and_does_nothing(client, settings, tmp_path):
    settings.FILES_DIR = tmp_path / "vault"
    agency = make_agency("acme")
    make_account(agency)
    caller, host = Caller(agency), FileHost(agency, client)
    publish = f"/api/v1/rule-sets/{drafted(caller)}/publish"
    later = json.dumps({"effective_at": "2027-01-01T05:00:00Z"}).encode()
    json_of = {"Content-Type": "application/json"}
    asked = [
        (publish, later, caller.headers() | json_of),
        (f"{host.path}?kind=placement", ndjson(record("1")), host.headers()),
        (host.path.replace("/files", "/accounts"), ndjson(record("1")), host.headers()),
        (host.path.replace("/files", "/extractions"), b'{"since": "2026-11-01T00:00:00Z"}', host.headers() | json_of),
    ]
    site = Site()
    try:
        before = contents()
        answers = [site.post(*one, chunked=True) for one in asked]
        assert [(status, said["code"]) for status, said in answers] == [(411, "length_required")] * len(asked)
        assert contents() == before
        assert site.post(*asked[0])[0] == 200
    finally:
        site.close()
    with acting_for(agency):
        assert RuleSet.objects.get().effective_at.isoformat() == "2027-01-01T05:00:00+00:00"
