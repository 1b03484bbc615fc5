"""Notices in an agency's own words: versions as of any template, with blocks that none may leave out; else our file."""

from dataclasses import replace

import pytest

from accounts.models import Client
from accounts.tenancy import acting_for
from campaigns.library import READY
from campaigns.models import Message, TemplateVersion
from campaigns.rules import linter
from campaigns.rules.notice_words import NOTICES
from campaigns.services import campaigns, outbox, previews, templates
from tests.campaigns import campaign_cast as cast
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
FACTS = {"name": "Jane", "amount": "$25.00", "rows": [("Reference", "100234")], "day": "December 4, 2026"}
FACTS |= {"method": "Visa ending 4242", "outcome": "declined", "total": "$25.00", "count": 1, "notice": "email"}
FACTS |= {"dates": [(1, "December 4, 2026", "$25.00")], "together": ""}


def published(kind: str, *, client=None, name="", **parts) -> TemplateVersion:
    """Publish the ready words of a notice, some parts of the English ones changed."""
    version = templates.from_library(key=f"notice_{kind}", name=name or kind, client=client, by=cast.AUTHOR, now=NOW)
    words = templates.words_of(version)
    words["en"] = replace(words["en"], **parts)
    templates.save(template=version.template, words=words, by=cast.AUTHOR, now=NOW)
    assert templates.publish(version=version, by=cast.AUTHOR, now=NOW) == []
    return version


def sent(account, kind: str, *, cause="x", language="en") -> Message:
    return outbox.queue(
        template=kind,
        consumer=account.consumer,
        contact_point=account.consumer.contact_points.get(kind="email"),
        account=account,
        cause=cause,
        language=language,
        facts=FACTS,
        now=NOW,
    )


@pytest.mark.parametrize("kind", NOTICES)
def test_the_ready_words_of_every_notice_can_be_published_and_say_all_that_our_file_says(account, acting, kind):
    ours = sent(account, kind, cause="file")
    published(kind)
    own = sent(account, kind, cause="own")
    for part in (text for text in ("$25.00", "100234", "December 4, 2026", "••••••") if text in ours.text):
        assert part in own.text
        assert part in own.html
    assert own.subject == ours.subject


LEFT_OUT = [(kind, name) for kind, notice in NOTICES.items() for name in notice.blocks]


@pytest.mark.parametrize(("kind", "name"), LEFT_OUT)
def test_a_version_that_leaves_out_a_block_is_not_published(acting, agency, kind, name):
    version = templates.from_library(key=f"notice_{kind}", name="x", client=None, by=cast.AUTHOR, now=NOW)
    words = templates.words_of(version)
    words = {one: replace(said, body=said.body.replace(f"{{{name}}}", "")) for one, said in words.items()}
    templates.save(template=version.template, words=words, by=cast.AUTHOR, now=NOW)
    found = templates.publish(version=version, by=cast.AUTHOR, now=NOW)
    assert {(one.code, one.field, one.params["rule"], one.params["name"]) for one in found} == {
        ("block_missing", f"{language}.body", NOTICES[kind].rule, name) for language in ("en", "es")
    }
    assert templates.published(template=version.template) is None


BODIES = [
    ("a block within a sentence", "receipt", "You paid {amount} today.\n\n{amount}\n\n{details}", "block_alone"),
    ("a field of campaigns", "receipt", "{balance} is left.\n\n{amount}\n\n{details}", "field_unknown"),
    ("an address", "receipt", "See www.example.com\n\n{amount}\n\n{details}", "own_address"),
    ("a threat", "payment_failed", "Act now.\n\n{outcome}\n\n{amount}\n\n{details}\n\n{choices}", "banned"),
    ("AUTH-07 a code that speaks of a debt", "code", "For your debt.\n\n{digits}\n\n{warning}", "tells"),
]


