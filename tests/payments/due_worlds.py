"""Worlds for the due run: an item with all that decides about it, plain at first, then changed in a few places."""

import datetime as dt
from random import Random

from accounts.bulk import write_rows
from accounts.models import Account, Agency, Client, Consumer, Licence
from accounts.tenancy import acting_for
from payments.models import (
    Arrangement,
    Authorization,
    Dispute,
    Method,
    Notice,
    Payment,
    Postdate,
    ProcessorAccount,
)
from payments.rules.notices import letter_window, predebit_window
from tests.conftest import NOW

DUE_ON = dt.date(2026, 12, 15)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ZONES = ("America/New_York", "America/Chicago", "Pacific/Honolulu", "Pacific/Kiritimati", "Europe/Berlin", "UTC")
SOME = {
    "due_on": [DUE_ON - DAY, DUE_ON + DAY, DUE_ON - 3 * DAY, DUE_ON - 30 * DAY],
    "amount_cents": [1, 999_99, 1_000_00, 1_000_01, 60_00],
    "tries": [1, 2],
    "of": [1, 3],
    "arrangement": ["late", "paused", "review", "settlement"],
    "revoked": [True],
    "signed_for": ["another"],
    "lines": [[], [["2026-12-15", 125_01]], [["2026-12-16", 125_00]]],
    "accepted": [1, 4, 5, 6, 7],
    "kind": ["ach", "ach"],
    "brand": ["mastercard", "amex", "discover", "jcb", "Visa"],
    "funding": ["credit", "prepaid", "unknown", ""],
    "method": ["removed_at", "blocked_at", "validated_at", "update_pending", "stored", "processor_method"],
    "fingerprint": ["", "shared", "other's"],
    "merchant": ["inactive", "paused", None],
    "zone": ZONES,
    "state": ["NY", "TX", "CA", "ny", ""],
    "sol_status": ["", "expired", "unknown"],
    "sol_on": [DUE_ON, DUE_ON + DAY, DUE_ON - DAY],
    "status": ["validation", "disputed", "paid", "recalled", "closed", "cease", "attorney"],
    "balance_cents": [0, 124_99, 125_00, 125_01],
    "stale": [23, 24, 25],
    "debt_type": ["medical", "Payday loan", "PAYDAY"],
    "payment_options": [{"ach_allowed": False}, {"unknown": 1}, {"recurring_methods": []}, {"can_pay": False}],
    "original_creditor": ["", "  ", "\u00a0", "!", "ñandú"],
    "description": ["", "\t"],
    "contract_on": [None],
    "channel": ["letter"],
    "notice": ["none", "due"],
    "change": ["varying", "date_change", "varying due", "date_change due"],
    "sent": ["first", "before", "last", "after", "edge"],
    "dispute": ["open", "resolved"],
    "paid": ["intended", "pending", "succeeded", "settlement", "acknowledged", "declined", "refunded"],
    "twin": [True],
}
"""What a place of a world may be instead."""
PLAIN = {
    "due_on": DUE_ON,
    "amount_cents": 125_00,
    "tries": 0,
    "of": 2,
    "arrangement": "performing",
    "revoked": False,
    "signed_for": "this",
    "lines": None,
    "accepted": 20,
    "kind": "card",
    "brand": "visa",
    "funding": "debit",
    "method": None,
    "fingerprint": "own",
    "merchant": "active",
    "zone": "America/New_York",
    "state": "NY",
    "sol_status": "live",
    "sol_on": None,
    "status": "open",
    "balance_cents": 1_000_00,
    "stale": 1,
    "debt_type": "",
    "payment_options": {},
    "original_creditor": "Harbor Medical Group",
    "description": "Emergency room visit",
    "contract_on": dt.date(2025, 3, 14),
    "channel": "email",
    "notice": "sent",
    "sent": "target",
    "change": "",
    "dispute": "",
    "paid": "",
    "twin": False,
}


def license_in_places(agency: Agency) -> None:
    """Let an agency collect only where it is licensed: New York until a day of the run, California from the next."""
    Agency.objects.filter(pk=agency.pk).update(licensed_only=True)
    with acting_for(agency):
        Licence.objects.create(state="NY", starts_on=DUE_ON - 30 * DAY, ends_on=DUE_ON)
        Licence.objects.create(state="CA", starts_on=DUE_ON + DAY)


def place(agency: Agency, dice: Random, count: int, *, now: dt.datetime) -> None:
    """Write so many worlds of an agency, each with an account, a consumer and one item that a run would claim."""
    with acting_for(agency):
        client, _made = Client.objects.get_or_create(number="W1", defaults={"name": "Harbor Medical"})
        merchants = {"active": ProcessorAccount.objects.get(name="Cards")}
        for name, values in (("inactive", {"is_active": False}), ("paused", {"debits_paused_at": NOW})):
            about = {"name": name, "account_ref": f"acct_{name}_{agency.slug}", "publishable_key": "pk"}
            found = ProcessorAccount.objects.filter(name=name).first()
            merchants[name] = found or ProcessorAccount.objects.create(**about, client=client, **values)
        rows: dict[type, list] = {
            model: []
            for model in (Consumer, Account, Method, Authorization, Arrangement, Postdate, Notice, Dispute, Payment)
        }
        for number in range(count):
            changed = dice.sample(sorted(SOME), dice.choice((0, 0, 1, 1, 2, 3)))
            world = PLAIN | {name: dice.choice(SOME[name]) for name in changed}
            _one(rows, world, f"W{now:%d%H}-{number}", client, merchants, now)
        for model, made in rows.items():
            write_rows(model, made)


