"""Every page that a consumer can see, seen by everybody: promises that hold for all of them."""

import re

import pytest
from django.urls import get_resolver, resolve

from portal.management.commands.seed_demo import AGENCIES
from tests.browser.consumer import Consumer, Watch, place
from tests.browser.seen import letters, look
from tests.browser.tour import PAGES, Tour

pytestmark = pytest.mark.browser

SPOKEN = {"en": "acme", "es": "birch"}  # whatever two agencies say in the same words is ours
PEOPLE = {
    "en": {"FirstName": "Wanda", "LastName": "Windowtest", "AccountDescription": "Store card 0234"},
    "es": {"FirstName": "Olga", "LastName": "Ventanera", "AccountDescription": "Tarjeta de tienda 0234"},
}
NO_PAGES = {
    "accounts:extend",  # JSON for the idle dialog
    "accounts:language",  # these three only post and lead elsewhere
    "accounts:sign_out",
    "payments:again",
    "payments:by_hand",
    "payments:link_receipt",  # PDF documents
    "payments:receipt",
    "payments:authorization",
    "portal:brand",  # a style sheet
    "settlements:budget_pdf",  # a paper, a file, and an address that only takes one
    "settlements:budget_json",
}
SAME_IN_SPANISH = {"Total", "No"}
ENGLISH = re.compile(
    r"\b(the|and|your?|with|for|from|this|that|payment|account|is|are|was|of|to|by|we|our|on|in|at)\b", re.IGNORECASE
)


class Journey:
    """What a tour in one language saw; a tour that breaks off keeps what it saw and says where it broke."""

    def __init__(self, stack, chromium, language: str) -> None:
        self.seen, self.complaints, self.broke, self.language = {}, {}, "", language
        self.stack, self.chromium, self.watches = stack, chromium, []
        try:
            Tour(self.consumer_like, self.look).go()
        except Exception as error:
            self.broke = f"after {list(self.seen)[-1:]}: {type(error).__name__}: {error}"[:1500]
        finally:
            for watch in self.watches:
                watch.context.close()

    def consumer_like(self, like: str = "100234", **changes) -> Consumer:
        slug, person = SPOKEN[self.language], PEOPLE[self.language] | {"Language": self.language}
        context = self.chromium.new_context(viewport={"width": 390, "height": 844}, locale=f"{self.language}-US")
        context.set_default_timeout(15_000)
        self.watches.append(Watch(context))
        record = place(self.stack, slug, like, **person, **changes)
        consumer = Consumer(self.stack, slug, record, context)
        consumer.language = self.language
        return consumer

    def look(self, one: Consumer, name: str) -> None:
        self.seen[name] = look(one.page, name, self.language)
        said = [line for watch in self.watches for line in watch.take()]
        if said:
            self.complaints[name] = said

    def wrong(self, what: str) -> dict[str, list[str]]:
        """Return, by page, everything of one kind that is wrong."""
        return {name: getattr(seen, what) for name, seen in self.seen.items()}


def nothing(found: dict[str, list[str]]) -> None:
    """Fail with every finding on a line of its own."""
    lines = [f"{name}: {line}" for name, several in found.items() for line in several]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.fixture(scope="package")
def journeys(stack, chromium):
    """Take each tour once, when it is first asked for."""
    taken: dict[str, Journey] = {}

    def journey(language: str) -> Journey:
        if language not in taken:
            taken[language] = Journey(stack, chromium, language)
        return taken[language]

    return journey


@pytest.fixture(params=["en", "es"])
def journey(request, journeys) -> Journey:
    return journeys(request.param)


def test_the_tour_comes_to_every_page(journey):
    assert journey.broke == ""
    assert list(journey.seen) == PAGES


def test_no_consumer_page_is_left_out_of_the_tour(journeys):
    names = set()
    for path in journeys("en").seen.values():
        if not path.path.startswith(("/nothing", "/broken")):
            names.add(resolve(path.path).view_name)
    consumer_pages = {
        f"{space}:{name}"
        for space in ("accounts", "payments", "portal", "settlements")
        for name in get_resolver().namespace_dict[space][1].reverse_dict
        if isinstance(name, str)
    }
    assert consumer_pages - names == NO_PAGES


def test_axe_finds_nothing(journey):
    nothing(journey.wrong("axe"))


def test_the_console_is_silent_and_nothing_is_asked_of_strangers(journey):
    nothing(journey.complaints)


def test_nothing_scrolls_sideways_at_320_px(journey):
    nothing(journey.wrong("sideways"))


def test_nothing_is_cut_when_letters_are_twice_as_large(journey):
    nothing(journey.wrong("cut"))


def test_every_target_is_as_large_as_a_fingertip(journey):
    nothing(journey.wrong("small"))


def test_every_page_says_its_language(journey):
    assert {name: seen.lang for name, seen in journey.seen.items() if seen.lang != journey.language} == {}


def test_spanish_pages_say_nothing_in_english(journeys):
    english, spanish = journeys("en"), journeys("es")
    agency = _said_by_the_agency()
    left = {}
    for name, seen in spanish.seen.items():
        ours = set(english.seen[name].texts) if name in english.seen else set()
        words = [text for text in seen.texts if letters(text) and text not in SAME_IN_SPANISH]
        same = [text for text in words if text in ours]
        english_words = [text for text in words if ENGLISH.search(_without(text, agency))]
        if found := sorted({*same, *english_words}):
            left[name] = found
    nothing(left)


def _said_by_the_agency() -> list[str]:
    """List what an agency and its clients say in their own words; nobody translates names, hours and licences."""
    names = ("name", "legal_name", "address", "hours", "licences")
    return [line for name in names for line in AGENCIES["birch"][name].split("\n")]


def _without(text: str, phrases: list[str]) -> str:
    for phrase in phrases:
        text = text.replace(phrase, "")
    return text
