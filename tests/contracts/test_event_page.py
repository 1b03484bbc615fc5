"""The page of events names every kind there is; what each holds is seen in all other tests (tests/conftest.py)."""

import pytest

from accounts import events
from accounts.tenancy import acting_for
from tests.conftest import NOW
from tests.contracts.event_page import kinds, open_ended, snapshots


def test_the_page_has_every_kind_and_no_other():
    assert set(kinds()) == set(events.KINDS)


def test_the_snapshots_of_the_page_are_used(agency):
    assert set(snapshots()) == {"payment", "post-date", "plan", "standing", "message"}
    assert {"payment", "amount_cents", "reference", "refunded_cents"} <= kinds()["payment.refunded"]


def test_only_an_incident_holds_whatever_it_needs():
    assert open_ended() == {"incident.opened"}


def test_an_event_that_holds_more_than_its_page_says_is_found_out(agency):
    product = {"__name__": "payments.services.made_up", "events": events, "NOW": NOW}
    source = "events.record('language.set', now=NOW, data={'language': 'es', 'colour': 'blue'})"
    with acting_for(agency), pytest.raises(AssertionError, match=r"language\.set holds no colour"):
        exec(source, product)  # noqa: S102 - as a module of the product would
