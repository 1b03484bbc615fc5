"""A campaign from draft to the last result: two people, one message an account, and nothing after the stop."""

import datetime as dt
from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Account, Agency, Consumer, ContactPoint, Event
from accounts.services import consent
from accounts.tenancy import acting_for
from campaigns.models import Campaign, ContactDecision, Message, Recipient
from campaigns.services import audience, campaigns, handover, launch, letters, links, results, templates, track, writer
from payments.services import gate as money_gate
from payments.sight import offer as offer_shown
from settlements.models import IndividualOffer
from tests.campaigns.campaign_cast import APPROVER, AUTHOR, OFFER, approved, draft, people, run, template
from tests.campaigns.conftest import told
from tests.conftest import NOW
from tests.payments.test_returns import bank, debit

pytestmark = pytest.mark.django_db
Status = Campaign.Status


@pytest.fixture
def crowd(acting, agency, provider, others_account):
    """Three people whom nothing forbids to write to."""
    return people(agency, 3)


def codes(refusals) -> list[str]:
    return [one.code for one in refusals]


def test_everybody_gets_the_offer_with_the_numbers_that_the_portal_shows(crowd, mails, now):
    campaign = run(approved())
    assert (campaign.status, campaign.approved_by) == (Status.FINISHED, APPROVER)
    assert len(mails()) == 3
    for account in crowd:
        (mail,) = [mail for mail in mails() if mail["to"] == account.consumer.contact_points.get().value]
        offer = IndividualOffer.objects.get(account=account)
        assert (offer.origin, offer.campaign_id, offer.percent_bps) == ("campaign", campaign.pk, 80_00)
        assert offer.expires_on == dt.date(2026, 12, 31)
        account = Account.objects.select_related("consumer", "client", "agency").get(pk=account.pk)
        shown = offer_shown(money_gate.standing(account, now=now))
        assert shown["amount_cents"] == 800_00
        assert "$800.00" in mail["text"]
        assert "$200.00" in mail["text"]
        assert "December 31, 2026" in mail["text"]
        assert mail["subject"] == f"{account.consumer.first_name}, a message for you from Acme Recovery"
    assert told("campaign.started", "campaign.finished") == ["campaign.started", "campaign.finished"]
    kinds = told("offer.made", "message.queued", "message.sent")
    assert sorted(kinds) == ["message.queued"] * 3 + ["message.sent"] * 3 + ["offer.made"] * 3


def test_what_a_host_has_not_posted_counts_for_the_offer_and_the_message_as_on_the_page(crowd, mails, now):
    some, settled, late = crowd
    debit(some, bank(some), status="succeeded", cents=100_00)
    debit(settled, bank(settled), status="succeeded", cents=600_00, purpose="settlement")
    campaign = approved()
    assert audience.count(campaign, now=now) == {"": 2, "nothing_owed": 1}
    assert campaigns.start(campaign=campaign, now=now)
    audience.freeze(campaign, now=now)
    campaigns.frozen(campaign=campaign, now=now)
    debit(late, bank(late), cents=1_000_00)
    run(campaign)
    reasons = dict(Recipient.objects.values_list("account_id", "reason"))
    assert reasons == {some.pk: "", settled.pk: "nothing_owed", late.pk: "nothing_owed"}
    assert list(IndividualOffer.objects.values_list("account_id", flat=True)) == [some.pk]
    (mail,) = mails()
    account = Account.objects.select_related("consumer", "client", "agency").get(pk=some.pk)
    at = money_gate.standing(account, now=now)
    assert (at.owed.cents, offer_shown(at)["amount_cents"]) == (900_00, 720_00)
    assert ("$720.00" in mail["text"], "$180.00" in mail["text"]) == (True, True)
    assert Recipient.objects.get(account=some).values["balance"] == "$900.00"


