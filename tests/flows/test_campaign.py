"""The whole circle of a campaign: one writes it, another lets it go, the consumer follows the mail and pays."""

import datetime as dt

import pytest

from accounts.models import Event
from accounts.tenancy import acting_for
from campaigns.models import Campaign, Recipient
from campaigns.services import results
from integrations.models import Delivery
from integrations.services.route import route
from settlements.models import IndividualOffer
from tests.campaigns.campaign_cast import run, template
from tests.campaigns.conftest import make_provider, sandbox  # noqa: F401 - fixture
from tests.conftest import NOW
from tests.flows.test_pay_once import choose, give_card
from tests.staff import member, signed_in
from tests.visitor import Visitor, text

DESK = "/admin/campaigns/campaign/"


@pytest.fixture
def reachable(shop, other_shop, sandbox, clock):  # noqa: F811
    """The account in a state that adds nothing, with its validation notice long sent, and a mail provider."""
    make_provider(shop.agency, sandbox)
    with acting_for(shop.agency):
        account = shop.account
        account.validation_sent_on = dt.date(2026, 6, 1)
        account.save()
        account.consumer.state, account.consumer.zip = "PA", "19103"
        account.consumer.save()
    return account


def test_from_the_desk_to_the_payment_with_the_same_numbers_all_the_way(shop, reachable, sandbox):  # noqa: F811
    author = signed_in(member(shop.agency, "campaign manager"))
    approver = signed_in(member(shop.agency, "campaign approver"))
    with acting_for(shop.agency):
        version = template()
    said = {"name": "December", "purpose": "campaign", "version_a": str(version.pk), "percent_bps": "80"}
    said |= {"max_payments": "3", "max_days": "90", "expires_on": "2026-12-31"}
    assert author.post(f"{DESK}start/", said).status_code == 302
    with acting_for(shop.agency):
        campaign = Campaign.objects.get()
    author.post(f"{DESK}{campaign.pk}/submit/")
    approver.post(f"{DESK}{campaign.pk}/approve/")
    with acting_for(shop.agency):
        assert run(campaign).status == "finished"

    (mail,) = sandbox.mails(to=reachable.consumer.contact_points.get().value)
    assert "$800.00" in mail["text"]
    path = "/m/" + mail["html"].partition("/m/")[2].partition('"')[0]

    visitor = Visitor(shop.agency)
    page = visitor.get(path)
    assert "one detail" in page.content.decode()
    page = visitor.follow(visitor.submit(page, having="factor", factor="1234"))
    assert "$800.00" in text(page)
    assert "You save $200.00" in text(page)

    review = visitor.follow(give_card(visitor, shop, choose(visitor, shop, "settlement")))
    assert "$800.00" in text(review)
    paid = visitor.follow(visitor.submit(review, having="agree", agree="on"))
    assert paid.context["state"] == "succeeded"

    with acting_for(shop.agency):
        offer = IndividualOffer.objects.get(account=reachable)
        assert (offer.campaign_id, offer.status) == (campaign.pk, "completed")
        assert Recipient.objects.get(account=reachable).identified_at == NOW
        (outcome,) = results.outcomes(campaign)
        assert (outcome.steps["sent"], outcome.steps["identified"], outcome.steps["offer_seen"]) == (1, 1, 1)
        assert (outcome.steps["paid"], outcome.paid_cents) == (1, 800_00)
        route(now=NOW)
        told = Delivery.objects.filter(event__account=reachable).values_list("event__kind", flat=True)
        steps = {"offer.made", "message.queued", "message.sent", "consumer.identified", "offer.viewed"}
        assert steps | {"offer.accepted", "payment.succeeded"} <= set(told)
        assert Event.objects.filter(kind="campaign.finished").count() == 1
