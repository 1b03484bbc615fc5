"""What a message says outside, inside and in which language (RF-11, RF-17, RF-20, RF-21)."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.template.loader import get_template
from django.utils.translation.template import templatize

from accounts.models import ContactPoint
from accounts.services import consent
from campaigns.services import letters
from campaigns.services.compose import HIDDEN_DIGITS, SHOWN_BY_MAILBOXES, TEMPLATES, Mail, compose, lint
from tests.campaigns import campaign_cast as cast

COLLECTOR = {
    "en": "This communication is from a debt collector.",
    "es": "Esta comunicación es de un cobrador de deudas.",
}
FACTS = {
    "name": "Jane",
    "rows": [("Reference", "100234"), ("Original creditor", "Harbor Medical Group"), ("Description", "")],
    "amount": "$125.00",
    "total": "$750.00",
    "count": 6,
    "dates": [(2, "January 1, 2027", "$125.00")],
    "together": "$750.00",
    "notice": "email",
    "day": "January 1, 2027",
    "method": "Visa debit ending 4242",
    "outcome": "declined",
    "kind": "date_change",
    "was_day": "December 28, 2026",
    "was_amount": "$150.00",
    "label": "Visa debit ending 4242",
    "before": "1111",
    "expiry": "08/2031",
    "next_day": "January 1, 2027",
    "added": True,
    "address": "k•••@example.com",
    "url": f"http://acme.{settings.PORTAL_DOMAIN}/prepared/1/",
}
NAMES = ("Harbor Medical Group", "Harbor Medical", "100234")
every = pytest.mark.parametrize("template", TEMPLATES)
both = pytest.mark.parametrize("language", ["en", "es"])


@pytest.fixture
def point(acting, account) -> ContactPoint:
    return account.consumer.contact_points.get()


def written(template, language, point, agency, **facts) -> Mail:
    return compose(
        template=template,
        agency=agency,
        contact_point=point,
        language=language,
        facts=FACTS | facts,
        names=NAMES,
    )


class Shown(HTMLParser):
    """Collect what a mailbox would show of the HTML, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.skip = "", 0

    def handle_starttag(self, tag, attrs):
        self.skip += tag in ("style", "title")

    def handle_endtag(self, tag):
        self.skip -= tag in ("style", "title")

    def handle_data(self, data):
        self.text += "" if self.skip else data


def shown(html: str) -> str:
    reader = Shown()
    reader.feed(html)
    return " ".join(reader.text.split(" ")).strip()


LETTERHEADS = {
    "plain": {},
    "telling": {"legal_name": "Acme Debt Collection Services LLC"},
    "telling address": {"address": "Collectors House\nAlbany, NY 12207"},
    "short": {"legal_name": "Acme", "address": "", "hours": ""},
}
letterheads = pytest.mark.parametrize("letterhead", LETTERHEADS.values(), ids=LETTERHEADS)


@every
@both
@letterheads
def test_nothing_outside_a_message_tells_of_a_debt(template, language, point, agency, letterhead):
    """RF-11: also where the legal name, with which the text part would begin, tells."""
    vars(agency).update(letterhead)
    mail = written(template, language, point, agency)
    assert lint(mail.subject, names=NAMES) == []
    assert lint(mail.preheader, names=NAMES) == []
    assert lint(mail.text[:SHOWN_BY_MAILBOXES], names=NAMES) == []
    assert lint(shown(mail.html)[:SHOWN_BY_MAILBOXES], names=NAMES) == []
    assert all(part in mail.text for part in (agency.legal_name, *agency.address_lines, agency.phone, agency.hours))


@every
def test_a_legal_name_that_names_the_creditor_is_not_read_outside(template, point, agency):
    """RF-11."""
    agency.legal_name = "Harbor Medical Recovery LLC"
    mail = written(template, "en", point, agency)
    assert lint(mail.text[:SHOWN_BY_MAILBOXES], names=NAMES) == []
    assert "Harbor Medical Recovery LLC" in mail.text


@both
@letterheads
def test_nothing_outside_a_campaign_s_mail_tells_of_a_debt(language, acting, agency, letterhead):
    """RF-11."""
    vars(agency).update(letterhead)
    compiled = letters.compile_mail(
        version=cast.template(), agency=agency, language=language, first=True, barred=True, licensed=True
    )
    values = {"first_name": "Al", "offer_amount": "$800.00", "creditor": NAMES[0], "reference": NAMES[2]}
    subject, text, html = compiled.write(values)
    assert "$800.00" in text
    for outside in (subject, text[:SHOWN_BY_MAILBOXES], shown(html)[:SHOWN_BY_MAILBOXES]):
        assert lint(outside, names=NAMES) == []
    assert all(part in text for part in (agency.legal_name, *agency.address_lines, agency.phone, agency.hours))


