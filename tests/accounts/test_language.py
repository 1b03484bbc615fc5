"""The language of the pages: the consumer's choice, remembered here and told to the host (LANG-02)."""

import pytest
from django.conf import settings

from accounts.models import Agency, Consumer, Event
from accounts.tenancy import acting_for
from tests.visitor import Visitor


@pytest.fixture
def visitor(account, others_account) -> Visitor:
    return Visitor(account.agency)


def told(account) -> list[dict]:
    with acting_for(account.agency):
        return [event.data["language"] for event in Event.objects.filter(kind="language.set")]


def test_the_choice_changes_every_page_and_is_kept_in_this_browser(visitor, account):
    answer = visitor.post("/language/", {"language": "es", "next": "/help/"})
    assert (answer.status_code, answer["Location"]) == (302, "/help/")
    assert visitor.cookies[settings.LANGUAGE_COOKIE_NAME].value == "es"
    page = visitor.get("/help/").content.decode()
    assert '<html lang="es">' in page
    assert told(account) == []


def test_when_somebody_answers_is_said_in_the_reader_s_language_where_the_agency_wrote_it(visitor, account):
    agency, spanish = account.agency, "Lun a vie, 8 a. m. a 6 p. m."
    assert agency.hours in visitor.get("/help/").content.decode()
    visitor.post("/language/", {"language": "es", "next": "/help/"})
    assert agency.hours in visitor.get("/help/").content.decode()
    Agency.objects.filter(pk=agency.pk).update(hours_es=spanish)
    page = visitor.get("/help/").content.decode()
    assert (spanish in page, agency.hours in page) == (True, False)
    visitor.post("/language/", {"language": "en", "next": "/help/"})
    assert spanish not in visitor.get("/help/").content.decode()


def test_a_signed_in_consumer_s_choice_is_told_once(visitor, account):
    visitor.sign_in(account)
    for _ in range(2):
        visitor.post("/language/", {"language": "es"})
    assert told(account) == ["es"]
    with acting_for(account.agency):
        assert Consumer.objects.get().language == "es"
    assert visitor.visit().language == "es"


def test_the_consumer_s_known_language_greets_a_new_browser(visitor, account):
    with acting_for(account.agency):
        Consumer.objects.update(language="es")
    visitor.sign_in(account)
    assert '<html lang="es">' in visitor.get("/home/").content.decode()


def test_a_choice_made_before_signing_in_wins_over_the_known_language(visitor, account):
    visitor.post("/language/", {"language": "en"})
    with acting_for(account.agency):
        Consumer.objects.update(language="es")
    visitor.sign_in(account)
    assert '<html lang="en">' in visitor.get("/home/").content.decode()


def test_a_language_we_do_not_speak_does_not_exist(visitor):
    assert visitor.post("/language/", {"language": "fr"}).status_code == 404


def test_the_way_back_never_leaves_the_site(visitor):
    answer = visitor.post("/language/", {"language": "es", "next": "//evil.example.com/"})
    assert answer["Location"] == "/"


def test_looking_at_the_address_changes_nothing(visitor):
    assert visitor.get("/language/?language=es").status_code == 405
