"""Rule sets by API: written, refused with every reason, published, simulated, taken back, carried as a file."""

import json

import pytest
import time_machine

from accounts.models import Agency, Client, Event
from accounts.tenancy import acting_for
from settlements.models import GlobalOffer, IndividualOffer, RuleSet, Simulation
from settlements.services import simulate
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller, codes, counts, refusal

pytestmark = pytest.mark.django_db
BANDS = [
    {"owing_from_cents": 0, "owing_to_cents": 499_99, "max_months_unsettled": 6},
    {
        "owing_from_cents": 500_00,
        "owing_to_cents": 999_999_999_00,
        "max_months_unsettled": 12,
        "max_months_settled": 6,
        "minimum_settlement_bps": 60_00,
    },
]


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def caller(account) -> Caller:
    return Caller(account.agency)


def drafted(caller, bands=BANDS, **values) -> str:
    made = caller.post("rule-sets", {"client": None}).json()
    answer = caller.put(f"rule-sets/{made['id']}", {"bands": bands, **values})
    assert answer.status_code == 200, answer.content
    return made["id"]


def published(caller, bands=BANDS, **values) -> dict:
    answer = caller.post(f"rule-sets/{drafted(caller, bands, **values)}/publish")
    assert answer.status_code == 200, answer.content
    return answer.json()


def plan(caller, account) -> dict:
    said = caller.get(f"accounts/{account.pk}/options").json()
    return next(option for option in said["options"] if option["choice"] == "plan")


def test_a_draft_changes_nothing_and_publishing_it_opens_what_it_says(agency, caller):
    account = make_account(agency, reference="200", sol_status="live")
    rule_set = drafted(caller, note="Winter.")
    assert not plan(caller, account)["open"]
    answer = caller.post(f"rule-sets/{rule_set}/publish")
    assert (answer.json()["status"], answer.json()["version"]) == ("published", 1)
    assert answer.json()["published_by"] == f"key:{caller.key.pk}"
    option = plan(caller, account)
    assert (option["open"], option["terms"]["max_months"]) == (True, 12)
    assert {"agency"} == {origin["level"] for origin in option["terms"]["trace"] if origin["number"] == "max_months"}
    with acting_for(agency):
        event = Event.objects.get(kind="rule_set.published")
    assert (event.account_id, event.actor, event.data["rule_set"]) == (None, f"key:{caller.key.pk}", rule_set)


def test_withdrawing_brings_the_version_before_back(agency, caller):
    account = make_account(agency, reference="200", sol_status="live")
    published(caller)
    second = published(caller, [BANDS[1] | {"max_months_unsettled": 24}])
    assert plan(caller, account)["terms"]["max_months"] == 24
    answer = caller.post(f"rule-sets/{second['id']}/withdraw", {"reason": "A mistake."})
    assert answer.json()["withdrawn_by"] == f"key:{caller.key.pk}"
    assert plan(caller, account)["terms"]["max_months"] == 12
    again = caller.post(f"rule-sets/{second['id']}/withdraw")
    assert refusal(again) == (409, "rule_set_withdrawn")


def test_rolling_back_publishes_a_copy_as_a_new_version(caller):
    first = published(caller)
    published(caller, [BANDS[1]])
    answer = caller.post(f"rule-sets/{first['id']}/roll-back").json()
    assert (answer["version"], answer["copied_from"], answer["bands"]) == (3, 1, first["bands"])


def test_replacing_a_draft_forgets_what_is_not_said(caller):
    rule_set = drafted(caller, note="Winter.", promise_days=14, conversion="half_month")
    shown = caller.put(f"rule-sets/{rule_set}", {"bands": []}).json()
    assert (shown["note"], shown["promise_days"], shown["conversion"], shown["bands"]) == ("", None, "", [])


def test_every_mistake_in_a_draft_is_named_and_nothing_is_written(caller):
    rule_set = drafted(caller)
    before = caller.get(f"rule-sets/{rule_set}").json()
    bands = [
        {"owing_from_cents": 500_00, "owing_to_cents": 100_00},
        {"owing_from_cents": 1.5, "owing_to_cents": -1, "minimum_bps": 100_01, "card_disabled": 1, "colour": 1},
    ]
    answer = caller.put(f"rule-sets/{rule_set}", {"bands": bands, "promise_days": "14", "x": 1, "replace_all": True})
    assert refusal(answer) == (422, "refused")
    assert sorted(codes(answer)) == [
        ("/bands/0/owing_to_cents", "band_reversed"),
        ("/bands/1/card_disabled", "not_yes_or_no"),
        ("/bands/1/colour", "unknown_field"),
        ("/bands/1/minimum_bps", "percent_out_of_range"),
        ("/bands/1/owing_from_cents", "not_a_whole_number"),
        ("/bands/1/owing_to_cents", "amount_negative"),
        ("/promise_days", "not_a_whole_number"),
        ("/replace_all", "replace_all_at_agency"),
        ("/x", "unknown_field"),
    ]
    assert caller.get(f"rule-sets/{rule_set}").json() == before


