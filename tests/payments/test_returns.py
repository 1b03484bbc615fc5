"""Returns and notifications of change: what becomes of the money, the plan, the bank account and the staff's queue."""

import datetime as dt
import uuid

import pytest

from accounts.models import Event
from accounts.tenancy import acting_for
from payments.models import (
    Arrangement,
    Authorization,
    Dispute,
    Incident,
    LedgerEntry,
    Method,
    Notice,
    Payment,
    Postdate,
    ProcessorAccount,
    ProcessorEvent,
)
from payments.processors import Outcome
from payments.rules import returns as rules
from payments.rules.notices import predebit_window
from payments.services import ask, consequences, disputes, gate, incidents, ledger, life, returns, reversals, settle
from payments.services.means import means_of_method
from payments.services.owed import owed
from tests.conftest import NOW, make_account, make_agency
from tests.payments.test_pay import kinds

DAY = dt.timedelta(days=1)
DUE = (dt.date(2027, 1, 4), dt.date(2027, 2, 1), dt.date(2027, 3, 1))


def bank(account, **values):
    return Method.objects.create(
        **{
            "consumer_id": account.consumer_id, "kind": "ach", "fingerprint": "f" * 16, "last4": "6789",
            "account_type": "checking", "routing": "110000000", "number": "000123456789", "validated_at": NOW,
            "processor_account": ProcessorAccount.objects.get(),
            "created_at": NOW,
        }
        | values
    )  # fmt: skip


def card(account, **values):
    return bank(account, kind="card", brand="visa", funding="debit", stored=True, routing="", number="", **values)


def sign(account, method, lines, kind="schedule"):
    return Authorization.objects.create(
        consumer_id=account.consumer_id, account=account, method=method, kind=kind, text="...", text_sha256="0" * 64,
        version="1", language="en", total_cents=sum(cents for _on, cents in lines),
        lines=[[on.isoformat(), cents] for on, cents in lines], accepted_at=NOW, time_zone="America/New_York", level=2,
    )  # fmt: skip


def plan(account, method, *, executor="portal", kind="plan", cents=100_00, dates=DUE, announced=False):
    """Three payments of $100 to come."""
    lines = [(on, cents) for on in dates]
    arrangement = Arrangement.objects.create(
        account=account, consumer_id=account.consumer_id, authorization=sign(account, method, lines), method=method,
        kind=kind, frequency="monthly", total_cents=cents * len(dates),
        schedule=[[on.isoformat(), cents] for on in dates], due=[], accepted_at=NOW,
    )  # fmt: skip
    for number, on in enumerate(dates, 1):
        planned = Postdate.objects.create(
            arrangement=arrangement, account=account, method=method, number=number, of=len(dates), due_on=on,
            not_before_at=dt.datetime.combine(on, dt.time(13), dt.UTC), amount_cents=cents, executor=executor,
            notifier="portal", created_at=NOW,
        )  # fmt: skip
        if announced:
            days = predebit_window(on)
            Notice.objects.create(
                postdate=planned, kind="predebit", owner="portal", channel="email", earliest_on=days.earliest,
                target_on=days.target, latest_on=days.latest, send_by=days.latest, status="due",
            )  # fmt: skip
    return arrangement


def debit(
    account, method, *, status="pending", at=NOW, cents=125_00, arrangement=None, purpose="amount", executor="portal",
    **values,
):  # fmt: skip
    """A debit sent to the bank, with its ledger when it is settled."""
    made = Payment.objects.create(
        account=account, consumer_id=account.consumer_id, method=method, arrangement=arrangement,
        authorization=values.pop("authorization", None) or sign(account, method, [(at.date(), cents)], "single"),
        idempotency_key=uuid.uuid4(), request_hash="", kind=method.kind, executor=executor,
        purpose=purpose, amount_cents=cents, status=status, intended_at=at,
        decided_at=None if status == "intended" else at, **values,
    )  # fmt: skip
    if status == "succeeded":
        ledger.book(made, cents=cents, against="processor", reason="payment", now=at)
    return made


