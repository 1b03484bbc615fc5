"""What begins on a later day: nothing is charged, a new card is stored first, and there is one arrangement."""

import datetime as dt
import threading

import pytest
from django.db import connections

from accounts.models import Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Arrangement, Authorization, Checkout, Method, Notice, Payment, Postdate
from payments.processors import Outcome
from payments.processors.stripe import Stripe
from payments.services import ask, pay, settle
from payments.services import checkout as checkouts
from settlements.models import RuleSet
from settlements.rules.quotes import Wish
from settlements.rules.schedules import Line
from settlements.services import offers
from tests.conftest import NOW
from tests.payments.conftest import MASTERCARD, today
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_pay import kinds, refused
from tests.payments.test_pay_crash import die_at

FIRST, SECOND = dt.date(2026, 12, 15), dt.date(2027, 1, 15)
LINES = [(FIRST, 375_00), (SECOND, 375_00)]
SOON, EXPIRED = NOW + dt.timedelta(minutes=1), NOW + dt.timedelta(minutes=16)
CHALLENGED = "4000002500003155"


def publish_rules(now=NOW, **values):
    """Put one band over every balance in force: plans of at least $50.00 a month for at most 24 months."""
    band = {
        "owing_from_cents": 0,
        "owing_to_cents": 999_999_999_00,
        "minimum_cents": 50_00,
        "max_months_unsettled": 24,
        "max_months_settled": 6,
        "minimum_settlement_bps": 75_00,
        "failures_to_break": 2,
    }
    form = {
        "conversion": "annual",
        "breach_reinstates": "balance",
        "breach_cure_days": 10,
        "sif_plan_arrangement": "PPA",
        "sif_plan_final": "PPB",
        "max_changes": 3,
    }
    given = form | {key: value for key, value in values.items() if key in form}
    band |= {key: value for key, value in values.items() if key not in form}
    return RuleSet.objects.create(
        version=RuleSet.objects.count() + 1,
        status=RuleSet.Status.PUBLISHED,
        bands=[band],
        effective_at=now - dt.timedelta(days=1),
        published_at=now - dt.timedelta(days=1),
        **given,
    )


def later(shop, choice="parts", lines=LINES, **more):
    agree_to_email(shop)
    return shop.checkout(choice, lines, **more)


def test_a_card_is_stored_and_nothing_is_charged_when_the_first_payment_is_later(shop):
    arrangement = shop.confirm(later(shop))
    assert isinstance(arrangement, Arrangement)
    assert (arrangement.kind, arrangement.status, arrangement.total_cents) == ("settlement", "performing", 750_00)
    assert arrangement.schedule == [["2026-12-15", 375_00], ["2027-01-15", 375_00]]
    assert shop.charged() == []
    assert Payment.objects.count() == 0
    method = Method.objects.get()
    assert (method.stored, bool(method.processor_method), bool(method.processor_customer)) == (True, True, True)
    assert list(Postdate.objects.order_by("number").values_list("number", "of", "due_on", "executor")) == [
        (1, 2, FIRST, "host"),
        (2, 2, SECOND, "host"),
    ]
    assert kinds(shop.account) == [
        "authorization.created",
        "method.added",
        "offer.accepted",
        "arrangement.created",
        *["postdate.scheduled"] * 2,
        *["notice.due"] * 2,
    ]


def test_the_host_can_charge_the_card_that_was_stored_for_it(shop):
    shop.confirm(later(shop))
    token = Event.objects.filter(kind="postdate.scheduled").first().data["token"]
    intent = shop.merchant.host.v1.payment_intents.create(
        {
            "amount": 375_00,
            "currency": "usd",
            "customer": token["customer"],
            "payment_method": token["payment_method"],
            "off_session": True,
            "confirm": True,
        }
    )
    assert intent.status == "succeeded"


def test_a_later_first_payment_is_announced_too(shop):
    shop.confirm(later(shop))
    first = Notice.objects.get(postdate__number=1)
    assert (first.channel, first.earliest_on, first.latest_on) == (
        "email",
        dt.date(2026, 12, 5),
        dt.date(2026, 12, 10),
    )


def test_a_later_first_date_asks_how_to_be_told_and_for_a_confirmed_visit(shop):
    assert refused(shop.confirm, shop.checkout("parts", LINES)) == ["paper_or_email"]
    weak = checkouts.begin(visit=shop.visit(level=1), account=shop.account, now=NOW)
    found = checkouts.choose(checkout=weak, choice="amount", lines=[(FIRST, 50_00)], now=NOW)
    assert [one.code for one in found] == ["step_up_required"]
    assert Authorization.objects.count() == 0


