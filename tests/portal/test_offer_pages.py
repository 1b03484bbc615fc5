"""Individual offers and “why this offer” on the account's staff page; rule sets in and out as files."""

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, Event, User
from accounts.tenancy import acting_for
from settlements.models import IndividualOffer, RuleSet
from settlements.services import rulesets
from tests.staff import PASSWORD, member, signed_in

HOUR = dt.timedelta(hours=1)
BAND = {"owing_from_cents": 0, "owing_to_cents": 5_000_00, "minimum_cents": 25_00, "minimum_settlement_bps": 60_00}


@pytest.fixture
def desk(agency):
    return signed_in(member(agency))


def of(account, name: str) -> str:
    return reverse(f"admin:accounts_account_{name}", args=[account.pk])


def publish(agency, at, **band) -> RuleSet:
    with acting_for(agency):
        made = rulesets.draft(client=None, by="staff:1", now=at)
        assert rulesets.save_draft(rule_set=made, values={}, bands=[BAND | band], by="staff:1", now=at) == []
        return rulesets.publish(rule_set=made, by="staff:1", now=at)


def offers_of(agency) -> list[IndividualOffer]:
    with acting_for(agency):
        return list(IndividualOffer.objects.order_by("made_at"))


# Making and withdrawing -------------------------------------------------------------------------------------------


def test_staff_make_an_offer_in_dollars_and_it_is_what_the_account_is_offered(agency, account, desk):
    assert of(account, "make_offer") in desk.get(of(account, "change")).content.decode()
    sent = {"amount_cents": "$800.00", "max_payments": "3", "max_days": "90", "text": "For you", "methods": "card"}
    assert desk.post(of(account, "make_offer"), sent)["Location"] == of(account, "change")
    (offer,) = offers_of(agency)
    assert (offer.origin, offer.amount_cents, offer.percent_bps, offer.max_payments) == ("staff", 800_00, None, 3)
    assert (offer.max_days, offer.methods, offer.text, offer.made_by[:6]) == (90, ["card"], "For you", "staff:")
    with acting_for(agency):
        assert Event.objects.get(kind="offer.made").data["amount_cents"] == 800_00
    assert "$800.00" in desk.get(of(account, "change")).content.decode()


def test_every_refusal_stands_beside_its_field_and_nothing_is_made(agency, account, desk):
    sent = {"amount_cents": "2000", "percent_bps": "101", "max_payments": "many", "max_on": "2020-01-01"}
    answer = desk.post(of(account, "make_offer"), sent)
    assert answer.status_code == 200
    assert set(answer.context["form"].errors) == {"max_payments"}
    answer = desk.post(of(account, "make_offer"), sent | {"max_payments": "2"})
    assert {"amount_cents", "percent_bps", "max_on"} <= set(answer.context["form"].errors)
    assert offers_of(agency) == []


def test_only_with_the_permission_and_a_reason_an_offer_goes_beyond_the_rules(agency, account, desk):
    low = {"percent_bps": "40", "exceed": "on", "reason": "Agreed on the phone."}
    collector = signed_in(member(agency, "collector"))
    assert "exceed" not in collector.get(of(account, "make_offer")).context["form"].fields
    assert collector.post(of(account, "make_offer"), low).status_code == 200
    assert desk.post(of(account, "make_offer"), low | {"reason": ""}).status_code == 200
    assert offers_of(agency) == []
    assert desk.post(of(account, "make_offer"), low).status_code == 302
    (offer,) = offers_of(agency)
    assert (offer.percent_bps, offer.exceeds, offer.reason) == (40_00, True, "Agreed on the phone.")


def test_an_open_offer_is_withdrawn_with_a_reason_once(agency, account, desk):
    desk.post(of(account, "make_offer"), {"amount_cents": "800"})
    (offer,) = offers_of(agency)
    address = reverse("admin:settlements_individualoffer_withdraw", args=[offer.pk])
    assert desk.post(address, {"reason": ""}).status_code == 200
    assert desk.post(address, {"reason": "Made by mistake."}).status_code == 302
    assert [one.status for one in offers_of(agency)] == ["withdrawn"]
    assert "not open any more" in desk.post(address, {"reason": "Again."}, follow=True).content.decode()
    with acting_for(agency):
        assert Event.objects.get(kind="offer.withdrawn").data["reason"] == "Made by mistake."


@pytest.mark.parametrize("role", ["auditor", "campaign manager"])
def test_whoever_may_not_make_offers_sees_no_button_and_is_refused(agency, account, desk, role):
    desk.post(of(account, "make_offer"), {"amount_cents": "800"})
    (offer,) = offers_of(agency)
    other = signed_in(member(agency, role))
    assert of(account, "make_offer") not in other.get(of(account, "change")).content.decode()
    assert other.post(of(account, "make_offer"), {"amount_cents": "700"}).status_code == 403
    address = reverse("admin:settlements_individualoffer_withdraw", args=[offer.pk])
    assert other.post(address, {"reason": "x"}).status_code == 403
    assert [one.status for one in offers_of(agency)] == ["made"]


def test_no_offer_is_made_or_explained_for_another_agencys_account(agency, desk, other_agency, others_account):
    assert desk.post(of(others_account, "make_offer"), {"amount_cents": "800"}).status_code == 404
    assert desk.get(of(others_account, "why")).status_code == 404
    assert offers_of(other_agency) == []


