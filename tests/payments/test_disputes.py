"""“This is wrong”: one transaction holds what is planned and what campaigns send, until it is resolved (RF-32)."""

import contextlib
import datetime as dt
import threading

import pytest
from django.db import connections

from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.services import outbox
from payments.models import Arrangement, CreditorRequest, Dispute, Payment, Postdate
from payments.processors import Outcome
from payments.services import ask, disputes, life, ready, settle, status
from settlements.models import Hardship
from tests.conftest import NOW
from tests.payments.conftest import today
from tests.payments.due_cast import EIGHT, due_item, run
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_later import challenged, publish_rules
from tests.payments.test_life import at, three_parts
from tests.payments.test_pay import kinds, refused
from tests.payments.test_settle import undecided

WORDS = "I paid this in March, see my statement."
LATER = NOW + dt.timedelta(days=3)


def dispute(shop, *, now=NOW, **changes):
    given = {"reason": "paid", "text": WORDS, "amount_cents": None} | changes
    return disputes.open_dispute(account=shop.account, visit=None, now=now, **given)


def resolve(row, *, now=LATER, **changes):
    given = {"by": "staff:1", "note": "Proof sent.", "verified_on": dt.date(2026, 12, 4)} | changes
    return [one.code for one in disputes.resolve(dispute=row, now=now, **given)]


def states():
    return list(Postdate.objects.order_by("due_on", "turn").values_list("status", "held_for"))


def silent(shop, template="payment_declined"):
    shop.account.refresh_from_db()
    return outbox.silenced(template=template, consumer=shop.account.consumer, account_id=shop.account.pk, now=NOW)


def test_a_dispute_holds_what_is_planned_and_what_campaigns_send_and_tells_the_host_codes_only(shop):
    three_parts(shop)
    row = dispute(shop, amount_cents=400_00)
    assert (row.reason, row.text, row.amount_cents, row.status) == ("paid", WORDS, 400_00, "open")
    assert states() == [("held", "paused"), ("held", "paused")]
    assert Arrangement.objects.get().status == "paused"
    assert silent(shop) == "dispute"
    told = Event.objects.get(kind="dispute.opened").data
    assert (told["reason"], told["amount_cents"], told["all"], told["words"]) == ("paid", 400_00, False, True)
    assert WORDS not in str([event.data for event in Event.objects.all()])
    assert kinds(shop.account)[-4:] == [
        "dispute.opened",
        "postdate.hold_requested",
        "postdate.hold_requested",
        "arrangement.paused",
    ]


def test_what_the_law_wants_sent_is_sent_while_a_debt_is_disputed(shop):
    dispute(shop)
    assert silent(shop, "receipt") == ""
    assert silent(shop, "predebit") == ""


def test_nothing_is_taken_for_a_disputed_debt(shop):
    checkout = shop.checkout()
    dispute(shop)
    assert "dispute_open" in refused(shop.confirm, checkout)
    assert Payment.objects.count() == 0


def test_disputing_again_is_the_same_dispute(shop):
    first = dispute(shop)
    assert dispute(shop, reason="fraud") == first
    assert (Dispute.objects.count(), kinds(shop.account).count("dispute.opened")) == (1, 1)


def test_a_dispute_fails_whole(shop, monkeypatch):
    three_parts(shop)
    monkeypatch.setattr(disputes.life, "pause", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        dispute(shop)
    assert Dispute.objects.count() == 0
    assert "dispute.opened" not in kinds(shop.account)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": "lottery"}, "dispute_reason_unknown"),
        ({"reason": "other", "text": " "}, "dispute_words_missing"),
        ({"text": "x" * 4_001}, "dispute_words_too_long"),
        ({"amount_cents": 0}, "dispute_amount_wrong"),
        ({"amount_cents": 1_000_01}, "dispute_amount_wrong"),
    ],
)
def test_a_dispute_that_cannot_be_read_says_why_and_holds_nothing(shop, changes, code):
    three_parts(shop)
    assert [one.code for one in dispute(shop, **changes)] == [code]
    assert (Dispute.objects.count(), Arrangement.objects.get().status) == (0, "performing")