def test_one_draft_at_a_time_and_what_is_published_is_not_replaced(caller):
    rule_set = drafted(caller)
    assert refusal(caller.post("rule-sets", {})) == (409, "draft_open")
    caller.post(f"rule-sets/{rule_set}/publish")
    assert refusal(caller.put(f"rule-sets/{rule_set}", {"bands": []})) == (409, "rule_set_not_open")
    assert refusal(caller.post(f"rule-sets/{rule_set}/publish")) == (409, "rule_set_not_open")
    assert caller.post("rule-sets", {}).status_code == 201


def test_a_second_person_publishes_where_the_agency_wants_two(agency, caller):
    Agency.objects.filter(pk=agency.pk).update(rules_need_two_people=True)
    rule_set, second = drafted(caller), Caller(agency, by="staff:2")
    assert refusal(second.post(f"rule-sets/{rule_set}/publish")) == (409, "rule_set_not_submitted")
    assert caller.post(f"rule-sets/{rule_set}/submit").json()["status"] == "waiting"
    for same in (caller, Caller(agency), Caller(agency, by="platform")):
        assert refusal(same.post(f"rule-sets/{rule_set}/publish")) == (409, "needs_second_person")
    assert second.post(f"rule-sets/{rule_set}/publish").json()["status"] == "published"


def test_a_date_of_effect_in_the_past_is_refused(caller):
    rule_set = drafted(caller)
    answer = caller.post(f"rule-sets/{rule_set}/publish", {"effective_at": "2026-11-30T00:00:00Z"})
    assert (refusal(answer), codes(answer)) == ((422, "refused"), [("/effective_at", "effective_in_past")])
    later = caller.post(f"rule-sets/{rule_set}/publish", {"effective_at": "2027-01-01T00:00:00-05:00"})
    assert later.json()["effective_at"] == "2027-01-01T05:00:00Z"


def test_a_discarded_draft_stays_readable_and_makes_room(caller):
    rule_set = drafted(caller)
    assert caller.post(f"rule-sets/{rule_set}/discard").json()["status"] == "discarded"
    assert (
        caller.post("rule-sets", {"copy_of": rule_set}).json()["bands"]
        == caller.get(f"rule-sets/{rule_set}").json()["bands"]
    )


def test_versions_are_listed_by_level_and_status(agency, caller, account):
    published(caller)
    with acting_for(agency):
        client = Client.objects.get()
    caller.post("rule-sets", {"client": str(client.pk)})
    listed = {
        query: [(row["client"] and row["client"]["number"], row["status"]) for row in said["items"]]
        for query in ("client=agency", f"client={client.pk}", "status=draft")
        for said in [caller.get(f"rule-sets?{query}").json()]
    }
    assert listed == {
        "client=agency": [(None, "published")],
        f"client={client.pk}": [("C1", "draft")],
        "status=draft": [("C1", "draft")],
    }


def test_a_simulation_is_started_asked_for_and_done(agency, caller, account):
    rule_set = drafted(caller)
    answer = caller.post(f"rule-sets/{rule_set}/simulations")
    assert (answer.status_code, answer.json()["status"]) == (201, "queued")
    where = answer.headers["Location"].removeprefix("/api/v1/")
    with acting_for(agency):
        simulate.run(Simulation.objects.get().pk)
    said = caller.get(where).json()
    assert (said["status"], said["done"], said["tallies"]["all"]["accounts"]) == ("done", 1, 1)
    caller.post(f"rule-sets/{rule_set}/publish")
    assert refusal(caller.post(f"rule-sets/{rule_set}/simulations")) == (409, "not_a_draft")


@pytest.mark.parametrize(("query", "kind"), [("", "application/json"), ("format=csv", "text/csv")])
def test_an_export_can_be_imported_again_and_changes_nothing(caller, query, kind):
    published(caller, note="")
    exported = caller.get(f"rule-sets/export?{query}")
    assert exported.headers["Content-Type"].startswith(kind)
    before = counts()
    answer = caller.ask("POST", "rule-sets/import", exported.content, kind=kind)
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"rule_sets": [], "unchanged": 1, "unused_bands": 0, "dropped": []}
    assert {name for name, count in counts().items() if count != before[name]} == {"integrations.IdempotencyKey"}