def test_a_message_shows_nothing_outside_and_everything_inside(crowd, mails):
    """RF-11, RF-17, RF-20, RF-23, EML-02, SMS-10."""
    run(approved())
    mail = mails()[0]
    outside = f"{mail['subject']} {mail['from']} {mail['text'][:150]}".lower()
    for word in ("debt", "collect", "harbor", "$", "balance", "100234", "p0000"):
        assert word not in outside, word
    assert "This is an attempt to collect a debt." in mail["text"]
    assert "10 Main Street" in mail["text"]
    headers = {name.lower(): value for name, value in mail["headers"]}
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert headers["list-unsubscribe"].strip("<>") in mail["text"]
    assert headers["x-quittance-message"] == mail["variables"]["message"]
    assert "recipient." not in mail["text"] + mail["html"] + mail["subject"]
    assert "qqf-" not in mail["text"] + mail["html"] + mail["subject"]
    assert "http://acme.localhost:8000/m/" in mail["html"]


def test_the_second_message_about_a_debt_carries_the_short_sentence(crowd, mails, now):
    """RF-20: the long sentence of the law stands in the first one only."""
    run(approved(offer={}, version=template("reminder")))
    run(approved(offer={}, version=template("reminder", "again")), now=now + dt.timedelta(days=1))
    later = [mail for mail in mails() if "attempt to collect" not in mail["text"]]
    assert len(later) == 3
    assert all("This communication is from a debt collector." in mail["text"] for mail in later)


def test_nobody_approves_what_they_wrote(crowd):
    """AUTH-15; the database keeps it too."""
    campaign = draft()
    assert campaigns.submit(campaign=campaign, by="staff:cat", now=NOW) == []
    for author in (AUTHOR, "staff:cat"):
        assert codes(campaigns.approve(campaign=campaign, by=author, now=NOW)) == ["same_person"]
    campaign.refresh_from_db()
    assert campaign.status == Status.WAITING
    with pytest.raises(IntegrityError, match="approved_by_another"), transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(approved_by="staff:cat")
    run(campaign)
    assert not Message.objects.exists()


def test_a_campaign_that_cannot_be_sent_says_everything_that_is_against_it_at_once(acting, agency, others_account):
    campaign = campaigns.draft(name="", by=AUTHOR, now=NOW, audience={"states": ["Pennsylvania"], "colour": 1})
    against = {"name_missing", "no_template", "no_provider", "not_a_state", "unknown"}
    assert set(codes(campaigns.submit(campaign=campaign, by=AUTHOR, now=NOW))) == against
    lacking = draft(offer={})
    assert "offer_missing" in codes(campaigns.submit(campaign=lacking, by=AUTHOR, now=NOW))
    past = draft(version=template(name="second"), offer=OFFER | {"expires_on": "2026-11-30"})
    assert "offer_expires" in codes(campaigns.submit(campaign=past, by=AUTHOR, now=NOW))
    assert not Campaign.objects.exclude(status=Status.DRAFT).exists()


def test_it_is_said_why_each_account_is_left_out(acting, agency, provider, others_account, now):
    good, recalled, out, bad, nowhere, early, agreed = people(agency, 7)
    Account.objects.filter(pk=recalled.pk).update(status="recalled")
    ContactPoint.objects.filter(consumer=out.consumer).update(opted_out_at=now)
    ContactPoint.objects.filter(consumer=bad.consumer).update(bad_at=now)
    ContactPoint.objects.filter(consumer=nowhere.consumer).update(route="")
    Account.objects.filter(pk=early.pk).update(validation_sent_on=None)
    IndividualOffer.objects.create(account=agreed, origin="staff", status="accepted", amount_cents=1, made_at=now)
    campaign = draft()
    assert audience.count(campaign, now=now) == {
        "": 1,
        "status_recalled": 1,
        "opted_out": 1,
        "bad_address": 1,
        "no_route": 1,
        "validation_missing": 1,
        "offer_accepted_stands": 1,
    }
    assert [row["account_id"] for row in audience.sample(campaign, now=now)] == [good.pk]
    assert [row["account_id"] for row in audience.sample(campaign, now=now, reason="opted_out")] == [out.pk]


