"""Options, quote, accept: the numbers of a whole arrangement before anybody agrees to it, and exactly those after."""

import datetime as dt

import pytest
import time_machine
from django.db import transaction

from accounts import events
from accounts.models import Account, Event
from accounts.tenancy import acting_for
from payments.models import Arrangement, Postdate
from settlements.models import IndividualOffer, Quote
from settlements.services import offers
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller, codes, counts, refusal
from tests.settlements.test_quotes_service import publish

pytestmark = pytest.mark.django_db
PARTS = {"choice": "parts", "method": "card", "parts": 3, "first_on": "2026-12-04"}


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(agency) -> Account:
    return make_account(agency, sol_status="live")


@pytest.fixture
def caller(account) -> Caller:
    return Caller(account.agency)


def options(caller, account) -> dict[str, dict]:
    said = caller.get(f"accounts/{account.pk}/options").json()
    return {option["choice"]: option for option in said["options"]}


def quote(caller, account, **wish) -> dict:
    answer = caller.post(f"accounts/{account.pk}/quotes", PARTS | wish)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_accounts_are_found_by_the_hosts_number_and_say_nothing_of_the_person(caller, account):
    found = caller.get("accounts?reference=100-234").json()
    (shown,) = found["items"]
    assert (found["next"], shown["id"], shown["status"]) == (None, str(account.pk), "open")
    assert (shown["balance_cents"], shown["owed_cents"], shown["currency"]) == (1_000_00, 1_000_00, "usd")
    text = caller.get("accounts?reference=100-234").content.decode()
    assert shown["consumer"] == str(account.consumer_id)  # who that is, another scope may read
    for secret in ("Jane", "Doe", "900991234", "example.com"):
        assert secret not in text
    assert caller.get(f"accounts/{account.pk}").json() == shown
    assert caller.get("accounts?reference=999").json()["items"] == []


@pytest.mark.parametrize("age", ["expired", "unknown", ""])
def test_an_old_debt_is_quoted_only_after_its_notice_was_read_sol_01_sol_02_sol_04(caller, account, age):
    with acting_for(account.agency):
        Account.objects.update(sol_status=age)
    answer = caller.post(f"accounts/{account.pk}/quotes", {"choice": "full"})
    assert refusal(answer) == (409, "sol_notice_required")
    with acting_for(account.agency):
        assert not Quote.objects.exists()
        with transaction.atomic():
            events.record("sol_notice.acknowledged", account=account, now=NOW, data={"visit": ""})
    assert caller.post(f"accounts/{account.pk}/quotes", {"choice": "full"}).status_code == 201
    answer = caller.post(f"accounts/{account.pk}/quotes", PARTS)
    assert [code for _where, code in codes(answer)] == ["too_old_for_parts"]


def test_pages_give_every_account_once(agency, caller, account):
    for number in range(200, 205):
        make_account(agency, reference=str(number), consumer=account.consumer)
    seen, path = [], "accounts?limit=4"
    while path:
        page = caller.get(path).json()
        seen += [row["reference"] for row in page["items"]]
        path = f"accounts?limit=4&cursor={page['next']}" if page["next"] else None
    assert sorted(seen) == ["100234", "200", "201", "202", "203", "204"]


@pytest.mark.parametrize("method", ["card", "ach"])
def test_what_is_proposed_is_paid_by_a_method_that_the_offer_takes(agency, caller, account, method):
    with acting_for(agency):
        IndividualOffer.objects.create(
            account=account, origin="staff", amount_cents=600_00, max_payments=3, max_days=120, methods=[method],
            made_at=NOW,
        )  # fmt: skip
    found = options(caller, account)
    for choice in ("settlement", "parts"):
        assert (found[choice]["methods"], found[choice]["proposal"]["method"]) == ([method], method)
    assert found["full"]["methods"] == ["card", "ach"]