def test_a_file_with_one_wrong_cell_is_refused_whole(caller):
    published(caller)
    said = caller.get("rule-sets/export?format=csv").content.decode()
    assert "60.00" in said
    before = counts()
    answer = caller.ask("POST", "rule-sets/import", said.replace("60.00", "600.00").encode(), kind="text/csv")
    assert refusal(answer) == (422, "file_refused")
    (error,) = answer.json()["errors"]
    assert error["code"]
    assert (error["line"], error["column"]) != (None, "")
    assert counts() == before
    broken = caller.ask("POST", "rule-sets/import", json.dumps({"x": 1}).encode())
    assert refusal(broken) == (422, "file_refused")


def test_an_import_with_publish_is_in_force_at_once(agency, caller):
    published(caller)
    exported = caller.get("rule-sets/export?format=csv").content.decode()
    answer = caller.ask(
        "POST", "rule-sets/import?publish=1", exported.replace("60.00", "55.00").encode(), kind="text/csv"
    )
    (shown,) = answer.json()["rule_sets"]
    assert (shown["status"], shown["bands"][-1]["minimum_settlement_bps"]) == ("published", 55_00)
    with acting_for(agency):
        assert RuleSet.objects.count() == 2


def test_what_a_file_does_not_keep_is_named_and_never_published_at_once(caller):
    published(caller, bands=[{"owing_from_cents": 0, "owing_to_cents": 999_999_999_00, "grace_days": 5}])
    exported = caller.get("rule-sets/export?format=csv").content.decode()
    other = exported.replace(",0.00,999999999.00,", ",,,")
    refused = caller.ask("POST", "rule-sets/import?publish=1", other.encode(), kind="text/csv")
    assert refusal(refused) == (422, "file_refused")
    assert [code for _where, code in codes(refused)] == ["publish_would_drop", "beyond_form_dropped"]
    said = caller.ask("POST", "rule-sets/import", other.encode(), kind="text/csv").json()
    assert [row["status"] for row in said["rule_sets"]] == ["draft"]
    (dropped,) = said["dropped"]
    assert (dropped["line"], dropped["column"], dropped["code"]) == (2, "Client Number", "beyond_form_dropped")
    assert "grace days 5" in dropped["message"]


def test_the_default_offer_is_replaced_by_a_new_version_once(agency, caller):
    before = caller.get("default-offer").json()
    assert (before["version"], before["percent_bps"]) == (1, 75_00)
    body = {name: before[name] for name in ("enabled", "max_payments", "max_days", "minimum_payment_cents")}
    for _ in range(2):
        after = caller.put("default-offer", body | {"percent_bps": 70_00}).json()
    assert (after["version"], after["percent_bps"], after["made_by"]) == (2, 70_00, f"key:{caller.key.pk}")
    with acting_for(agency):
        assert GlobalOffer.objects.count() == 2


def test_an_offer_is_made_listed_and_withdrawn(caller, account):
    body = {"percent_bps": 80_00, "max_payments": 2, "max_days": 60, "methods": ["card"], "text": "For you."}
    made = caller.post(f"accounts/{account.pk}/offers", body).json()
    assert (made["origin"], made["status"], made["exceeds"]) == ("staff", "made", False)
    assert made["made_by"] == f"key:{caller.key.pk}"
    assert caller.get(f"accounts/{account.pk}/offers").json() == {"items": [made], "next": None}
    gone = caller.post(f"offers/{made['id']}/withdraw", {"reason": "By mistake."})
    assert gone.json()["status"] == "withdrawn"
    assert refusal(caller.post(f"offers/{made['id']}/withdraw", {"reason": "Again."})) == (409, "offer_not_open")


def test_an_offer_beyond_the_rules_needs_its_own_scope(agency, caller, account):
    body = {"percent_bps": 50_00, "reason": "Hardship."}
    path = f"accounts/{account.pk}/offers"
    answer = caller.post(path, body)
    assert (refusal(answer), codes(answer)) == ((422, "refused"), [("/percent_bps", "offer_below_minimum")])
    narrow = Caller(agency, "offers:write")
    before = counts()
    assert refusal(narrow.post(path, body | {"exceed": True})) == (403, "scope_missing")
    assert counts() == before
    assert caller.post(path, body | {"exceed": True}).json()["exceeds"] is True
    with acting_for(agency):
        assert IndividualOffer.objects.get().percent_bps == 50_00
