"""What is worked out once for a batch says, byte for byte, what each message says when it is written by itself."""

import base64
import datetime as dt
import hmac
import html
import itertools
import json
import re

import pytest
from anymail.backends.mailgun import MailgunPayload
from django.conf import settings
from django.db import transaction

from accounts.ids import uuid_of
from accounts.licensing import lines
from accounts.models import Account, Consumer, ContactPoint, Licence
from accounts.services import consent, licences
from accounts.tenancy import uuid7
from campaigns.channels import Many, mailgun, mailgun_lists
from campaigns.models import Campaign, Recipient
from campaigns.rules import fields
from campaigns.services import audience, campaigns, handover, launch, letters, links
from settlements.models import IndividualOffer
from tests.campaigns.campaign_cast import approved, people
from tests.conftest import NOW

pytestmark = pytest.mark.django_db

NAMES = (
    "Pat",
    'Zoë "Zo" O\'Neil',
    "<b>Ann & Co</b>",
    "Peña \\ {reference}",
    "  two   spaces\tand tab ",
    "%recipient.link%",
)
LANGUAGES = ("en", "es", "es-MX", "fr", "")
BALANCES = (1_00, 99_999_99, 1_234_567_89)
TEXTS = ("", "Emergency <room> & more", "Ñandú 'visit' \"now\"", "100% {balance} \\n")