def test_one_payment_on_a_later_day_is_a_plan_of_one_line(shop):
    arrangement = shop.confirm(later(shop, "amount", [(FIRST, 100_00)]))
    assert (arrangement.kind, arrangement.total_cents, arrangement.frequency) == ("plan", 100_00, "once")
    signed = arrangement.authorization
    assert signed.kind == "later"
    assert "Authorization for one payment on a later day" in signed.text
    assert "When: December 15, 2026, once. The payment is not taken before its date." in signed.text
    assert "I can cancel this payment, or withdraw this authorization" in signed.text


def test_a_bank_account_needs_no_storing(shop):
    arrangement = shop.confirm(later(shop, bank="000123456789"))
    assert arrangement.postdates.count() == 2
    assert Checkout.objects.get().setup_status == ""
    assert "token" not in Event.objects.filter(kind="postdate.scheduled").first().data


def test_a_bank_debit_planned_on_a_closed_day_moves_to_the_next_open_one(shop):
    saturday = dt.date(2026, 12, 5)
    arrangement = shop.confirm(later(shop, "amount", [(saturday, 100_00)], bank="000123456789"))
    assert arrangement.postdates.get().due_on == dt.date(2026, 12, 7)


def test_a_plan_that_begins_on_the_last_possible_day_is_signed_though_banks_move_it(shop):
    publish_rules(latest_first_days=4)
    lines = [(dt.date(2026, 12, 5), 500_00), (dt.date(2027, 1, 5), 500_00)]
    arrangement = shop.confirm(later(shop, "plan", lines, bank="000123456789"))
    assert Checkout.objects.get().lines == [["2026-12-07", 500_00, "2026-12-05"], ["2027-01-05", 500_00]]
    taken = [["2026-12-07", 500_00], ["2027-01-05", 500_00]]
    assert (arrangement.schedule, arrangement.authorization.lines) == (taken, taken)


def test_a_card_that_is_kept_already_is_not_asked_again(shop):
    shop.confirm(later(shop, "amount", [(FIRST, 100_00)]))
    Arrangement.objects.update(status="cancelled")
    after = NOW + dt.timedelta(minutes=1)
    checkout = shop.checkout("amount", [(SECOND, 60_00)], card=None, now=after)
    assert checkouts.take_stored(checkout=checkout, method_id=Method.objects.get().pk, now=after) == []
    assert isinstance(shop.confirm(checkout, now=after), Arrangement)
    assert Method.objects.count() == 1
    checkout.refresh_from_db()
    assert checkout.setup_status == ""


def test_a_declined_card_leaves_no_arrangement_and_a_revoked_authorization(shop):
    found = shop.confirm(later(shop, card="5200828282829994"))
    assert isinstance(found, Checkout)
    assert (found.setup_status, found.setup_reason) == ("declined", "insufficient_funds")
    assert (Arrangement.objects.count(), Postdate.objects.count(), Notice.objects.count()) == (0, 0, 0)
    assert Authorization.objects.get().revoked_by == "card declined"
    assert Method.objects.get().stored is False
    assert kinds(shop.account) == ["authorization.created", "authorization.revoked"]
    again = checkouts.again(checkout=found, now=NOW)
    assert shop.take_card(again, MASTERCARD) == []
    assert isinstance(shop.confirm(again), Arrangement)


def challenged(shop):
    shop.account.client.allow_visa_credit = True
    shop.account.client.save()
    return shop.confirm(later(shop, card=CHALLENGED))


def test_the_banks_question_waits_and_its_answer_makes_the_arrangement(shop):
    found = challenged(shop)
    assert (found.setup_status, bool(found.setup_secret)) == ("intended", True)
    assert Arrangement.objects.count() == 0
    shop.program.control("POST", "challenges", {"intent": found.setup_ref, "outcome": "complete"})
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=SOON)
    assert Arrangement.objects.get().postdates.count() == 2
    found.refresh_from_db()
    assert (found.setup_status, found.setup_secret) == ("succeeded", "")


def test_a_failed_question_is_ended_so_that_no_other_card_can_be_tried_on_it(shop):
    found = challenged(shop)
    shop.program.control("POST", "challenges", {"intent": found.setup_ref, "outcome": "fail"})
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=SOON)
    found.refresh_from_db()
    assert (found.setup_status, found.setup_reason) == ("declined", "setup_intent_authentication_failure")
    assert shop.merchant.v1.setup_intents.retrieve(found.setup_ref).status == "canceled"
    assert Arrangement.objects.count() == 0