# Why --------------------------------------------------------------------------------------------------------------


def test_staff_ask_for_a_moment_and_read_each_number_with_its_version(agency, account, desk):
    now = timezone.now()
    with acting_for(agency):
        Account.objects.filter(pk=account.pk).update(created_at=now - 9 * HOUR)
    publish(agency, now - 4 * HOUR)
    publish(agency, now - 2 * HOUR, minimum_settlement_bps=50_00)

    def amount(at) -> tuple:
        typed = at.astimezone(ZoneInfo(agency.time_zone))
        answer = desk.get(of(account, "why"), {"at": typed.replace(tzinfo=None).isoformat(timespec="seconds")})
        rows = [row for row in answer.context["numbers"] if str(row["number"]) == "Amount"]
        row = next(row for row in rows if str(row["offer"]) == "Settlement")
        return row["value"], row["version"], row["field"], row["said"]

    assert amount(now - 3 * HOUR) == ("$600.00", 1, "minimum_settlement_bps", "60 %")
    assert amount(now - HOUR) == ("$500.00", 2, "minimum_settlement_bps", "50 %")


def test_what_is_closed_says_why_and_a_moment_before_placement_says_so(agency, account, desk):
    publish(agency, timezone.now() - HOUR, minimum_settlement_bps=0)
    text = desk.get(of(account, "why")).content.decode()
    assert "No settlements are offered for a balance of $1,000.00." in text
    assert "settlement_off_in_band" in text
    early = desk.get(of(account, "why"), {"at": "2020-01-01T00:00:00"})
    assert "not placed yet" in early.content.decode()


def test_the_platform_may_ask_why_and_offers_nothing(agency, account):
    browser = signed_in(User.objects.create_superuser("platform", "", PASSWORD))
    assert "$750.00" in browser.get(of(account, "why")).content.decode()
    assert browser.post(of(account, "make_offer"), {"amount_cents": "800"}).status_code == 403


# Files ------------------------------------------------------------------------------------------------------------


def at(name: str, *args) -> str:
    return reverse(f"admin:settlements_ruleset_{name}", args=args)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_rules_go_out_as_a_file_and_come_back_as_a_draft(agency, account, desk, kind):
    publish(agency, timezone.now() - HOUR)
    answer = desk.get(at("export", kind) + "?all")
    assert answer["Content-Disposition"] == f'attachment; filename="rules.{kind}"'
    body = answer.content.decode().replace("25.00", "35.00")
    assert "35.00" in body
    file = SimpleUploadedFile(f"rules.{kind}", body.encode())
    assert desk.post(at("import_rules"), {"file": file})["Location"] == at("changelist")
    with acting_for(agency):
        draft = RuleSet.objects.get(status="draft")
    assert draft.bands[0]["minimum_cents"] == 35_00


def test_what_of_a_file_made_no_draft_is_said(agency, desk):
    publish(agency, timezone.now() - HOUR)
    body = json.loads(desk.get(at("export", "json")).content)
    body["forms"][0]["bands"] += [{"owing_from": "0.00", "owing_to": "0.00"}, {}]
    page = desk.post(at("import_rules"), {"text": json.dumps(body)}, follow=True).content.decode()
    assert "0 rule sets are imported." in page
    assert "1 forms say what is in force already." in page
    assert "2 bands are all empty or zero: they were left out." in page


def test_what_a_file_does_not_keep_of_the_rules_in_force_is_listed(agency, desk):
    publish(agency, timezone.now() - HOUR, offered_settlement_bps=70_00)
    body = desk.get(at("export", "csv")).content.decode().replace(",60.00,", ",80.00,")
    refused = desk.post(at("import_rules"), {"text": body, "publish": "on"})
    assert [one.code for one in refused.context["errors"]] == ["publish_would_drop", "offered_below_minimum"]
    answer = desk.post(at("import_rules"), {"text": body})
    page = answer.content.decode()
    assert "Not kept of the rules in force: look at the drafts" in page
    assert "has offered settlement percent 70.00; the file&#x27;s minimum is higher." in page
    with acting_for(agency):
        assert list(RuleSet.objects.order_by("version").values_list("status", flat=True)) == ["published", "draft"]


def test_a_bad_file_is_refused_whole_and_each_error_names_its_row_and_field(agency, desk):
    publish(agency, timezone.now() - HOUR)
    body = desk.get(at("export", "csv")).content.decode().replace("25.00", "a lot")
    answer = desk.post(at("import_rules"), {"text": body})
    assert answer.status_code == 200
    first = answer.context["errors"][0]
    assert (first.row, bool(first.field), bool(first.sentence)) == (2, True, True)
    with acting_for(agency):
        assert RuleSet.objects.count() == 1
    empty = desk.post(at("import_rules"), {"text": " "})
    assert "Choose a file or paste its text." in empty.content.decode()


def test_whoever_may_not_import_or_publish_is_refused(agency, desk):
    manager = signed_in(member(agency, "campaign manager"))
    assert manager.get(at("import_rules")).status_code == 403
    assert manager.post(at("import_rules"), {"text": "x"}).status_code == 403
    assert manager.get(at("export", "csv")).status_code == 200
    engineer = signed_in(member(agency, "integration engineer"))
    assert engineer.get(at("export", "csv")).status_code == 403
