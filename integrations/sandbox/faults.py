"""Scripted faults: what a real host does on its bad days, on command and a counted number of times."""

import json
from dataclasses import dataclass, field

from .store import Store

# What each mode does to the portal's call; the first four never reach the host's own store.
MODES = {
    "outage": "the connection is closed without an answer",
    "status": "this status code, no effect (detail: status, retry_after)",
    "redirect": "302 to another address, no effect (detail: location)",
    "wrong_body": "200 with a page of HTML, no effect (detail: after_effect)",
    "slow": "waits before it works (detail: seconds)",
    "drop_after_effect": "works, then closes the connection without an answer",
    "half_body": "works, then closes in the middle of the answer",
    "trickle": "works, then answers one byte at a time (detail: seconds for the whole answer)",
    "huge": "works, then answers with many megabytes (detail: megabytes)",
}


@dataclass
class Fault:
    mode: str
    detail: dict = field(default_factory=dict)


class Faults:
    def __init__(self, store: Store):
        self.store = store

    def script(self, body: dict) -> int:
        """Add a fault; without `times` it stays until it is cleared.

        :raises ValueError: an unknown mode, or a number that is none.
        """
        detail = dict(body)
        mode = detail.pop("mode", None) or ("status" if "status" in detail else "")
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}")
        path = detail.pop("path", "/")
        times = detail.pop("times", None)
        if times is not None and int(times) < 1:
            raise ValueError("times is 1 or more")
        for name in ("status", "seconds", "megabytes", "retry_after"):
            if name in detail:
                detail[name] = float(detail[name]) if name == "seconds" else int(detail[name])
        with self.store.write() as db:
            return db.execute(
                "INSERT INTO faults (mode, path, detail, remaining) VALUES (?, ?, ?, ?)",
                (mode, path, json.dumps(detail), None if times is None else int(times)),
            ).lastrowid

    def clear(self) -> None:
        with self.store.write() as db:
            db.execute("DELETE FROM faults")

    def take(self, path: str) -> Fault | None:
        """Use up one turn of the oldest fault scripted for this path."""
        if not self.store.scalar("SELECT 1 FROM faults LIMIT 1"):
            return None
        with self.store.write() as db:
            for row in db.execute(
                "SELECT * FROM faults WHERE remaining IS NULL OR remaining > 0 ORDER BY id"
            ).fetchall():
                if path.startswith(row["path"]):
                    db.execute(
                        "UPDATE faults SET hits = hits + 1, remaining = remaining - 1 WHERE id = ?",
                        (row["id"],),
                    )
                    return Fault(mode=row["mode"], detail=json.loads(row["detail"]))
        return None

    def listed(self) -> list[dict]:
        return [
            {
                "id": row["id"],
                "mode": row["mode"],
                "path": row["path"],
                "remaining": row["remaining"],
                "hits": row["hits"],
                **json.loads(row["detail"]),
            }
            for row in self.store.rows("SELECT * FROM faults ORDER BY id")
        ]
