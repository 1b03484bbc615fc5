"""A new status of an account acts on what is planned at once, when it is placed (STS-01 to STS-07, EVT-03)."""

import datetime as dt
from dataclasses import replace

import msgspec
import pytest

from accounts.models import Account, Event
from accounts.placement import Person, Placement
from accounts.services.place import place_accounts
from payments.models import Incident, Notice, Payment, Postdate
from payments.processors import Outcome
from payments.rules.gates import charge_gates
from payments.services import gate, life, pay, settle, status
from payments.services.means import means_of_method
from payments.services.owed import owed
from tests.conftest import NOW, make_account
from tests.payments.test_pay import kinds
from tests.payments.test_returns import account, bank, debit, fresh, plan, statuses  # noqa: F401
from tests.payments.test_settle import at_once

JANE = Person(first_name="Jane", last_name="Doe", ssn="900991234", zip="12207", state="NY")
CANCELS = ("bankruptcy", "deceased", "recalled", "closed", "paid")
HOLDS = ("disputed", "cease", "attorney", "blocked", "unmapped")


def place(account, new, *, now=NOW, **values):  # noqa: F811
    """Place the account with another status, as its host does."""
    told = Placement(
        reference=account.reference, client_number="C1", client_name="Harbor Medical", person=JANE, status=new,
        host_status=new.upper(), balance_cents=1_000_00, version=None, as_of=now,
        original_creditor=account.original_creditor, description=account.description,
        contract_on=account.contract_on, sol_status="live", body_hash=new,
    )  # fmt: skip
    (outcome,) = place_accounts(
        connection_id=account.connection_id, placements=[msgspec.structs.replace(told, **values)], now=now
    )
    assert outcome.verdict == "updated"


def notices(arrangement, *, state="due", send_by=dt.date(2026, 12, 29)):
    for item in arrangement.postdates.all():
        Notice.objects.create(
            postdate=item, owner="portal", channel="email", earliest_on=send_by, target_on=send_by, latest_on=send_by,
            send_by=send_by, status=state,
        )  # fmt: skip


@pytest.mark.parametrize("new", CANCELS)
def test_what_is_planned_is_cancelled_at_once(account, new, django_capture_on_commit_callbacks):  # noqa: F811
    arrangement = plan(account, bank(account))
    with django_capture_on_commit_callbacks(execute=True):
        place(account, new)
    assert (fresh(arrangement).status, statuses(arrangement)) == ("cancelled", ["cancelled"] * 3)
    assert fresh(arrangement.authorization).revoked_at == NOW
    told = kinds(account)
    assert told.index("account.status_changed") < told.index("postdate.cancelled")
    assert Event.objects.get(kind="arrangement.cancelled").data["reason"] == f"status_{new}"


@pytest.mark.parametrize("new", HOLDS)
def test_what_is_planned_is_held_for_a_person(account, new):  # noqa: F811
    arrangement = plan(account, bank(account), executor="host")
    place(account, new)
    assert (fresh(arrangement).status, statuses(arrangement)) == ("performing", ["held"] * 3)
    assert set(arrangement.postdates.values_list("held_for", flat=True)) == {"account_status"}
    assert fresh(arrangement.authorization).revoked_at is None
    assert kinds(account).count("postdate.hold_requested") == 3


@pytest.mark.parametrize("new", [*CANCELS, *HOLDS])
def test_nothing_is_charged_by_schedule_after_it_even_if_something_was_left_sts_07(account, new):  # noqa: F811
    place(account, new)
    at = gate.standing(Account.objects.select_related("consumer", "client", "agency").get(), now=NOW)
    method = bank(account)
    facts = gate.facts_of(
        at, (gate.Line(at.today, 1_00),), means_of_method(method), "portal", single=True, acknowledged=True, now=NOW
    )
    found = [one.code for one in charge_gates(replace(facts, scheduled=True, created_on=at.today))]
    assert "account_not_open" in found


@pytest.mark.parametrize("new", HOLDS)
def test_back_to_open_goes_on_with_what_can_still_be_announced_pdc_01(account, new):  # noqa: F811
    arrangement = plan(account, bank(account))
    notices(arrangement)
    place(account, new)
    place(account, "open", now=NOW + dt.timedelta(days=3))
    assert statuses(arrangement) == ["scheduled"] * 3
    assert not Incident.objects.exists()


def test_what_can_no_longer_be_announced_stays_held_and_is_looked_at_pdc_01(account):  # noqa: F811
    arrangement = plan(account, bank(account))
    notices(arrangement)
    Notice.objects.filter(postdate__number=3).update(status="sent")
    place(account, "disputed")
    place(account, "open", now=dt.datetime(2026, 12, 30, 15, tzinfo=dt.UTC))
    assert statuses(arrangement) == ["held", "held", "scheduled"]
    incident = Incident.objects.get()
    assert (incident.kind, incident.data["amount_cents"]) == ("held_past_its_day", 200_00)


def test_a_payment_whose_day_passed_meanwhile_is_not_taken_late_by_itself(account):  # noqa: F811
    arrangement = plan(account, bank(account))
    notices(arrangement, state="sent")
    place(account, "cease")
    place(account, "open", now=dt.datetime(2027, 1, 4, 15, tzinfo=dt.UTC))
    assert statuses(arrangement) == ["held", "scheduled", "scheduled"]


