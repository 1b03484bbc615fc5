"""The event stream by API: no gaps, nothing appears below a position, waiting takes no thread from others."""

import socket
import threading
import time

import pytest
from django.db import connection, transaction

from accounts import events
from accounts.models import Agency
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.api import events as feed
from integrations.services.route import route
from tests.conftest import NOW, make_account, make_agency
from tests.integrations.api_caller import Caller, codes, refusal

KINDS = ("page.viewed", "payment.succeeded", "dispute.opened", "payment.returned", "offer.viewed")


def tell(account, *kinds: str) -> None:
    """Write events and give them their sequence, as the drain does."""
    with acting_for(account.agency_id), transaction.atomic():
        for kind in kinds:
            events.record(kind, account=account, now=NOW, data={"amount_cents": 1})
    with acting_for(ALL_AGENCIES):
        route(now=NOW)


@pytest.fixture
def reader(account) -> Caller:
    return Caller(account.agency, "events:read")


@pytest.mark.django_db
def test_every_event_comes_once_in_its_sequence_and_the_position_goes_on(reader, account, others_account):
    tell(account, *KINDS)
    tell(others_account, "page.viewed")
    tell(account, *KINDS)
    seen, after = [], 0
    for _ in range(4):
        said = reader.get(f"events?after={after}&limit=3").json()
        seen += said["items"]
        after = said["position"]
    assert [one["sequence"] for one in seen] == list(range(1, 11))
    assert [one["account_sequence"] for one in seen] == list(range(1, 11))
    assert [one["kind"] for one in seen] == [*KINDS, *KINDS]
    assert {one["account"] for one in seen} == {str(account.pk)}
    assert seen[0]["reference"] == "100234"
    assert reader.get(f"events?after={after}").json() == {"items": [], "position": 10, "newest": 10}


@pytest.mark.django_db
def test_an_event_without_a_sequence_is_not_shown_yet(reader, account):
    with acting_for(account.agency), transaction.atomic():
        events.record("page.viewed", account=account, now=NOW)
    assert reader.get("events").json() == {"items": [], "position": 0, "newest": 0}


@pytest.mark.django_db
def test_kinds_and_account_choose_and_the_position_still_goes_on(reader, account, acting):
    second = make_account(acting, consumer=account.consumer, reference="X1")
    tell(account, *KINDS)
    tell(second, "payment.succeeded")
    said = reader.get("events?kinds=payment.*,dispute.opened").json()
    assert [one["sequence"] for one in said["items"]] == [2, 3, 4, 6]
    said = reader.get(f"events?kinds=payment.succeeded&account={second.pk}").json()
    assert [one["sequence"] for one in said["items"]] == [6]
    said = reader.get("events?kinds=dispute.resolved").json()
    assert said == {"items": [], "position": 6, "newest": 6}


@pytest.mark.django_db
def test_one_question_looks_at_a_bounded_piece_and_says_how_far(reader, account, monkeypatch):
    monkeypatch.setattr(feed, "SCANNED", 4)
    tell(account, *KINDS, *KINDS)
    said = reader.get("events?kinds=offer.viewed").json()
    assert (said["items"], said["position"], said["newest"]) == ([], 4, 10)
    assert [one["sequence"] for one in reader.get("events?kinds=offer.viewed&after=4").json()["items"]] == [5]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("kinds=payment.invented", ("kinds", "kind_unknown")),
        ("after=-1", ("after", "min_value")),
        ("after=9223372036854775808", ("after", "max_value")),
        ("wait=21", ("wait", "max_value")),
        ("limit=201", ("limit", "max_value")),
        ("account=7", ("account", "invalid")),
    ],
)
def test_a_question_that_is_none_is_refused(reader, query, error):
    answer = reader.get(f"events?{query}")
    assert refusal(answer) == (400, "invalid_parameter")
    assert codes(answer) == [error]


@pytest.mark.django_db
def test_another_agencys_account_is_not_there(reader, others_account):
    assert refusal(reader.get(f"events?account={others_account.pk}")) == (404, "not_found")


@pytest.mark.django_db(transaction=True)
def test_a_request_that_waits_is_answered_when_something_happens_and_few_may_wait(settings):
    settings.FEED_WAITERS = 1
    account = make_account(make_agency("acme"))
    other = make_account(make_agency("birch"))
    reader = Caller(account.agency, "events:read")
    answers: list[tuple[float, dict]] = []

    def ask() -> None:
        began = time.monotonic()
        said = reader.get("events?wait=15&kinds=payment.*").json()
        answers.append((time.monotonic() - began, said))
        connection.close()

    waiting = threading.Thread(target=ask)
    waiting.start()
    deadline = time.monotonic() + 10
    while not feed._waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    busy = Caller(account.agency, "events:read").get("events?wait=15")
    assert time.monotonic() - began < 5
    assert (busy.json()["items"], busy["Retry-After"]) == ([], "1")
    tell(other, "payment.succeeded")
    tell(account, "page.viewed")
    assert not answers, "what it did not ask for does not wake its caller"
    tell(account, "payment.succeeded")
    waiting.join(20)
    ((took, said),) = answers
    assert [one["sequence"] for one in said["items"]] == [2]
    assert said["items"][0]["account"] == str(account.pk)
    assert took < 14
    assert feed._waiting == 0


@pytest.mark.django_db
def test_waiting_ends_with_nothing_when_nothing_happens(reader, account):
    tell(account, "page.viewed")
    began = time.monotonic()
    assert reader.get("events?after=1&wait=1").json() == {"items": [], "position": 1, "newest": 1}
    assert 0.9 < time.monotonic() - began < 6
    with acting_for(ALL_AGENCIES):
        assert Agency.objects.get(pk=account.agency_id).last_sequence == 1


@pytest.mark.django_db
def test_waiting_behind_the_newest_event_asks_now_and_then(reader, account, django_assert_max_num_queries):
    tell(account, "page.viewed")
    with django_assert_max_num_queries(30):
        assert reader.get("events?after=9&wait=1").json() == {"items": [], "position": 9, "newest": 1}


@pytest.mark.parametrize("gone", [True, False])
def test_a_caller_that_hung_up_is_waited_for_no_longer(rf, gone):
    ours, theirs = socket.socketpair()
    if gone:
        theirs.close()
    request = rf.get("/", **{"gunicorn.socket": ours})
    assert feed.hung_up(request) is gone
    ours.close()
    theirs.close()
