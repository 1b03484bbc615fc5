"""Lost answers are decided by sets, and each as it would be alone: once, by the provider's word, in its own agency."""

import datetime as dt
from collections import Counter

import pytest
import requests
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Consumer, Event
from accounts.tenancy import acting_for
from campaigns.models import Campaign, Message, Recipient
from campaigns.services import handover, launch, outbox, unanswered, writer
from tests.benchmarks.crowd import crowd
from tests.campaigns.campaign_cast import approved, run, template
from tests.campaigns.conftest import told
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + writer.LEASE
MANY, FEW = 100, 3
AUDIENCE = {"statuses": ["open"]}


@pytest.fixture
def lose(account, others_account, sandbox, provider, others_provider):
    """Make people of both agencies, and campaigns to them whose requests go wrong as the test says."""
    providers = {provider.agency_id: provider, others_provider.agency_id: others_provider}
    for like, count in ((account, MANY), (others_account, FEW)):
        with acting_for(like.agency_id):
            crowd(like.agency, like, count)
            Account.objects.filter(pk=like.pk).update(status="recalled")

    def begin(agency, *modes: str) -> Campaign:
        for mode in modes:
            sandbox.fault(providers[agency.pk].domain, mode)
        with acting_for(agency):
            return run(approved(offer={}, version=template("reminder"), audience=AUDIENCE))

    return begin


@pytest.fixture
def asked(monkeypatch):
    """The Message-Ids that the provider was asked about; what `asked.meanwhile` does happens before it answers."""

    class Asked(list):
        meanwhile = staticmethod(lambda: None)

    found, get = Asked(), requests.get

    def listen(url, **more):
        found.append(more["params"]["message-id"])
        found.meanwhile()
        return get(url, **more)

    monkeypatch.setattr(requests, "get", listen)
    return found


@pytest.fixture
def took(sandbox):
    """How many mails each address has, at an agency's provider."""

    def count(provider) -> Counter[str]:
        return Counter(
            one["to"] for one in sandbox.call("GET", f"/_sandbox/messages?domain={provider.domain}&limit=1000")
        )

    return count


def states() -> dict[tuple[str, str], int]:
    return Counter(Message.objects.values_list("status", "reason"))


@pytest.mark.parametrize(
    ("mode", "became", "event"),
    [
        ("drop_after_effect", ("sent", ""), "message.sent"),
        ("drop_before_effect", ("failed", "no_answer"), "message.failed"),
        ("error_500", ("held", "provider_had_it_not"), "message.held"),
    ],
)
def test_a_hundred_lost_answers_take_one_request_and_as_many_statements_as_three(
    agency, other_agency, lose, asked, mode, became, event
):
    spent = {}
    campaigns = {one: lose(one, mode) for one in (agency, other_agency)}
    for one, number in ((agency, MANY), (other_agency, FEW)):
        with acting_for(other_agency):
            assert {status for status, _reason in states()} == {"queued"}
            assert set(Message.objects.values_list("next_at", flat=True)) == {LATER}
        with acting_for(one), CaptureQueriesContext(connection) as statements:
            assert unanswered.decide(campaigns[one], now=LATER) == number
        spent[one] = len(statements)
        with acting_for(one):
            assert states() == {became: number}
            facts = Event.objects.filter(kind=event)
            assert facts.values("account").distinct().count() == len(facts) == number
            assert {fact.data["campaign"] for fact in facts} == {str(campaigns[one].pk)}
            assert set(facts.values_list("account_seq", flat=True)) == {2}
            assert unanswered.decide(campaigns[one], now=LATER) == 0
    assert len(asked) == 2
    assert spent[agency] == spent[other_agency] < 20


