"""Connections and mappings by API: read, set up, switched off and on again; a mapping is tried before it reads."""

import pytest
import time_machine
from django.db import transaction
from django.urls import reverse

from accounts import events
from accounts.models import Account
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.formats.ready import SIMPLICITY
from integrations.models import Delivery, HostConnection
from integrations.services import redeliver, route
from integrations.services.route import routing_table
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller, codes, counts, refusal
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db
SMALL = {
    "shape": "csv",
    "fields": [
        {"to": "FileNumber", "from": "case", "required": True},
        {"to": "CurrentBalance", "from": "owed", "as": "amount", "required": True},
        {"to": "SSN", "from": "ssn", "as": "ssn", "optional": True},
        {"to": "LastName", "from": "name", "optional": True, "default": "Unknown"},
        {"to": "ClientNumber", "constant": "C-1"},
        {"to": "Status", "constant": "ACTIVE"},
    ],
}
SAMPLE = "case,owed,ssn\nA-1,125.00,900-99-1234\nA-2,much,\n"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(agency, others_account) -> Account:
    return make_account(agency)


@pytest.fixture
def caller(account) -> Caller:
    return Caller(account.agency)


@pytest.fixture
def at(account) -> str:
    return f"connections/{account.connection_id}"


def tell(account, kind: str = "page.viewed") -> None:
    with acting_for(account.agency_id), transaction.atomic():
        events.record(kind, account=account, now=NOW)
    with acting_for(ALL_AGENCIES):
        route.route(now=NOW)


def waiting(account) -> list[int]:
    with acting_for(account.agency_id):
        return list(Delivery.objects.order_by("sequence").values_list("sequence", flat=True))


# Connections ----------------------------------------------------------------------------------------------------------


def test_a_connection_is_read_changed_as_a_whole_and_shows_no_key(caller, at):
    seen = caller.get(f"{at}/settings")
    assert b"out-acme" not in seen.content
    said = {name: value for name, value in seen.json().items() if name not in ("id", "style")}
    assert said["status_map"] == {"ACTIVE": "open", "RECALL": "recalled", "CLOSE": "closed"}
    routing = {"card.immediate": {"executor": "portal", "notifier": "portal"}}
    wish = said | {"name": "SMAX", "status_map": {"ACTIVE": "open"}, "routing": routing, "ip_allow": ["203.0.113.0/24"]}
    changed = caller.put(f"{at}/settings", wish).json()
    assert (changed["name"], changed["status_map"], changed["routing"]) == ("SMAX", {"ACTIVE": "open"}, routing)
    assert caller.get(f"{at}/settings").json() == changed
    assert codes(caller.put(f"{at}/settings", {"name": "SMAX"}))[0][1] == "required"


def test_settings_that_cannot_be_are_refused_each_with_its_place(caller, at):
    seen = caller.get(f"{at}/settings").json()
    said = {name: value for name, value in seen.items() if name not in ("id", "style")}
    wrong = said | {
        "ip_allow": ["203.0.113.0/24", "here"],
        "status_map": {"A/B": "gone"},
        "routing": {"gold.immediate": {"executor": "portal", "notifier": "portal"}},
    }
    before = counts()
    assert sorted(codes(caller.put(f"{at}/settings", wrong))) == [
        ("/ip_allow/1", "network_invalid"),
        ("/routing/gold.immediate", "route_unknown"),
        ("/status_map/A~1B", "status_unknown"),
    ]
    assert counts() == before
    assert caller.get(f"{at}/settings").json() == seen


@pytest.mark.parametrize(
    "address",
    [
        "http://attacker.example/",
        "https://127.0.0.1:9/",
        "http://127.0.0.1:10/",
        "http://127.0.0.1/",
        "http://kim:key@127.0.0.1:9/",
        "http://127.0.0.1:99999/",
    ],
)
def test_no_key_leads_a_connection_to_another_host(caller, account, others_account, at, address):
    seen = caller.get(f"{at}/settings").json()
    said = {name: value for name, value in seen.items() if name not in ("id", "style")}
    before = counts()
    answer = caller.put(f"{at}/settings", said | {"base_url": address, "name": "Other"})
    assert refusal(answer) == (409, "address_by_staff_only")
    assert (counts(), caller.get(f"{at}/settings").json()) == (before, seen)
    moved = caller.put(f"{at}/settings", said | {"base_url": "http://127.0.0.1:9/portal"})
    assert moved.json()["base_url"] == "http://127.0.0.1:9/portal", "the same host may have another path"
    with acting_for(others_account.agency):
        assert HostConnection.objects.get().base_url == "http://127.0.0.1:9"


def test_staff_write_a_new_address_with_https_and_what_stands_is_left(agency, other_agency, settings):
    settings.HOST_PLAIN_HTTP = False
    desk = signed_in(member(agency))
    with acting_for(agency):
        page = reverse("admin:integrations_hostconnection_change", args=[HostConnection.objects.get().pk])
    form = desk.get(page).context["adminform"].form
    said = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    refused = desk.post(page, said | {"base_url": "http://host.example.com"})
    assert "The address must be https." in refused.content.decode()
    for address, name in (("http://127.0.0.1:9", "As it was"), ("https://host.example.com", "Moved")):
        assert desk.post(page, said | {"base_url": address, "name": name}).status_code == 302
        with acting_for(agency):
            row = HostConnection.objects.get()
        assert (row.base_url, row.name) == (address, name)
    with acting_for(other_agency):
        assert HostConnection.objects.get().base_url == "http://127.0.0.1:9"