@pytest.fixture
def crowd(acting, agency, provider):
    """Give people of every name, language, balance, age of debt and state, with licences in two states."""
    Licence.objects.create(state="PA", line='Licence <PA> & "1"', starts_on=dt.date(2020, 1, 1))
    Licence.objects.create(state="OH", line="", starts_on=dt.date(2020, 1, 1))
    found = people(agency, 48)
    ages = itertools.cycle(
        [("", None), ("live", None), ("expired", dt.date(2020, 1, 1)), ("live", dt.date(2030, 1, 1))]
    )
    for number, (account, (status, on)) in enumerate(zip(found, ages, strict=False)):
        Consumer.objects.filter(pk=account.consumer_id).update(
            first_name=NAMES[number % len(NAMES)] if number % 7 else "",
            language=LANGUAGES[number % len(LANGUAGES)],
            state=("PA", "OH", "NJ")[number % 3],
        )
        Account.objects.filter(pk=account.pk).update(
            balance_cents=BALANCES[number % len(BALANCES)] + number,
            description=TEXTS[number % len(TEXTS)],
            original_creditor=TEXTS[number // 3 % len(TEXTS)],
            currency=("usd", "cad")[number // 5 % 2],
            sol_status=status,
            sol_on=on,
        )
    return found


def prepared() -> tuple[Campaign, list[launch.Leaving]]:
    campaign = approved()
    assert campaigns.start(campaign=campaign, now=NOW)
    audience.freeze(campaign, now=NOW)
    campaigns.frozen(campaign=campaign, now=NOW)
    campaign = Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=campaign.pk)
    with transaction.atomic():
        touched, leaving = launch._prepare(campaign, now=NOW, limit=launch.BATCH)
    assert touched == 48
    return campaign, leaving


def said_plainly(account: Account, offer: IndividualOffer, language: str) -> dict[str, str]:
    """Say the fields by their types, one by one."""
    amount = (account.balance_cents * offer.percent_bps + 5_000) // 10_000
    raw = {
        "first_name": account.consumer.first_name or str(account.consumer),
        "agency": account.agency.name,
        "agency_phone": account.agency.phone,
        "agency_hours": account.agency.hours,
        "creditor": account.original_creditor or account.client.name,
        "reference": account.reference,
        "description": account.description,
        "balance": account.balance_cents,
        "offer_amount": amount,
        "offer_saving": account.balance_cents - amount,
        "offer_payments": offer.max_payments,
        "offer_expires": offer.expires_on,
    }
    written = {
        name: fields.written(name, value, currency=account.currency, language=language) for name, value in raw.items()
    }
    return {name: " ".join(text.split()) for name, text in written.items()}


def filled(pieces: tuple[str, ...], values: dict[str, str], *, escaped: bool = False) -> str:
    """Put values into a letter by looking for their marks in its whole text."""
    whole = "".join(piece if n % 2 == 0 else f"qqf-{piece}-qqf" for n, piece in enumerate(pieces))
    quote = html.escape if escaped else str
    return re.sub(r"qqf-([a-z_]+)-qqf", lambda found: quote(values.get(found[1], "")), whole)


def test_each_message_is_what_it_is_when_written_by_itself(crowd, agency):
    campaign, leaving = prepared()
    assert len(leaving) > 40
    seen = set()
    for one in leaving:
        recipient = Recipient.objects.select_related("message").get(pk=one.recipient.pk)
        account = Account.objects.select_related("consumer", "client", "agency").get(pk=recipient.account_id)
        consumer, point = account.consumer, recipient.contact_point
        language = consumer.language[:2] if consumer.language[:2] in ("en", "es") else "en"
        message, barred = recipient.message, letters.too_old(account, now=NOW)
        values = said_plainly(account, IndividualOffer.objects.get(account=account), language)
        values["check_code"] = links.check_code(message.pk)
        values[letters.LICENCE] = "; ".join(lines(licences.of_agency(agency.pk), consumer.state, NOW.date()))
        assert recipient.values == values
        compiled = letters.compile_mail(
            version=campaign.version_a, agency=agency, language=language, first=one.first, barred=barred, licensed=True
        )
        subject, page = filled(compiled.subject, values), filled(compiled.html, values, escaped=True)
        assert compiled.write(values) == (subject, filled(compiled.text, values), page)
        assert (message.subject, message.language, message.text, message.html) == (subject[:200], language, "", "")
        assert recipient.body_sha256 == links.hash_of(page)
        assert message.check_hash == links.hash_of(values["check_code"])
        stop = consent.stop_token(point)
        assert message.token == links.hash_of(stop)
        assert one.private["stop_url"].endswith(f"/{stop}/")
        assert recipient.link_hash == links.hash_of(one.private["link"].rstrip("/").rpartition("/")[2])
        seen.add((language, barred, consumer.state))
    assert {language for language, *_rest in seen} == {"en", "es"}
    assert {barred for _language, barred, _state in seen} == {True, False}


def test_what_arrives_is_the_letter_with_its_readers_values(crowd, agency, mails):
    campaign, leaving = prepared()
    handover.give(campaign, leaving, now=NOW)
    arrived = {mail["to"]: mail for mail in mails()}
    assert set(arrived) == {one.address for one in leaving}
    for one in leaving:
        compiled = letters.compile_mail(
            version=campaign.version_a,
            agency=agency,
            language=one.message.language,
            first=one.first,
            barred=one.barred,
            licensed=True,
        )
        mail = arrived[one.address]
        assert (mail["subject"], mail["text"], mail["html"]) == compiled.write(one.values | one.private)
        assert mail["variables"]["message"] == str(one.message.pk)


def test_secrets_are_made_as_they_always_were(point, monkeypatch):
    sign = consent.stop_tokens(point.agency_id)
    for number in range(50):
        key = uuid7() if number else uuid_of(0)
        assert sign(key) == consent.stop_token(ContactPoint(pk=key, agency_id=point.agency_id))
        digest = hmac.digest(settings.SECRET_KEY.encode(), b"message-check:" + key.bytes, "sha256")
        signs = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
        assert links.check_code(key).replace("-", "") == "".join(signs[byte % 32] for byte in digest[:8])
        digest = hmac.digest(settings.SECRET_KEY.encode(), b"personal-link:" + key.bytes, "sha256")
        assert links.token_of(key) == base64.b32encode(digest[:16]).decode().rstrip("=").lower()
    for secret in (b"\0" * 16, b"\xff" * 16, bytes(range(16))):
        monkeypatch.setattr("secrets.token_bytes", lambda _size, secret=secret: secret)
        assert links.new_token() == base64.b32encode(secret).decode().rstrip("=").lower()


ADDRESSES = ("a@example.com", "a.b+c@mail.example.com", "A_B-c@x-y.example.org", "x@example.com")


@pytest.mark.parametrize("odd", [(), ('"a b"@example.com',), ("jörg@example.com",)], ids=["plain", "quoted", "umlaut"])
def test_a_list_says_to_mailgun_what_anymail_says_for_it(odd):
    readers = {
        address: {
            "link": f"https://x/{n}",
            "first_name": "Ñ <&> \"'\\ %",
            "stop_url": f"https://x/s{n}",
            "message": str(n),
        }
        for n, address in enumerate([*ADDRESSES, *odd])
    }
    many = Many(
        subject=("Hello ", "first_name", ""),
        text=("Text\n\n", "first_name", " ñ ", "link", ""),
        html=("<p>", "first_name", "</p><a href=", "link", ">ñ</a>"),
        from_email="Ácme <no-reply@example.com>",
        reply_to="hello@example.com",
        tags=("campaigns", "offer"),
        metadata={"agency": "1", "campaign": "2"},
        readers=readers,
        message_id="<1@example.com>",
    )
    transport = mailgun.transport(api_key="k", api_url="http://localhost/v3", domain="example.com")
    mail = mailgun.batch(many)
    theirs = MailgunPayload(mail, {}, transport).get_request_params("http://localhost/v3/")
    ours = transport.build_message_payload(mail, {})
    assert type(ours) is mailgun_lists.Payload
    ours = ours.get_request_params("http://localhost/v3/")
    assert {name: ours[name] for name in ("method", "url", "auth", "headers")} == {
        name: theirs[name] for name in ("method", "url", "auth", "headers")
    }
    expected = [
        (name, one)
        for name, said in theirs["data"].items()
        for one in (said if isinstance(said, list) else [said])
        if name not in ("to", "recipient-variables")
    ]
    parts = [(name, said) for name, (_file, said) in ours["files"]]
    assert [part for part in parts if part[0] not in ("to", "recipient-variables")] == expected
    (to,) = [said for name, said in parts if name == "to"]
    assert to == ", ".join(theirs["data"]["to"])
    (variables,) = [said for name, said in parts if name == "recipient-variables"]
    assert json.loads(variables) == json.loads(theirs["data"]["recipient-variables"])
    assert json.loads(variables)["a@example.com"]["h_first_name"] == "Ñ &lt;&amp;&gt; &quot;&#x27;\\ %"