def test_who_had_it_not_is_written_to_again_exactly_once_and_who_had_it_never(
    acting, agency, other_agency, lose, asked, took, provider, others_provider
):
    """Two requests broke, one for each language; the provider took one of them before it did."""
    Consumer.objects.filter(host_consumer_id__endswith="1").update(language="es")
    spanish = Consumer.objects.filter(language="es").count()
    campaign = lose(agency, "error_500", "error_500_after_effect")
    lose(other_agency, "error_500")
    had = len(took(provider))
    assert had in (spanish, MANY - spanish)
    assert unanswered.decide(campaign, now=LATER) == MANY
    assert states() == {("sent", ""): had, ("held", "provider_had_it_not"): MANY - had}
    again = Recipient.objects.filter(status="waiting", next_at=None, reason="provider_had_it_not")
    assert again.count() == MANY - had
    for _look in range(3):
        launch.advance(campaign.pk, now=LATER)
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.FINISHED
    assert states() == {("sent", ""): MANY}
    assert list(took(provider).values()) == [1] * MANY
    assert len(asked) == 2
    assert took(others_provider) == {}


def test_a_request_that_the_provider_says_nothing_about_holds_up_no_other(
    acting, agency, lose, asked, sandbox, provider
):
    Consumer.objects.filter(host_consumer_id__endswith="1").update(language="es")
    campaign = lose(agency, "drop_after_effect", "drop_after_effect")
    sandbox.fault(provider.domain, "list_500")
    decided = unanswered.decide(campaign, now=LATER)
    assert 0 < decided < MANY
    assert states() == {("sent", ""): decided, ("queued", "with_provider"): MANY - decided}
    # It is asked about again after a while, and only about this.
    assert unanswered.decide(campaign, now=LATER + handover.AGAIN - dt.timedelta(seconds=1)) == 0
    assert unanswered.decide(campaign, now=LATER + handover.AGAIN) == MANY - decided
    assert states() == {("sent", ""): MANY}
    assert len(asked) == 3
    assert set(asked[:2]) >= {asked[2]}


def test_what_the_provider_never_says_anything_about_is_told_as_failed_after_a_day(
    acting, agency, lose, sandbox, provider
):
    campaign = lose(agency, "drop_after_effect")
    for now, decided in ((LATER, 0), (NOW + outbox.ANSWERED_WITHIN, MANY)):
        sandbox.fault(provider.domain, "list_500")
        assert unanswered.decide(campaign, now=now) == decided
    assert states() == {("failed", "no_answer"): MANY}


def test_two_workers_do_not_ask_about_the_same_messages_and_what_moved_meanwhile_stands(acting, agency, lose, asked):
    """While the provider is asked, another worker comes by, and a webhook says of one message that it was sent."""
    campaign = lose(agency, "drop_before_effect")
    said = Message.objects.order_by("pk").first()

    def meanwhile():
        assert unanswered.decide(campaign, now=LATER) == 0
        assert outbox.sent(message_id=said.pk, provider_id=said.provider_id, at=NOW, now=LATER)

    asked.meanwhile = meanwhile
    assert unanswered.decide(campaign, now=LATER) == MANY - 1
    assert len(asked) == 1
    assert states() == {("sent", ""): 1, ("failed", "no_answer"): MANY - 1}
    assert Counter(told("message.sent", "message.failed")) == {"message.sent": 1, "message.failed": MANY - 1}


def test_what_was_never_asked_for_waits_again_unless_its_slow_process_asks_after_all(acting, agency, lose):
    campaign = lose(agency, "drop_before_effect")
    slow, *dead = Message.objects.values_list("pk", flat=True)
    Message.objects.filter(pk__in=dead).update(reason=writer.PREPARED)
    waits = unanswered.Verdict(writer.PREPARED, "held", "not_handed_over")
    assert unanswered._write(dict.fromkeys([slow, *dead], waits), campaign=campaign, now=LATER) == MANY - 1
    assert states() == {("queued", "with_provider"): 1, ("held", "not_handed_over"): MANY - 1}
    assert Recipient.objects.filter(status="waiting", reason="not_handed_over").count() == MANY - 1
    assert Recipient.objects.get(message=slow).status == "leaving"