def test_every_choice_is_open_with_its_limits_or_closed_with_its_reasons(agency, caller, account):
    found = options(caller, account)
    assert {choice: option["open"] for choice, option in found.items()} == {
        "full": True,
        "settlement": True,
        "parts": True,
        "plan": False,
        "amount": True,
        "promise": True,
    }
    assert [reason["code"] for reason in found["plan"]["reasons"]] == ["no_plan"]
    parts = found["parts"]
    assert (parts["amount_cents"], parts["saving_cents"], parts["terms"]["max_payments"]) == (750_00, 250_00, 6)
    assert {"number": "amount_cents", "level": "global", "version": "1", "field": "percent_bps", "value": 75_00} in (
        parts["terms"]["trace"]
    )
    assert parts["terms"]["by_frequency"][0] == {
        "frequency": "weekly",
        "most_payments": 6,
        "minimum_payment_cents": 25_00,
    }
    assert parts["methods"] == ["card", "ach"]
    assert parts["proposal"]["lines"][0] == {"due_on": "2026-12-01", "amount_cents": 125_00}
    assert sum(line["amount_cents"] for line in parts["proposal"]["lines"]) == 750_00


def test_each_proposal_can_be_quoted_and_accepted_as_it_is(agency, account):
    publish(
        agency,
        bands=[
            {
                "owing_from_cents": 0,
                "owing_to_cents": 999_999_999_00,
                "max_months_unsettled": 12,
                "max_months_settled": 6,
                "minimum_settlement_bps": 60_00,
            }
        ],
    )
    accepted = 0
    for number, choice in enumerate(("full", "settlement", "parts", "plan", "amount", "promise")):
        other = make_account(agency, reference=f"3{number}", consumer=account.consumer, sol_status="live")
        caller = Caller(agency)
        option = options(caller, other)[choice]
        assert option["open"], choice
        wish = {"choice": choice}
        if choice in ("parts", "plan"):
            wish["lines"] = option["proposal"]["lines"]
        if choice == "amount":
            wish["amount_cents"] = option["proposal"]["lines"][0]["amount_cents"]
        made = caller.post(f"accounts/{other.pk}/quotes", wish).json()
        assert made["lines"] == option["proposal"]["lines"], choice
        assert caller.post(f"quotes/{made['id']}/accept").status_code == 200, choice
        accepted += 1
    with acting_for(agency):
        assert Arrangement.objects.count() == accepted == 6


@pytest.mark.parametrize("status", ["blocked", "recalled", "closed", "paid", "disputed", "bankruptcy", "unmapped"])
def test_on_an_account_that_is_not_open_nothing_is_open_and_nothing_is_quoted(caller, account, status):
    with acting_for(account.agency):
        Account.objects.filter(pk=account.pk).update(status=status)
    before = counts()
    found = options(caller, account)
    assert {option["open"] for option in found.values()} == {False}
    answer = caller.post(f"accounts/{account.pk}/quotes", PARTS)
    assert refusal(answer) == (422, "refused")
    assert [reason["code"] for reason in found["full"]["reasons"]] == [code for _pointer, code in codes(answer)]
    assert counts() == before


def test_a_quote_has_lines_total_saving_breach_trace_and_end(caller, account):
    made = quote(caller, account)
    assert made["lines"] == [
        {"due_on": "2026-12-04", "amount_cents": 250_00},
        {"due_on": "2027-01-04", "amount_cents": 250_00},
        {"due_on": "2027-02-04", "amount_cents": 250_00},
    ]
    assert (made["total_cents"], made["saving_cents"], made["last_on"]) == (750_00, 250_00, "2027-02-04")
    assert (made["status"], made["frequency"], made["level"], made["version"]) == ("open", "monthly", "global", "1")
    assert made["breach"]["reinstates"] == "balance"
    assert made["trace"][0]["field"] == "percent_bps"
    assert (made["made_at"], made["expires_at"]) == ("2026-12-01T15:00:00Z", "2026-12-02T15:00:00Z")
    assert caller.get(f"quotes/{made['id']}").json() == made


def test_all_refusals_of_a_wish_come_at_once_with_their_places(caller, account):
    before = counts()
    lines = [{"due_on": "2026-11-30", "amount_cents": 1_00}, {"due_on": "2028-01-01", "amount_cents": 1_00}]
    answer = caller.post(f"accounts/{account.pk}/quotes", {"choice": "parts", "method": "card", "lines": lines})
    assert refusal(answer) == (422, "refused")
    assert {
        ("/lines", "sum_not_exact"),
        ("/lines/0/due_on", "first_date_in_past"),
        ("/lines/0/amount_cents", "payment_below_minimum"),
        ("/lines/1/due_on", "last_date_too_late"),
    } <= set(codes(answer))
    assert all(error["message"] for error in answer.json()["errors"])
    assert counts() == before