@pytest.fixture
def account(agency):
    with acting_for(agency):
        yield make_account(agency, sol_status="live")


def statuses(arrangement):
    return list(arrangement.postdates.order_by("number").values_list("status", flat=True))


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def returned(account, code, **values):
    """Return a debit beside a plan from the same bank account; give the plan, the method and the payment."""
    method = bank(account)
    arrangement = plan(account, method)
    payment = debit(account, method, **values)
    returns.apply_return(payment=payment, code=code, now=NOW + DAY)
    return fresh(arrangement), fresh(method), fresh(payment)


PLANS = {
    "keep": ("performing", "scheduled"),
    "pause": ("paused", "held"),
    "hold": ("performing", "held"),
    "cancel": ("cancelled", "cancelled"),
}


@pytest.mark.parametrize("code", [row.code for row in rules.TABLE.values() if row.code[0] == "R"] + ["R61", "R85"])
def test_each_return_does_to_plan_and_method_what_its_row_says(account, code):
    row = rules.of(code)
    arrangement, method, payment = returned(account, code)
    status, items = PLANS[row.plan]
    assert payment.status == "returned"
    assert (arrangement.status, statuses(arrangement)) == (status, [items] * 3)
    assert bool(method.removed_at) == (row.method == "remove")
    assert bool(method.blocked_at) == (row.method in ("remove", "lock", "block"))
    assert bool(method.update_pending) == (row.method == "update")
    assert bool(fresh(arrangement.authorization).revoked_at) == (row.plan == "cancel")
    assert list(Incident.objects.values_list("kind", "severity")) == (
        [(row.incident, row.severity)] if row.incident else []
    )


def test_the_event_of_a_return_has_the_banks_code(account):
    returned(account, "R02")
    told = Event.objects.get(kind="payment.returned").data
    assert (told["network_decline_code"], told["amount_cents"]) == ("R02", 125_00)
    assert Event.objects.get(kind="arrangement.paused").data["reason"] == "return_R02"
    assert Event.objects.get(kind="method.removed").data["code"] == "R02"


def test_the_same_return_told_again_changes_nothing(account):
    _plan, _method, payment = returned(account, "R10")
    before = kinds(account)
    for _ in range(2):
        returns.apply_return(payment=payment, code="R10", now=NOW + 2 * DAY)
        reversals.record_dispute(payment_id=payment.pk, said="opened", now=NOW + 2 * DAY)
        news = Outcome(status="declined", network_decline_code="R10")
        settle.record_outcome(payment_id=payment.pk, outcome=news, now=NOW + 2 * DAY)
    assert kinds(account) == before
    assert Incident.objects.count() == 1


def test_a_success_after_the_return_is_no_payment(account):
    _plan, _method, payment = returned(account, "R01")
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="succeeded"), now=NOW + 2 * DAY)
    assert fresh(payment).status == "returned"
    assert owed(account).cents == 1_000_00


def test_a_return_before_its_pending_is_a_no(account):
    method = bank(account)
    payment = debit(account, method, status="intended")
    returns.apply_return(payment=payment, code="R03", now=NOW)
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="unknown"), now=NOW)
    assert fresh(payment).status == "declined"
    assert fresh(method).removed_at == NOW
    assert LedgerEntry.objects.count() == 0


def test_a_return_on_day_45_takes_back_what_was_counted_and_reopens_the_debt_ach_14(account):
    method = bank(account)
    payment = debit(account, method, status="succeeded")
    assert owed(account).cents == 875_00
    returns.apply_return(payment=payment, code="R10", now=NOW + 45 * DAY)
    assert fresh(payment).status == "returned"
    assert owed(account).cents == 1_000_00
    assert sum(LedgerEntry.objects.values_list("amount_cents", flat=True)) == 0
    assert ledger.net_cents(payment) == 0
    assert "payment.returned" in kinds(account)