def test_an_abandoned_question_is_ended_when_it_expires(shop):
    found = challenged(shop)
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=EXPIRED)
    found.refresh_from_db()
    assert found.setup_status == "voided"
    assert shop.merchant.v1.setup_intents.retrieve(found.setup_ref).status == "canceled"
    assert Authorization.objects.get().revoked_at == EXPIRED


def test_a_plan_made_meanwhile_is_not_doubled_by_a_late_yes(shop):
    found = challenged(shop)
    shop.confirm(shop.checkout("amount", [(SECOND, 60_00)], bank="000123456789"))
    shop.program.control("POST", "challenges", {"intent": found.setup_ref, "outcome": "complete"})
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=SOON)
    found.refresh_from_db()
    assert (found.setup_status, found.setup_reason) == ("voided", "arrangement_active")
    assert Arrangement.objects.count() == 1


@pytest.mark.parametrize("mode", ["drop_before", "drop_after", "error_503"])
def test_a_lost_answer_is_asked_for_again_and_stored_once(shop, mode):
    checkout = later(shop)
    shop.program.control("POST", "faults", {"path": "/v1/setup_intents", "mode": mode, "times": 1})
    assert isinstance(shop.confirm(checkout), Arrangement)
    assert len(shop.merchant.v1.setup_intents.list({"limit": 10}).data) == 1


def confirm_again(shop, checkout):
    signed = Authorization.objects.get(pk=Checkout.objects.get(pk=checkout.pk).authorization_id)
    return pay.confirm(
        checkout=Checkout.objects.get(pk=checkout.pk),
        text_sha256=signed.text_sha256,
        ip="127.0.0.1",
        user_agent="test",
        language="en",
        now=NOW,
    )


def test_a_refused_request_leaves_the_card_to_a_second_one_under_way(shop, monkeypatch):
    """The processor has no time for the first request (429) after a second one was begun."""

    def refused_meanwhile(_adapter, order):
        Checkout.objects.filter(pk=order.checkout).update(setup_reason=settle.SENT_AGAIN)  # what the second one writes
        return Outcome(status="not_done", reason="RateLimitError 429")

    checkout = later(shop)
    with monkeypatch.context() as busy:
        busy.setattr(Stripe, "keep", refused_meanwhile)
        assert shop.confirm(checkout).setup_status == "intended"
    assert Authorization.objects.get().revoked_at is None
    assert isinstance(pay.resume(checkout=Checkout.objects.get(), now=NOW), Arrangement)
    assert Arrangement.objects.count() == 1


def test_confirming_twice_is_the_same_arrangement(shop):
    checkout = later(shop)
    first, second = shop.confirm(checkout), confirm_again(shop, checkout)
    assert first.pk == second.pk
    assert pay.resume(checkout=checkout, now=NOW).pk == first.pk
    assert Postdate.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["after_intent_commit", "after_setup", "after_setup_commit"])
@pytest.mark.parametrize("again", ["the consumer", "the sweep"])
def test_a_process_that_dies_leaves_one_outcome(open_shop, point, again):
    checkout = later(open_shop)
    die_at(point, lambda: open_shop.confirm(checkout))
    if again == "the sweep":
        with acting_for(ALL_AGENCIES):
            ask.sweep(now=SOON)
            ask.sweep(now=EXPIRED)
    else:
        confirm_again(open_shop, checkout)
    assert Arrangement.objects.get().postdates.count() == 2
    assert len(open_shop.merchant.v1.setup_intents.list({"limit": 10}).data) == 1
    assert open_shop.charged() == []
    told = kinds(open_shop.account)
    assert told.count("arrangement.created") == told.count("method.added") == 1


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_plan_at_once_make_one_arrangement(open_shop):
    agree_to_email(open_shop)
    checkout = open_shop.checkout("amount", [(FIRST, 100_00)], bank="000123456789")
    other = open_shop.checkout("amount", [(SECOND, 90_00)], bank="000123456789")
    barrier, found = threading.Barrier(2), []

    def tab(mine):
        with acting_for(open_shop.agency):
            barrier.wait()
            try:
                found.append(open_shop.confirm(mine))
            except pay.Refused as no:
                found.append([one.code for one in no.refusals])
        connections.close_all()

    tabs = [threading.Thread(target=tab, args=(mine,)) for mine in (checkout, other)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert sorted(type(one).__name__ for one in found) == ["Arrangement", "list"]
    assert any("arrangement_active" in one for one in found if isinstance(one, list))
    assert Arrangement.objects.count() == 1


def test_a_plan_pays_the_whole_balance_within_the_rules(shop):
    publish_rules()
    agree_to_email(shop)
    payment = shop.confirm(shop.checkout("plan"))
    arrangement = payment.arrangement
    assert (arrangement.kind, arrangement.total_cents, arrangement.saving_cents) == ("plan", 1_000_00, 0)
    assert len(arrangement.schedule) == 20
    assert (payment.amount_cents, payment.purpose) == (50_00, "plan")
    assert (arrangement.terms["level"], arrangement.terms["version"]) == ("agency", 1)
    assert arrangement.frequency == "monthly"
    assert "offer.accepted" not in kinds(shop.account)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "It also ends when 2 payments in a row fail. Then the rest of the balance is due"),
        ("es", "También termina cuando fallan 2 pagos seguidos. En ese caso debo pagar el resto del saldo"),
    ],
)
def test_the_text_says_what_a_failed_payment_of_a_plan_means(shop, language, sentence):
    publish_rules()
    agree_to_email(shop)
    checkout = shop.checkout("plan")
    seen = checkouts.review(checkout, language=language, now=NOW)
    assert sentence in seen.text
    assert seen.breach in seen.text
    assert "10 " in seen.breach