def test_rf_28_a_campaign_that_is_called_a_reminder_is_not_the_first_to_speak_of_a_debt(crowd, mails, now):
    early, spoken, ready = crowd
    Account.objects.filter(pk__in=[early.pk, spoken.pk]).update(validation_sent_on=None)
    point = spoken.consumer.contact_points.get()
    Message.objects.create(
        consumer=spoken.consumer, account=spoken, contact_point=point, template="x", stream="notices", language="en",
        subject="x", text="x", html="x", cause="x", token="x", next_at=now, queued_at=now,
        sent_at=now - dt.timedelta(days=20), status="sent",
    )  # fmt: skip
    campaign = run(approved(offer={}, version=template("reminder"), purpose="reminder"))
    assert {mail["to"] for mail in mails()} == {point.value, ready.consumer.contact_points.get().value}
    left = Recipient.objects.get(campaign=campaign, account=early)
    assert (left.status, left.reason, left.message) == ("left_out", "validation_missing", None)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"states": ["NJ"]}, {1}),
        ({"balance_from_cents": 500_01}, {0, 1, 2}),
        ({"balance_to_cents": 500_00}, {3}),
        ({"listed_from_days": 100}, {2}),
        ({"listed_to_days": 100}, set()),
        ({"languages": ["es"]}, {3}),
        ({"has_offer": True}, {0}),
        ({"has_offer": False, "states": ["PA"]}, {2, 3}),
        ({"quiet_days": 5}, {0, 1, 2}),
        ({"statuses": ["open"]}, {0, 1, 2, 3}),
        ({"list": True}, {1, 2}),
    ],
)
def test_filters_choose_over_live_data(acting, agency, provider, others_account, now, filters, expected):
    crowd = people(agency, 4)
    crowd[1].consumer.state = "NJ"
    crowd[1].consumer.save()
    crowd[3].consumer.language = "es"
    crowd[3].consumer.save()
    Account.objects.filter(pk=crowd[3].pk).update(balance_cents=500_00)
    Account.objects.filter(pk=crowd[2].pk).update(listed_on=dt.date(2026, 1, 1))
    IndividualOffer.objects.create(account=crowd[0], origin="staff", amount_cents=1, made_at=now)
    Message.objects.create(
        consumer=crowd[3].consumer, account=crowd[3], contact_point=crowd[3].consumer.contact_points.get(),
        template="x", stream="notices", language="en", subject="x", text="x", html="x", cause="x", token="x",
        next_at=now, queued_at=now, sent_at=now - dt.timedelta(days=2), status="sent",
    )  # fmt: skip
    campaign = draft(offer={}, version=template("reminder"))
    if filters.get("list"):
        assert audience.set_lines(campaign, ["p00001", " P00002 ", "nobody", "P00001"]) == (3, 2)
        assert audience.count(campaign, now=now)["unknown_reference"] == 1
    campaign.audience = filters
    found = {row["account_id"] for row in audience.sample(campaign, now=now)}
    assert found == {crowd[number].pk for number in expected}


def test_the_gate_is_asked_when_the_message_leaves_not_when_the_campaign_was_approved(crowd, mails, now):
    campaign = approved()
    point = crowd[0].consumer.contact_points.get()
    consent.opt_out(contact_point=point, scope="address", source="link", now=now)
    Account.objects.filter(pk=crowd[1].pk).update(status="bankruptcy")
    run(campaign)
    assert [mail["to"] for mail in mails()] == [crowd[2].consumer.contact_points.get().value]
    reasons = dict(Recipient.objects.values_list("account_id", "reason"))
    assert reasons == {crowd[0].pk: "opted_out", crowd[1].pk: "status_bankruptcy", crowd[2].pk: ""}
    assert ContactDecision.objects.filter(allowed=True).count() == 1


