"""How a visit begins, is bounded and ends (AUTH-02, AUTH-08, A11Y-08)."""

import datetime as dt

import pytest
import time_machine
from django.urls import get_resolver

from accounts.models import Event, Visit
from accounts.services import visits
from accounts.tenancy import ALL_AGENCIES, acting_for
from tests.conftest import NOW, make_account
from tests.visitor import Visitor

NOTHING = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def visitor(account, others_account, clock) -> Visitor:
    return Visitor(account.agency).sign_in(account)


def consumer_paths() -> dict[str, tuple[str, str]]:
    """Map every consumer URL name to a path with a made-up id, and to what its view says of access."""
    found = {}
    for resolver in get_resolver().url_patterns:
        if getattr(resolver, "app_name", None) in ("accounts", "portal", "payments"):
            for pattern in resolver.url_patterns:
                path = "/" + str(pattern.pattern)
                for name in pattern.pattern.converters:
                    path = path.replace(f"<uuid:{name}>", NOTHING).replace(f"<str:{name}>", "x")
                    path = path.replace(f"<slug:{name}>", "move")
                access = getattr(pattern.callback, "access", "open")
                found[f"{resolver.app_name}:{pattern.name}"] = (path, access)
    return found


OPEN = {
    "accounts:start", "accounts:help", "accounts:language", "accounts:sign_out", "accounts:session_ended",
    "accounts:extend", "accounts:opt_out", "portal:brand",
    # The agency's own system lets somebody in: one fact is asked there (tests/integrations/test_api_desk.py).
    "accounts:session_link",
    # Somebody else pays by a link that shows no debt (tests/flows/test_pay_links.py).
    "payments:link", "payments:link_review", "payments:link_receipt",
}  # fmt: skip


def test_every_consumer_page_but_the_named_open_ones_wants_a_visit():
    assert {name for name, (_path, access) in consumer_paths().items() if access == "open"} == OPEN


def test_without_a_visit_every_such_page_leads_to_the_start(account, others_account):
    stranger = Visitor(account.agency)
    for name, (path, access) in consumer_paths().items():
        if access != "open":
            answer = stranger.get(path)
            answer = stranger.post(path) if answer.status_code == 405 else answer
            assert (name, answer.status_code, answer["Location"]) == (name, 302, "/")


def test_without_a_code_every_level_two_page_answers_step_up_required(visitor):
    level_two = {name: path for name, (path, access) in consumer_paths().items() if access == "level 2"}
    assert {"payments:history", "payments:postdates", "payments:cancel_postdate"} <= level_two.keys()
    for name, path in level_two.items():
        answers = [visitor.get(path), visitor.post(path)]
        for answer in answers[: 1 if answers[1].status_code == 405 else 2]:
            assert (name, answer.status_code, answer["X-Refusal"]) == (name, 403, "step_up_required")
        answer = visitor.get(path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()) == (403, {"code": "step_up_required"})
        assert f'/code/?next={path}"' in visitor.get(path).content.decode()


def test_every_page_but_the_stop_link_refuses_a_post_without_our_token(account, others_account):
    forger = Visitor(account.agency, enforce_csrf_checks=True)
    answers = {name: forger.post(path).status_code for name, (path, _access) in consumer_paths().items()}
    # The stop link is found to be made up; nothing else gets so far.
    assert {name: status for name, status in answers.items() if status != 403} == {"accounts:opt_out": 404}


def test_an_account_of_another_consumer_does_not_exist(visitor, account, others_account):
    with acting_for(account.agency):
        from accounts.models import Consumer

        neighbour = Consumer.objects.create(last_name="Roe", last_name_key="ROE")
    theirs = make_account(account.agency, reference="555", consumer=neighbour)
    assert visitor.get(f"/accounts/{account.pk}/").status_code == 200
    assert visitor.get(f"/accounts/{theirs.pk}/").status_code == 404
    assert visitor.get(f"/accounts/{others_account.pk}/").status_code == 404


def test_signing_in_changes_the_session_id(account, others_account):
    visitor = Visitor(account.agency)
    visitor.get("/session-ended/")
    session = visitor.session
    session["planted"] = "by somebody else"
    session.save()
    before = session.session_key
    visitor.sign_in(account)
    assert visitor.session.session_key != before
    assert "planted" not in visitor.session


def test_a_session_of_one_agency_is_nobody_at_another(visitor, others_account):
    elsewhere = Visitor(others_account.agency)
    elsewhere.cookies = visitor.cookies
    assert elsewhere.get("/home/").status_code == 302


def test_a_quarter_of_an_hour_without_a_page_ends_the_visit(visitor, clock, account):
    clock.shift(dt.timedelta(minutes=15))
    assert visitor.get("/home/").status_code == 200
    clock.shift(dt.timedelta(minutes=15, seconds=1))
    answer = visitor.get("/home/")
    assert (answer.status_code, answer["Location"]) == (302, "/session-ended/")
    with acting_for(account.agency):
        visit = Visit.objects.get()
        assert (visit.end_reason, Event.objects.order_by("account_seq").last().kind) == ("idle", "session.ended")


def test_staying_logged_in_counts_as_being_there(visitor, clock):
    for _ in range(3):
        clock.shift(dt.timedelta(minutes=14))
        answer = visitor.post("/session/extend/")
        assert (answer.status_code, answer.json()) == (200, {"idle_seconds": 900})
    assert visitor.get("/home/").status_code == 200
    clock.shift(dt.timedelta(minutes=16))
    answer = visitor.post("/session/extend/")
    assert (answer.status_code, answer.json()) == (401, {"code": "session_ended"})


def test_logging_out_ends_the_visit_on_the_server_too(visitor, account):
    kept = visitor.cookies["session"].value
    answer = visitor.post("/log-out/")
    assert answer["Location"] == "/session-ended/?reason=signed_out"
    thief = Visitor(account.agency)
    thief.cookies["session"] = kept
    assert thief.get("/home/").status_code == 302
    with acting_for(account.agency):
        assert Visit.objects.get().end_reason == "signed_out"


def test_beat_ends_forgotten_visits_and_tells_an_abandoned_payment(visitor, clock, account):
    with acting_for(account.agency):
        Visit.objects.update(payment_started_at=NOW)
    clock.shift(dt.timedelta(minutes=16))
    with acting_for(ALL_AGENCIES):
        now = NOW + dt.timedelta(minutes=16)
        assert (visits.end_idle(now=now), visits.end_idle(now=now)) == (1, 0)
        event = Event.objects.get(kind__startswith="session.a")
    assert (event.kind, event.data["payment_started"]) == ("session.abandoned", True)


def test_a_page_about_a_person_is_never_kept_by_the_browser(visitor, account):
    for path in ("/home/", f"/accounts/{account.pk}/", "/code/"):
        assert visitor.get(path)["Cache-Control"] == "no-store"