def test_a_broken_settlement_is_said_to_reinstate_the_balance_before_it_is_accepted(shop):
    seen = checkouts.review(later(shop), language="en", now=NOW)
    assert "Then I owe the whole balance again, less everything that I have paid." in seen.breach
    assert seen.amount_now_cents == 0
    assert [line.number for line in seen.later] == [1, 2]


def test_a_plan_that_goes_below_the_minimum_or_too_far_is_refused_with_every_reason(shop):
    publish_rules()
    checkout = checkouts.begin(visit=shop.visit(), account=shop.account, now=NOW)
    lines = [(today(), 40_00), (dt.date(2029, 1, 1), 960_00)]
    found = checkouts.choose(checkout=checkout, choice="plan", lines=lines, now=NOW)
    assert [(one.code, one.field) for one in found] == [
        ("payment_below_minimum", "lines.0.amount_cents"),
        ("last_date_too_late", "lines.1.due_on"),
    ]


def test_without_rules_there_is_no_plan(shop):
    checkout = checkouts.begin(visit=shop.visit(), account=shop.account, now=NOW)
    found = checkouts.choose(checkout=checkout, choice="plan", now=NOW)
    assert [one.code for one in found] == ["no_plan"]


def test_rules_that_changed_how_a_plan_breaks_are_agreed_to_again(shop):
    publish_rules()
    agree_to_email(shop)
    checkout = shop.checkout("plan")
    publish_rules(breach_cure_days=0)
    assert refused(shop.confirm, checkout) == ["offer_changed"]


def test_the_latest_first_day_of_the_rules_is_kept(shop):
    publish_rules(latest_first_days=7)
    checkout = checkouts.begin(visit=shop.visit(), account=shop.account, now=NOW)
    found = checkouts.choose(checkout=checkout, choice="parts", lines=LINES, now=NOW)
    assert [(one.code, one.field) for one in found] == [("first_date_too_late", "lines.0.due_on")]


def test_what_is_quoted_while_adjusting_is_what_can_be_chosen(shop):
    publish_rules()
    wish = Wish("plan", frequency="weekly", first_on=FIRST, parts=40)
    seen = checkouts.quote_lines(account=shop.account, wish=wish, now=NOW)
    assert (seen.refusals, len(seen.lines), seen.lines[0]) == ((), 40, Line(FIRST, 25_00))
    checkout = checkouts.begin(visit=shop.visit(), account=shop.account, now=NOW)
    assert checkouts.choose(checkout=checkout, choice="plan", lines=seen.lines, frequency="weekly", now=NOW) == []
    assert checkout.frequency == "weekly"


def test_a_second_plan_is_not_quoted_while_one_runs(shop):
    publish_rules()
    shop.confirm(later(shop))
    seen = checkouts.quote_lines(account=shop.account, wish=Wish("plan"), now=SOON)
    assert [one.code for one in seen.refusals] == ["arrangement_active"]


def test_the_codes_of_the_hosts_contact_plans_are_frozen_with_the_terms(shop):
    publish_rules()
    terms = offers.facts(checkouts.standing_of(account=shop.account, now=NOW).plan)
    named = {number: value for number, *_from, value in terms["trace"]}
    assert (named["sif_plan_arrangement"], named["sif_plan_final"], named["max_changes"]) == ("PPA", "PPB", 3)