@both
def test_who_writes_begins_the_text_part_where_that_tells_nothing_and_ends_it_where_it_does(language, point, agency):
    plain = written("receipt", language, point, agency)
    agency.legal_name = "Acme Debt Collection Services LLC"
    telling = written("receipt", language, point, agency)
    assert plain.text.startswith(f"{plain.preheader}\n\nAcme Recovery LLC\n10 Main Street\n")
    assert {"en": "meant for you alone", "es": "solo para usted"}[language] in telling.text[:SHOWN_BY_MAILBOXES]
    assert telling.text.endswith(
        "\n\nAcme Debt Collection Services LLC\n10 Main Street\nAlbany, NY 12207\n518-555-0100\n"
        "Mon to Fri, 8 am to 6 pm ET\n"
    )


@pytest.mark.parametrize(
    "told",
    [
        "Your debt",
        "From a collection agency",
        "You owe",
        "Past due notice",
        "Your balance",
        "Pay $12.00",
        "1,250.00 is due",
        "Settle now",
        "Su deuda",
        "Aviso de cobro",
        "Su saldo",
        "Acreedor",
        "About Harbor Medical Group",
        "Reference 100234",
    ],
)
def test_the_linter_finds_what_a_stranger_must_not_read(told):
    assert lint(told, names=NAMES)


@pytest.mark.parametrize("neutral", ["Your code from Acme Recovery", "Debra sent this", "Su recibo de Birch"])
def test_the_linter_lets_neutral_words_pass(neutral):
    assert lint(neutral, names=NAMES) == []


@both
def test_an_agency_whose_name_tells_is_not_named_outside(language, point, agency):
    agency.name = "Acme Debt Collections"
    mail = written("receipt", language, point, agency)
    assert mail.subject == {"en": "Your receipt from us", "es": "Su recibo de nosotros"}[language]


@every
@both
def test_every_message_says_who_writes_and_how_to_stop_it_without_a_login(template, language, point, agency):
    mail = written(template, language, point, agency)
    stop = f"http://acme.{settings.PORTAL_DOMAIN}/stop/"
    for part in (mail.text, mail.html):
        assert "Acme Recovery LLC" in part
        assert "10 Main Street" in part
        assert "518-555-0100" in part
        (token,) = set(re.findall(re.escape(stop) + r"([^/\s\"]+)/", part))
        assert consent.contact_of_stop_token(token, agency_id=agency.pk) == point


@every
@both
def test_every_message_but_a_code_is_from_a_debt_collector_in_its_own_language(template, language, point, agency):
    mail = written(template, language, point, agency)
    other = COLLECTOR["es" if language == "en" else "en"]
    says = TEMPLATES[template].stream != "security"
    for part in (mail.text, mail.html):
        assert (COLLECTOR[language] in part) is says
        assert other not in part


@pytest.mark.parametrize("template", ["code", "esign_code"])
@both
def test_a_code_message_says_nothing_about_any_account(template, language, point, agency):
    mail = written(template, language, point, agency)
    assert lint(mail.text.partition("/stop/")[0], names=(*NAMES, "Jane", "Doe")) == []
    assert (HIDDEN_DIGITS in mail.text) is (template == "code")


@every
@both
def test_the_text_part_says_what_the_html_says(template, language, point, agency):
    mail = written(template, language, point, agency)
    for part in re.findall(r"<(?:h1|h2|p|td)[^>]*>([^<>{}]{4,})</", mail.html):
        if (said := " ".join(part.replace("\xa0", " ").split())) and "&" not in said and said != "Acme Recovery":
            assert said in " ".join(mail.text.split()), said


@every
def test_styles_are_inline_and_the_dark_ones_stay_in_the_head(template, point, agency):
    html = written(template, "en", point, agency).html
    assert "prefers-color-scheme: dark" in html
    assert re.search(r'<td class="body" style="[^"]*padding: 18px 36px', html)
    assert "<script" not in html
    assert "<img" not in html
    assert "http" not in html.replace(f"http://acme.{settings.PORTAL_DOMAIN}", "")


def test_a_name_cannot_write_html_or_a_header(point, agency):
    agency.name = "Acme\r\nBcc: thief@example.com"
    mail = written("receipt", "en", point, agency, name="<script>alert(1)</script>")
    assert mail.subject == "Your receipt from Acme Bcc: thief@example.com"
    assert "<script" not in mail.html


def test_every_sentence_is_there_in_spanish():
    known = {
        entry.msgid
        for entry in polib.pofile(str(settings.BASE_DIR / "campaigns/locale/es/LC_MESSAGES/django.po"))
        if entry.msgstr or all(entry.msgstr_plural.values())
    }
    asked = set()
    for path in Path(get_template("campaigns/mail/receipt.html").origin.name).parent.glob("*.html"):
        for found in re.finditer(
            r"""gettext\((u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")""", templatize(path.read_text())
        ):
            asked.add(ast.literal_eval(found[1]).strip())
    for kind in TEMPLATES.values():
        asked |= {kind.subject, kind.preheader}
    assert len(asked) > 40
    assert asked - known == set()