@pytest.mark.parametrize(
    ("sent_on", "within"),
    [
        (None, True),
        (dt.date(2026, 12, 1), True),
        # RF-30: five business days to arrive, then thirty days. The last day is December 1, or was the day before.
        (dt.date(2026, 10, 26), True),
        (dt.date(2026, 10, 23), False),
    ],
)
def test_the_validation_period_decides_whether_the_proof_must_be_sent_first(shop, sent_on, within):
    Account.objects.update(validation_sent_on=sent_on)
    row = dispute(shop)
    assert row.in_validation_period is within
    assert resolve(row, verified_on=None) == (["verification_missing"] if within else [])


def test_resolved_with_its_proof_what_was_held_goes_on(shop):
    three_parts(shop)
    row = dispute(shop)
    assert resolve(row) == []
    assert states() == [("scheduled", ""), ("scheduled", "")]
    assert Arrangement.objects.get().status == "performing"
    assert silent(shop) == ""
    assert Event.objects.get(kind="dispute.resolved").data["verified_on"] == "2026-12-04"
    assert (row.status, row.resolved_by, row.resolution) == ("resolved", "staff:1", "Proof sent.")
    assert resolve(row) == ["dispute_not_open"]


def test_a_status_that_is_over_lets_go_of_nothing_that_a_dispute_holds(shop):
    three_parts(shop)
    first = Postdate.objects.order_by("due_on").first()
    Postdate.objects.filter(pk=first.pk).update(status="held", held_for="account_status")
    row = dispute(shop)
    status.account_status_changed(account=shop.account, before="cease", after="open", now=LATER)
    assert states() == [("held", "account_status"), ("held", "paused")]
    assert resolve(row) == []
    assert states() == [("scheduled", ""), ("scheduled", "")]


def test_a_dispute_is_not_resolved_without_saying_what_was_found(shop):
    assert resolve(dispute(shop), note="  ") == ["note_missing"]


NOT_SENT = [
    # In New York it is December 3 until five in the morning, UTC.
    (dt.datetime(2026, 12, 4, 4, 30, tzinfo=dt.UTC), dt.date(2026, 12, 4), "sent_in_the_future"),
    (LATER, dt.date(2026, 12, 5), "sent_in_the_future"),
    (LATER, dt.date(2026, 11, 30), "sent_too_early"),
]


@pytest.mark.parametrize(("now", "on", "code"), NOT_SENT)
def test_nothing_goes_on_by_a_proof_that_was_not_sent_since_the_dispute_rf_32(shop, now, on, code):
    three_parts(shop)
    row = dispute(shop)
    assert resolve(row, now=now, verified_on=on) == [code]
    assert (Dispute.objects.get().status, Arrangement.objects.get().status) == ("open", "paused")
    assert states() == [("held", "paused"), ("held", "paused")]
    assert "dispute.resolved" not in kinds(shop.account)


@pytest.mark.parametrize(("now", "on", "code"), NOT_SENT)
def test_nothing_goes_on_by_an_answer_that_was_not_sent_since_it_was_asked_for_rf_32(shop, now, on, code):
    three_parts(shop)
    asked = disputes.ask_original_creditor(account=shop.account, now=NOW)
    refused = disputes.answer_creditor(request=asked, by="staff:1", sent_on=on, now=now)
    assert [(one.field, one.code) for one in refused] == [("sent_on", code)]
    assert (CreditorRequest.objects.get().answered_at, Arrangement.objects.get().status) == (None, "paused")
    assert "oc_request.answered" not in kinds(shop.account)


def test_a_payment_whose_day_passed_in_the_dispute_is_never_taken_afterwards(shop):
    three_parts(shop)
    row = dispute(shop)
    assert resolve(row, now=at(2027, 1, 10)) == []
    late = Postdate.objects.filter(due_on=dt.date(2027, 1, 4)).order_by("turn").first()
    assert late.status in ("cancelled", "cancel_req")


