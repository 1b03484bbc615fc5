"""Control calls under ``/_sandbox/``: what a test or a demonstration does that a merchant cannot."""
# ruff: noqa: S608 - statements are put together from this program's own words only; values are bound.

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from . import banks, cards, charges, debits, intents, methods, setups
from .calls import Call
from .errors import refused
from .store import Store

FAULTS = {
    "drop_before": "closes the connection, nothing happened",
    "drop_after_effect": "carries the request out, then closes the connection without an answer",
    "error_500": "answers 500, nothing happened and nothing is remembered",
    "error_500_kept": "answers 500, nothing happened, and the idempotency key answers so for a day",
    "error_500_after_effect": "carries the request out, then answers 500",
    "error_503": "answers 503, nothing happened",
    "rate_limit": "answers 429",
    "timeout": "carries the request out, then stays silent",
    "hang_before": "stays silent, nothing happened",
    "slow": "waits, then answers",
    "crash_before_commit": "kills the processor just before it would have kept the effect",
    "crash_after_effect": "kills the processor just after it kept the effect",
}
SILENT_SECONDS = 120.0


def call_for(store: Store, account: str, *, base_url: str = "", params: dict[str, Any] | None = None) -> Call:
    """Make a call that no key made."""
    return Call(store=store, account=account, now=store.now(), base_url=base_url, params=params or {})


def _owner(store: Store, reference: str) -> str:
    found = store.row("SELECT account FROM objects WHERE id = ?", reference)
    if found is None:
        raise refused(f"Nothing has the id {reference}", status=404)
    return found["account"]


