"""Push account records to the portal: when they changed, on command, and wrongly when told to."""

import json
import threading
import time
from datetime import UTC, datetime

from ..client import Client, NoAnswer
from ..clock import stamp
from ..store import Store
from .records import Records, cents, dollars

TABLES = """
CREATE TABLE IF NOT EXISTS push_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, why TEXT NOT NULL, records INTEGER NOT NULL,
    first TEXT NOT NULL, status INTEGER, answer TEXT NOT NULL, took_ms REAL NOT NULL);
"""

# The portal takes 5,000 in one request; smaller ones keep a retry cheap.
CHUNK = 500
LONGEST_PAUSE_SECONDS = 30.0
LOG_KEPT = 300


class Pushes:
    def __init__(self, *, store: Store, records: Records, client: Client, setting, outward=lambda record: record):
        self.store = store
        self.records = records
        self.client = client
        self.setting = setting
        self.outward = outward
        # One push at a time, so that an older version never overtakes a newer one by accident.
        self.one_at_a_time = threading.Lock()

    def configured(self) -> bool:
        return bool(self.setting("portal_url") and self.setting("connection_id"))

    def flush(self, *, all_of_them: bool = False) -> float:
        """Push what is due; answer the seconds until the next one."""
        if not self.configured():
            return LONGEST_PAUSE_SECONDS
        with self.one_at_a_time:
            while True:
                latest = time.time() if not all_of_them else float("inf")
                due = self.store.rows("SELECT * FROM pushes WHERE due_at <= ? ORDER BY due_at LIMIT ?", latest, CHUNK)
                if not due or not self.push_due(due) or all_of_them:
                    break
        next_at = self.store.scalar("SELECT min(due_at) FROM pushes")
        return LONGEST_PAUSE_SECONDS if next_at is None else max(0.0, next_at - time.time())

    def push_due(self, due: list) -> bool:
        """Push these rows; those that the portal took are done unless they changed meanwhile."""
        records = [self.records.record(row["file_number"]) for row in due]
        for _ in range(max(1, int(self.setting("push_times")))):
            outcome = self.send(records, why="changed")
        taken = outcome["status"] == 200
        with self.store.write() as db:
            for row, record in zip(due, records, strict=True):
                if taken:
                    db.execute(
                        "DELETE FROM pushes WHERE file_number = ? AND wanted_version <= ?",
                        (row["file_number"], record["Version"]),
                    )
                else:
                    pause = min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** min(row["tries"], 10))
                    db.execute(
                        "UPDATE pushes SET tries = tries + 1, due_at = ?, last_error = ? WHERE file_number = ?",
                        (time.time() + pause, json.dumps(outcome["answer"])[:300], row["file_number"]),
                    )
        return taken

    def command(self, said: dict) -> dict:
        """Push on command.

        FileNumbers: a list or "all". as_list: a list even for one. times: the same again. stale: the version
        before. conflict: the present AsOf and Version with another balance. order: "newest_first" sends every
        kept version, newest first. fresh: as of now, as a nightly picture of everything is. gzip: compressed.

        :raises ValueError: an unknown account, or the portal is not configured.
        """
        if not self.configured():
            raise ValueError("configure portal_url and connection_id first")
        numbers = said.get("FileNumbers", "all")
        if numbers == "all":
            numbers = self.records.numbers()
        elif isinstance(numbers, str):
            numbers = [number.strip() for number in numbers.split(",")]
        unknown = [number for number in numbers if not self.records.known(number)]
        if unknown:
            raise ValueError(f"unknown accounts: {', '.join(unknown[:10])}")
        records, why = self.chosen(numbers, said)
        as_list = bool(said.get("as_list")) or len(numbers) > 1
        size = 1 if not as_list else CHUNK
        answers = []
        with self.one_at_a_time:
            for _ in range(max(1, int(said.get("times", 1)))):
                for start in range(0, len(records), size):
                    chunk = records[start : start + size]
                    answers.append(self.send(chunk, why=why, as_list=as_list, compress=bool(said.get("gzip"))))
        return {"pushed": len(records), "answers": answers}

    def chosen(self, numbers: list[str], said: dict) -> tuple[list[dict], str]:
        if said.get("fresh"):
            now = stamp(self.records.clock.now())
            return [self.records.record(number) | {"AsOf": now} for number in numbers], "fresh"
        if said.get("stale"):
            return [self.records.older(number) for number in numbers], "stale"
        if said.get("order") == "newest_first":
            return [version for number in numbers for version in self.records.history(number)], "newest first"
        records = [self.records.record(number) for number in numbers]
        if said.get("conflict"):
            for record in records:
                record["CurrentBalance"] = dollars(cents(record["CurrentBalance"]) + 1)
            return records, "conflict"
        return records, "command"

    def send(self, records: list[dict], *, why: str, as_list: bool = False, compress: bool = False) -> dict:
        """Make one request and log it; a status of None means that no answer came."""
        said = [self.outward(record) for record in records]
        body = said if as_list or len(said) != 1 else said[0]
        url = f"{self.setting('portal_url').rstrip('/')}/api/v1/hosts/{self.setting('connection_id')}/accounts"
        headers = {
            "Authorization": f"Bearer {self.setting('inbound_key')}",
            "Content-Type": "application/json",
            "User-Agent": "SCollect-sandbox/1",
        }
        if self.setting("portal_host"):
            headers["Host"] = self.setting("portal_host")
        started = time.perf_counter()
        try:
            heard = self.client.call("POST", url, headers=headers, body=json.dumps(body).encode(), compress=compress)
            status = heard.status
            answer = heard.body if heard.body is not None else heard.text[:500]
        except NoAnswer as silence:
            status, answer = None, str(silence)
        took = (time.perf_counter() - started) * 1000
        with self.store.write() as db:
            row_id = db.execute(
                "INSERT INTO push_log (at, why, records, first, status, answer, took_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    stamp(datetime.now(UTC)),
                    why,
                    len(records),
                    records[0]["FileNumber"] if records else "",
                    status,
                    json.dumps(answer)[:4000],
                    round(took, 2),
                ),
            ).lastrowid
            db.execute("DELETE FROM push_log WHERE id <= ?", (row_id - LOG_KEPT,))
        return {"status": status, "answer": answer}

    def log(self, limit: int = 50) -> list[dict]:
        return [
            {**dict(row), "answer": row["answer"]}
            for row in self.store.rows("SELECT * FROM push_log ORDER BY id DESC LIMIT ?", limit)
        ]

    def waiting(self) -> list[dict]:
        return [dict(row) for row in self.store.rows("SELECT * FROM pushes ORDER BY due_at")]
