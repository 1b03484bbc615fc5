"""A debt that was paid, settled or discharged here is not placed again by a push alone (RF-27)."""

import datetime as dt
import uuid

import pytest
from django.urls import reverse

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from integrations.models import HostConnection
from integrations.services import reopen
from payments.models import Arrangement, Incident, Payment
from tests.conftest import NOW
from tests.integrations.api_caller import Caller
from tests.integrations.test_receive import Host, errors, host, other_host, record  # noqa: F401 - fixtures
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db
MAP = {"ACTIVE": "open", "PAID": "paid", "BANKRUPTCY": "bankruptcy", "CLOSE": "closed", "RECALL": "recalled"}
MAP |= {"DISPUTE": "disputed", "DECEASED": "deceased"}
REFUSED = [("/Status", "reopening_refused")]


@pytest.fixture(autouse=True)
def words(agency, other_agency):
    for one in (agency, other_agency):
        with acting_for(one):
            HostConnection.objects.update(status_map=MAP)


def push(host, status: str, version: int, **values) -> dict:  # noqa: F811
    hour = dt.timedelta(hours=version)
    values = {"AsOf": f"{NOW + hour:%Y-%m-%dT%H:%M:%SZ}", "Version": version, "Status": status} | values
    return host.push(record(**values))


def story(host, *statuses: str) -> int:  # noqa: F811
    """Push one status after the other; each lands. Give the next version."""
    for version, status in enumerate(statuses, 1):
        assert push(host, status, version)["accepted"] == 1, status
    return len(statuses) + 1


def pay(account: Account, status: str, *, purpose="full", minutes=0) -> Payment:
    return Payment.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        idempotency_key=uuid.uuid4(),
        request_hash="",
        kind="ach",
        executor="host",
        purpose=purpose,
        amount_cents=1_000_00,
        status=status,
        intended_at=NOW + dt.timedelta(minutes=minutes),
        acknowledged_at=NOW,
    )


@pytest.mark.parametrize(
    ("before", "after", "lands"),
    [
        pytest.param(["ACTIVE", "PAID"], "ACTIVE", False, id="RF-27 paid, then open"),
        pytest.param(["ACTIVE", "PAID"], "DISPUTE", False, id="RF-27 paid, then disputed"),
        pytest.param(["ACTIVE", "PAID"], "A NEW WORD", False, id="RF-27 paid, then a word that nobody knows"),
        pytest.param(["ACTIVE", "PAID", "CLOSE"], "ACTIVE", False, id="RF-27 paid and closed, then open"),
        pytest.param(["ACTIVE", "PAID", "CLOSE", "RECALL"], "ACTIVE", False, id="RF-27 paid, closed, recalled"),
        pytest.param(["ACTIVE", "BANKRUPTCY"], "ACTIVE", False, id="RF-27 discharged, then open"),
        pytest.param(["ACTIVE", "BANKRUPTCY", "CLOSE"], "ACTIVE", False, id="RF-27 discharged and closed"),
        pytest.param(["ACTIVE", "PAID"], "CLOSE", True, id="RF-27 paid, then closed"),
        pytest.param(["ACTIVE", "PAID"], "PAID", True, id="RF-27 paid, and paid again"),
        pytest.param(["ACTIVE", "CLOSE"], "ACTIVE", True, id="RF-27 closed without a payment"),
        pytest.param(["ACTIVE", "RECALL"], "ACTIVE", True, id="RF-27 recalled and placed again"),
        pytest.param(["ACTIVE", "DISPUTE"], "ACTIVE", True, id="RF-27 a dispute that is over"),
    ],
)
def test_rf_27_what_ended_for_good_is_not_collected_again(host, other_host, acting, before, after, lands):  # noqa: F811
    version = story(host, *before)
    with acting_for(other_host.connection.agency_id):
        assert push(other_host, "ACTIVE", 1)["accepted"] == 1
    was = Account.objects.values().get()
    answer = push(host, after, version, CurrentBalance="1234.00")
    if lands:
        assert (answer["accepted"], errors(answer)) == (1, [])
        return
    assert (answer["refused"], errors(answer)) == (1, REFUSED)
    # What staff see of it is told in the account's own order, and nothing else is written.
    assert Account.objects.values().get() | {"event_seq": 0} == was | {"event_seq": 0}
    (incident,) = Incident.objects.all()
    assert (incident.kind, incident.account_id) == ("reopening_refused", was["id"])
    assert incident.data["balance_cents"] == 1_234_00
    push(host, after, version + 1)
    assert Incident.objects.count() == 1
    with acting_for(other_host.connection.agency_id):
        assert (push(other_host, "ACTIVE", 2)["accepted"], Incident.objects.count()) == (1, 0)