def test_the_health_of_a_connection_is_its_queue_and_its_answers(caller, account, at):
    tell(account)
    found = caller.get(f"{at}/health").json()
    assert (found["is_active"], found["waiting"], found["parked"], found["answers"]) == (True, 1, 0, 0)
    assert found["oldest_at"] == "2026-12-01T15:00:00Z"
    assert (found["taken"], found["added"]) == (0, 1)


def test_a_connection_that_is_off_gets_no_deliveries_and_executes_nothing_and_on_again_hears_what_it_missed(
    caller, account, at
):
    tell(account)
    assert waiting(account) == [1]
    seen = caller.get(f"{at}/settings").json()
    said = {name: value for name, value in seen.items() if name not in ("id", "style")}
    assert caller.put(f"{at}/settings", said | {"is_active": False}).json()["is_active"] is False
    tell(account)
    tell(account)
    assert waiting(account) == [1]
    with acting_for(account.agency_id):
        assert {way["executor"] for way in routing_table(account).values()} == {"portal"}
    caller.put(f"{at}/settings", said)
    with acting_for(ALL_AGENCIES):
        redeliver.advance(now=NOW)
    assert waiting(account) == [1, 2, 3]
    with acting_for(account.agency_id):
        assert {way["executor"] for way in routing_table(account).values()} == {"portal", "host"}


def test_one_agencys_connection_that_is_off_is_no_matter_of_the_others(caller, account, others_account):
    with acting_for(account.agency_id):
        HostConnection.objects.update(is_active=False)
    tell(account)
    tell(others_account)
    assert (waiting(account), waiting(others_account)) == ([], [1])


# Mappings -------------------------------------------------------------------------------------------------------------


def test_a_mapping_is_written_tried_on_a_sample_changed_and_switched_off(caller, at):
    made = caller.post(f"{at}/mappings", {"name": "Export", "kind": "placement", "mapping": SMALL})
    assert made.status_code == 201
    mapping = made.json()
    assert (mapping["kind"], mapping["is_active"], mapping["mapping"]) == ("placement", True, SMALL)
    before = counts()
    first, second = caller.post(f"mappings/{mapping['id']}/try", {"sample": SAMPLE}).json()["rows"]
    assert (first["line"], first["errors"]) == (2, [])
    assert first["record"]["FileNumber"] == "A-1"
    assert first["record"]["SSN"] == "•••"
    assert [(error["pointer"], error["code"]) for error in second["errors"]] == [("/owed", "invalid_amount")]
    # The answer may be asked for again, so it is kept, sealed; nothing else is.
    assert {name: n - before[name] for name, n in counts().items() if n != before[name]} == {
        "integrations.IdempotencyKey": 1
    }
    off = caller.put(
        f"mappings/{mapping['id']}", {"name": "Old", "kind": "placement", "mapping": SMALL, "is_active": False}
    )
    assert (off.json()["name"], off.json()["is_active"]) == ("Old", False)
    assert caller.get(f"mappings/{mapping['id']}").json() == off.json()
    assert [one["name"] for one in caller.get("mappings?kind=placement").json()["items"]] == ["Old"]


def test_one_mapping_of_a_kind_is_live(caller, at):
    wish = {"name": "Export", "kind": "placement", "mapping": SMALL}
    caller.post(f"{at}/mappings", wish)
    assert refusal(caller.post(f"{at}/mappings", wish)) == (409, "mapping_live_already")
    assert caller.post(f"{at}/mappings", wish | {"kind": "update"}).status_code == 201
    assert caller.post(f"{at}/mappings", wish | {"is_active": False}).status_code == 201


def test_what_is_wrong_with_a_mapping_is_told_with_its_place(caller, at):
    wrong = {"shape": "xml", "fields": [{"to": "FileNumber", "from": "case", "as": "moon"}]}
    before = counts()
    wish = {"name": "Export", "kind": "update", "mapping": wrong}
    mistyped = [("/mapping/fields/0/as", "invalid_choice"), ("/mapping/shape", "invalid_choice")]
    assert sorted(codes(caller.post(f"{at}/mappings", wish))) == mistyped
    # What makes whole accounts says all that an account must have.
    missing = [("/mapping/fields", "required")] * 4
    assert sorted(codes(caller.post(f"{at}/mappings", wish | {"kind": "placement"}))) == sorted(missing + mistyped)
    assert counts() == before


def test_ready_mappings_can_be_written_as_they_are(caller, at):
    ready = {one["name"]: one["mapping"] for one in caller.get("mappings/ready").json()["items"]}
    assert ready["simplicity"] == SIMPLICITY
    for name, mapping in ready.items():
        wish = {"name": name, "kind": "placement", "mapping": mapping, "is_active": False}
        assert caller.post(f"{at}/mappings", wish).status_code == 201, name