def test_at_night_everything_waits_for_the_morning_and_is_judged_anew(crowd, mails, now):
    night = now.replace(hour=3) + dt.timedelta(days=1)
    campaign = run(approved(), now=night)
    assert (campaign.status, mails()) == (Status.SENDING, [])
    assert set(Recipient.objects.values_list("status", "reason")) == {("waiting", "outside_hours")}
    assert not IndividualOffer.objects.exists()
    consent.opt_out(contact_point=crowd[0].consumer.contact_points.get(), scope="address", source="link", now=night)
    run(campaign, now=night.replace(hour=13))
    assert len(mails()) == 2
    assert campaign.status == Status.FINISHED


def test_i10_each_account_gets_one_message_however_often_the_worker_runs(crowd, mails, now):
    campaign = approved()
    for _time in range(3):
        run(campaign)
    again = Recipient.objects.first()
    Recipient.objects.filter(pk=again.pk).update(status="waiting")
    Campaign.objects.update(status=Status.SENDING)
    run(campaign)
    assert len({mail["to"] for mail in mails()}) == 3
    assert Message.objects.count() == 3


def test_an_offer_that_the_rules_refuse_leaves_the_account_out_with_the_reason(crowd, mails):
    run(approved(offer=OFFER | {"percent_bps": 10_00}))
    assert mails() == []
    assert set(Recipient.objects.values_list("status", "reason")) == {("left_out", "offer_below_minimum")}
    assert not IndividualOffer.objects.exists()


@pytest.mark.parametrize("mode", ["drop_after_effect", "garbled"])
def test_a_no_of_the_provider_is_asked_again_and_an_answer_that_is_lost_never(
    crowd, provider, sandbox, mails, now, mode
):
    sandbox.fault(provider.domain, "error_429")
    campaign = run(approved())
    assert (campaign.status, mails()) == (Status.SENDING, [])
    sandbox.fault(provider.domain, mode)
    later = now + handover.AGAIN
    run(campaign, now=later)
    assert set(Message.objects.values_list("status", flat=True)) == {"queued"}
    # No webhook came either: the provider is asked, and has them.
    run(campaign, now=later + dt.timedelta(hours=1))
    assert campaign.status == Status.FINISHED
    assert set(Message.objects.values_list("status", "reason")) == {("sent", "")}
    assert {one["message_id"] for one in mails()} == set(Message.objects.values_list("provider_id", flat=True))
    assert len(mails()) == 3


@pytest.mark.parametrize("mode", ["error_500", "error_500_after_effect"])
def test_a_request_that_broke_at_the_provider_is_asked_about_and_everybody_gets_one_mail(
    crowd, provider, sandbox, mails, now, mode
):
    sandbox.fault(provider.domain, mode)
    campaign = run(approved())
    taken = 3 if mode == "error_500_after_effect" else 0
    assert (campaign.status, len(mails())) == (Status.SENDING, taken)
    assert set(Message.objects.values_list("status", "reason")) == {("queued", "no_answer: http_500")}
    assert results.whereabouts(campaign)["with_provider"] == 3
    run(campaign, now=now + writer.LEASE - dt.timedelta(seconds=1))
    assert len(mails()) == taken
    for _look in range(2):
        run(campaign, now=now + writer.LEASE)
    assert (campaign.status, len(mails())) == (Status.FINISHED, 3)
    assert set(Message.objects.values_list("status", "reason")) == {("sent", "")}
    assert {one["message_id"] for one in mails()} == set(Message.objects.values_list("provider_id", flat=True))
    assert results.whereabouts(campaign) | {"sent": 0} == dict.fromkeys(results.WHEREABOUTS, 0)


