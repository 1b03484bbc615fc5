"""EML-06: notices, receipts and campaigns are streams, each with its suppression list, and there is a global one."""

import pytest

from accounts.models import ContactPoint, Event, Suppression
from accounts.services import consent, streams
from accounts.tenancy import acting_for
from campaigns.rules.addresses import STREAM_OF
from campaigns.rules.contact import PURPOSES
from campaigns.services import audience, gate, track
from campaigns.services.gate import Asked
from tests.campaigns.campaign_cast import draft, people
from tests.conftest import NOW
from tests.integrations.api_caller import Caller
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(acting, agency, others_account):
    (made,) = people(agency, 1)
    return made


@pytest.fixture
def point(account) -> ContactPoint:
    return account.consumer.contact_points.get()


def silent(account) -> dict[str, set[str]]:
    """Ask the gate about every purpose; give the rules of the address that deny it."""
    point = account.consumer.contact_points.get()
    found = {}
    for purpose in PURPOSES:
        asked = Asked(channel="email", purpose=purpose, consumer=account.consumer, account=account, point=point)
        ((_facts, said),) = gate.judge([asked], now=NOW)
        found[purpose] = {rule for one in said.denials for rule in one.rules if rule.startswith("EML")}
    return {purpose: rules for purpose, rules in found.items() if rules}


def stops_offers(point):
    assert streams.stop(contact_point=point, stream="campaigns", source="link", now=NOW)


def stops_notices(point):
    assert streams.stop(contact_point=point, stream="notices", source="staff", now=NOW)


def stops_receipts(point):
    assert streams.stop(contact_point=point, stream="receipts", source="staff", now=NOW)


def opts_out(point):
    assert consent.opt_out(contact_point=point, scope="address", source="link", now=NOW)


def bounces_for_good(point):
    track.given_up(point, reason="bounced", at=NOW, now=NOW)


def complains(point):
    track.given_up(point, reason="complained", at=NOW, now=NOW)


ANSWERED = {"code", "confirmation"}
"""What the consumer asks for in this moment: an opt-out does not keep it back, a dead address does."""
EVERYTHING, NOT_CODES = set(PURPOSES), set(PURPOSES) - ANSWERED
TABLE = [
    ("EML-06 no more offers", stops_offers, {"campaign", "reminder"}, "EML-06"),
    ("EML-06 no notices by mail", stops_notices, {"notice", "service"}, "EML-06"),
    ("EML-06 no receipts by mail", stops_receipts, {"receipt"}, "EML-06"),
    ("EML-04 an address is opted out", opts_out, NOT_CODES, "EML-04"),
    ("EML-05 a hard bounce", bounces_for_good, EVERYTHING, "EML-05"),
    ("EML-05 a complaint", complains, EVERYTHING, "EML-05"),
]


@pytest.mark.parametrize(("happens", "purposes", "rule"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_silenced_by_what(account, point, happens, purposes, rule):
    assert silent(account) == {}
    happens(point)
    assert silent(account) == {purpose: {rule} for purpose in purposes}


def test_every_purpose_but_codes_belongs_to_one_stream():
    assert set(STREAM_OF) == NOT_CODES
    assert set(STREAM_OF.values()) == set(streams.STREAMS)


def test_a_campaign_leaves_out_who_wants_no_offers_and_says_so(account, point, provider):
    campaign = draft()
    assert audience.count(campaign, now=NOW) == {"": 1}
    stops_offers(point)
    assert audience.count(campaign, now=NOW) == {"stream_stopped": 1}


def test_the_stop_page_offers_less_than_everything_and_the_host_hears_of_it_once(account, point):
    link = f"/stop/{consent.stop_token(point)}/"
    visitor = Visitor(account.agency)
    assert "Stop only offers and reminders" in visitor.get(link).content.decode()
    for _time in range(2):
        page = visitor.post(link, {"scope": "campaigns"}).content.decode()
        assert "Receipts and notices about your payments still come" in page
    point.refresh_from_db()
    assert point.opted_out_at is None
    (event,) = Event.objects.filter(kind="optout.stream")
    assert (event.data["stream"], event.data["source"]) == ("campaigns", "link")
    assert silent(account).keys() == {"campaign", "reminder"}
    visitor.post(link)
    assert silent(account).keys() == NOT_CODES


def test_one_click_of_a_mailbox_provider_still_stops_the_address_eml_02(account, point):
    Visitor(account.agency).post(f"/stop/{consent.stop_token(point)}/", {"List-Unsubscribe": "One-Click"})
    point.refresh_from_db()
    assert point.opted_out_at is not None
    assert Suppression.objects.count() == 0


def test_each_stream_lists_its_own_addresses_and_the_global_ones_of_one_agency(account, point, others_account):
    caller = Caller(account.agency)
    with acting_for(others_account.agency):
        complains(others_account.consumer.contact_points.get())
    said = caller.post(f"contact-points/{point.pk}/opt-out", {"scope": "campaigns", "words": "no offers please"})
    assert (said.status_code, said.json()["opted_out_at"]) == (200, None)

    def listed(stream: str) -> list[tuple[str, bool]]:
        return [
            (one["reason"], one["every_stream"]) for one in caller.get(f"suppressions?stream={stream}").json()["items"]
        ]

    assert (listed("campaigns"), listed("notices")) == ([("stream_stopped", False)], [])
    bounces_for_good(point)
    assert listed("campaigns") == listed("notices") == listed("receipts") == [("bad_address", True)]
    assert Suppression.objects.get().words == "no offers please"


def test_only_the_consumer_opens_a_stream_again_and_what_was_stays_written(point):
    stops_offers(point)
    streams.reopen(contact_point=point, now=NOW)
    assert streams.stopped({point.pk}) == {}
    assert Suppression.objects.get().ended_at == NOW
    stops_offers(point)
    assert Suppression.objects.count() == 2