def test_a_return_on_day_45_reopens_a_plan_that_was_completed_by_it_ach_14(account):
    method = bank(account)
    arrangement = plan(account, method, dates=DUE[:1])
    item = arrangement.postdates.get()
    payment = debit(
        account, method, status="pending", at=NOW + 34 * DAY, cents=100_00, arrangement=arrangement,
        authorization=arrangement.authorization, postdate=item, purpose="plan",
    )  # fmt: skip
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="succeeded"), now=NOW + 38 * DAY)
    Postdate.objects.filter(pk=item.pk).update(status="taken")
    assert fresh(arrangement).status == "completed"
    returns.apply_return(payment=payment, code="R02", now=NOW + 79 * DAY)
    assert fresh(arrangement).status in ("late", "broken")
    assert owed(account).cents == 1_000_00


def test_a_settlement_paid_at_once_and_returned_is_told_as_broken_ach_14(account):
    method = bank(account)
    payment = debit(account, method, status="succeeded", cents=600_00, purpose="settlement")
    returns.apply_return(payment=payment, code="R10", now=NOW + 45 * DAY)
    told = Event.objects.get(kind="settlement.broken").data
    assert (told["payment"], told["owed_cents"]) == (str(payment.pk), 1_000_00)


def test_an_unauthorized_debit_stops_every_debit_from_that_bank_account_at_the_agency(
    account, django_capture_on_commit_callbacks
):
    with acting_for(account.agency):
        other = make_account(account.agency, reference="200", consumer=account.consumer)
        third = make_account(account.agency, reference="300", consumer=account.consumer)
        elsewhere = plan(other, bank(other))
        untouched = plan(third, bank(third, fingerprint="other"))
    with django_capture_on_commit_callbacks(execute=True):
        returned(account, "R10")
    assert (fresh(elsewhere).status, statuses(elsewhere)) == ("cancelled", ["cancelled"] * 3)
    assert (fresh(untouched).status, statuses(untouched)) == ("performing", ["scheduled"] * 3)
    assert consequences.stop_unusable(now=NOW + DAY) == 0


def test_another_agency_keeps_its_plan_from_the_same_bank_account(account):
    birch = make_agency("birch")
    with acting_for(birch):
        theirs = make_account(birch)
        other = plan(theirs, bank(theirs))
    returned(account, "R10")
    consequences.stop_unusable(now=NOW)
    with acting_for(birch):
        assert fresh(other).status == "performing"
        assert Method.objects.get().blocked_at is None


def facts(account, method, now=NOW):
    at = gate.standing(account, now=now)
    lines = (gate.Line(at.today, 100_00),)
    return gate.facts_of(at, lines, means_of_method(method), "portal", single=True, acknowledged=False, now=now)


def codes(account, method):
    return [one.code for one in gate.charge_gates(facts(account, method))]


def test_a_bank_account_that_was_never_authorized_is_refused_whoever_types_it(account):
    returned(account, "R10")
    again = bank(make_account(account.agency, reference="200"))
    assert codes(account, again) == ["method_blocked"]


@pytest.mark.parametrize("code", ["R08", "R02"])
def test_a_stopped_or_closed_one_may_be_given_anew_with_a_fresh_authorization(account, code):
    _plan, method, _payment = returned(account, code)
    assert "method_blocked" in codes(account, method) or "method_not_live" in codes(account, method)
    assert codes(account, bank(account)) == []


def test_where_the_host_executes_it_is_asked_to_let_go(account):
    method = bank(account)
    arrangement = plan(account, method, executor="host")
    returns.apply_return(payment=debit(account, method), code="R10", now=NOW)
    assert statuses(arrangement) == ["cancel_req"] * 3
    assert kinds(account).count("postdate.cancel_requested") == 3


