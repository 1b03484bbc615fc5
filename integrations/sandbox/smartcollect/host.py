"""The SmartCollect host: a population by file, changes by file, activity back; by SFTP, by REST, or both.

The portal's side, with the outbound key: GET /api/v1/accounts/<accountNumber>, POST /api/v1/activity; and the host's
own SFTP site, for the key in `portal_key` (its port and key are in /_sandbox/site).
Control, beside those of the SCollect host: placement {"FileNumbers", "messaging"}, update {"FileNumbers", "fields"},
read (what lies in `in`) under /_sandbox/; to look at: site, files.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from ..clock import stamp
from ..page import section, table
from ..scollect.host import ScollectHost
from ..seed import renumbered
from ..server import Route
from . import words
from .site import Site

TABLES = """
CREATE TABLE IF NOT EXISTS files (
    name TEXT PRIMARY KEY, direction TEXT NOT NULL, lines INTEGER NOT NULL, result TEXT, at TEXT NOT NULL);
"""


class SmartCollectHost(ScollectHost):
    style, title = "smartcollect", "SmartCollect"
    account_path, events_path = r"/api/v1/accounts/([^/]+)", r"/api/v1/activity"
    tables = ScollectHost.tables + TABLES
    defaults: ClassVar[dict[str, object]] = ScollectHost.defaults | {"name": "SmartCollect", "portal_key": ""}

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.site = Site(directory / "sftp", lambda: self.setting("portal_key"))

    def outward(self, record: dict) -> dict:
        return words.outward(record)

    def inward(self, event: dict) -> dict:
        return words.inward(event)

    def routes(self) -> list[Route]:
        return [
            *super().routes(),
            Route("GET", r"/_sandbox/site", lambda request: {"port": self.site.port, "host_key": self.site.public_key}),
            Route("GET", r"/_sandbox/files", lambda request: {"files": self.files()}),
            Route("POST", r"/_sandbox/placement", self.command("placement", self.place)),
            Route("POST", r"/_sandbox/update", self.command("update", self.update)),
            Route("POST", r"/_sandbox/read", self.command("read", lambda said: self.read_all())),
        ]

    def own_accounts(self, accounts: list[dict]) -> list[dict]:
        return renumbered(accounts[:3], prefix="S-", ssn_group="96")

    # Files out.

    def named(self, said: dict) -> list[dict]:
        numbers = said.get("FileNumbers", "all")
        if numbers in ("all", ["all"]):
            numbers = self.records.numbers()
        found = [self.records.record(number) for number in ([numbers] if isinstance(numbers, str) else numbers)]
        if not found or None in found:
            raise ValueError("FileNumbers names accounts of this host, or all")
        return found

    def place(self, said: dict) -> dict:
        """Write a placement file: one document with its customers, and whether they may be written to at once."""
        customers = words.population(self.named(said))
        for customer in customers if said.get("messaging") else ():
            customer["messaging"] = True
        document = {"placedAt": stamp(self.clock.now()), "customers": customers}
        return self.write("placement", json.dumps(document, indent=1).encode(), len(customers))

    def update(self, said: dict) -> dict:
        """Write an update file: of each account only the fields that are named."""
        fields = said.get("fields") or ["balance", "status"]
        fields = fields.split(",") if isinstance(fields, str) else fields
        lines = [json.dumps(words.changes(record, fields)) for record in self.named(said)]
        return self.write("update", "".join(f"{line}\n" for line in lines).encode(), len(lines))

    def write(self, kind: str, body: bytes, lines: int) -> dict:
        """Write a file under a name that says it is unfinished, then give it its own."""
        count = self.store.scalar("SELECT count(*) FROM files")
        name = f"{kind}-{self.clock.now():%Y%m%d}-{count + 1:04}.json"
        part = self.site.folder / "out" / f"{name}.part"
        part.write_bytes(body)
        part.replace(part.with_name(name))
        self.keep(name, "out", lines)
        return {"file": name, "entries": lines}

    # Files in.

    def read_all(self) -> dict:
        """Take what the portal dropped: activity has its effect once per event, a result is kept with its file."""
        folder, read = self.site.folder / "in", 0
        for path in sorted(folder.iterdir()):
            if not path.is_file() or path.name.startswith(".") or path.name.endswith(".part"):
                continue
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            if path.name.startswith("activity"):
                at = datetime.now(UTC).timestamp()
                for start in range(0, len(lines), 200):
                    self.inbox.receive([words.inward(line) for line in lines[start : start + 200]], received_at=at)
                self.keep(path.name, "in", len(lines))
            elif lines:
                self.keep(path.name, "in", len(lines) - 1, result=lines[0])
            done = folder / "done"
            done.mkdir(exist_ok=True)
            path.replace(done / path.name)
            read += 1
        return {"read": read}

    def work(self) -> float:
        self.read_all()
        return super().work()

    def keep(self, name: str, direction: str, lines: int, result: dict | None = None) -> None:
        with self.store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                (name, direction, lines, json.dumps(result) if result else None, datetime.now(UTC).isoformat()),
            )

    def files(self) -> list[dict]:
        rows = self.store.rows("SELECT * FROM files ORDER BY at DESC LIMIT 200")
        return [dict(row) | {"result": json.loads(row["result"]) if row["result"] else None} for row in rows]

    def sections(self) -> list[str]:
        lines = [
            [row["name"], row["direction"], str(row["lines"]), (row["result"] or {}).get("state", "")]
            for row in self.files()[:12]
        ]
        heads = ["File", "Way", "Entries", "Became"]
        return [section("files", "Files", table(heads, lines, empty="No file has travelled yet."))]
