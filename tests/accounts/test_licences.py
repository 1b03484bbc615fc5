"""Where an agency is licensed (ST-09): the table by state and day, what is printed, and what staff and hosts write."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from accounts.licensing import STATES, Licensed, lines, missing
from accounts.models import Agency, Licence
from accounts.services import desk, licences
from accounts.tenancy import acting_for
from campaigns.rules import zones
from tests.integrations.api_caller import Caller, codes, counts

TODAY = dt.date(2026, 12, 1)
DAY = dt.timedelta(days=1)
HELD = [
    Licensed("NY", TODAY, TODAY, "New York licence 1"),
    Licensed("NC", TODAY - DAY, None, "North Carolina permit 2"),
    Licensed("NC", TODAY, None, "Charlotte licence 3"),
    Licensed("TX", TODAY - DAY, None, ""),
    Licensed("CA", TODAY + DAY, None, "California licence 4"),
    Licensed("FL", TODAY - 2 * DAY, TODAY - DAY, "Florida licence 5"),
]


@pytest.mark.parametrize(
    ("state", "absent", "printed"),
    [
        pytest.param("NY", False, ["New York licence 1"], id="ST-09 on its first and last day"),
        pytest.param("ny", False, ["New York licence 1"], id="ST-09 in small letters"),
        pytest.param("NC", False, ["North Carolina permit 2", "Charlotte licence 3"], id="ST-09 two lines"),
        pytest.param("TX", False, [], id="ST-09 where none is needed nothing is printed"),
        pytest.param("CA", True, [], id="ST-09 from tomorrow"),
        pytest.param("FL", True, [], id="ST-09 until yesterday"),
        pytest.param("OH", True, [], id="ST-09 never"),
        pytest.param("", True, [], id="ST-09 a state that nobody knows"),
    ],
)
def test_st_09_a_licence_holds_in_its_state_from_its_first_to_its_last_day(state, absent, printed):
    assert missing(HELD, state, TODAY) is absent
    assert lines(HELD, state, TODAY) == printed


def test_st_09_an_agency_without_a_list_is_not_asked_for_a_licence():
    assert missing([], "OH", TODAY) is False


def test_the_states_are_those_whose_hours_we_know():
    assert sorted(STATES) == sorted(zones.STATES)


@pytest.mark.parametrize(("only", "listed", "named"), [(True, True, True), (True, False, False), (False, True, False)])
def test_st_09_only_who_asks_for_it_and_has_a_list_collects_nowhere_else(
    agency, other_agency, account, others_account, only, listed, named
):
    Agency.objects.update(licensed_only=only)
    if listed:
        with acting_for(agency):
            Licence.objects.create(state="OH", starts_on=TODAY)
    for row in (account, others_account):
        row.agency.refresh_from_db()
        with acting_for(row.agency):
            found = licences.unlicensed([row], {row.pk: TODAY})
            assert found == ({row.pk} if named and row == account else set())


def test_what_is_printed_follows_every_change_at_once(account, others_account):
    def printed(row) -> list[str]:
        row.agency.refresh_from_db()
        with acting_for(row.agency):
            return licences.printed(row.consumer, row.agency, TODAY)

    assert printed(account) == []
    with acting_for(account.agency):
        made = licences.write(values={"state": "NY", "line": "New York licence 1", "starts_on": TODAY, "ends_on": None})
    assert (printed(account), printed(others_account)) == (["New York licence 1"], [])
    with acting_for(account.agency):
        licences.write(values={"line": "New York licence 2", "starts_on": TODAY, "ends_on": None}, row=made)
    assert printed(account) == ["New York licence 2"]


def test_a_licence_is_ended_and_never_deleted(acting):
    row = Licence.objects.create(state="NY", starts_on=TODAY)
    with pytest.raises(Exception, match="Cannot delete"), transaction.atomic():
        row.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        Licence.objects.create(state="NY", starts_on=TODAY, ends_on=TODAY - DAY)


def test_by_api_a_licence_is_written_down_changed_and_ended_for_its_own_agency(agency, other_agency):
    caller, other = Caller(agency), Caller(other_agency)
    said = {"state": "NC", "line": "North Carolina permit 112233", "starts_on": "2026-01-01", "ends_on": None}
    made = caller.post("licences", said)
    assert made.status_code == 201
    shown = made.json()
    assert shown == said | {"id": shown["id"]}
    assert caller.get(f"licences/{shown['id']}").json() == shown
    assert (caller.get("licences").json()["items"], other.get("licences").json()["items"]) == ([shown], [])
    ended = said | {"ends_on": "2026-11-30"}
    assert other.put(f"licences/{shown['id']}", ended).status_code == 404
    assert caller.put(f"licences/{shown['id']}", ended).json() == ended | {"id": shown["id"]}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"state": "XX"}, ("/state", "state_unknown")),
        ({"ends_on": "2025-12-31"}, ("/ends_on", "ends_too_early")),
        ({"starts_on": "tomorrow"}, ("/starts_on", "invalid_date")),
    ],
)
def test_by_api_a_licence_that_cannot_be_is_refused(agency, change, error):
    caller, before = Caller(agency), counts()
    said = {"state": "NC", "line": "", "starts_on": "2026-01-01", "ends_on": None} | change
    assert codes(caller.post("licences", said)) == [error]
    assert counts() == before


def test_a_colour_that_was_chosen_while_a_licence_came_counts_a_version_of_its_own(agency, other_agency):
    read = Agency.objects.get(pk=agency.pk)
    with acting_for(agency):
        Licence.objects.create(state="OH", line="Ohio licence 7", starts_on=TODAY)
    face = {"brand": "#5b2a6e", "accent": read.accent, "time_zone": read.time_zone}
    assert desk.change_agency(agency=read, values=face) == []
    assert read.branding_version == 3
    assert list(Agency.objects.order_by("slug").values_list("brand", "branding_version")) == [
        ("#5b2a6e", 3),
        ("#1f4e5f", 1),
    ]


def test_by_api_the_agency_asks_for_licences_and_whoever_does_not_say_leaves_it(agency, other_agency):
    caller = Caller(agency)
    shown = caller.get("agency").json()
    assert shown["licensed_only"] is False
    names = ("name", "legal_name", "address", "phone", "email", "hours", "licences", "time_zone", "brand", "accent")
    face = {name: shown[name] for name in names}
    assert caller.put("agency", face | {"licensed_only": True}).json()["licensed_only"] is True
    assert caller.put("agency", face).json()["licensed_only"] is True
    assert Agency.objects.get(pk=other_agency.pk).licensed_only is False