def let_go():
    """How many items their host was asked to let go."""
    return Event.objects.filter(kind="postdate.hold_requested", data__hold=False).count()


@pytest.mark.parametrize("executor", ["portal", "host"])
@pytest.mark.parametrize("ends_first", ["status", "pause"])
@pytest.mark.parametrize("begins_first", ["status", "pause"])
def test_a_status_and_a_pause_hold_until_the_last_of_both_is_over_sts_07(
    account,  # noqa: F811
    begins_first,
    ends_first,
    executor,
):
    arrangement = plan(account, bank(account), executor=executor, announced=True)
    later, until = NOW + dt.timedelta(days=2), dt.date(2026, 12, 31)
    begins = {
        "status": lambda: place(account, "cease"),
        "pause": lambda: life.pause(account=account, until=until, reason="hardship", now=NOW),
    }
    ends = {
        "status": lambda: place(account, "open", now=later),
        "pause": lambda: life.resume(account=account, now=later),
    }
    for name in sorted(begins, key=lambda name: name != begins_first):
        begins[name]()
    first, last = sorted(ends, key=lambda name: name != ends_first)
    ends[first]()
    left = {"status": "paused", "pause": "account_status"}[first]
    assert statuses(arrangement) == ["held"] * 3
    assert set(arrangement.postdates.values_list("held_for", flat=True)) == {left}
    assert let_go() == 0
    ends[last]()
    assert statuses(arrangement) == ["scheduled"] * 3
    assert let_go() == 3
    assert not Incident.objects.exists()


def test_after_both_what_can_no_longer_be_announced_stays_held_pdc_01(account):  # noqa: F811
    arrangement = plan(account, bank(account))
    notices(arrangement)
    Notice.objects.filter(postdate__number=3).update(status="sent")
    life.pause(account=account, until=None, reason="hardship", now=NOW)
    place(account, "attorney")
    late = dt.datetime(2026, 12, 30, 15, tzinfo=dt.UTC)
    life.resume(account=account, now=late)
    place(account, "open", now=late)
    assert statuses(arrangement) == ["held", "held", "scheduled"]
    assert Incident.objects.get().data["amount_cents"] == 200_00


def test_a_status_placed_again_changes_nothing(account):  # noqa: F811
    arrangement = plan(account, bank(account))
    place(account, "disputed")
    before = kinds(account)
    place(account, "disputed", now=NOW + dt.timedelta(hours=1))
    status.account_status_changed(account=account, before="disputed", after="disputed", now=NOW)
    assert kinds(account) == before
    assert statuses(arrangement) == ["held"] * 3


def test_from_held_to_bankrupt_is_cancelled_sts_01(account):  # noqa: F811
    arrangement = plan(account, bank(account))
    place(account, "disputed")
    place(account, "bankruptcy", now=NOW + dt.timedelta(minutes=5))
    assert statuses(arrangement) == ["cancelled"] * 3


def test_a_debit_on_its_way_into_bankruptcy_is_a_matter_for_staff_at_once_sts_01(account):  # noqa: F811
    payment = debit(account, bank(account))
    place(account, "bankruptcy")
    incident = Incident.objects.get()
    assert (incident.kind, incident.severity, incident.payment) == ("debit_after_status", "urgent", payment)
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="succeeded"), now=NOW)
    assert Incident.objects.count() == 1
    assert Event.objects.filter(kind="incident.opened").count() == 1


def test_a_plan_that_the_hosts_own_list_completes_is_not_cancelled_by_paid(account):  # noqa: F811
    method = bank(account)
    arrangement = plan(account, method, dates=(dt.date(2027, 1, 4),))
    debit(account, method, status="succeeded", cents=100_00, arrangement=arrangement)
    Postdate.objects.update(status="taken")
    status._finish_paid(account.pk, NOW)
    place(account, "paid")
    status._finish_paid(account.pk, NOW)
    assert fresh(arrangement).status == "completed"


def test_another_account_of_the_consumer_goes_on(account):  # noqa: F811
    other = make_account(account.agency, reference="200", consumer=account.consumer)
    arrangement = plan(other, bank(other))
    place(account, "bankruptcy")
    assert statuses(arrangement) == ["scheduled"] * 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(4))
def test_a_status_and_a_charge_at_once_never_charge_after_the_status_sts_07(open_shop, turn):
    shop, checkout = open_shop, open_shop.checkout()
    results = at_once(lambda: place(shop.account, "bankruptcy"), lambda: shop.confirm(checkout), agency=shop.agency)
    assert results[0] is None
    told = kinds(shop.account)
    paid = Payment.objects.first()
    if isinstance(results[1], pay.Refused):
        assert paid is None
        assert shop.charged() == []
        assert "account_not_open" in [one.code for one in results[1].refusals]
    else:
        # The charge was first: it stands, and staff give it back.
        assert told.index("payment.intended") < told.index("account.status_changed")
        assert Incident.objects.filter(kind="debit_after_status", payment=paid).exists()
        assert owed(shop.account).cents == 1_000_00 - paid.amount_cents
    assert len(shop.charged()) == Payment.objects.count()