def test_a_plan_from_another_bank_account_goes_on(account):
    arrangement = plan(account, bank(account, fingerprint="another"))
    returns.apply_return(payment=debit(account, bank(account)), code="R10", now=NOW)
    assert (fresh(arrangement).status, statuses(arrangement)) == ("performing", ["scheduled"] * 3)


def test_a_revocation_at_the_bank_revokes_what_was_signed_r07(account):
    arrangement, method, payment = returned(account, "R07")
    assert fresh(payment.authorization).revoked_by == "bank"
    assert fresh(arrangement.authorization).revoked_at == NOW + DAY
    assert method.blocked_at is None


def test_a_notification_of_change_holds_the_next_debit_until_it_is_applied_ach_13(account):
    method = bank(account)
    arrangement = plan(account, method, announced=True)
    for _ in range(2):
        returns.apply_notification_of_change(method=method, code="C01", now=NOW)
    method = fresh(method)
    assert method.update_pending["code"] == "C01"
    assert statuses(arrangement) == ["held"] * 3
    assert codes(account, method) == ["method_update_pending"]
    assert kinds(account).count("method.updated") == 1
    assert returns.apply_update(method=method, by="bank", number="000987654321", now=NOW + DAY) == []
    method = fresh(method)
    assert (method.update_pending, method.last4, method.number) == (None, "4321", "000987654321")
    assert method.fingerprint != "f" * 16
    assert statuses(arrangement) == ["scheduled"] * 3
    assert codes(account, method) == []


def held(arrangement):
    return list(arrangement.postdates.order_by("number").values_list("status", "held_for"))


@pytest.mark.parametrize("executor", ["portal", "host"])
@pytest.mark.parametrize("ends_first", ["change", "dispute"])
@pytest.mark.parametrize("begins_first", ["change", "dispute"])
def test_a_change_and_a_dispute_hold_until_the_last_of_both_is_over_ach_13_rf_32(
    account, begins_first, ends_first, executor
):
    method = bank(account)
    arrangement = plan(account, method, executor=executor, announced=True)

    def end_dispute():
        found = {"by": "staff:1", "note": "Proof sent.", "verified_on": NOW.date()}
        assert disputes.resolve(dispute=Dispute.objects.get(), now=NOW + DAY, **found) == []

    begins = {
        "change": lambda: returns.apply_notification_of_change(method=method, code="C01", now=NOW),
        "dispute": lambda: disputes.open_dispute(
            account=account, visit=None, reason="paid", text="", amount_cents=None, now=NOW
        ),
    }
    ends = {
        "change": lambda: returns.apply_update(method=method, by="bank", number="000987654321", now=NOW + DAY),
        "dispute": end_dispute,
    }
    for name in sorted(begins, key=lambda name: name != begins_first):
        begins[name]()
    first, last = sorted(ends, key=lambda name: name != ends_first)
    ends[first]()
    left = {"change": "paused", "dispute": "method_update_pending"}[first]
    assert held(arrangement) == [("held", left)] * 3
    assert not Event.objects.filter(kind="postdate.hold_requested", data__hold=False).exists()
    ends[last]()
    assert held(arrangement) == [("scheduled", "")] * 3


def test_what_a_return_holds_for_staff_during_a_pause_is_not_let_go_by_its_end(account):
    method = bank(account)
    arrangement = plan(account, method, executor="host", announced=True)
    life.pause(account=account, until=None, reason="hardship", now=NOW)
    returns.apply_return(payment=debit(account, method), code="R06", now=NOW)
    life.resume(account=account, now=NOW + DAY)
    assert fresh(arrangement).status == "performing"
    assert held(arrangement) == [("held", "return_R06")] * 3


def explained_late(account, code):
    """Have a host's debit come back without a reason beside a plan there, and staff say the code later."""
    method = bank(account)
    arrangement = plan(account, method, executor="host", announced=True)
    payment = debit(account, method, status="succeeded", executor="host")
    reversals.record_dispute(payment_id=payment.pk, said="opened", now=NOW, origin="host")
    assert held(arrangement) == [("held", "return")] * 3
    told = returns.tell_return(payment=fresh(payment), code=code, reason="The bank's file", by="staff:7", now=NOW + DAY)
    assert told.network_decline_code == code
    return arrangement, method


