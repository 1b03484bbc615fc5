"""Staff read budgets and requests on one page and decide with one click; who may not, may not."""

import datetime as dt
import json

import pytest
from django.urls import reverse, reverse_lazy

from accounts.models import Account, Agency, Event
from accounts.tenancy import acting_for
from settlements.models import Affordability, AffordabilityForm, HardshipPolicy, IndividualOffer, RuleSet
from settlements.rules import quotes
from settlements.rules.quotes import Wish
from settlements.services import affordability, budget_forms, evidence, hardship, offers
from tests.conftest import NOW, make_account
from tests.staff import member, signed_in

TODAY = dt.date(2026, 12, 1)
PDF = b"%PDF-1.7\n" + b"a letter " * 90
ANSWERS = {
    "household": {"adults": {"number": 1}, "dependants": {"number": 0}},
    "income": {"pay": {"cents": 2_000_00, "frequency": "month"}},
    "home": {"rent": {"cents": 1_400_00, "frequency": "month"}},
    "living": {"food": {"cents": 580_00, "frequency": "month"}},
    "debts": {"more": {"text": "I start a new job in May."}},
}
"""20.00 left over, all of it for this account."""


def budget(account: Account, *, now: dt.datetime = NOW, **changes) -> Affordability:
    for section, answers in (ANSWERS | changes).items():
        row = affordability.save(account=account, section=section, answers=answers, language="en", now=now)
    assert affordability.submit(budget=row, now=now) == []
    return row


@pytest.fixture
def rules(acting):
    band = {"owing_from_cents": 0, "owing_to_cents": 999_999_999_00, "minimum_cents": 25_00, "max_months_unsettled": 60}
    before = NOW - dt.timedelta(days=1)
    return RuleSet.objects.create(version=1, status="published", bands=[band], effective_at=before, published_at=before)


@pytest.fixture
def referral(account, rules) -> Affordability:
    row = budget(account)
    assert (row.outcome, row.share_cents) == ("referral", 20_00)
    return row


def page(row, name: str = "change") -> str:
    return reverse(f"admin:settlements_{row._meta.model_name}_{name}", args=[row.pk])


def decide(browser, row, decision: str, **typed):
    return browser.post(page(row, "decide"), {"decision": decision} | typed, follow=True)


# Services -------------------------------------------------------------------------------------------------------


def test_accepting_makes_an_offer_of_the_balance_in_payments_of_the_share(referral, account):
    assert affordability.accept(budget=referral, by="staff:1", now=NOW) == []
    offer = IndividualOffer.objects.get()
    assert (offer.origin, offer.amount_cents, offer.max_payments, offer.status) == ("staff", 1_000_00, 50, "made")
    assert offer.max_days >= 50 * 31
    assert (referral.status, referral.monthly_cents, referral.offer_id) == ("accepted", 20_00, offer.pk)
    told = Event.objects.get(kind="affordability.decided").data
    assert (told["decision"], told["monthly_cents"], told["payments"]) == ("accepted", 20_00, 50)
    assert "reason" not in told


@pytest.mark.parametrize(("cents", "code"), [(20_01, "monthly_above_share"), (99, "monthly_too_small")])
def test_staff_never_agree_to_more_than_the_share_nor_to_cents(referral, cents, code):
    refused = affordability.accept(budget=referral, by="staff:1", now=NOW, monthly_cents=cents)
    assert [one.code for one in refused] == [code]
    assert (IndividualOffer.objects.count(), referral.status) == (0, "submitted")


def test_what_is_agreed_to_can_be_taken_to_the_cent(referral, account):
    assert affordability.accept(budget=referral, by="staff:1", now=NOW) == []
    at = offers.offered_to(due={account: (1_000_00, TODAY)}, now=NOW)[account.pk]
    found = quotes.answer(at, Wish("parts", amount_cents=20_00))
    assert (found.refusals, len(found.lines), found.total_cents) == ((), 50, 1_000_00)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payment_options": {"minimum_recurring_cents": 20_01}}, "payment_below_minimum"),
        ({"payment_options": {"recurring_card": False, "recurring_ach": False}}, "parts_not_possible"),
        ({"sol_status": "expired"}, "too_old_for_parts"),
    ],
)
def test_nobody_agrees_to_what_its_consumer_could_not_take_sol_04(referral, account, others_account, changes, code):
    Account.objects.filter(pk=account.pk).update(**changes)
    assert [one.code for one in affordability.accept(budget=referral, by="staff:1", now=NOW)] == [code]
    referral.refresh_from_db()
    assert (IndividualOffer.objects.count(), referral.status, referral.offer_id) == (0, "submitted", None)
    assert not Event.objects.filter(kind="affordability.decided").exists()


