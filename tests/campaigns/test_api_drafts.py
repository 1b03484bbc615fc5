"""A campaign's audience by key: chosen, counted, looked at and handed on, but approved by a person only."""

import pytest

from accounts.models import ContactPoint
from accounts.tenancy import acting_for
from campaigns.models import Campaign
from campaigns.services import campaigns
from tests.campaigns.campaign_cast import APPROVER, OFFER, people, run, template
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, codes, counts, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller(acting, agency, others_account, monkeypatch) -> Caller:
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)
    people(agency, 4)
    template()
    with acting_for(others_account.agency):
        template()
    return Caller(agency)


def drafted(caller, **more) -> dict:
    answer = caller.post("campaign-drafts", {"name": "December"} | more)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_an_audience_is_counted_with_a_sample_and_the_reason_why_others_are_left_out(caller, agency, others_account):
    stopped = ContactPoint.objects.filter(value="pat1@acme.example.com")
    assert stopped.update(opted_out_at=NOW) == 1
    row = drafted(caller, audience={"balance_from_cents": 500_00})
    said = caller.get(f"campaigns/{row['id']}/audience").json()
    assert (said["reaches"], said["left_out"]) == (3, {"opted_out": 1})
    assert sorted(one["reference"] for one in said["sample"]) == ["P00000", "P00002", "P00003"]
    (out,) = caller.get(f"campaigns/{row['id']}/audience?reason=opted_out").json()["sample"]
    assert (out["reference"], out["balance_cents"], out["reason"]) == ("P00001", 1_000_00, "opted_out")
    assert set(out) == {"account", "reference", "balance_cents", "currency", "language", "reason"}
    assert Caller(others_account.agency).get(f"campaigns/{row['id']}/audience").status_code == 404


def test_a_list_narrows_it_and_stays_until_another_one_is_sent(caller):
    row = drafted(caller, references=["P00000", "nobody"])
    assert (row["references"], row["references_known"], row["listed"]) == (2, 1, True)
    again = caller.put(f"campaign-drafts/{row['id']}", {"name": "January"}).json()
    assert (again["name"], again["listed"]) == ("January", True)
    said = caller.get(f"campaigns/{row['id']}/audience").json()
    assert (said["reaches"], said["left_out"]) == (1, {"unknown_reference": 1})


def test_a_key_hands_on_pauses_goes_on_and_copies_and_a_person_approves(caller, provider, mails):
    row = drafted(caller)
    missing = caller.post(f"campaigns/{row['id']}/submit")
    assert codes(missing) == [("/template", "no_template")]
    late = {"template": "settlement_offer", "offer": OFFER | {"expires_on": "2026-11-01"}}
    caller.put(f"campaign-drafts/{row['id']}", {"name": "December"} | late)
    assert codes(caller.post(f"campaigns/{row['id']}/submit")) == [("/offer/expires_on", "offer_expires")]
    caller.put(f"campaign-drafts/{row['id']}", {"name": "December"} | late | {"offer": OFFER})
    assert caller.post(f"campaigns/{row['id']}/submit").json()["status"] == "waiting"
    assert refusal(caller.put(f"campaign-drafts/{row['id']}", {"name": "x"})) == (409, "not_a_draft")
    assert refusal(caller.post(f"campaigns/{row['id']}/approve")) == (404, "not_found")
    campaign = Campaign.objects.get()
    run(campaign)
    assert mails() == []
    assert campaigns.approve(campaign=campaign, by=APPROVER, now=NOW) == []
    assert caller.post(f"campaigns/{row['id']}/pause", {"reason": "Telephones."}).json()["status"] == "paused"
    run(campaign)
    assert mails() == []
    assert caller.post(f"campaigns/{row['id']}/resume").json()["status"] == "scheduled"
    assert refusal(caller.post(f"campaigns/{row['id']}/resume")) == (409, "not_paused")
    run(campaign)
    assert len(mails()) == 4
    copied = caller.post(f"campaigns/{row['id']}/copy").json()
    assert (copied["name"], copied["status"], copied["offer"]) == ("December (2)", "draft", OFFER)
    drafts = caller.get("campaigns?status=draft").json()["items"]
    assert [one["id"] for one in drafts] == [copied["id"]]


def test_what_is_wrong_is_said_at_its_place_and_nothing_is_written(caller, others_account):
    before = counts()
    wrong = {"name": "x", "template": "none", "audience": {"states": ["Pa"]}}
    answer = caller.post("campaign-drafts", wrong)
    assert sorted(codes(answer)) == [("/audience/states", "not_a_state"), ("/template", "template_unknown")]
    after = counts()
    assert {name for name in after if after[name] != before[name]} <= {"integrations.IdempotencyKey"}


def test_the_audience_of_a_draft_whose_filter_cannot_be_is_not_counted(caller, agency):
    row = drafted(caller)
    Campaign.objects.update(audience={"abandoned_days": 999_999_999}, share_b=150)
    wrong = [("/audience/abandoned_days", "not_a_number")]
    assert codes(caller.get(f"campaigns/{row['id']}/audience")) == wrong
    assert ("/share_b", "share_b") in codes(caller.post(f"campaigns/{row['id']}/submit"))


def test_a_campaign_that_waits_is_taken_back_and_anothers_is_not_there(caller, provider, others_account):
    row = drafted(caller, template="settlement_offer", offer=OFFER)
    caller.post(f"campaigns/{row['id']}/submit")
    stranger = Caller(others_account.agency)
    for step in ("submit", "pause", "resume", "copy", "take-back"):
        said = {"reason": "x"} if step in ("pause", "take-back") else None
        assert refusal(stranger.post(f"campaigns/{row['id']}/{step}", said)) == (404, "not_found"), step
    assert caller.post(f"campaigns/{row['id']}/take-back", {"reason": "One more look."}).json()["status"] == "draft"
    assert stranger.get("campaigns").json()["items"] == []