def test_a_rest_for_a_code_that_is_said_late_lets_go_at_its_end_of_what_waited_for_the_code(account):
    arrangement, _method = explained_late(account, "R11")
    assert (fresh(arrangement).status, held(arrangement)) == ("paused", [("held", "paused")] * 3)
    life.resume(account=account, now=NOW + 2 * DAY)
    assert (fresh(arrangement).status, held(arrangement)) == ("performing", [("scheduled", "")] * 3)


@pytest.mark.parametrize("code", ["R12", "R13"])
def test_a_bank_that_is_known_late_to_have_moved_waits_for_its_number_and_for_the_end_of_the_rest_ach_13(account, code):
    arrangement, method = explained_late(account, code)
    assert returns.apply_update(method=method, by="bank", routing="021000021", now=NOW + DAY) == []
    assert (fresh(arrangement).status, held(arrangement)) == ("paused", [("held", "paused")] * 3)
    life.resume(account=account, now=NOW + 2 * DAY)
    assert held(arrangement) == [("scheduled", "")] * 3


@pytest.mark.parametrize(
    ("code", "became"),
    [("R10", ("cancelled", "cancel_req")), ("R06", ("performing", "held")), ("R01", ("performing", "scheduled"))],
)
def test_any_other_code_that_is_said_late_does_what_its_row_says(account, code, became):
    arrangement, _method = explained_late(account, code)
    assert (fresh(arrangement).status, set(statuses(arrangement))) == (became[0], {became[1]})


def test_a_broken_plan_waits_for_somebody_where_its_rest_would_have_been(account):
    method = bank(account)
    arrangement = plan(account, method, executor="host", announced=True)
    payment = debit(account, method, status="succeeded", executor="host")
    reversals.record_dispute(payment_id=payment.pk, said="opened", now=NOW, origin="host")
    Arrangement.objects.update(status="broken")
    returns.tell_return(payment=fresh(payment), code="R11", reason="The bank's file", by="staff:7", now=NOW + DAY)
    assert held(arrangement) == [("held", "return")] * 3


def test_a_number_that_is_put_right_while_a_plan_is_broken_holds_nothing_afterwards(account):
    method = bank(account)
    arrangement = plan(account, method, announced=True)
    returns.apply_notification_of_change(method=method, code="C01", now=NOW)
    Arrangement.objects.update(status="broken")
    returns.apply_update(method=fresh(method), by="bank", number="000987654321", now=NOW + DAY)
    assert held(arrangement) == [("held", "arrangement_broken")] * 3


def test_a_renewed_card_goes_on_with_all_that_waited_for_it_on_every_account_card_13(account):
    other = make_account(account.agency, reference="200", consumer=account.consumer)
    method = card(account, exp_month=1, exp_year=2027, update_pending={"code": "expired_card", "at": NOW.isoformat()})
    plans = [plan(one, method, announced=True) for one in (account, other)]
    Postdate.objects.update(status="held", held_for="method_update_pending")
    returns.card_updated(method=method, last4="1881", exp_month=2, exp_year=2031, now=NOW)
    assert [held(one) for one in plans] == [[("scheduled", "")] * 3] * 2
    assert Event.objects.filter(kind="method.updated").count() == 1


def test_a_corrected_number_that_cannot_be_changes_nothing(account):
    method = bank(account)
    plan(account, method)
    returns.apply_notification_of_change(method=method, code="C02", now=NOW)
    refused = returns.apply_update(method=fresh(method), by="bank", routing="021000022", now=NOW)
    assert [one.code for one in refused] == ["routing_number_check_digit"]
    assert fresh(method).update_pending["code"] == "C02"


