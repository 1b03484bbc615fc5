"""One request being carried out: who asks, when, and the events that it makes."""

import json
from dataclasses import dataclass, field
from typing import Any

from .store import Store, new_id, public

API_VERSION = "2026-10-28.endive"


@dataclass
class Call:
    """Carry a request's account, credential, parameters and clock to the function that answers it."""

    store: Store
    account: str
    now: int
    params: dict[str, Any] = field(default_factory=dict)
    credential: str | None = None
    idempotency_key: str | None = None
    request_id: str | None = None
    base_url: str = ""

    def find(self, kind: str, reference: str) -> dict[str, Any] | None:
        return self.store.find(self.account, kind, reference)

    def get(self, kind: str, reference: str, *, param: str = "id") -> dict[str, Any]:
        """Return an object of this account.

        :raises ApiError: 404 when there is none.
        """
        return self.store.get(self.account, kind, reference, param=param)

    def save(self, body: dict[str, Any]) -> dict[str, Any]:
        self.store.save(self.account, body)
        return body

    def new(self, prefix: str, kind: str, **fields: Any) -> dict[str, Any]:
        """Make an object that is not saved yet."""
        return {"id": new_id(prefix), "object": kind, "created": self.now, "livemode": False, **fields}

    def origin(self) -> dict[str, Any]:
        """Return who caused an effect: the ledger judges double charges by it."""
        return {
            "credential": self.credential,
            "idempotency_key": self.idempotency_key,
            "request": self.request_id,
        }

    def plan(self, body: dict[str, Any], what: str, at: int) -> None:
        """Have something happen to an object when the sandbox's clock passes a moment."""
        self.store.rows(
            "INSERT INTO due (account, kind, object, at) VALUES (?, ?, ?, ?)",
            self.account,
            what,
            body["id"],
            at,
        )

    def emit(self, kind: str, body: dict[str, Any], previous: dict[str, Any] | None = None) -> None:
        """Write an event and, when the account listens, its delivery: both in the caller's transaction."""
        data: dict[str, Any] = {"object": public(body)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = self.new(
            "evt",
            "event",
            api_version=API_VERSION,
            data=json.loads(json.dumps(data)),
            pending_webhooks=1,
            request={"id": self.request_id, "idempotency_key": self.idempotency_key},
            type=kind,
        )
        self.save(event)
        account = self.store.row("SELECT webhook_url, webhook_events FROM accounts WHERE id = ?", self.account)
        if account and account["webhook_url"] and kind in json.loads(account["webhook_events"] or f'["{kind}"]'):
            self.store.rows(
                "INSERT INTO deliveries (account, event, type, due) VALUES (?, ?, ?, 0)",
                self.account,
                event["id"],
                kind,
            )