def test_rf_27_the_others_of_the_list_land(host, acting):  # noqa: F811
    version = story(host, "ACTIVE", "PAID")
    as_of = f"{NOW + dt.timedelta(hours=version):%Y-%m-%dT%H:%M:%SZ}"
    answer = host.push(record(Version=version, AsOf=as_of), record(FileNumber="100235"))
    assert (answer["accepted"], answer["refused"]) == (1, 1)


@pytest.mark.parametrize("how", ["in parts", "at once"])
def test_rf_27_a_settled_debt_that_the_host_closed_is_settled(host, acting, how):  # noqa: F811
    version = story(host, "ACTIVE", "CLOSE")
    account = Account.objects.get()
    if how == "at once":
        pay(account, "succeeded", purpose="settlement")
    else:
        Arrangement.objects.create(
            account=account,
            consumer_id=account.consumer_id,
            kind="settlement",
            status="completed",
            schedule=[["2026-12-01", 750_00]],
            total_cents=750_00,
            accepted_at=NOW,
            key=account.pk,
        )
    assert errors(push(host, "ACTIVE", version)) == REFUSED


@pytest.mark.parametrize("back", ["returned", "charged_back", "refunded"])
def test_rf_27_when_the_payment_came_back_the_debt_is_owed_again(host, acting, back):  # noqa: F811
    version = story(host, "ACTIVE", "PAID")
    pay(Account.objects.get(), back)
    assert push(host, "ACTIVE", version)["accepted"] == 1
    assert Account.objects.get().status == "open"


def test_rf_27_an_earlier_payment_that_came_back_reopens_nothing_after_a_later_one_stayed(host, acting):  # noqa: F811
    version = story(host, "ACTIVE", "PAID")
    pay(Account.objects.get(), "returned")
    pay(Account.objects.get(), "succeeded", minutes=1)
    assert errors(push(host, "ACTIVE", version)) == REFUSED


@pytest.mark.parametrize(
    ("word", "hours", "lands"),
    [("ACH REVERSAL", 3, True), ("CHARGEBACK", 3, True), ("ACH REVERSAL", 1, False), ("POSTED", 3, False)],
)
def test_rf_27_a_reversal_in_the_host_s_own_list_opens_it_if_it_is_news(host, acting, word, hours, lands):  # noqa: F811
    version = story(host, "ACTIVE", "PAID")
    at = f"{NOW + dt.timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
    item = {"HostID": "H1", "Date": "2026-11-20", "Amount": "1000.00", "Status": word, "UpdatedAt": at}
    answer = push(host, "ACTIVE", version, Payments=[item])
    assert errors(answer) == ([] if lands else REFUSED)


def test_rf_27_a_bankruptcy_is_not_undone_by_a_payment_that_came_back(host, acting):  # noqa: F811
    version = story(host, "ACTIVE", "BANKRUPTCY")
    pay(Account.objects.get(), "returned")
    assert errors(push(host, "ACTIVE", version)) == REFUSED


def test_rf_27_the_host_says_why_and_it_stands_in_the_history(host, acting):  # noqa: F811
    version = story(host, "ACTIVE", "BANKRUPTCY")
    assert push(host, "ACTIVE", version, ReopenReason="The case was dismissed.")["accepted"] == 1
    told = Event.objects.filter(kind="account.status_changed").order_by("account_seq").last()
    assert (told.data["before"], told.data["after"]) == ("bankruptcy", "open")
    assert told.data["reopened"] == "The case was dismissed."


def test_rf_27_by_api_the_next_push_is_allowed_and_no_other(host, acting, other_agency):  # noqa: F811
    version = story(host, "ACTIVE", "PAID")
    account, caller = Account.objects.get(), Caller(acting)
    at = f"accounts/{account.pk}/reopening"
    assert Caller(other_agency).post(at, {"reason": "Ours"}).status_code == 404
    for _time in range(2):
        answer = caller.post(at, {"reason": "Posted to the wrong account"})
        assert (answer.status_code, answer.json()["allowed"]) == (200, True)
    (event,) = Event.objects.filter(kind="account.reopening_allowed")
    assert event.data["reason"] == "Posted to the wrong account"
    assert push(host, "ACTIVE", version)["accepted"] == 1
    answer = caller.post(at, {"reason": "Again"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ended")
    push(host, "PAID", version + 1)
    assert errors(push(host, "ACTIVE", version + 2)) == REFUSED


def test_rf_27_staff_allow_it_on_the_account_s_page(host, acting):  # noqa: F811
    version = story(host, "ACTIVE", "PAID")
    account = Account.objects.get()
    page = reverse("admin:accounts_account_let_reopen", args=[account.pk])
    for role, seen in (("collector", 403), ("payments supervisor", 200)):
        staff = signed_in(member(acting, role=role))
        assert staff.get(page).status_code == seen
    assert staff.post(page, {"reason": "Posted to the wrong account"}).status_code == 302
    with acting_for(acting):
        assert reopen.allow(account_id=account.pk, by="staff:1", reason="Again", now=NOW) is False
        assert push(host, "ACTIVE", version)["accepted"] == 1