def test_where_counsel_allows_parts_of_an_old_debt_they_are_agreed_to_sol_04(referral, account):
    Account.objects.filter(pk=account.pk).update(sol_status="expired")
    Agency.objects.update(old_debt_parts_states="NY")
    assert affordability.accept(budget=referral, by="staff:1", now=NOW) == []


def test_where_nothing_is_left_over_no_plan_can_be_accepted(account, rules):
    row = budget(account, income={"pay": {"cents": 1_980_00, "frequency": "month"}})
    assert (row.outcome, row.surplus_cents) == ("hardship", 0)
    assert [one.code for one in affordability.accept(budget=row, by="staff:1", now=NOW)] == ["nothing_left_over"]
    assert IndividualOffer.objects.count() == 0


def test_a_decision_is_taken_once(referral):
    assert affordability.decline(budget=referral, by="staff:1", reason="Please call us.", now=NOW) == []
    assert [one.code for one in affordability.accept(budget=referral, by="staff:1", now=NOW)] == ["already_decided"]
    again = affordability.decline(budget=referral, by="staff:1", reason="No.", now=NOW)
    assert [one.code for one in again] == ["already_decided"]
    assert Event.objects.filter(kind="affordability.decided").count() == 1


def test_submitting_twice_tells_it_once_and_a_later_budget_replaces_the_one_before(account, rules):
    first = budget(account)
    assert affordability.submit(budget=first, now=NOW) == []
    assert Event.objects.filter(kind="affordability.submitted").count() == 1
    second = budget(account)
    first.refresh_from_db()
    assert (first.status, affordability.current(account, today=TODAY)) == ("replaced", second)
    assert [one.code for one in affordability.submit(budget=first, now=NOW)] == ["budget_closed"]


def test_other_accounts_here_and_debts_elsewhere_share_what_is_left(account, rules, agency, others_account):
    make_account(agency, reference="A2", consumer=account.consumer, balance_cents=6_700_00)
    make_account(agency, reference="A3", consumer=account.consumer, balance_cents=9_00, status=Account.Status.CLOSED)
    Account.objects.filter(pk=account.pk).update(balance_cents=4_550_00)
    row = budget(
        account,
        income={"pay": {"cents": 2_140_00, "frequency": "month"}},
        debts={"debt_cards": {"cents": 1_200_00}},
    )
    facts = affordability.worked_out(row)
    assert facts["balances_cents"] == [4_550_00, 6_700_00, 1_200_00]
    assert facts["shares_cents"] == [58_47, 86_10, 15_42]


def test_what_is_arranged_already_goes_to_a_person(account, rules, monkeypatch):
    monkeypatch.setattr(
        affordability, "stands", lambda accounts: {one.pk: affordability.Stand(1_000_00, True) for one in accounts}
    )
    row = budget(account, income={"pay": {"cents": 2_500_00, "frequency": "month"}})
    assert row.outcome == "referral"
    assert [one["code"] for one in affordability.worked_out(row)["refusals"]] == ["arrangement_active"]


def test_a_submitted_budget_closes_after_half_a_year(referral):
    assert affordability.expire(now=NOW + dt.timedelta(days=181)) == 0
    assert affordability.expire(now=NOW + dt.timedelta(days=183)) == 1
    referral.refresh_from_db()
    assert referral.status == "expired"


# Forms ----------------------------------------------------------------------------------------------------------


def test_the_first_budget_pins_the_standard_form_as_the_agencys_own_version(account, acting):
    assert AffordabilityForm.objects.count() == 0
    row = affordability.save(account=account, section="household", answers={}, language="en", now=NOW)
    assert (row.form.version, row.form.status, row.form.client) == (1, "published", None)


def test_a_clients_form_stands_before_the_agencys_and_a_begun_budget_keeps_its_own(account, acting):
    begun = affordability.save(account=account, section="household", answers={}, language="en", now=NOW)
    draft = budget_forms.draft(client=account.client, by="staff:1", now=NOW)
    definition = draft.definition | {"title": {"en": "Harbor budget", "es": "Presupuesto Harbor"}}
    assert budget_forms.save(form=draft, definition=definition, note="", by="staff:1", now=NOW) == []
    assert budget_forms.in_force(client_id=account.client_id).version == 1
    budget_forms.publish(form=draft, by="staff:1", now=NOW + dt.timedelta(minutes=1))
    row, form = budget_forms.form_for(client_id=account.client_id)
    assert (row.client, form.title["en"]) == (account.client, "Harbor budget")
    assert affordability.draft_of(account, now=NOW).form == begun.form


