"""A host that sends files: a connection with its key, through the real endpoint and the real intake."""

import copy
import gzip
import json

from accounts import clock
from accounts.tenancy import acting_for
from integrations.api.hosts import RECORD
from integrations.models import HostConnection, HostFile, HostFileError
from integrations.services import intake
from integrations.services.receive import make_inbound_key


def record(number="100234", **values) -> dict:
    """Make a whole account record; None leaves a field out."""
    made = copy.deepcopy(RECORD) | {"FileNumber": number, "ConsumerID": f"P-{number}"}
    made["Emails"] = [{"Address": f"p{number}@example.com", "Route": "RF-13"}]
    del made["Settlement"], made["SSN"]
    made |= values
    return {name: value for name, value in made.items() if value is not None}


def change(number="100234", *, version=8, **values) -> dict:
    """Make an update record."""
    return {"FileNumber": number, "AsOf": "2026-12-01T14:30:00Z", "Version": version, **values}


def ndjson(*records) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


class FileHost:
    """Send files and see what becomes of them."""

    def __init__(self, agency, client, **values) -> None:
        self.client, self.agency = client, agency
        with acting_for(agency):
            HostConnection.objects.update(**values)
            self.connection = HostConnection.objects.get()
            self.key = make_inbound_key(self.connection)

    @property
    def path(self) -> str:
        return f"/api/v1/hosts/{self.connection.pk}/files"

    def headers(self, key="") -> dict:
        return {"Authorization": f"Bearer {key or self.key}", "Host": "localhost"}

    def post(self, body, kind="placement", *, dry_run=False, packed=False, key="", name="", **headers):
        body = gzip.compress(body) if packed else body
        query = f"?kind={kind}&name={name}" + ("&dry_run=true" if dry_run else "")
        headers = self.headers(key) | headers
        return self.client.post(self.path + query, data=body, content_type="application/x-ndjson", headers=headers)

    def get(self, *parts, key=""):
        return self.client.get("/".join([self.path, *map(str, parts)]), headers=self.headers(key))

    def work(self) -> int:
        return intake.work(clock=clock.now, longest=60)

    def send(self, *records, kind="placement", **how) -> HostFile:
        """Send records (or one body of bytes), apply, and give the file's row."""
        body = records[0] if records and isinstance(records[0], bytes) else ndjson(*records)
        answer = self.post(body, kind, **how)
        assert answer.status_code in (200, 202), answer.content
        self.work()
        with acting_for(self.agency):
            return HostFile.objects.get(pk=answer.json()["id"])

    def errors(self, file) -> list[tuple]:
        with acting_for(self.agency):
            rows = HostFileError.objects.filter(file=file).order_by("place")
            return [(row.line, row.reference, row.field, row.code) for row in rows]
