"""A consumer fills in a budget on a phone, goes on in another session, and learns what follows from it."""

import datetime as dt
import json
import re

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account, Consumer, Event
from accounts.tenancy import acting_for
from payments.models import Checkout
from payments.services import agree
from settlements.models import Affordability, AffordabilityForm, Evidence, Hardship, HardshipPolicy, RuleSet
from settlements.rules.quotes import Wish
from settlements.services import affordability
from tests.conftest import NOW, make_account
from tests.visitor import Visitor, text

PDF = b"%PDF-1.7\n" + b"letter about my job " * 40


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def rules(agency):
    """A plan of at least $25.00 a month, at most 60 months."""
    with acting_for(agency):
        return RuleSet.objects.create(
            version=1,
            status="published",
            bands=[
                {
                    "owing_from_cents": 0,
                    "owing_to_cents": 999_999_999_00,
                    "minimum_cents": 25_00,
                    "max_months_unsettled": 60,
                }
            ],
            effective_at=NOW - dt.timedelta(days=1),
            published_at=NOW - dt.timedelta(days=1),
        )


@pytest.fixture
def sure(agency, account, others_account, clock) -> Visitor:
    return Visitor(agency).sign_in(account, level=2)


ANSWERS = {
    "household": {"adults": "2", "dependants": "1", "housing": "rent"},
    "income": {"pay": "450", "pay_every": "week"},
    "home": {"rent": "1,000.00", "rent_every": "month", "utilities": "60", "utilities_every": "fortnight"},
    "living": {"food": "120", "food_every": "week"},
    "travel": {"car_costs": "1200", "car_costs_every": "year"},
    "other": {},
    "debts": {"debt_cards": "3000", "more": "I start a new job in May."},
}
"""1,950.00 in; 1,000.00 + 130.00 + 520.00 + 100.00 out; 200.00 left; 1,000.00 of 4,000.00 owed here: 50.00."""


def fill_in(who: Visitor, account, **changes) -> None:
    for section, typed in (ANSWERS | changes).items():
        answer = who.post(f"/accounts/{account.pk}/budget/{section}/", typed | {"action": "next", "asked": "1"})
        assert answer.status_code == 302, text(answer)


def submit(who: Visitor, account):
    return who.post(f"/accounts/{account.pk}/budget/review/")


def test_a_budget_leads_to_a_plan_of_the_accounts_share(sure, account, rules, agency):
    begin = sure.get(f"/accounts/{account.pk}/budget/")
    assert "Begin" in text(begin)
    fill_in(sure, account)
    review = sure.get(f"/accounts/{account.pk}/budget/review/")
    for words in ("$1,950.00", "$450.00 a week", "$520.00", "$200.00", "$3,000.00", "I start a new job in May."):
        assert words in text(review), words
    page = sure.follow(submit(sure, account))
    for words in ("$50.00", "in 20 payments from December 1, 2026", "$1,000.00", "$200.00", "$3,000.00"):
        assert words in text(page), words
    assert f"/accounts/{account.pk}/pay/?choice=plan&amp;amount=50.00&amp;frequency=monthly" in page.content.decode()
    with acting_for(agency):
        row = Affordability.objects.get()
    assert (row.status, row.outcome, row.surplus_cents, row.share_cents, row.monthly_cents) == (
        "submitted",
        "plan",
        200_00,
        50_00,
        50_00,
    )


def onward(who: Visitor, page):
    """Press the button below the payments of a budget."""
    return who.get(re.search(r'href="([^"]+)">Set up this plan<', page.content.decode())[1].replace("&amp;", "&"))