def test_accepting_makes_the_arrangement_of_the_quote_and_its_events(caller, account):
    made = quote(caller, account)
    answer = caller.post(f"quotes/{made['id']}/accept", {"language": "es", "ip": "203.0.113.7"})
    assert answer.status_code == 200, answer.content
    said = answer.json()
    with acting_for(account.agency):
        arrangement = Arrangement.objects.get()
        lines = list(Postdate.objects.order_by("number").values_list("due_on", "amount_cents", "executor"))
        event = Event.objects.get(kind="arrangement.created")
    assert said["arrangement"] == str(arrangement.pk)
    assert (said["quote"]["status"], said["quote"]["arrangement"]) == ("accepted", str(arrangement.pk))
    assert (arrangement.total_cents, arrangement.saving_cents, arrangement.kind) == (750_00, 250_00, "settlement")
    assert lines == [
        (dt.date(2026, 12, 4), 250_00, "consumer"),
        (dt.date(2027, 1, 4), 250_00, "consumer"),
        (dt.date(2027, 2, 4), 250_00, "consumer"),
    ]
    assert event.actor == f"key:{caller.key.pk}"


def test_accepting_again_is_the_same_arrangement_with_and_without_the_same_key(caller, account):
    made = quote(caller, account)
    path = f"quotes/{made['id']}/accept"
    first, replay = (caller.post(path, Idempotency_Key="yes") for _ in range(2))
    again = caller.post(path, Idempotency_Key="yes, again")
    assert first.content == replay.content
    assert again.json()["arrangement"] == first.json()["arrangement"]
    with acting_for(account.agency):
        assert Arrangement.objects.count() == 1


def test_an_expired_quote_is_refused_and_writes_nothing(caller, account, clock):
    made = quote(caller, account)
    clock.move_to(NOW + dt.timedelta(hours=24))
    before = counts()
    assert refusal(caller.post(f"quotes/{made['id']}/accept")) == (409, "quote_expired")
    assert counts() == before
    assert caller.get(f"quotes/{made['id']}").json()["status"] == "expired"


def test_an_accepted_quote_stays_accepted_after_its_time(caller, account, clock):
    made = quote(caller, account)
    first = caller.post(f"quotes/{made['id']}/accept").json()
    clock.move_to(NOW + dt.timedelta(hours=30))
    assert caller.post(f"quotes/{made['id']}/accept").json()["arrangement"] == first["arrangement"]


def test_a_world_that_changed_is_refused_with_what_changed(caller, account):
    made = quote(caller, account)
    with acting_for(account.agency):
        Account.objects.filter(pk=account.pk).update(balance_cents=900_00)
        offers.set_default(values={"percent_bps": 80_00}, by="staff:1", now=NOW)
    before = counts()
    answer = caller.post(f"quotes/{made['id']}/accept")
    assert refusal(answer) == (409, "quote_changed")
    assert {"owed_changed", "amount_changed", "rules_changed"} <= {code for _pointer, code in codes(answer)}
    assert counts() == before


def test_while_a_plan_runs_a_second_one_is_neither_open_quoted_nor_accepted(caller, account):
    first, second = quote(caller, account), quote(caller, account, parts=2)
    caller.post(f"quotes/{first['id']}/accept")
    before = counts()
    assert refusal(caller.post(f"quotes/{second['id']}/accept")) == (409, "arrangement_active")
    answer = caller.post(f"accounts/{account.pk}/quotes", PARTS)
    assert (refusal(answer), codes(answer)[0][1]) == ((422, "refused"), "arrangement_active")
    assert {option["open"] for option in options(caller, account).values()} == {False}
    assert counts() == before


def test_a_payment_in_between_changes_what_is_owed(caller, account):
    made = quote(caller, account)
    with acting_for(account.agency):
        Account.objects.filter(pk=account.pk).update(balance_cents=0)
    answer = caller.post(f"quotes/{made['id']}/accept")
    assert refusal(answer)[0] == 409
    with acting_for(account.agency):
        assert Quote.objects.get().status == "open"


def test_a_promise_is_quoted_for_a_later_day_without_a_method(caller, account):
    body = {"choice": "promise", "amount_cents": 200_00, "first_on": "2026-12-15"}
    made = caller.post(f"accounts/{account.pk}/quotes", body).json()
    assert made["lines"] == [{"due_on": "2026-12-15", "amount_cents": 200_00}]
    assert (made["method"], made["frequency"], made["level"]) == ("", "once", "account")
    assert caller.get(f"accounts/{account.pk}/options").json()["latest_promise_on"] == "2026-12-31"