def test_what_the_provider_has_not_got_after_a_lost_answer_is_told_as_failed_and_not_risked_again(
    crowd, provider, sandbox, mails, now
):
    sandbox.fault(provider.domain, "drop_before_effect")
    sandbox.fault(provider.domain, "list_500")
    campaign = run(approved())
    later = now + writer.LEASE
    run(campaign, now=later)
    # It did not say.
    assert set(Message.objects.values_list("status", "next_at")) == {("queued", later + handover.AGAIN)}
    run(campaign, now=later + handover.AGAIN)
    assert campaign.status == Status.FINISHED
    assert set(Message.objects.values_list("status", "reason")) == {("failed", "no_answer")}
    assert mails() == []


def test_eml_04_who_opts_out_between_the_judgement_and_the_request_is_left_out(crowd, provider, mails, now):
    campaign = approved()
    assert campaigns.start(campaign=campaign, now=now)
    while audience.freeze(campaign, now=now):
        pass
    campaigns.frozen(campaign=campaign, now=now)
    campaign = Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=campaign.pk)
    with transaction.atomic():
        _touched, leaving = launch._prepare(campaign, now=now, limit=launch.BATCH)
    point = crowd[0].consumer.contact_points.get()
    consent.opt_out(contact_point=point, scope="address", source="link", now=now)
    handover.give(campaign, leaving, now=now)
    assert (len(leaving), len(mails())) == (3, 2)
    assert point.value not in {mail["to"] for mail in mails()}
    left = Recipient.objects.get(account=crowd[0])
    assert (left.status, left.reason, left.message.status) == ("left_out", "opted_out", "held")


def test_a_provider_that_does_not_listen_has_nothing_for_certain_and_is_asked_again(crowd, provider, mails, now):
    listens = provider.api_url
    type(provider).objects.update(api_url="http://127.0.0.1:9/v3")
    campaign = run(approved())
    assert set(Message.objects.values_list("status", "reason")) == {("held", "no_connection")}
    type(provider).objects.update(api_url=listens)
    run(campaign, now=now + handover.AGAIN)
    assert (campaign.status, len(mails())) == (Status.FINISHED, 3)


def test_spanish_readers_get_spanish_with_the_laws_sentences_in_it(acting, agency, provider, mails, others_account):
    (account,) = people(agency, 1)
    account.consumer.language = "es"
    account.consumer.save()
    run(approved())
    (mail,) = mails()
    assert mail["subject"] == "Pat0, un mensaje para usted de Acme Recovery"
    assert "31 de diciembre de 2026" in mail["text"]
    assert "cobrar una deuda" in mail["text"]
    assert "This " not in mail["text"]


def test_what_the_agency_says_of_itself_is_in_the_next_mail_and_not_only_in_the_next_worker(acting, agency):
    """A compiled template is kept; what is printed of the agency is as it is when the mail is written."""
    version = template()

    def foot() -> str:
        now = Agency.objects.get(pk=agency.pk)
        return letters.compile_mail(version=version, agency=now, language="en", first=True, barred=False).write({})[1]

    assert agency.phone in foot()
    for name in ("legal_name", "address", "phone", "hours", "licences"):
        Agency.objects.filter(pk=agency.pk).update(**{name: f"New {name}"})
        assert f"New {name}" in foot()


def test_spanish_readers_read_in_spanish_when_somebody_answers(acting, agency, provider, mails, others_account):
    Agency.objects.filter(pk=agency.pk).update(hours_es="Lun a vie, 8 a. m. a 6 p. m.")
    _english, second = people(agency, 2)
    Consumer.objects.filter(pk=second.consumer_id).update(language="es")
    run(approved())
    english, spanish = sorted((mail["text"] for mail in mails()), key=lambda text: "Lun a vie" in text)
    assert (agency.hours in english, "Lun a vie" in english) == (True, False)
    assert (agency.hours in spanish, "Lun a vie, 8 a. m. a 6 p. m." in spanish) == (False, True)


def test_two_variants_share_the_audience(acting, agency, provider, mails, others_account):
    people(agency, 12)
    run(approved(version_b=template("plan_offer"), share_b=50))
    shares = sorted(Recipient.objects.values_list("variant", flat=True))
    assert 0 < shares.count("b") < 12
    steps = [mail for mail in mails() if "smaller steps" in mail["subject"]]
    assert len(steps) == shares.count("b")


