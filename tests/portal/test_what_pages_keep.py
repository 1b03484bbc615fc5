"""What every page keeps, read from its own words: no card number, known purposes, help in one place, said languages."""

import re
from pathlib import Path

import pytest

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
from tests.payments.conftest import DECLINED_MASTERCARD, VISA_DEBIT
from tests.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]
CARD = re.compile(r"cc-(?:number|csc|exp|name)|card.?number|\bcvc\b|\bcvv\b|security code", re.IGNORECASE)
"""What a field of our own for a card would be called."""
SOURCES = ("accounts", "campaigns", "integrations", "payments", "portal", "settlements", "templates")


def fields(page) -> dict[str, str]:
    """Give each field of a page that a person fills in, with what it says of itself."""
    found = {}
    for tag in re.findall(r"<(?:input|textarea|select)\b[^>]*>", page.content.decode()):
        said = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if said.get("type") not in ("hidden", "submit", "radio", "checkbox"):
            found[said.get("name", "")] = tag
    return found


def pages(who: Visitor, its) -> dict[str, object]:
    """Open the pages of a visit on which something is typed or confirmed."""
    account = f"/accounts/{its.account.pk}"
    paths = ["/home/", "/details/", "/wallet/", "/code/", "/help/"]
    paths += [
        f"{account}/{page}" for page in ("", "pay/", "wrong/", "helper/", "promise/", "budget/income/", "hardship/")
    ]
    found = {path: who.get(path) for path in paths}
    found["card"] = choose(who, its, amount="25")
    found["bank"] = who.get(found["card"].request["PATH_INFO"] + "?way=ach")
    return {name: page for name, page in found.items() if page.status_code == 200}


def test_pci_01_no_page_of_ours_has_a_field_for_a_card(sure, shop):  # noqa: F811
    seen = pages(sure, shop)
    assert {"card", "bank", "/home/", "/wallet/"} <= seen.keys()
    asked = {name: tag for page in seen.values() for name, tag in fields(page).items()}
    assert {name: tag for name, tag in asked.items() if CARD.search(tag)} == {}
    assert "account_number" in asked, "a bank account's own field was looked at"
    assert fields(seen["card"]) == {}, "the card page has nothing to type into but the processor's frame"


def test_pci_01_no_template_or_form_of_ours_asks_for_a_card():
    said = {}
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix not in (".html", ".py") or "sandbox" in path.parts or "migrations" in path.parts:
                continue
            if found := re.findall(r"autocomplete[\"']?\s*[:=]\s*[\"']cc-\w+", path.read_text()):
                said[str(path.relative_to(ROOT))] = found
    assert said == {}


@pytest.mark.parametrize(
    ("path", "name", "token"),
    [
        ("/", "last_name", "family-name"),
        ("/code/", "code", "one-time-code"),
        ("/details/", "email", "email"),
        ("bank", "holder", "name"),
    ],
)
def test_a11y_11_fields_about_a_person_say_what_they_are_for(sure, shop, path, name, token):  # noqa: F811
    if path == "/code/":
        contact = shop.account.consumer.contact_points.get()
        page = sure.ask_for_code(contact)
        page = sure.follow(page) if page.status_code == 302 else page
    elif path == "/":
        page = Visitor(shop.agency).get(path)
    else:
        page = pages(sure, shop)[path]
    assert f'autocomplete="{token}"' in fields(page)[name]


def test_a11y_07_help_the_telephone_and_the_language_stand_in_one_order_on_every_page(sure, shop):  # noqa: F811
    orders = set()
    for page in [*pages(sure, shop).values(), Visitor(shop.agency).get("/")]:
        tools = re.search(r'<ul class="tools">(.*?)</ul>', page.content.decode(), re.DOTALL)[1]
        places = [tools.index(one) for one in ('href="/help/"', 'href="tel:', 'action="/language/"')]
        orders.add(tuple(sorted(range(3), key=places.__getitem__)))
    assert orders == {(0, 1, 2)}


@pytest.mark.parametrize("language", ["en", "es"])
def test_a11y_14_a_page_says_its_language_and_each_language_its_own_name(sure, shop, language):  # noqa: F811
    sure.post("/language/", {"language": language, "next": "/home/"})
    other, name = {"en": ("es", "Español"), "es": ("en", "English")}[language]
    for page in pages(sure, shop).values():
        words = page.content.decode()
        assert f'<html lang="{language}">' in words
        assert re.search(rf'<button type="submit" name="language" value="{other}" lang="{other}">.*?{name}', words)


def test_a11y_09_what_is_wrong_is_listed_in_one_place_and_said_beside_its_field(sure, shop):  # noqa: F811
    page = sure.post(f"/accounts/{shop.account.pk}/wrong/", {"reason": "amount", "amount": "much"})
    words = page.content.decode()
    assert page.status_code == 422
    assert re.search(r'id="errors" role="alert" tabindex="-1"', words)
    assert 'href="#id_amount"' in words
    described = re.search(r'aria-describedby="([^"]+)"', fields(page)["amount"])[1].split()
    assert any("error" in one for one in described)
    assert all(f'id="{one}"' in words for one in described)
    assert 'aria-invalid="true"' in fields(page)["amount"]


@pytest.mark.parametrize(("card", "said"), [(VISA_DEBIT, "Received"), (DECLINED_MASTERCARD, "Nothing was")])
def test_a11y_10_what_became_of_a_payment_is_announced(sure, shop, card, said):  # noqa: F811
    review = give_card(sure, shop, choose(sure, shop, amount="25"), card)
    page = sure.follow(sure.submit(sure.follow(review), having="agree", agree="on"))
    announced = re.findall(r'role="(?:status|alert)"[^>]*>(.*?)</(?:p|div|h1)>', page.content.decode(), re.DOTALL)
    assert any(said in one for one in announced), announced