def test_a_definition_with_mistakes_is_not_saved_and_a_published_one_never_changes(acting):
    draft = budget_forms.draft(client=None, by="staff:1", now=NOW)
    found = budget_forms.save(form=draft, definition={"layout": "?"}, note="", by="staff:1", now=NOW)
    assert {"layout_unknown", "not_an_object", "list_missing"} <= {one.code for one in found}
    draft.refresh_from_db()
    assert draft.definition == budget_forms.standard()
    budget_forms.publish(form=draft, by="staff:1", now=NOW)
    again = budget_forms.save(form=draft, definition=budget_forms.standard(), note="", by="staff:1", now=NOW)
    assert [one.code for one in again] == ["not_a_draft"]
    with pytest.raises(budget_forms.Refused):
        budget_forms.publish(form=draft, by="staff:1", now=NOW)
    with pytest.raises(Exception, match="never changes"):
        AffordabilityForm.objects.filter(pk=draft.pk).update(definition={})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "not_json"),
        (b"\xff\xfe", "not_text"),
        (b"[" * 100_000, "not_json"),
        (b" " * (budget_forms.LIMIT_BYTES + 1), "file_too_large"),
    ],
)
def test_a_file_that_is_no_definition_is_refused(body, code):
    with pytest.raises(budget_forms.Refused) as refused:
        budget_forms.read_definition(body)
    assert [one.code for one in refused.value.refusals] == [code]


# Pages ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def boss(agency, acting):
    return signed_in(member(agency, "payments supervisor"))


def test_everything_of_a_budget_is_on_one_page_for_who_decides(boss, referral):
    shown = boss.get(page(referral)).content.decode()
    for words in ("I start a new job in May.", "$580.00", "$20.00", "Accept the proposal", "must be at least $25.00"):
        assert words in shown, words


def test_who_only_looks_sees_sums_and_no_answer_and_cannot_decide(agency, referral):
    collector = signed_in(member(agency, "collector"))
    shown = collector.get(page(referral)).content.decode()
    assert "$20.00" in shown
    assert "new job" not in shown
    assert "Accept the proposal" not in shown
    assert decide(collector, referral, "accept", monthly="20.00").status_code == 403
    referral.refresh_from_db()
    assert referral.status == "submitted"


def test_what_is_owed_elsewhere_is_told_to_whoever_decides_only(agency, account, rules, boss):
    row = budget(account, debts={"debt_cards": {"cents": 1_234_56}})
    assert "$1,234.56" in boss.get(page(row)).content.decode()
    assert "$1,234.56" not in signed_in(member(agency, "collector")).get(page(row)).content.decode()


def test_one_click_accepts_and_the_consumer_s_account_has_its_offer(boss, referral):
    answer = decide(boss, referral, "accept", monthly="20.00")
    assert "Agreed." in answer.content.decode()
    assert IndividualOffer.objects.get().max_payments == 50
    referral.refresh_from_db()
    assert referral.decided_by.startswith("staff:")


def test_declining_needs_a_reason(boss, referral):
    decide(boss, referral, "decline")
    referral.refresh_from_db()
    assert referral.status == "submitted"
    decide(boss, referral, "decline", **{"decline-reason": "Please call us."})
    referral.refresh_from_db()
    assert (referral.status, referral.reason) == ("declined", "Please call us.")


def test_another_agencys_staff_find_no_budget_request_or_document(referral, account, other_agency):
    request = hardship.request(account=account, cause="income", words="", days=30, consent="x", now=NOW)
    paper = evidence.add(hardship=request, content=PDF, name="a", now=NOW)
    stranger = signed_in(member(other_agency))
    for row in (referral, request):
        assert stranger.get(page(row)).status_code == 404
        assert stranger.post(page(row, "decide"), {"decision": "grant"}).status_code == 404
    assert stranger.get(page(paper, "save")).status_code == 404


PAUSES = reverse_lazy("admin:settlements_hardship_changelist")


