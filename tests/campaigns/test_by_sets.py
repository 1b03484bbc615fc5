"""What is done by sets says the same as what is done one by one: who is chosen, and what providers told."""

import datetime as dt
import json
import random

import pytest
from django.db import transaction

from accounts.models import Account, ContactPoint, Event
from accounts.tenancy import acting_for
from campaigns.models import MailEvent, Message, Recipient
from campaigns.services import audience, campaigns, gate, results, track
from campaigns.services.gate import Asked
from payments.models import Dispute
from payments.services import ledger
from payments.services.owed import owed_cents, owed_of
from settlements.models import Hardship
from tests.benchmarks.crowd import crowd
from tests.campaigns.campaign_cast import approved, draft, people, run, template
from tests.campaigns.conftest import told
from tests.campaigns.test_track import BOUNCE, post, signed
from tests.conftest import NOW
from tests.payments.test_returns import bank, debit

pytestmark = pytest.mark.django_db
PLAIN_FACTS = {"dispute", "hardship", "validation_missing", "no_address", "bad_address", "opted_out", "no_route"}
"""What SQL leaves out for, of the gate's own reasons, beside the status."""
ONLY_SQL = {"nothing_owed"}
PLAIN_NEWS = ("delivered", "opened", "clicked", "delivered", "opened", "opened by a machine", "clicked by a machine")
NEWS = (*PLAIN_NEWS, "bounced", "complained", "unsubscribed", "nonsense")


def spoil(accounts: list[Account], chance: random.Random) -> None:
    """Give each account some of what speaks against a message."""
    for account in accounts:
        point = ContactPoint.objects.filter(consumer=account.consumer_id)
        if chance.random() < 0.3:
            spoilt = [{"bad_at": NOW}, {"opted_out_at": NOW}, {"route": ""}, {"removed_at": NOW}]
            point.update(**chance.choice(spoilt))
        mine = Account.objects.filter(pk=account.pk)
        if chance.random() < 0.3:
            mine.update(status=chance.choice(["recalled", "disputed", "cease", "bankruptcy", "deceased", "attorney"]))
        if chance.random() < 0.2:
            mine.update(validation_sent_on=None)
        if chance.random() < 0.1:
            mine.update(balance_cents=0)
        about = {"account": account, "consumer_id": account.consumer_id}
        if chance.random() < 0.15:
            Dispute.objects.create(**about, reason="paid", status=chance.choice(["open", "resolved"]), opened_at=NOW)
        if chance.random() < 0.2:
            starts = NOW.date() - dt.timedelta(days=chance.choice([0, 10, 60]))
            Hardship.objects.create(
                **about, status=chance.choice(["granted", "granted", "ended"]), cause="health",
                consent="Yes.", asked_days=30, asked_at=NOW, starts_on=starts, ends_on=starts + dt.timedelta(days=30),
                review_on=starts + dt.timedelta(days=20),
            )  # fmt: skip


@pytest.mark.parametrize(("seed", "purpose"), [(0, "campaign"), (1, "campaign"), (2, "campaign"), (3, "reminder")])
def test_the_reasons_in_sql_are_those_of_the_gate(acting, agency, provider, account, others_account, seed, purpose):
    crowd(agency, account, 40)
    accounts = list(Account.objects.exclude(pk=account.pk).order_by("pk"))
    spoil(accounts, random.Random(seed))
    campaign = approved(offer={}, version=template("reminder"), purpose=purpose)
    assert campaigns.start(campaign=campaign, now=NOW)
    while audience.freeze(campaign, now=NOW, chunk=7):
        pass
    chosen = {row.account_id: row for row in Recipient.objects.select_related("account__consumer", "contact_point")}
    assert len(chosen) == 41
    rows = [chosen[one.pk] for one in accounts]
    asked = [
        Asked(channel="email", purpose=purpose, consumer=row.account.consumer, account=row.account,
              point=row.contact_point)
        for row in rows
    ]  # fmt: skip
    differ, left_out = [], 0
    for row, (_facts, judgement) in zip(rows, gate.judge(asked, now=NOW), strict=True):
        against = {denial.code for denial in judgement.denials}
        plain = {code for code in against if code in PLAIN_FACTS or code.startswith("status_")}
        left_out += bool(row.reason)
        if (not row.reason and plain) or (row.reason and row.reason not in against | ONLY_SQL):
            differ.append((row.reason, against))
    assert differ == []
    assert 5 < left_out < 40


UNPOSTED = [
    ("amount", "succeeded", 1_000_00, {}, 0),
    ("amount", "succeeded", 999_99, {}, 0),
    ("amount", "pending", 1_000_00, {}, 0),
    ("amount", "succeeded", 1_000_00, {"acknowledged_at": NOW}, 0),
    ("amount", "succeeded", 1_000_00, {}, 1),
    ("amount", "declined", 1_000_00, {}, 0),
    ("settlement", "pending", 600_00, {}, 0),
    ("settlement", "succeeded", 600_00, {}, 100_00),
    ("settlement", "intended", 600_00, {}, 0),
    ("settlement", "returned", 600_00, {}, 0),
]
"""Purpose, status and cents of a payment, what else is known of it, and the cents that went back."""


