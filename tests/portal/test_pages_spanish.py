"""Spanish is complete: every message of the source is in the catalogue, translated, and on the pages (LANG-01)."""

import ast
import datetime as dt
import re
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils.translation import override
from django.utils.translation.template import templatize

from payments.models import Checkout, Payment
from payments.sight import say
from settlements.rules.offers import Terms, payment_options
from settlements.rules.schedules import Line, check
from tests.flows.conftest import (  # noqa: F401 - fixtures
    _scollect_routes,
    clock,
    open_shop,
    other_shop,
    processor,
    processor_program,
    shop,
    sure,
    visitor,
)
from tests.flows.test_pay_once import choose, give_card
from tests.flows.test_settle_in_parts import agree_to_mail, go_on
from tests.visitor import text

CATALOGUE = settings.BASE_DIR / "locale/es/LC_MESSAGES/django.po"
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
APPS = ("accounts", "settlements", "payments", "integrations", "portal")
"""Campaigns keeps a catalogue of its own beside its mails."""
IN_TEMPLATE = re.compile(r"gettext\((?:u?)((?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"))", re.S)
SAME_IN_BOTH = {"Error", "Total", "ACH reversal", "balance"}


@pytest.fixture(scope="module")
def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


def names_of(tree: ast.Module) -> set[str]:
    """List what this module calls the functions of translation, `gettext as _t` among them."""
    imported = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names)
    said = (one for node in imported for one in node.names if one.name in CALLS)
    return CALLS | {one.asname or one.name for one in said}


def messages_of_code() -> set[str]:
    """Read the first argument of every translation call in our Python, sandboxes left out."""
    found = set()
    for app in APPS:
        for path in (settings.BASE_DIR / app).rglob("*.py"):
            if "sandbox" in path.parts or "migrations" in path.parts:
                continue
            tree = ast.parse(path.read_text())
            names = names_of(tree)
            for node in ast.walk(tree):
                called = isinstance(node, ast.Call) and getattr(node.func, "id", "") in names and node.args
                said = getattr(node.args[0], "value", None) if called else None
                found |= {said} if isinstance(said, str) else set()
    return found


def messages_of_templates() -> set[str]:
    """Read what Django itself would hand to gettext for every template."""
    found = set()
    for path in Path(settings.BASE_DIR / "templates").rglob("*.*"):
        if "campaigns" not in path.parts:
            found |= {ast.literal_eval(said) for said in IN_TEMPLATE.findall(templatize(path.read_text()))}
    return found


def test_every_message_of_the_source_is_in_the_catalogue(catalogue):
    known = {entry.msgid for entry in catalogue}
    assert sorted(messages_of_code() - known) == []
    assert sorted(messages_of_templates() - known) == []


def test_no_message_is_untranslated_fuzzy_or_obsolete(catalogue):
    assert [entry.msgid for entry in catalogue.untranslated_entries()] == []
    assert [entry.msgid for entry in catalogue.fuzzy_entries()] == []
    assert [entry.msgid for entry in catalogue.obsolete_entries()] == []


def test_the_compiled_catalogue_is_that_of_the_text(catalogue):
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    said = {entry.msgid: entry.msgstr or entry.msgstr_plural for entry in catalogue}
    assert {entry.msgid: entry.msgstr or entry.msgstr_plural for entry in compiled} == said


def test_every_translation_keeps_the_names_and_tags_of_its_message(catalogue):
    def marks(message: str) -> list[str]:
        return sorted(re.findall(r"%\(\w+\)[sd]|</?[a-z]+[^>]*>", message))

    for entry in catalogue:
        for spoken in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            assert marks(spoken) in (marks(entry.msgid), marks(entry.msgid_plural)), entry.msgid


def test_consumers_are_addressed_as_usted(catalogue):
    familiar = re.compile(r"\b(tú|tu|tus|ti|contigo|puedes|tienes|quieres|debes|eres)\b", re.IGNORECASE)
    said = [entry.msgstr or " ".join(entry.msgstr_plural.values()) for entry in catalogue]
    assert [one for one in said if familiar.search(one)] == []


def test_refusals_of_the_rules_speak_spanish_with_our_sums_and_dates():
    terms = Terms(
        balance_cents=1_000_00,
        amount_cents=750_00,
        saving_cents=250_00,
        max_payments=2,
        last_date=dt.date(2027, 5, 30),
        minimum_payment_cents=25_00,
        allowed=payment_options(),
        text="",
        level="global",
        version=None,
        trace=(),
    )
    today = terms.last_date.replace(day=1)
    late = Line(terms.last_date.replace(month=6), 10_00)
    with override("es"):
        said = [say(one) for one in check([Line(today, 100_00), late], terms, today, "card")]
    assert said == [
        "Los pagos suman $110.00. Deben sumar $750.00.",
        "El pago 2 debe ser de al menos $25.00.",
        "El pago 2 debe hacerse a más tardar el 30 de mayo de 2027.",
    ]


def test_the_whole_way_can_be_gone_in_spanish_without_an_english_sentence(sure, shop, catalogue):  # noqa: F811
    english = [
        entry.msgid
        for entry in catalogue
        if "%" not in entry.msgid and len(entry.msgid) > 8 and entry.msgid not in (entry.msgstr, *SAME_IN_BOTH)
    ]
    seen = []

    def read(page):
        html = text(page).replace("&#x27;", "'")
        seen.append(page.request["PATH_INFO"])
        assert 'lang="es"' in page.content.decode()
        assert [one for one in english if re.search(rf"(?<!\w){re.escape(one)}(?!\w)", html)] == [], seen[-1]
        return page

    sure.post("/language/", {"language": "es"})
    account = f"/accounts/{shop.account.pk}"
    for path in (
        "/home/",
        f"{account}/",
        f"{account}/pay/",
        f"{account}/payments/",
        f"{account}/post-dates/",
        "/help/",
        "/details/",
    ):
        read(sure.get(path))
    page = read(choose(sure, shop, "settlement_parts"))
    read(sure.post(page.request["PATH_INFO"], {"action": "continue", "how": "amount", "amount": "x"}))
    read(sure.post(f"/pay/{Checkout.objects.get().pk}/dates/", {"action": "continue", "date_1": "", "amount_1": "x"}))
    page = read(sure.follow(go_on(sure, page)))
    page = read(sure.follow(agree_to_mail(sure, page)))
    read(sure.get(page.request["PATH_INFO"] + "?way=ach"))
    read(give_card(sure, shop, page, "4242424242424242"))
    review = read(sure.follow(give_card(sure, shop, page)))
    assert "Visa de débito terminada en 5556" in text(review)
    read(sure.submit(review, having="agree"))
    page = read(sure.follow(sure.submit(review, having="agree", agree="on")))
    assert "Gracias. Recibimos su pago." in text(page)
    assert Payment.objects.get().authorization.language == "es"
    assert "1 de diciembre de 2026" in text(read(sure.get(f"{account}/")))
    assert len(seen) == 18