def test_uk_13_who_may_not_decide_is_told_no_cause_and_cannot_look_for_one(agency, boss, referral, account):
    row = hardship.request(account=account, cause="health", words="", days=30, consent="x", now=NOW)
    collector = signed_in(member(agency, "collector"))
    for address in (PAUSES, page(row), page(referral)):
        answer = collector.get(address)
        assert answer.status_code == 200
        assert "Illness" not in answer.content.decode()
    assert "why" not in collector.get(PAUSES).context["cl"].list_display
    for browser in (collector, boss):
        assert browser.get(PAUSES, {"cause__exact": "health"}).status_code == 400
    assert "Illness or an accident" in boss.get(page(row)).content.decode()
    assert "Illness" not in boss.get(PAUSES).content.decode()


def test_a_cause_that_is_not_health_stands_in_the_list_of_who_decides(agency, boss, account):
    hardship.request(account=account, cause="income", words="", days=30, consent="x", now=NOW)
    assert "I lost work or income" in boss.get(PAUSES).content.decode()
    assert "I lost work or income" not in signed_in(member(agency, "collector")).get(PAUSES).content.decode()


def test_a_request_is_read_on_purpose_and_that_is_written_down(boss, account, acting):
    from django.contrib.admin.models import LogEntry

    row = hardship.request(account=account, cause="health", words="I broke my leg.", days=30, consent="x", now=NOW)
    assert "broke my leg" not in boss.get(page(row)).content.decode()
    assert "broke my leg" in decide(boss, row, "read").content.decode()
    assert "Read what the consumer wrote." in LogEntry.objects.latest("pk").change_message
    decide(boss, row, "grant", ends_on="2026-12-31", review_on="2026-12-24")
    row.refresh_from_db()
    assert (row.status, row.ends_on, row.review_on) == ("granted", dt.date(2026, 12, 31), dt.date(2026, 12, 24))


def test_a_document_leaves_as_an_attachment_that_no_browser_opens_and_only_for_who_decides(boss, agency, account):
    row = hardship.request(account=account, cause="income", words="", days=30, consent="x", now=NOW)
    paper = evidence.add(hardship=row, content=PDF, name="../<evil>.html", now=NOW)
    answer = boss.get(page(paper, "save"))
    assert answer.content == PDF
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'attachment; filename="{evidence.file_name(paper)}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert signed_in(member(agency, "collector")).get(page(paper, "save")).status_code == 403


def test_a_form_is_drafted_changed_by_file_looked_at_and_published_without_a_developer(agency, acting):
    from django.core.files.uploadedfile import SimpleUploadedFile

    boss = signed_in(member(agency))
    began = boss.post(reverse("admin:settlements_affordabilityform_new_draft"), {"client": ""}, follow=True)
    row = AffordabilityForm.objects.get()
    assert "Your pay" in began.content.decode()
    wrong = boss.post(page(row, "edit"), {"text": "", "file": SimpleUploadedFile("f.json", b'{"layout": 1}')})
    assert "/layout" in wrong.content.decode()
    definition = budget_forms.standard()
    definition["sections"][1]["questions"][0]["label"]["en"] = "Your wages"
    body = json.dumps(definition).encode()
    boss.post(page(row, "edit"), {"file": SimpleUploadedFile("f.json", body), "text": "", "note": "Wages"})
    shown = decide(boss, row, "publish").content.decode()
    assert "Your wages" in shown
    assert "Su salario" in shown
    assert budget_forms.in_force(client_id=None) == row
    assert json.loads(boss.get(page(row, "download")).content)["title"]["en"] == "Your monthly budget"
    supervisor = signed_in(member(agency, "payments supervisor"))
    assert supervisor.post(page(row, "decide"), {"decision": "copy"}).status_code == 403


def test_advice_that_the_pages_could_not_show_is_refused(agency, acting):
    boss = signed_in(member(agency))
    add = reverse("admin:settlements_hardshippolicy_add")
    typed = {"automatic_days": "30", "longest_days": "90", "review_days": "7"}
    good = {"name": "NFCC", "url": "https://www.nfcc.org/", "phone": "", "text": {"en": "Help", "es": "Ayuda"}}
    for advice in ([good | {"url": "javascript:alert(1)"}], [good | {"text": {"en": "Help"}}], {"name": "x"}, [7]):
        boss.post(add, typed | {"advice": json.dumps(advice)})
        assert HardshipPolicy.objects.count() == 0, advice
    boss.post(add, typed | {"automatic_days": "91", "advice": "[]"})
    assert HardshipPolicy.objects.count() == 0
    boss.post(add, typed | {"advice": json.dumps([good])})
    assert [one["name"] for one in hardship.advice()] == ["NFCC"]
    with acting_for(agency):
        assert hardship.policy().automatic_days == 30