@pytest.mark.parametrize(("kind", "body", "code"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_the_linter_reads_notices_as_it_reads_campaigns(kind, body, code):
    words = dict(READY[f"notice_{kind}"].words)
    words["en"] = replace(words["en"], body=body)
    assert code in {one.code for one in linter.check(channel="email", words=words, kind=kind)}


def test_outside_a_notice_tells_a_stranger_nothing_rf_11():
    words = dict(READY["notice_predebit"].words)
    words["en"] = replace(words["en"], subject="Your payment on {day}: {amount}", preheader="Your balance")
    found = {(one.field, one.code) for one in linter.check(channel="email", words=words, kind="predebit")}
    assert {("en.subject", "field_tells"), ("en.subject", "field_unknown"), ("en.preheader", "tells")} <= found


def test_an_agencys_words_are_sent_and_another_agency_sends_our_file(account, others_account, acting):
    published(
        "receipt",
        subject="{first_name}, thank you: {agency}",
        body="# Hooray, {first_name}\n\n{amount}\n\n{details}\n\n*Bye*",
    )
    mine = sent(account, "receipt")
    assert mine.subject == "Jane, thank you: Acme Recovery"
    assert ("Hooray" in mine.text, "<strong>Bye</strong>" in mine.html, "Payment received" in mine.text) == (
        True,
        True,
        False,
    )
    assert "This communication is from a debt collector." in mine.text
    assert "/stop/" in mine.html
    with acting_for(others_account.agency):
        theirs = sent(others_account, "receipt")
    assert ("Hooray" in theirs.text, "Payment received" in theirs.text) == (False, True)


def test_a_clients_words_come_before_everybodys_and_a_draft_before_nobodys(account, acting):
    published("receipt", body="Everybody. {first_name}\n\n{amount}\n\n{details}")
    other = Client.objects.create(number="other", name="Other")
    published("receipt", client=other, name="Other's", body="Other's. {first_name}\n\n{amount}\n\n{details}")
    assert "Everybody." in sent(account, "receipt", cause="a").text
    mine = published("receipt", client=account.client, name="Mine", body="Mine. {first_name}\n\n{amount}\n\n{details}")
    assert "Mine." in sent(account, "receipt", cause="b").text
    words = templates.words_of(mine)
    words["en"] = replace(words["en"], body="Draft.\n\n{amount}\n\n{details}")
    templates.save(template=mine.template, words=words, by=cast.AUTHOR, now=NOW)
    assert "Mine." in sent(account, "receipt", cause="c").text
    assert "Pago recibido" in sent(account, "receipt", cause="d", language="es").text


def test_what_is_filled_in_cannot_be_markup(account, acting):
    account.consumer.first_name = "<b>Jane</b>"
    published("receipt", body="Hello {first_name} & all.\n\n{amount}\n\n{details}")
    message = outbox.queue(
        template="receipt", consumer=account.consumer, contact_point=account.consumer.contact_points.first(),
        account=account, cause="x", language="en", facts=FACTS | {"name": "<b>Jane</b>"}, now=NOW,
    )  # fmt: skip
    assert "Hello &lt;b&gt;Jane&lt;/b&gt; &amp; all." in message.html


def test_a_preview_shows_a_real_accounts_rows_and_no_link_that_stops_anybodys_mail(account, acting):
    version = published("receipt")
    shown = previews.preview(version, "en", account)
    assert shown["subject"] == "Your receipt from Acme Recovery"
    assert (account.reference in shown["text"], "Harbor Medical" in shown["text"], "$125.00" in shown["text"]) == (
        True,
        True,
        True,
    )
    point = account.consumer.contact_points.get(kind="email")
    assert point.pk.hex not in shown["html"]
    assert "Gracias" in previews.preview(version, "es")["text"]


def test_no_campaign_sends_a_notice(account, acting, provider):
    campaign = cast.draft(version=published("receipt"), offer={})
    assert "template_is_notice" in {one.code for one in campaigns.submit(campaign=campaign, by=cast.AUTHOR, now=NOW)}
