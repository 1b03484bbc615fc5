"""What one statement intends is what the rules would have let go, written as they would have written it."""

import datetime as dt
import os
from random import Random

import pytest
from django.db import connection, transaction

from accounts.models import Account, Agency, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Incident, Payment, Postdate
from payments.rules.gates import ChargeFacts
from payments.services import due, plain
from tests.payments import due_worlds

MOMENTS = [
    dt.datetime(2026, 12, 15, 13, 0, tzinfo=dt.UTC),  # eight in New York
    dt.datetime(2026, 12, 15, 12, 59, tzinfo=dt.UTC),
    dt.datetime(2026, 12, 15, 20, 0, tzinfo=dt.UTC),
    dt.datetime(2026, 12, 16, 4, 0, tzinfo=dt.UTC),  # another day in Berlin and Kiritimati
    dt.datetime(2026, 12, 12, 18, 30, tzinfo=dt.UTC),  # a Saturday: no bank is open
]

TOLD = ("agency_id", "account_id", "consumer_id", "account_seq", "kind", "actor", "request_id", "occurred_at")


def written(now: dt.datetime) -> tuple[dict, int]:
    """Queue everything that is due and say all that this wrote, without the ids that differ; then take it back."""
    with acting_for(ALL_AGENCIES), transaction.atomic():
        known = set(Payment.objects.values_list("pk", flat=True))
        first = (dt.datetime.min.replace(tzinfo=dt.UTC), due.NOBODY)
        batch = due.queue.__wrapped__(now=now, after=first, limit=100_000, claimed=[])
        assert batch is not None
        payments = list(Payment.objects.exclude(pk__in=known).order_by("postdate"))
        names = {str(one.pk): f"of {one.postdate_id}" for one in payments}
        names |= {one.reference: f"reference of {one.postdate_id}" for one in payments}
        events = [
            {
                "data": {
                    key: names.get(said, said) if isinstance(said, str) else said for key, said in one.data.items()
                },
                **{name: getattr(one, name) for name in TOLD},
            }
            for one in Event.objects.exclude(kind="incident.opened").order_by("account", "account_seq")
        ]
        found = {
            "payments": [
                {line.name: getattr(one, line.attname) for line in one._meta.concrete_fields if line.name != "id"}
                for one in payments
            ],
            "events": events,
            "items": list(Postdate.objects.order_by("pk").values()),
            "accounts": list(Account.objects.order_by("pk").values("pk", "event_seq")),
            "incidents": list(Incident.objects.order_by("kind", "key").values_list("kind", "key", "agency")),
            "batch": (sorted(batch.claimed), sorted(names[pk] for pk in batch.intended), batch.skipped),
            "resumed": sorted(batch.resumed),
        }
        transaction.set_rollback(True)
    return found, len(payments)


def compare(agencies: list[Agency], worlds: int, seed: int, monkeypatch) -> None:
    """Queue the same worlds by the statement and by the rules alone; nothing may differ, and most must be plain."""
    dice, one_by_one = Random(seed), 0
    due_worlds.license_in_places(agencies[-1])
    for now in MOMENTS:
        for agency in agencies:
            due_worlds.place(agency, dice, worlds // len(MOMENTS) // len(agencies), now=now)
    # These rows are this transaction's own, so nobody else counts them for the planner.
    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for now in MOMENTS:
        taken: list[int] = []
        real = plain.intend

        def counted(*args, real=real, taken=taken, **kwargs):
            found = real(*args, **kwargs)
            taken.append(len(found))
            return found

        with monkeypatch.context() as patch:
            patch.setattr(plain, "intend", counted)
            by_statement, intended = written(now)
        with monkeypatch.context() as patch:
            patch.setattr(plain, "intend", lambda *_args, **_kwargs: {})
            by_rules, _same = written(now)
        for what, said in by_rules.items():
            assert by_statement[what] == said, (what, seed, now)
        one_by_one += intended - sum(taken)
        if now.hour == 20:
            assert intended > worlds / 10, "enough of them are charged"
            assert sum(taken) > 0.7 * intended, "and most of those by the statement"


def test_the_statement_and_the_rules_write_the_same_over_five_hundred_worlds(agency, other_agency, monkeypatch):
    compare([agency, other_agency], 500, 20261215, monkeypatch)


def test_whoever_adds_a_fact_to_the_gates_must_say_what_it_means_for_plain_items():
    known = """
        now zone scheduled amount_cents due_on account_status dispute_open sol_notice_needed sol_acknowledged
        balance_cents balance_as_of balance_max_age unposted_cents method method_live method_allowed method_blocked
        update_pending bank_payments_paused bank_validated executor undecided_attempt authority card_brand card_funding
        card_policy ach_allowed disclosures failed created_on notice_sent_on notice_channel change_kind change_sent_on
        change_channel unlicensed currency
    """
    assert {*ChargeFacts.__dataclass_fields__} == {*known.split()}, "see plain.PLAIN and due_worlds.SOME"


@pytest.mark.slow
def test_the_statement_and_the_rules_write_the_same_over_ten_thousand_worlds(agency, other_agency, monkeypatch):
    compare([agency, other_agency], int(os.environ.get("WORLDS", 10_000)), Random().randrange(2**32), monkeypatch)