def test_what_can_no_longer_be_announced_when_a_number_is_put_right_stays_held_and_staff_are_told_pdc_01(account):
    method = bank(account)
    arrangement = plan(account, method, announced=True)
    returns.apply_notification_of_change(method=method, code="C03", now=NOW)
    returns.apply_update(method=fresh(method), by="processor", now=dt.datetime(2027, 1, 31, 15, tzinfo=dt.UTC))
    assert statuses(arrangement) == ["held", "held", "scheduled"]
    second = arrangement.postdates.get(number=2)
    assert Incident.objects.get(kind="held_past_its_day").data == {
        "postdates": [str(second.pk)],
        "amount_cents": 100_00,
    }


def test_what_fell_due_while_a_change_was_waiting_is_not_charged_late_by_itself(account):
    method = bank(account)
    arrangement = plan(account, method, announced=True)
    returns.apply_notification_of_change(method=method, code="C03", now=NOW)
    returns.apply_update(method=fresh(method), by="processor", now=dt.datetime(2027, 1, 4, 15, tzinfo=dt.UTC))
    assert statuses(arrangement) == ["held", "scheduled", "scheduled"]


def test_the_account_updater_is_applied_in_silence_and_told_once_card_13(account):
    method = card(account, last4="4242", exp_month=1, exp_year=2027)
    arrangement = plan(account, method)
    for _ in range(2):
        returns.card_updated(method=method, last4="1881", exp_month=2, exp_year=2031, now=NOW)
    method = fresh(method)
    assert (method.last4, method.exp_month, method.exp_year) == ("1881", 2, 2031)
    told = Event.objects.get(kind="method.updated").data
    assert (told["last4_before"], told["last4"], told["expiry"], told["by"]) == ("4242", "1881", "02/2031", "network")
    assert statuses(arrangement) == ["scheduled"] * 3
    assert fresh(arrangement.authorization).revoked_at is None


def test_one_matter_is_one_incident_however_often_it_is_found(account):
    first = incidents.open(kind="x", key="1", account=account, now=NOW, data={"amount_cents": 1})
    again = incidents.open(kind="x", key="1", account=account, now=NOW + DAY, data={"amount_cents": 2})
    assert (first.pk, again.seen_at, again.data) == (again.pk, NOW + DAY, {"amount_cents": 1})
    assert kinds(account).count("incident.opened") == 1
    closed = incidents.close(incident=first, by="staff:1", note="Called the bank.", now=NOW + DAY)
    assert (closed.closed_by, closed.closed_at) == ("staff:1", NOW + DAY)
    assert incidents.open(kind="x", key="1", account=account, now=NOW + 2 * DAY).pk != first.pk
    assert kinds(account).count("incident.opened") == 2


def updater(account, method, **card_):
    """The processor's event that a stored card has new numbers."""
    shown = {"brand": "visa", "funding": "debit", "last4": "1881", "exp_month": 2, "exp_year": 2031} | card_
    body = {
        "id": "evt_1",
        "type": "payment_method.automatically_updated",
        "data": {"object": {"object": "payment_method", "id": method, "type": "card", "card": shown}},
    }
    merchant = ProcessorAccount.objects.get()
    event = ProcessorEvent.objects.create(
        processor_account=merchant, external_id="evt_1", kind=body["type"], body=body, received_at=NOW
    )
    return ask.apply_event(event, now=NOW)


def test_the_updaters_webhook_changes_the_stored_card_and_nobody_elses_card_13(account):
    method = card(account, last4="4242", processor_method="pm_1")
    sign(account, method, [(DUE[0], 1_00)])
    assert updater(account, "pm_other") == "not ours"
    ProcessorEvent.objects.all().delete()
    assert updater(account, "pm_1") == "card renewed"
    ProcessorEvent.objects.all().delete()
    assert updater(account, "pm_1") == "nothing new"
    assert (fresh(method).last4, fresh(method).exp_year) == ("1881", 2031)
    assert kinds(account).count("method.updated") == 1