def put_account(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Make or change a merchant account; its keys are replaced by those given.

    `webhook_events` lists the kinds of events that are sent to it; none: all.
    """
    account = given["id"]
    for credential, secret in (given.get("secret_keys") or {}).items():
        other = store.row("SELECT account FROM keys WHERE secret = ?", secret)
        if other and other["account"] != account:
            raise refused(f"The key of {credential} belongs to another account.")
    store.rows("INSERT OR IGNORE INTO accounts (id, publishable_key) VALUES (?, ?)", account, f"pk_test_{account}")
    for name in ("publishable_key", "webhook_url", "webhook_host", "webhook_secret"):
        if name in given:
            store.rows(f"UPDATE accounts SET {name} = ? WHERE id = ?", given[name], account)
    if "webhook_events" in given:
        wanted = json.dumps(given["webhook_events"]) if given["webhook_events"] else None
        store.rows("UPDATE accounts SET webhook_events = ? WHERE id = ?", wanted, account)
    if given.get("secret_keys"):
        store.rows("DELETE FROM keys WHERE account = ?", account)
        for credential, secret in given["secret_keys"].items():
            store.rows("INSERT INTO keys VALUES (?, ?, ?)", secret, account, credential)
    return next(one for one in accounts(store)["accounts"] if one["id"] == account)


def accounts(store: Store) -> dict[str, Any]:
    """Show the merchant accounts, without secrets."""
    rows = store.rows("SELECT * FROM accounts ORDER BY id")
    names = store.rows("SELECT account, credential FROM keys ORDER BY credential")
    return {
        "accounts": [
            {
                **{name: row[name] for name in ("id", "publishable_key", "webhook_url", "webhook_host")},
                "credentials": [one["credential"] for one in names if one["account"] == row["id"]],
            }
            for row in rows
        ]
    }


def put_card(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Script what a card number does."""
    number = "".join(given["number"].split())
    if not cards.passes_luhn(number):
        raise refused(f"{number} has a wrong check digit: the field would not take it.", param="number")
    return {"number": number, **cards.add_script(store, number, given).__dict__}


def put_token(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Make a confirmation token without a browser."""
    account = given["account"]
    if not store.row("SELECT 1 FROM accounts WHERE id = ?", account):
        raise refused(f"There is no account {account}", param="account", status=404)
    card = {
        "number": str(given.get("number", "4242424242424242")),
        "exp_month": int(given.get("exp_month", 12)),
        "exp_year": int(given.get("exp_year", 2034)),
        "cvc": str(given.get("cvc", "123")),
    }
    data = {"type": "card", "card": card, "billing_details": given.get("billing_details") or {}}
    params = {
        "payment_method_data": data,
        **{name: given.get(name) for name in ("return_url", "setup_future_usage")},
    }
    return methods.create_token(call_for(store, account, params=params))


def put_fault(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Plan an outage for the next requests that fit."""
    if given.get("mode") not in FAULTS:
        raise refused(f"mode is one of {', '.join(FAULTS)}", param="mode")
    default = 1.0 if given["mode"] == "slow" else SILENT_SECONDS
    store.rows(
        """INSERT INTO faults (path, method, account, mode, remaining, skip, seconds)
        VALUES (?, ?, ?, ?, ?, ?, ?)""",
        given.get("path", "/v1/"),
        given.get("method"),
        given.get("account"),
        given["mode"],
        int(given.get("times", 1)),
        int(given.get("skip", 0)),
        float(given.get("seconds", default)),
    )
    return faults(store)


def faults(store: Store) -> dict[str, Any]:
    return {
        "faults": [dict(row) for row in store.rows("SELECT * FROM faults WHERE remaining > 0")],
        "modes": FAULTS,
    }


def clock(store: Store) -> dict[str, Any]:
    moment = datetime.fromtimestamp(store.now(), UTC)
    return {
        "now": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "offset_seconds": float(store.setting("clock_offset", "0")),
    }


def put_clock(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Move the clock and do what became due."""
    offset = float(store.setting("clock_offset", "0"))
    if "now" in given:
        moment = datetime.fromisoformat(given["now"])
        if moment.tzinfo is None:
            raise refused("now needs a time zone, such as 2026-12-01T14:00:00Z", param="now")
        offset = moment.timestamp() - time.time()
    offset += float(given.get("advance_seconds", 0))
    store.set_setting("clock_offset", str(offset))
    run_due(store, base_url=base_url)
    return clock(store)


def run_due(store: Store, *, base_url: str = "") -> int:
    """Do what the clock has passed: settle bank debits, end refunds; return how many."""
    done = 0
    # One at a time, and each at its own moment, so that events carry the time they happened at.
    while row := store.row("SELECT * FROM due WHERE at <= ? ORDER BY at, id LIMIT 1", store.now()):
        store.rows("DELETE FROM due WHERE id = ?", row["id"])
        call = Call(store=store, account=row["account"], now=row["at"], base_url=base_url)
        if row["kind"] == "settle":
            debits.settle(call, call.get("payment_intent", row["object"]))
        else:
            refund = call.get("refund", row["object"])
            charges.finish_refund(call, refund, failed=row["kind"] == "refund_failure")
        done += 1
    return done


def put_settlement(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """End one bank debit, or all that are processing, now; by its number or as told."""
    wanted = given.get("payment_intent")
    rows = store.rows("SELECT account, object FROM due WHERE kind = 'settle' ORDER BY at, id")
    targets = [(_owner(store, wanted), wanted)] if wanted else [(row["account"], row["object"]) for row in rows]
    for account, reference in targets:
        call = call_for(store, account, base_url=base_url)
        intent = call.get("payment_intent", reference)
        debits.settle(call, intent, outcome=given.get("outcome"), return_code=given.get("return_code"))
        store.rows("DELETE FROM due WHERE kind = 'settle' AND object = ?", reference)
    return {"settled": [reference for _, reference in targets]}


def put_challenge(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Answer a 3-D Secure question as the consumer would."""
    reference = given["intent"]
    call = call_for(store, _owner(store, reference), base_url=base_url)
    kind, answer = (setups, "setup_intent") if reference.startswith("seti_") else (intents, "payment_intent")
    return kind.authenticate(call, call.get(answer, reference), passed=given.get("outcome") == "complete")


def put_dispute(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Open a dispute of a charge, or close one (``dispute`` and ``status`` won or lost).

    With ``inquiry`` the bank only asks, and takes no money. Of a bank debit a ``reason`` alone comes without a code.
    """
    if given.get("dispute"):
        call = call_for(store, _owner(store, given["dispute"]), base_url=base_url)
        return charges.close_dispute(call, given["dispute"], given.get("status", "lost"))
    reference = given.get("charge") or given["payment_intent"]
    call = call_for(store, _owner(store, reference), base_url=base_url)
    if not given.get("charge"):
        reference = call.get("payment_intent", reference)["latest_charge"] or ""
    charge = call.get("charge", reference, param="charge")
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise refused("Only a paid charge that is not disputed yet can be disputed.", param="charge")
    by_bank = charge["payment_method_details"]["type"] == "us_bank_account"
    code = given.get("network_reason_code") or (
        None if by_bank and given.get("reason") else "R10" if by_bank else "10.4"
    )
    reason = given.get("reason") or (banks.CODES.get(code) or "debit_not_authorized" if by_bank else "fraudulent")
    inquiry = bool(given.get("inquiry"))
    return charges.dispute(call, charge, reason=reason, code=code, amount=given.get("amount"), inquiry=inquiry)


def put_update(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Renew a card or change a bank account as network or bank tell the processor, which tells the merchant.

    ``payment_method`` and what is new: ``last4``, ``exp_month``, ``exp_year``; ``routing_number``, ``account_type``,
    and the holder's ``name``.
    """
    call = call_for(store, _owner(store, given["payment_method"]), base_url=base_url)
    method = call.get("payment_method", given["payment_method"], param="payment_method")
    kind = method["type"]
    known = ("last4", "exp_month", "exp_year") if kind == "card" else ("last4", "routing_number", "account_type")
    new = {name: given[name] for name in known if name in given}
    named = {"name": given["name"]} if kind != "card" and "name" in given else {}
    if not new and not named:
        raise refused(f"Say what is new: {', '.join(known)}.")
    previous = {kind: {name: method[kind].get(name) for name in new}} if new else {}
    if named:
        previous["billing_details"] = {"name": method["billing_details"].get("name")}
    method[kind] |= new
    method["billing_details"] |= named
    call.save(method)
    call.emit("payment_method.automatically_updated", method, previous)
    return method


def put_mandate(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """End the standing agreement of a bank account, as its bank does when the consumer revokes it there."""
    call = call_for(store, _owner(store, given["payment_method"]), base_url=base_url)
    method = call.get("payment_method", given["payment_method"], param="payment_method")
    if not call.find("mandate", method["_"].get("mandate", "")):
        raise refused("This payment method has no standing agreement.", param="payment_method")
    methods.end_mandate(call, method)
    return call.save(method)


def put_refund(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Let a refund fail now, as when the consumer's bank sends it back."""
    call = call_for(store, _owner(store, given["refund"]), base_url=base_url)
    refund = call.get("refund", given["refund"], param="refund")
    if refund["status"] == "failed":
        raise refused("This refund has failed already.", param="refund")
    charges.finish_refund(call, refund, failed=True)
    return refund


def put_webhooks(store: Store, given: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Hold, turn round, double or repeat deliveries of an account."""
    for name in ("paused", "reversed", "copies"):
        if name in given:
            store.rows(f"UPDATE accounts SET {name} = ? WHERE id = ?", int(given[name]), given["account"])
    if given.get("resend"):
        event = given["resend"]
        account = _owner(store, event)
        kind = store.get(account, "event", event)["type"]
        store.rows("INSERT INTO deliveries (account, event, type, due) VALUES (?, ?, ?, 0)", account, event, kind)
    if given.get("flush"):
        store.rows("UPDATE deliveries SET due = 0 WHERE status = 'pending'")
    return webhooks(store)


def webhooks(store: Store) -> dict[str, Any]:
    rows = store.rows("SELECT * FROM deliveries ORDER BY id DESC LIMIT 500")
    counts = store.rows("SELECT status, count(*) AS number FROM deliveries GROUP BY status")
    return {
        "counts": {row["status"]: row["number"] for row in counts},
        "deliveries": [dict(row) for row in rows],
    }


def ledger(store: Store, *, account: str | None = None) -> list[dict[str, Any]]:
    """List every charge, refund and dispute with who caused it: the judge of double charges."""
    where, values = ("AND account = ?", [account]) if account else ("", [])
    rows = store.rows(
        f"""SELECT account, body FROM objects WHERE kind IN ('charge', 'refund', 'dispute') {where}
        ORDER BY seq""",
        *values,
    )
    entries = []
    for row in rows:
        body = json.loads(row["body"])
        names = ("id", "amount", "currency", "status", "payment_intent", "metadata", "created")
        detail = body.get("payment_method_details") or {}
        shown = detail.get(detail.get("type") or "") or {}
        entries.append(
            {
                "kind": body["object"],
                "account": row["account"],
                **(body.get("_") or {}),
                **{name: body.get(name) for name in names},
                "charge": body.get("charge"),
                "customer": body.get("customer"),
                "payment_method": body.get("payment_method"),
                "type": detail.get("type"),
                **{name: shown.get(name) for name in ("brand", "funding", "last4", "network_transaction_id")},
                "amount_refunded": body.get("amount_refunded"),
                "failure_code": body.get("failure_code"),
                "decline_code": (body.get("outcome") or {}).get("reason"),
                "disputed": body.get("disputed"),
                "reason": body.get("reason"),
            }
        )
    return entries


POSTS: dict[str, Callable[[Store, dict[str, Any], str], dict[str, Any]]] = {
    "accounts": put_account,
    "cards": put_card,
    "confirmation_tokens": put_token,
    "faults": put_fault,
    "clock": put_clock,
    "settle": put_settlement,
    "challenges": put_challenge,
    "disputes": put_dispute,
    "webhooks": put_webhooks,
    "updates": put_update,
    "mandates": put_mandate,
    "refunds": put_refund,
}


def answer(store: Store, method: str, name: str, body: bytes, query: dict[str, str], base_url: str) -> Any:
    """Answer a control call.

    :raises ApiError: 400 or 404 with the reason.
    """
    if method == "GET":
        if name == "ledger":
            return ledger(store, account=query.get("account"))
        if name == "cards":
            return {"cards": {number: card.__dict__ for number, card in cards.CARDS.items()}}
        reads = {"accounts": accounts, "clock": clock, "faults": faults, "webhooks": webhooks}
        if name in reads:
            return reads[name](store)
    if method == "DELETE" and name == "faults":
        store.rows("DELETE FROM faults")
        return faults(store)
    if method != "POST" or name not in POSTS:
        raise refused(f"There is no control call {method} {name}", status=404)
    try:
        given = json.loads(body or b"{}")
        return POSTS[name](store, given, base_url)
    except KeyError as error:
        raise refused(f"{error.args[0]} is missing", param=str(error.args[0])) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise refused(f"That cannot be read: {error}") from error