def _one(rows: dict[type, list], world: dict, name: str, client: Client, merchants: dict, now: dt.datetime) -> None:
    def add(row):
        row.claim_for_acting_agency()
        rows[type(row)].append(row)
        return row

    due_on, cents = world["due_on"], world["amount_cents"]
    lines = [[due_on.isoformat(), cents]] if world["lines"] is None else world["lines"]
    person = add(Consumer(last_name="Doe", last_name_key="DOE", state=world["state"], time_zone=world["zone"]))
    account = add(
        Account(
            client=client,
            consumer=person,
            reference=name,
            reference_key=name,
            as_of=now - world["stale"] * HOUR,
            body_hash="",
            **{
                field: world[field]
                for field in (
                    "status", "balance_cents", "sol_status", "sol_on", "debt_type", "payment_options",
                    "original_creditor", "description", "contract_on",
                )
            },
        )
    )  # fmt: skip
    card = world["kind"] == "card"
    method = Method(
        consumer=person,
        kind=world["kind"],
        processor_account=merchants.get(world["merchant"]),
        processor_customer="cus",
        processor_method="pm",
        fingerprint=name if world["fingerprint"] == "own" else world["fingerprint"],
        brand=world["brand"] if card else "",
        funding=world["funding"] if card else "",
        last4="5556",
        stored=True,
        validated_at=NOW,
        created_at=NOW,
    )
    match world["method"]:
        case "removed_at" | "blocked_at" as field:
            setattr(method, field, NOW)
        case "update_pending":
            method.update_pending = {"code": "C01"}
        case "validated_at":
            method.validated_at = None
        case "stored":
            method.stored = False
        case "processor_method":
            method.processor_method = ""
    add(method)
    mine = {"consumer": person, "account": account, "method": method}
    accepted_at = dt.datetime.combine(due_on - world["accepted"] * DAY, dt.time(20), dt.UTC)
    signed_for = method
    if world["signed_for"] == "another":
        signed_for = add(Method(consumer=person, kind=world["kind"], last4="1881", stored=True, created_at=NOW))
    signed = add(
        Authorization(
            **mine | {"method": signed_for}, kind="schedule", text="I agree.", text_sha256="", version="w",
            language="en", total_cents=cents, lines=lines, accepted_at=accepted_at, time_zone=world["zone"], level=2,
            revoked_at=NOW if world["revoked"] else None,
        )
    )  # fmt: skip
    settles = world["arrangement"] == "settlement"
    plan = add(
        Arrangement(
            **mine, authorization=signed, kind="settlement" if settles else "plan", total_cents=2 * cents,
            status="performing" if settles else world["arrangement"], schedule=lines, accepted_at=accepted_at,
        )
    )  # fmt: skip
    items = [
        add(
            Postdate(
                arrangement=plan, account=account, method=method, number=number, of=world["of"], due_on=due_on,
                not_before_at=now - HOUR, amount_cents=cents, executor="portal", notifier="portal",
                status="scheduled", tries=world["tries"], created_at=NOW,
            )
        )
        for number in (1, 2)[: 1 + world["twin"]]
    ]  # fmt: skip
    if world["notice"] != "none":
        add(_notice(items[0], world))
    if world["change"]:
        kind, _space, status = world["change"].partition(" ")
        change = _notice(items[0], world | {"notice": status or "sent"})
        change.kind, change.about = kind, {"was": [due_on.isoformat(), cents]}
        add(change)
    if world["dispute"]:
        add(
            Dispute(
                account=account, consumer=person, reason="other", status=world["dispute"], opened_at=NOW,
                resolved_at=NOW if world["dispute"] == "resolved" else None,
            )
        )  # fmt: skip
    if said := world["paid"]:
        add(
            Payment(
                **mine, authorization=signed, arrangement=plan, processor_account=method.processor_account,
                idempotency_key=Payment().pk, request_hash="", kind=method.kind, executor="portal", amount_cents=500_00,
                purpose="settlement" if said == "settlement" else "plan", intended_at=NOW,
                status="succeeded" if said in ("settlement", "acknowledged") else said,
                acknowledged_at=NOW if said == "acknowledged" else None,
                decided_at=None if said in ("intended", "pending") else now - 30 * HOUR,
                decline_code="insufficient_funds" if said == "declined" else "",
            )
        )  # fmt: skip


def _notice(item: Postdate, world: dict) -> Notice:
    """Prove a notice on a day of its window or beside it, at an hour at which other zones have another day."""
    letter = world["channel"] == "letter"
    window = letter_window(item.due_on) if letter else predebit_window(item.due_on)
    day, hour = {
        "target": (window.latest - DAY, 15),
        "first": (window.earliest, 3),
        "before": (window.earliest - DAY, 23),
        "last": (window.latest, 23),
        "after": (window.latest + DAY, 1),
        "edge": (window.earliest, 14),
    }[world["sent"]]
    sent = world["notice"] == "sent"
    return Notice(
        postdate=item, owner="portal", channel=world["channel"], earliest_on=window.earliest,
        target_on=window.target, latest_on=window.latest, send_by=window.latest, status=world["notice"],
        sent_at=dt.datetime.combine(day, dt.time(hour), dt.UTC) if sent else None,
    )  # fmt: skip