def test_while_it_is_open_no_day_and_no_hardship_pause_that_ends_lets_a_charge_go(shop):
    three_parts(shop)
    row = dispute(shop)
    life.pause(account=shop.account, until=dt.date(2026, 12, 10), reason="hardship", now=NOW)
    life.resume(account=shop.account, now=at(2026, 12, 5))
    life.review(arrangement=Arrangement.objects.get(), now=at(2026, 12, 20))
    assert Arrangement.objects.get().status == "paused"
    assert states() == [("held", "paused"), ("held", "paused")]
    assert resolve(row, now=at(2026, 12, 20)) == []
    assert Arrangement.objects.get().status == "performing"


def test_a_hardship_pause_outlives_the_dispute(shop):
    three_parts(shop)
    row = dispute(shop)
    Hardship.objects.create(
        account=shop.account,
        consumer=shop.account.consumer,
        cause="other",
        consent="x",
        status="granted",
        asked_days=30,
        asked_at=NOW,
        decided_at=NOW,
        decided_by="system",
        review_on=dt.date(2026, 12, 20),
        starts_on=dt.date(2026, 12, 1),
        ends_on=dt.date(2026, 12, 30),
    )
    assert resolve(row) == []
    resting = Arrangement.objects.get()
    assert (resting.status, resting.paused_until) == ("paused", dt.date(2026, 12, 30))
    assert {status for status, _why in states()} == {"held"}


def test_what_the_accounts_status_holds_stays_held_when_the_dispute_is_over(shop):
    three_parts(shop)
    row = dispute(shop)
    Account.objects.update(status="attorney")
    assert resolve(row) == []
    assert states() == [("held", "account_status"), ("held", "account_status")]


def test_the_question_for_the_creditor_stops_collection_within_the_validation_period_only(shop):
    three_parts(shop)
    Account.objects.update(validation_sent_on=dt.date(2026, 10, 1))
    disputes.ask_original_creditor(account=shop.account, now=NOW)
    assert (Arrangement.objects.get().status, silent(shop)) == ("performing", "")
    CreditorRequest.objects.update(answered_at=NOW)
    Account.objects.update(validation_sent_on=dt.date(2026, 11, 30))
    asked = disputes.ask_original_creditor(account=shop.account, now=NOW)
    assert disputes.ask_original_creditor(account=shop.account, now=NOW) == asked
    assert (Arrangement.objects.get().status, silent(shop)) == ("paused", "dispute")
    sent_on = dt.date(2026, 12, 3)
    assert disputes.answer_creditor(request=asked, by="staff:1", sent_on=sent_on, now=LATER) == []
    assert (Arrangement.objects.get().status, silent(shop)) == ("performing", "")
    again = disputes.answer_creditor(request=asked, by="staff:1", sent_on=sent_on, now=LATER)
    assert [one.code for one in again] == ["creditor_answered"]
    assert kinds(shop.account).count("oc_request.opened") == 2


def test_either_of_both_keeps_it_still(shop):
    three_parts(shop)
    asked = disputes.ask_original_creditor(account=shop.account, now=NOW)
    row = dispute(shop)
    assert resolve(row) == []
    assert Arrangement.objects.get().status == "paused"
    disputes.answer_creditor(request=asked, by="staff:1", sent_on=dt.date(2026, 12, 3), now=LATER)
    assert Arrangement.objects.get().status == "performing"


def rested(account):
    told = Event.objects.filter(account=account, kind="arrangement.paused").latest("account_seq").data
    return told["reason"], told["until"]


def test_a_plan_that_is_made_while_the_question_for_the_creditor_is_open_rests_until_it_is_answered_rf_32(
    shop, other_shop
):
    with acting_for(other_shop.agency):
        disputes.ask_original_creditor(account=other_shop.account, now=NOW)
    asked = disputes.ask_original_creditor(account=shop.account, now=NOW)
    three_parts(shop)
    assert Payment.objects.get().status == "succeeded"
    assert Arrangement.objects.get().status == "paused"
    assert states() == [("held", "paused"), ("held", "paused")]
    assert [event.data["hold"] for event in Event.objects.filter(kind="postdate.hold_requested")] == [True, True]
    assert rested(shop.account) == ("oc_request", None)
    sent_on = dt.date(2026, 12, 3)
    with acting_for(other_shop.agency):
        theirs = CreditorRequest.objects.get()
        assert disputes.answer_creditor(request=theirs, by="staff:1", sent_on=sent_on, now=LATER) == []
    assert states() == [("held", "paused"), ("held", "paused")]
    assert disputes.answer_creditor(request=asked, by="staff:1", sent_on=sent_on, now=LATER) == []
    assert Arrangement.objects.get().status == "performing"
    assert states() == [("scheduled", ""), ("scheduled", "")]