@pytest.mark.parametrize("later", [0, 3])
def test_the_plan_that_is_set_up_is_the_one_that_was_shown_to_the_cent_and_the_day(
    sure, account, agency, rules, clock, later
):
    fill_in(sure, account, income={"pay": "462", "pay_every": "week"})
    submit(sure, account)
    clock.shift(dt.timedelta(days=later))
    with acting_for(agency):
        Account.objects.filter(pk=account.pk).update(as_of=NOW + dt.timedelta(days=later))
    again = Visitor(agency).sign_in(account, level=2)
    page = again.get(f"/accounts/{account.pk}/budget/result/")
    first = f"December {1 + later}, 2026"
    assert f"$63.00 a month, in 16 payments from {first} to March {1 + later}, 2028. The last payment $55.00" in text(
        page
    )
    chosen = onward(again, page)
    assert chosen.context["chosen"] == "plan"
    assert f"16 payments of $63.00: the first today, the last on March {1 + later}, 2028. The last one is $55.00." in (
        text(chosen)
    )
    schedule = again.follow(again.submit(chosen, having="choice", choice="plan"))
    days = [dt.date(2026 + (11 + month) // 12, (11 + month) % 12 + 1, 1 + later) for month in range(16)]
    seen = [(line["on"], line["amount_cents"]) for line in schedule.context["preview"]["lines"]]
    assert seen == list(zip(days, [63_00] * 15 + [55_00], strict=True))
    with acting_for(agency):
        assert Checkout.objects.get().lines == [[day.isoformat(), cents] for day, cents in seen]


def test_a_budget_whose_plan_is_set_up_already_says_so_and_leads_to_the_account(sure, account, agency, rules):
    fill_in(sure, account)
    submit(sure, account)
    wish = Wish("plan", amount_cents=50_00)
    with acting_for(agency):
        quote = agree.quote(account=account, wish=wish, by="test", now=NOW)
        agree.accept(quote=quote, by="test", now=NOW, ip=None, language="en")
    page = sure.get(f"/accounts/{account.pk}/budget/result/")
    assert "Payments are already planned for this account." in text(page)
    assert "Set up this plan" not in text(page)
    assert f'href="/accounts/{account.pk}/">Open this account<' in page.content.decode()


@pytest.mark.parametrize("amount", ["", "lots", "-5.00", "20.00", "1e3"])
def test_payments_that_are_not_possible_are_not_taken_from_an_address(sure, account, rules, amount):
    page = sure.get(f"/accounts/{account.pk}/pay/?choice=plan&amount={amount}&frequency=monthly")
    assert "For example 40 payments of $25.00" in text(page)


def test_the_host_hears_sums_and_codes_and_not_a_word_of_the_answers(sure, account, rules, agency):
    fill_in(sure, account)
    submit(sure, account)
    with acting_for(agency):
        told = {event.kind: event.data for event in Event.objects.filter(kind__startswith="affordability.")}
    assert told["affordability.submitted"] | {"budget": ""} == {
        "v": 1,
        "budget": "",
        "outcome": "plan",
        "form_version": 1,
        "income_cents": 1_950_00,
        "essential_cents": 1_750_00,
        "other_cents": 0,
        "surplus_cents": 200_00,
        "debts_cents": 3_000_00,
        "share_cents": 50_00,
        "monthly_cents": 50_00,
        "above_usual": [],
        "against": [],
        "currency": "usd",
    }
    assert told["affordability.decided"]["decision"] == "proposed"
    assert told["affordability.decided"]["payments"] == 20
    assert "new job" not in json.dumps(told)


def test_each_step_is_saved_and_another_session_goes_on(sure, account, agency, clock):
    where = f"/accounts/{account.pk}/budget"
    sure.post(f"{where}/household/", ANSWERS["household"] | {"action": "next"})
    answer = sure.post(f"{where}/income/", {"pay": "450", "pay_every": "week", "action": "stop"})
    assert answer["Location"] == f"{where}/"
    clock.shift(dt.timedelta(days=2))
    again = Visitor(agency).sign_in(account, level=2)
    page = again.get(f"{where}/")
    assert "Where you are" in text(page)
    assert f'href="{where}/home/"' in page.content.decode()
    income = again.get(f"{where}/income/").content.decode()
    assert 'name="pay" value="450.00"' in income
    assert '<option value="week" selected>' in income


def test_nothing_of_the_answers_is_readable_in_the_database(sure, account, agency):
    from django.db import connection

    fill_in(sure, account)
    with acting_for(agency), connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(a)::text FROM settlements_affordability a")
        (stored,) = cursor.fetchone()
    assert "new job" not in stored
    assert "debt_cards" not in stored
    with acting_for(agency):
        assert affordability.answers_of(Affordability.objects.get())["debt_cards"] == {"cents": 3_000_00}


def test_after_thirty_days_a_draft_is_gone_and_wiped(sure, account, agency, clock):
    fill_in(sure, account)
    clock.shift(dt.timedelta(days=30, minutes=1))
    with acting_for(agency):
        assert affordability.draft_of(account, now=NOW + dt.timedelta(days=30, minutes=1)) is None
        assert affordability.expire(now=NOW + dt.timedelta(days=30, minutes=1)) == 1
        row = Affordability.objects.get()
    assert (row.status, row.answers) == ("expired", "")
    again = Visitor(agency).sign_in(account, level=2)
    assert "Begin" in text(again.get(f"/accounts/{account.pk}/budget/"))


def test_a_submitted_budget_speaks_for_half_a_year_and_then_helps_to_fill_in_the_next(
    sure, account, rules, agency, clock
):
    fill_in(sure, account)
    submit(sure, account)
    clock.shift(dt.timedelta(days=181))
    again = Visitor(agency).sign_in(account, level=2)
    gone = again.get(f"/accounts/{account.pk}/budget/result/")
    assert gone["Location"] == f"/accounts/{account.pk}/budget/"
    assert again.get(f"/accounts/{account.pk}/budget.pdf").status_code == 404
    assert 'name="pay" value="450.00"' in again.get(f"/accounts/{account.pk}/budget/income/").content.decode()


def test_all_that_is_wrong_in_a_section_is_said_at_once_and_nothing_is_written(sure, account, agency):
    where = f"/accounts/{account.pk}/budget/income/"
    answer = sure.post(where, {"pay": "a lot", "pension": "12.345", "benefits": "5", "benefits_every": "decade"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert page.count('data-code="amount_unreadable"') == 2
    assert page.count('data-code="frequency_not_asked"') == 1
    assert 'value="a lot"' in page
    with acting_for(agency):
        assert Affordability.objects.count() == 0


def test_a_missing_answer_is_named_on_the_review_and_cannot_be_sent(sure, account, agency):
    fill_in(sure, account)
    sure.post(f"/accounts/{account.pk}/budget/home/", {"action": "stop"})
    page = sure.get(f"/accounts/{account.pk}/budget/review/")
    assert 'data-code="answer_missing"' in page.content.decode()
    assert f"/accounts/{account.pk}/budget/home/#id_rent" in page.content.decode()
    assert submit(sure, account).status_code == 422
    with acting_for(agency):
        assert Affordability.objects.get().status == "draft"
        assert not Event.objects.filter(kind="affordability.submitted").exists()


def test_an_amount_above_the_usual_is_asked_about_once_and_never_refused(sure, account, agency):
    where = f"/accounts/{account.pk}/budget/living/"
    fill_in(sure, account)
    asked = sure.post(where, {"food": "2000", "food_every": "month", "action": "next"})
    assert asked.status_code == 200
    assert "Why, if you like" in text(asked)
    answer = sure.post(where, {"food": "2000", "food_every": "month", "asked": "1", "food_note": "A diet"})
    assert answer["Location"] == f"/accounts/{account.pk}/budget/travel/"
    assert "More than is usual: A diet" in text(sure.get(f"/accounts/{account.pk}/budget/review/"))


def test_totals_follow_what_is_typed_without_saving_it(sure, account, agency):
    answer = sure.post(
        f"/accounts/{account.pk}/budget/income/",
        {"pay": "100", "pay_every": "week", "pension": "not yet", "action": "totals"},
        headers={"HX-Request": "true"},
    )
    assert "$433.33" in text(answer)
    assert "<html" not in answer.content.decode()
    with acting_for(agency):
        assert Affordability.objects.count() == 0


def test_below_the_smallest_payment_a_person_decides_and_nothing_is_asked_for(sure, account, rules, agency):
    fill_in(sure, account, income={"pay": "423", "pay_every": "week"})
    page = sure.follow(submit(sure, account))
    assert "A person looks at your budget" in text(page)
    assert "/pay/" not in page.content.decode()
    with acting_for(agency):
        row = Affordability.objects.get()
        against = [one["code"] for one in affordability.worked_out(row)["refusals"]]
    assert (row.outcome, row.share_cents, row.monthly_cents) == ("referral", 20_75, None)
    assert "payment_below_minimum" in against


@pytest.mark.parametrize("pay", ["403.84", "100"])
def test_with_nothing_left_over_a_pause_and_advice_are_offered_never_a_payment(sure, account, rules, agency, pay):
    fill_in(sure, account, income={"pay": pay, "pay_every": "week"})
    page = sure.follow(submit(sure, account))
    assert "We do not ask you for a payment" in text(page)
    assert f"/accounts/{account.pk}/hardship/" in page.content.decode()
    assert "National Foundation for Credit Counseling" in text(page)
    assert "/pay/" not in page.content.decode()


def test_without_rules_a_settlement_in_parts_is_proposed_when_it_fits(sure, account, agency):
    fill_in(sure, account, debts={})
    page = sure.follow(submit(sure, account))
    assert "You save $250.00" in text(page)
    assert "choice=settlement_parts" in page.content.decode()


def test_the_paper_and_the_layout_say_the_month_and_neither_creditor_nor_debt(sure, account, rules):
    fill_in(sure, account)
    submit(sure, account)
    paper = sure.get(f"/accounts/{account.pk}/budget.pdf")
    assert paper.content[:5] == b"%PDF-"
    assert paper["Content-Disposition"] == 'attachment; filename="budget-2026-12-01.pdf"'
    answer = sure.get(f"/accounts/{account.pk}/budget.json")
    said = json.loads(answer.content)
    assert said["layout"] == "quittance-budget/1"
    assert said["month"] == {"income": "1950.00", "essential": "1750.00", "other": "0.00", "left": "200.00"}
    income = next(section for section in said["sections"] if section["code"] == "income")
    assert income["answers"][0]["monthly"] == "1950.00"
    for secret in ("Harbor", "100234", "Acme"):
        assert secret not in answer.content.decode()


def test_a_budget_of_somebody_else_does_not_exist(sure, account, rules, agency, others_account, other_agency):
    fill_in(sure, account)
    submit(sure, account)
    with acting_for(agency):
        stranger = Consumer.objects.create(last_name="Roe", last_name_key="ROE", time_zone="America/New_York")
        theirs = make_account(agency, reference="200", consumer=stranger)
    for path in ("budget/", "budget/income/", "budget/review/", "budget/result/", "budget.pdf", "budget.json"):
        assert sure.get(f"/accounts/{theirs.pk}/{path}").status_code == 404, path
        assert sure.get(f"/accounts/{others_account.pk}/{path}").status_code == 404, path
    elsewhere = Visitor(other_agency).sign_in(others_account, level=2)
    assert elsewhere.get(f"/accounts/{account.pk}/budget/result/").status_code == 404
    with acting_for(other_agency):
        assert Affordability.objects.count() == AffordabilityForm.objects.count() == 0


def test_in_spanish_the_form_speaks_spanish(sure, account, rules):
    sure.post("/language/", {"language": "es", "next": "/home/"})
    fill_in(sure, account)
    page = text(sure.get(f"/accounts/{account.pk}/budget/income/"))
    assert "Lo que ingresa" in page
    assert "cada dos semanas" in page
    wrong = sure.post(f"/accounts/{account.pk}/budget/income/", {"pay": "mucho"})
    assert "Escriba un importe para “Su salario”" in text(wrong)
    assert "Esto es lo que puede pagar" in text(sure.follow(submit(sure, account)))
    assert sure.get(f"/accounts/{account.pk}/budget.pdf").content[:5] == b"%PDF-"


# A pause ------------------------------------------------------------------------------------------------------


ASKED = {"cause": "income", "words": "My shift was cut.", "days": "60", "consent": "on"}


def ask_for_pause(who: Visitor, account, **changes):
    return who.post(f"/accounts/{account.pk}/hardship/", {k: v for k, v in (ASKED | changes).items() if v})


def send(who: Visitor, account, content: bytes, name: str = "letter.pdf", kind: str = "application/pdf"):
    upload = SimpleUploadedFile(name, content, content_type=kind)
    return who.post(f"/accounts/{account.pk}/hardship/documents/", {"evidence": upload})


def test_a_pause_is_asked_for_and_waits_for_staff(sure, account, agency):
    page = sure.follow(ask_for_pause(sure, account))
    assert "We have your request" in text(page)
    with acting_for(agency):
        row = Hardship.objects.get()
        told = Event.objects.get(kind="hardship.requested").data
    assert (row.status, row.words, row.asked_days) == ("requested", "My shift was cut.", 60)
    assert "Acme Recovery LLC may read what I write here" in row.consent
    assert told | {"hardship": ""} == {"v": 1, "hardship": "", "reference": "100234", "asked_days": 60}


def test_a_short_pause_is_granted_at_once_where_the_agency_allows_it(sure, account, agency):
    with acting_for(agency):
        HardshipPolicy.objects.create(automatic_days=60, longest_days=90)
    page = sure.follow(ask_for_pause(sure, account))
    assert "January 30, 2027" in text(page)
    with acting_for(agency):
        row = Hardship.objects.get()
        told = Event.objects.get(kind="hardship.granted").data
    assert (row.status, row.automatic, row.ends_on, row.review_on) == (
        "granted", True, dt.date(2027, 1, 30), dt.date(2027, 1, 23),
    )  # fmt: skip
    assert told["automatic"] is True


def test_what_is_missing_in_a_request_is_said_at_once_and_nothing_is_written(sure, account, agency):
    answer = ask_for_pause(sure, account, cause="", days="7", consent="")
    assert answer.status_code == 422
    for code in ("required", "invalid_choice"):
        assert f'data-code="{code}"' in answer.content.decode()
    with acting_for(agency):
        assert Hardship.objects.count() == 0


def test_the_consumer_ends_the_pause_early(sure, account, agency):
    with acting_for(agency):
        HardshipPolicy.objects.create(automatic_days=60)
    ask_for_pause(sure, account)
    assert "planned payments go on" in text(sure.get(f"/accounts/{account.pk}/hardship/end/"))
    page = sure.follow(sure.post(f"/accounts/{account.pk}/hardship/end/"))
    assert "Your last pause is over" in text(page)
    with acting_for(agency):
        assert Event.objects.get(kind="hardship.ended").data["how"] == "consumer"


def test_a_document_is_taken_by_what_it_is_and_shown_by_what_it_was_called(sure, account, agency):
    ask_for_pause(sure, account)
    page = sure.follow(send(sure, account, PDF, "../../etc/<b>passwd.pdf"))
    assert "<strong>&lt;b&gt;passwd.pdf</strong>" in page.content.decode()
    with acting_for(agency):
        row = Evidence.objects.get()
        told = Event.objects.get(kind="document.uploaded").data
    assert (row.kind, row.size_bytes, row.number) == ("pdf", len(PDF), 1)
    assert told["size_bytes"] == len(PDF)
    assert "passwd" not in json.dumps(told)


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "empty.pdf", "evidence_empty"),
        (b"<script>alert(1)</script>", "photo.jpg", "evidence_kind"),
        (b"MZ\x90\x00 a program", "letter.pdf.exe", "evidence_kind"),
        (b"PK\x03\x04" + b"\0" * 200, "bomb.pdf", "evidence_kind"),
        (b"\x1f\x8b\x08" + b"\0" * 200, "letter.pdf", "evidence_kind"),
        (b"%PDF-1.7" + b"0" * 10 * 2**20, "large.pdf", "evidence_too_large"),
    ],
)
def test_a_file_that_is_not_taken_says_why_and_leaves_nothing(sure, account, agency, content, name, code):
    ask_for_pause(sure, account)
    answer = send(sure, account, content, name)
    assert answer.status_code == 422
    assert f'data-code="{code}"' in answer.content.decode()
    with acting_for(agency):
        assert Evidence.objects.count() == 0


def test_a_body_far_too_large_is_not_read_and_no_file_is_said_to_be_missing(sure, account, agency):
    ask_for_pause(sure, account)
    where = f"/accounts/{account.pk}/hardship/documents/"
    huge = sure.generic("POST", where, b"x", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH="99999999")
    assert huge.status_code == 413
    assert 'data-code="evidence_missing"' in sure.post(where, {}).content.decode()


def test_a_document_without_the_forms_token_is_not_taken(agency, account, clock):
    strict = Visitor(agency, enforce_csrf_checks=True)
    strict.handler.enforce_csrf_checks = False
    strict.sign_in(account, level=2)
    ask_for_pause(strict, account)
    strict.handler.enforce_csrf_checks = True
    assert send(strict, account, PDF).status_code == 403
    with acting_for(agency):
        assert Evidence.objects.count() == 0
