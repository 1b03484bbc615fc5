"""Campaigns that hosts start: handed on, approved by staff, told step by step (SCollect: initiated from the host)."""

import pytest

from campaigns.models import AudienceLine, Campaign
from campaigns.services import campaigns
from tests.campaigns.campaign_cast import APPROVER, OFFER, people, run, template
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, codes, refusal

pytestmark = pytest.mark.django_db
SAID = {
    "name": "From the host",
    "template": "settlement_offer",
    "offer": OFFER,
    "references": ["P00000", "x", "P00001"],
}


@pytest.fixture
def caller(acting, agency, provider, others_account, monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)
    people(agency, 3)
    template()
    return Caller(agency)


def test_a_host_starts_one_with_its_own_list_and_staff_approve_it(caller, mails):
    said = caller.post("campaigns", SAID)
    assert said.status_code == 201, said.content
    body = said.json()
    assert (body["status"], body["references"], body["references_known"]) == ("waiting", 3, 2)
    campaign = Campaign.objects.get()
    assert campaign.made_by == campaign.submitted_by == f"key:{caller.key.pk}"
    run(campaign)
    assert mails() == []
    # Who made the key wrote it (AUTH-15).
    assert [one.code for one in campaigns.approve(campaign=campaign, by="staff:somebody", now=NOW)] == ["same_person"]
    assert campaigns.approve(campaign=campaign, by=APPROVER, now=NOW) == []
    run(campaign)
    found = caller.get(f"campaigns/{campaign.pk}").json()
    assert (found["status"], found["results"]["sent"], len(mails())) == ("finished", 2, 2)
    assert refusal(caller.post(f"campaigns/{campaign.pk}/stop", {"reason": "late"})) == (409, "already_over")


def test_what_is_wrong_is_said_at_once_and_nothing_is_written(caller):
    wrong = SAID | {
        "template": "nobody",
        "audience": {"states": ["Pa"], "balance_from_cents": 5, "balance_to_cents": 1},
    }
    answer = caller.post("campaigns", wrong)
    assert refusal(answer) == (422, "refused")
    assert {code for _pointer, code in codes(answer)} == {"not_a_state", "template_unknown"}
    late = SAID | {"offer": OFFER | {"expires_on": "2026-11-01"}}
    assert [code for _pointer, code in codes(caller.post("campaigns", late))] == ["offer_expires"]
    assert (Campaign.objects.count(), AudienceLine.objects.count()) == (0, 0)


def test_a_host_stops_its_campaign(caller, mails):
    key = caller.post("campaigns", SAID).json()["id"]
    assert caller.post(f"campaigns/{key}/stop", {"reason": "Wrong text."}).json()["status"] == "stopped"
    campaign = Campaign.objects.get()
    assert [one.code for one in campaigns.approve(campaign=campaign, by=APPROVER, now=NOW)] == ["not_waiting"]
    run(campaign)
    assert mails() == []