def test_a_plan_that_its_banks_answer_makes_after_a_dispute_rests_until_it_is_resolved_rf_32(shop):
    found = challenged(shop)
    row = dispute(shop)
    shop.program.control("POST", "challenges", {"intent": found.setup_ref, "outcome": "complete"})
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=NOW + dt.timedelta(minutes=1))
    assert Arrangement.objects.get().status == "paused"
    assert states() == [("held", "paused"), ("held", "paused")]
    assert rested(shop.account) == ("dispute", None)
    assert resolve(row) == []
    assert (Arrangement.objects.get().status, states()) == ("performing", [("scheduled", ""), ("scheduled", "")])


def test_a_first_payment_that_its_bank_confirms_after_a_dispute_makes_a_plan_that_rests_rf_32(shop):
    lines = [(today(), 250_00), (dt.date(2027, 1, 4), 250_00), (dt.date(2027, 2, 4), 250_00)]
    publish_rules()
    agree_to_email(shop)
    payment = undecided(shop, choice="parts", lines=lines)
    row = dispute(shop)
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="succeeded"), now=LATER)
    assert Payment.objects.get().status == "succeeded"
    assert (Arrangement.objects.get().status, states()) == ("paused", [("held", "paused"), ("held", "paused")])
    assert resolve(row) == []
    assert (Arrangement.objects.get().status, states()) == ("performing", [("scheduled", ""), ("scheduled", "")])


def test_a_dispute_of_another_agencys_account_is_not_there(shop, other_shop):
    with acting_for(other_shop.agency):
        dispute(other_shop)
    assert Dispute.objects.count() == 0
    assert not disputes.stands_still(other_shop.account.pk)
    with pytest.raises(Account.DoesNotExist):
        disputes.open_dispute(
            account=other_shop.account, visit=None, reason="paid", text="", amount_cents=None, now=NOW
        )


def meeting(monkeypatch, module, name):
    """Let whoever comes to a line wait there for another one; under a lock the other one never comes."""
    barrier, real = threading.Barrier(2), getattr(module, name)

    def line(*args, **named):
        found = real(*args, **named)
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=1.0)
        return found

    monkeypatch.setattr(module, name, line)
    return barrier


@pytest.mark.django_db(transaction=True)
def test_a_dispute_and_a_due_charge_at_once_are_one_after_the_other(open_shop, monkeypatch):
    due_item(open_shop)
    barrier = meeting(monkeypatch, ready, "read")

    def say():
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=1.0)
        with acting_for(open_shop.agency):
            dispute(open_shop, now=EIGHT)
        connections.close_all()

    speaking = threading.Thread(target=say)
    speaking.start()
    run()
    speaking.join()
    order = [kind for kind in kinds(open_shop.account) if kind in ("payment.intended", "dispute.opened")]
    assert order == ["payment.intended", "dispute.opened"]
    assert len(open_shop.charged()) == 1
    # What was not held any more is said to the host.
    told = Event.objects.get(kind="dispute.opened").data
    assert told["on_its_way_cents"] in (0, 125_00)


@pytest.mark.django_db(transaction=True)
def test_a_charge_that_comes_due_after_the_dispute_is_never_made(open_shop):
    due_item(open_shop)
    dispute(open_shop, now=EIGHT - dt.timedelta(minutes=5))
    assert run().claimed == 0
    # Were it not held, the gate would still read the dispute itself.
    Postdate.objects.update(status="scheduled", held_for="")
    assert run().intended == 0
    assert open_shop.charged() == []
