"""The consent ledger: append-only, and able to say what held at any moment (RF-07, RF-12, ES-04, EVT-04)."""

import datetime as dt

import pytest
from django.db import transaction

from accounts.models import Consent, ContactPoint, Event
from accounts.services import consent, ledger
from accounts.tenancy import acting_for
from tests.conftest import NOW
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def point(acting, account, others_account) -> ContactPoint:
    return account.consumer.contact_points.get()


def grant(point, at, **values) -> Consent:
    base = {"consumer": point.consumer, "contact_point": point, "kind": "email", "granted": True, "source": "page"}
    return Consent.objects.create(**base | {"wording": "May we?", "version": "2026-11", "at": at} | values)


def held(point, at) -> bool:
    return ledger.answer(consumer=point.consumer, kind="email", at=at, contact_point=point).granted


def test_the_answer_is_the_one_of_that_moment(point):
    grant(point, NOW)
    consent.opt_out(contact_point=point, scope="address", source="link", now=NOW + DAY)
    grant(point, NOW + 2 * DAY)
    consent.opt_out(contact_point=point, scope="medium", source="reply", words="stop emailing me", now=NOW + 3 * DAY)
    moments = [NOW - DAY, NOW, NOW + DAY, NOW + 2 * DAY, NOW + 3 * DAY]
    assert [held(point, at) for at in moments] == [False, True, False, True, False]
    last = ledger.answer(consumer=point.consumer, kind="email", at=NOW + 9 * DAY, contact_point=point).line
    assert (last.contact_point, last.wording, last.source) == (None, "stop emailing me", "reply")


def test_every_line_is_given_out_masked_with_the_wording_that_was_seen(point, others_account):
    grant(point, NOW, ip="192.0.2.7", language="es", demonstrated=True)
    (line,) = ledger.lines(point.consumer)
    assert tuple(line) == ledger.COLUMNS
    assert (line["address"], line["wording"], line["language"], line["ip"]) == (
        "j•••@acme.example.com",
        "May we?",
        "es",
        "192.0.2.7",
    )
    with acting_for(others_account.agency):
        assert list(ledger.lines(others_account.consumer)) == []


def test_nobody_changes_or_deletes_a_line(point):
    line = grant(point, NOW)
    for change in (lambda: Consent.objects.update(granted=False), lambda: Consent.objects.all().delete()):
        with pytest.raises(Exception, match="Cannot"), transaction.atomic():
            change()
    assert Consent.objects.get() == line


def test_an_opt_out_said_twice_is_one_line(point):
    for _time in range(2):
        consent.opt_out(contact_point=point, scope="medium", source="link", now=NOW)
    assert Consent.objects.count() == Event.objects.filter(kind="optout.medium").count() == 1


def test_rf_07_the_page_without_a_login_stops_the_medium_too(point):
    other = ContactPoint.objects.create(
        consumer=point.consumer, kind="email", value="b@x.example", value_key="b@x.example", route="consumer"
    )
    stranger = Visitor(point.agency, enforce_csrf_checks=True)
    page = stranger.get(f"/stop/{consent.stop_token(point)}/").content.decode()
    assert page.count('<button type="submit"') >= 2
    said = stranger.post(f"/stop/{consent.stop_token(point)}/", {"scope": "medium"})
    assert "We will no longer send you emails." in said.content.decode()
    with acting_for(point.agency_id):
        assert ContactPoint.objects.filter(opted_out_at=None).count() == 0
        other.refresh_from_db()
        assert other.opted_out_at is not None
        assert [event.kind for event in Event.objects.all()] == ["optout.medium"]