def test_what_the_host_hears_of_a_campaign_is_every_message_of_every_account(crowd):
    campaign = run(approved())
    (event,) = Event.objects.filter(kind="message.sent", account=crowd[0])
    assert (event.data["campaign"], event.data["stream"]) == (str(campaign.pk), "campaigns")


def test_rf_25_nobody_reads_of_a_suit_whose_debt_may_be_too_old_for_one(crowd, mails, now):
    """The linter lets such words into marked templates only; these leave out every debt that is not surely in time."""
    in_time, expired, unknown = crowd
    for account, status, on in (
        (in_time, "live", "2030-01-01"),
        (expired, "expired", "2020-01-01"),
        (unknown, "", None),
    ):
        Account.objects.filter(pk=account.pk).update(sol_status=status, sol_on=on)
    Consumer.objects.filter(pk=unknown.consumer_id).update(state="NY", zip="12207")
    version = templates.from_library(
        key="settlement_offer", name="Suit", client=None, by=AUTHOR, now=NOW, litigation=True
    )
    words = templates.words_of(version)
    words["en"] = replace(words["en"], body=words["en"].body + "\n\nWe may go to court.")
    templates.save(template=version.template, words=words, by=AUTHOR, now=NOW)
    assert templates.publish(version=version, by=AUTHOR, now=NOW) == []
    run(approved(version=version))
    reasons = dict(Recipient.objects.values_list("account_id", "reason"))
    assert reasons[in_time.pk] == ""
    assert reasons[expired.pk] == "too_old_for_suit"
    assert unknown.pk in reasons
    (mail,) = mails()
    assert "We may go to court." in mail["text"]
    assert IndividualOffer.objects.count() == 1


def complain(message, provider, now) -> None:
    from tests.campaigns.test_track import tell

    tell(provider, message, "complained", now)
    track.apply(now=now)


def test_eml_03_two_complaints_pause_and_three_end_a_campaign(acting, agency, provider, others_account, now):
    people(agency, 4)
    campaign = approved()
    launch.advance(campaign.pk, now=now, batches=3)
    Campaign.objects.update(status=Status.SENDING)
    messages = list(Message.objects.all())
    seen = []
    for message in messages[:3]:
        complain(message, provider, now)
        campaign.refresh_from_db()
        seen.append((campaign.status, campaign.reason))
    assert seen == [
        (Status.SENDING, ""),
        (Status.PAUSED, "complaints: 2 of 4"),
        (Status.STOPPED, "complaints: 3 of 4"),
    ]


def test_a_paused_campaign_goes_on_where_it_was(crowd, mails, now):
    campaign = approved()
    launch.advance(campaign.pk, now=now, batches=2)
    assert campaigns.pause(campaign=campaign, reason="look", now=now) == []
    run(campaign)
    assert (campaign.status, mails()) == (Status.PAUSED, [])
    assert campaigns.resume(campaign=campaign, now=now) == []
    run(campaign)
    assert (campaign.status, len(mails())) == (Status.FINISHED, 3)


def test_another_agency_neither_sees_nor_moves_a_campaign(crowd, other_agency, now):
    campaign = approved()
    with acting_for(other_agency), pytest.raises(Campaign.DoesNotExist):
        campaigns.stop(campaign=campaign, reason="", now=now)
    with acting_for(other_agency):
        assert not Campaign.objects.exists()


def test_the_body_that_was_sent_can_be_shown_to_be_what_was_kept(crowd):
    """EVT-04: written again from the version and the values, it has the hash that was kept."""
    campaign = run(approved())
    recipient = Recipient.objects.first()
    compiled = letters.compile_mail(
        version=campaign.version_a, agency=campaign.agency, language="en", first=True, barred=False
    )
    assert links.hash_of(compiled.write(recipient.values)[2]) == recipient.body_sha256
