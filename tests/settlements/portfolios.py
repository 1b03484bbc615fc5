"""A random portfolio with everything that moves an offer, and two sets of bands to hold side by side."""

import datetime as dt
import random

from accounts.models import Account, Client, Consumer
from accounts.tenancy import uuid7
from payments.models import Payment
from settlements.models import IndividualOffer
from tests.conftest import NOW

BAND = {"owing_from_cents": 0, "owing_to_cents": 999_999_99, "minimum_settlement_bps": 60_00, "max_months_settled": 6}
PLAN = {"max_months_unsettled": 12, "minimum_cents": 25_00}


def pay(account: Account, cents: int, *, purpose: str = "amount", status: str = "succeeded", **values) -> Payment:
    return Payment.objects.create(
        account=account,
        consumer=account.consumer,
        idempotency_key=uuid7(),
        request_hash="",
        kind="card",
        executor="portal",
        purpose=purpose,
        amount_cents=cents,
        status=status,
        **{"intended_at": NOW, "decided_at": None if status == "intended" else NOW} | values,
    )


OPTIONS = (
    {},
    {},
    {"single_card": False},
    {"recurring_card": False, "recurring_ach": False},
    {"minimum_recurring_cents": 40_00, "minimum_single_cents": 10_00},
    {"can_pay": False},
    {"single_ach": False, "recurring_ach": False, "minimum_recurring_cents": 150_00},
)
ZONES = {"NY": "America/New_York", "CA": "America/Los_Angeles", "HI": "Pacific/Honolulu", "": "Asia/Tokyo"}


def populate(agency, count: int, seed: int) -> None:
    """Place random accounts with everything that moves an offer: dates, options, offers of their own, payments."""
    dice = random.Random(seed)
    clients = [Client(agency=agency, number=f"N{n}", name=f"Client {n}") for n in range(6)]
    Client.objects.bulk_create(clients)
    people = []
    for n in range(count):
        state = dice.choice(list(ZONES))
        people.append(
            Consumer(last_name=f"Example{n}", last_name_key=f"EXAMPLE{n}", state=state, time_zone=ZONES[state])
        )
    Consumer.objects.bulk_create(people)
    placed = []
    for n, person in enumerate(people):
        days = dice.choice([None, 10, 100, 400, 800, 1500])
        listed = NOW.date() - dt.timedelta(days=days + dice.randrange(30)) if days else None
        assigned = NOW.date() - dt.timedelta(days=dice.randrange(900)) if dice.random() < 0.5 else None
        placed.append(
            Account(
                client=dice.choice(clients),
                consumer=person,
                reference=f"S{n}",
                reference_key=f"S{n}",
                status=dice.choice(["open"] * 8 + ["closed", "disputed"]),
                balance_cents=dice.choice([0, 1, 99, 10_00, 99_99, 100_00, 4_999_99, dice.randrange(1, 12_000_00)]),
                listed_on=listed,
                assigned_on=assigned,
                payment_options=dice.choice(OPTIONS),
                sol_status=dice.choice(["", "live", "live", "live", "expired", "unknown"]),
                sol_on=dice.choice([None, None, NOW.date() - dt.timedelta(days=1), NOW.date() + dt.timedelta(days=1)]),
                as_of=NOW,
                body_hash="",
            )
        )
    Account.objects.bulk_create(placed)
    for account in dice.sample(placed, count // 8):
        offer(account, dice)
    for account in dice.sample(placed, count // 10):
        status = dice.choice(["succeeded", "intended", "pending", "declined", "returned"])
        shown = dice.choice([None, None, NOW])
        pay(
            account,
            dice.choice([1, 50_00, 700_00, 20_000_00]),
            purpose=dice.choice(["amount", "settlement", "parts"]),
            status=status,
            acknowledged_at=shown,
        )


def offer(account: Account, dice: random.Random) -> None:
    statuses = dice.choice([["made"], ["viewed"], ["withdrawn"], ["accepted", "made"], ["accepted"]])
    for status in statuses:
        amount = dice.choice([None, 0, 1_00, 300_00, 90_000_00])
        IndividualOffer.objects.create(
            account=account,
            origin="staff" if len(statuses) > 1 else dice.choice(["host", "campaign", "staff"]),
            status=status,
            amount_cents=amount,
            percent_bps=None if amount is not None else dice.choice([30_00, 100_00]),
            max_payments=dice.choice([1, 3, 12]),
            max_days=dice.choice([None, 0, 30, 365]),
            max_on=dice.choice([None, None, dt.date(2026, 11, 1), dt.date(2027, 3, 1)]),
            methods=dice.choice([[], [], ["card"], ["ach"]]),
            made_at=NOW - dt.timedelta(days=2),
            expires_on=dice.choice([None, None, dt.date(2026, 11, 30), dt.date(2026, 12, 1), dt.date(2026, 12, 2)]),
            decided_at=NOW - dt.timedelta(days=1) if status in ("accepted", "withdrawn") else None,
        )


AGENCY_BANDS = [
    BAND | {"owing_from_cents": 100_00, "owing_to_cents": 999_99, "minimum_cents": 20_00, "minimum_bps": 5_00},
    BAND
    | PLAN
    | {
        "owing_from_cents": 1_000_00,
        "owing_to_cents": 4_999_99,
        "months_before_settlement": 3,
        "months_until_settlement": 24,
        "down_payment_bps": 20_00,
        "ach_disabled": True,
    },
    PLAN | {"owing_from_cents": 6_000_00, "owing_to_cents": 11_000_00, "max_payments": 4, "max_days": 90},
]
DRAFT_BANDS = [
    BAND
    | {
        "owing_from_cents": 0,
        "owing_to_cents": 499_99,
        "minimum_settlement_bps": 40_00,
        "offered_settlement_bps": 55_00,
        "max_payments": 2,
    },
    BAND | PLAN | {"owing_from_cents": 400_00, "owing_to_cents": 1_999_99, "card_disabled": True, "minimum_bps": 10_00},
    BAND
    | PLAN
    | {
        "owing_from_cents": 2_500_00,
        "owing_to_cents": 9_000_00,
        "months_before_settlement": 1,
        "max_months_unsettled": 36,
        "latest_first_days": 0,
        "down_payment_cents": 100_00,
    },
]