def test_what_sql_takes_for_owed_is_what_the_page_says(acting, agency, provider, others_account, now):
    accounts = people(agency, len(UNPOSTED))
    for account, (purpose, status, cents, values, back) in zip(accounts, UNPOSTED, strict=True):
        payment = debit(account, bank(account), status=status, cents=cents, purpose=purpose, **values)
        if back:
            ledger.book(payment, cents=-back, reason="refund", now=now)
    Account.objects.filter(pk=accounts[5].pk).update(balance_cents=0)
    left_out = {row["account_id"] for row in audience.sample(draft(), now=now, reason="nothing_owed")}
    owed = owed_of(list(Account.objects.filter(pk__in=[one.pk for one in accounts])))
    assert left_out == {pk for pk, found in owed.items() if found.cents == 0}
    assert [accounts.index(one) for one in accounts if one.pk in left_out] == [0, 2, 5, 6, 7]
    held = list(Account.objects.filter(pk__in=owed))
    assert owed_cents(held) == {pk: found.cents for pk, found in owed.items()}


def test_a_relay_may_post_a_list_and_one_forged_event_refuses_all_of_it(acting, agency, provider, others_account, now):
    people(agency, 3)
    run(approved())
    messages = list(Message.objects.all())
    listed = [signed(provider, message, "delivered") for message in messages]
    assert post(provider, [*listed, signed(provider, messages[0], "opened", key="wrong")]).status_code == 403
    assert not MailEvent.objects.exists()
    for _again in range(2):
        assert post(provider, json.dumps(listed).encode()).status_code == 200
    assert MailEvent.objects.count() == 3
    with acting_for(others_account.agency):
        assert not MailEvent.objects.exists()
    assert track.apply(now=now) == 3
    assert set(Message.objects.values_list("status", flat=True)) == {"delivered"}
    assert told("message.delivered") == ["message.delivered"] * 3
    assert post(provider, [signed(provider, messages[0], "opened")] * 101).status_code == 403
    assert post(provider, []).status_code == 403


def test_what_machines_open_is_in_no_result_and_no_audience(
    acting, agency, provider, other_agency, others_provider, now
):
    for mine, theirs in ((agency, provider), (other_agency, others_provider)):
        people(mine, 50)
        with acting_for(mine):
            campaign = run(approved())
            messages = list(Message.objects.order_by("pk"))
            readers = draft(name="Again", offer={}, version=template("reminder"))
            readers.audience = {"opened_not_paid": str(campaign.pk)}

            def read(listed, by="", theirs=theirs, campaign=campaign, readers=readers) -> tuple[int, int, int]:
                """Have a list opened and clicked; count who opened, who clicked, and whom the next one is for."""
                events = [(one, event) for one in listed for event in ("opened", "clicked")]
                said = [signed(theirs, one, event, **{"client-info": {"bot": by}}) for one, event in events]
                assert post(theirs, said).status_code == 200
                assert track.apply(now=now) == len(said)
                (outcome,) = results.outcomes(campaign)
                reached = sum(audience.count(readers, now=NOW).values())
                return outcome.steps["opened"], outcome.steps["clicked"], reached

            assert read(messages, by="apple") == (0, 0, 0)
            assert told("message.opened", "message.clicked") == []
            assert read(messages[:2]) == (2, 2, 2)
            assert sorted(told("message.opened", "message.clicked")) == ["message.clicked"] * 2 + ["message.opened"] * 2


class Undo(Exception):
    """Take back what was done."""


@pytest.mark.parametrize("seed", range(3))
def test_news_taken_by_sets_move_what_they_move_one_by_one(acting, agency, provider, others_account, now, seed):
    chance = random.Random(seed)
    people(agency, 6)
    run(approved())
    messages = list(Message.objects.order_by("pk"))
    mixed = [
        (chance.choice(messages), chance.choice(PLAIN_NEWS if chance.random() < 0.7 else NEWS)) for _n in range(40)
    ]
    body = [
        signed(provider, message, "failed" if event == "bounced" else event.partition(" ")[0],
               url="http://acme.localhost:8000/m/SECRET/", **(BOUNCE if event == "bounced" else {}),
               **{"client-info": {"bot": "apple" if event.endswith(" by a machine") else ""}})
        for message, event in mixed
    ]  # fmt: skip
    assert post(provider, body).status_code == 200

    def outcome() -> tuple:
        kinds = Event.objects.exclude(account=None).order_by("account_id", "account_seq")
        return (
            list(Message.objects.order_by("pk").values_list("pk", "status", "reason", "opened_at", "clicked_at")),
            list(kinds.values_list("account_id", "account_seq", "kind", "data", "occurred_at")),
            list(MailEvent.objects.order_by("pk").values_list("pk", "outcome")),
            list(ContactPoint.objects.order_by("pk").values_list("pk", "bad_at", "opted_out_at")),
        )

    try:
        with transaction.atomic():
            for key in MailEvent.objects.order_by("pk").values_list("pk", flat=True):
                track._apply_once(MailEvent, key, now=now)
            singly = outcome()
            raise Undo
    except Undo:
        assert track.apply(now=now) == 40
    known = {"opened: known", "delivered: known", "clicked: known"}
    by_sets = outcome()
    assert by_sets[0] == singly[0]
    assert by_sets[1] == singly[1]
    assert by_sets[3] == singly[3]
    for (_key, one), (_same, other) in zip(by_sets[2], singly[2], strict=True):
        assert one == other or other in known, (one, other)
    assert not MailEvent.objects.filter(applied_at=None).exists()
