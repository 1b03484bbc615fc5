"""Quote and accept: what was worked out is agreed as it is, once, or refused with what has changed."""

import datetime as dt
import threading

import pytest
from django.db import connections

from accounts.models import Account, Agency, Event
from accounts.tenancy import acting_for
from payments.models import Arrangement, Authorization, Method, Notice, Payment, Postdate
from payments.services import age_notice, agree, gate, pay
from payments.services.locks import read_account
from payments.services.owed import owed
from settlements.models import IndividualOffer, Quote
from settlements.rules.offers import HostSettlement
from settlements.rules.quotes import Wish
from settlements.services import offers, quotes
from tests.conftest import NOW
from tests.payments.conftest import today
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_later import FIRST, publish_rules
from tests.payments.test_pay import kinds, refused

SOON = NOW + dt.timedelta(minutes=1)
KEY = "key:0198a0b0-0000-7000-8000-000000000009"


def quoted(shop, wish=None, now=NOW):
    found = agree.quote(account=shop.account, wish=wish or Wish("parts"), by=KEY, now=now)
    assert isinstance(found, Quote), [one.code for one in found]
    return found


def accept(quote, now=SOON, **more):
    return agree.accept(quote=quote, by=KEY, now=now, **more)


def stored_card(shop):
    """A card that the consumer keeps from an earlier payment in parts that was cancelled."""
    agree_to_email(shop)
    shop.confirm(shop.checkout("amount", [(FIRST, 30_00)]))
    Arrangement.objects.update(status="cancelled")
    Postdate.objects.update(status="cancelled")
    return Method.objects.get()


def test_accepting_without_a_method_plans_what_the_consumer_pays_by_themselves(shop):
    arrangement = accept(quoted(shop))
    assert (arrangement.kind, arrangement.status, arrangement.total_cents) == ("settlement", "performing", 750_00)
    assert (arrangement.method, arrangement.authorization, arrangement.accepted_by) == (None, None, KEY)
    assert list(Postdate.objects.order_by("number").values_list("number", "executor", "method")[:2]) == [
        (1, "consumer", None),
        (2, "consumer", None),
    ]
    assert (Authorization.objects.count(), Notice.objects.count(), Payment.objects.count()) == (0, 0, 0)
    assert kinds(shop.account) == ["offer.accepted", "arrangement.created", *["postdate.scheduled"] * 6]
    told = Event.objects.filter(kind="postdate.scheduled").first().data
    assert (told["executor"], told["method"], told["kind"], told["authorization"]) == ("consumer", None, None, None)


def test_what_was_quoted_is_what_is_agreed_to_the_cent(shop):
    publish_rules()
    quote = quoted(shop, Wish("plan", frequency="biweekly", first_on=FIRST, parts=30))
    arrangement = accept(quote)
    assert arrangement.schedule == quote.lines
    assert sum(cents for _on, cents in arrangement.schedule) == 1_000_00
    assert (arrangement.frequency, arrangement.terms["level"], arrangement.terms["version"]) == (
        "biweekly",
        "agency",
        1,
    )
    assert arrangement.quote == quote


def test_a_promise_is_one_sum_on_a_day_without_a_method(shop):
    wish = Wish("promise", amount_cents=80_00, first_on=dt.date(2026, 12, 11))
    arrangement = accept(quoted(shop, wish))
    assert (arrangement.kind, arrangement.total_cents) == ("promise", 80_00)
    assert kinds(shop.account) == ["arrangement.created", "promise.made", "postdate.scheduled"]
    assert Event.objects.get(kind="promise.made").data["schedule"] == [["2026-12-11", 80_00]]


def test_a_promise_does_not_stand_in_the_way_of_keeping_it(shop):
    accept(quoted(shop, Wish("promise", amount_cents=80_00, first_on=dt.date(2026, 12, 11))))
    assert owed(shop.account).single_most_cents == 1_000_00


def test_accepting_again_is_the_same_arrangement(shop):
    quote = quoted(shop)
    first, second = accept(quote), accept(quote)
    assert first.pk == second.pk
    assert (Arrangement.objects.count(), Postdate.objects.count()) == (1, 6)
    # Even when the world is another one by then.
    Account.objects.update(balance_cents=0)
    assert accept(quote, now=NOW + dt.timedelta(days=9)).pk == first.pk


def test_an_expired_quote_is_refused_and_nothing_is_written(shop):
    quote = quoted(shop)
    assert refused(accept, quote, now=quote.expires_at) == ["quote_expired"]
    assert (Arrangement.objects.count(), kinds(shop.account)) == (0, [])


def balance_fell(shop):
    Account.objects.update(balance_cents=900_00)


def offer_came(shop):
    said = HostSettlement(percent_bps=60_00, max_payments=3, max_days=90)
    offers.set_host_offer(account=shop.account, settlement=said, now=SOON)


def rules_came(shop):
    publish_rules(minimum_settlement_bps=80_00)


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (balance_fell, ["quote_changed", "owed_changed", "amount_changed", "sum_not_exact"]),
        (offer_came, ["quote_changed", "amount_changed", "rules_changed", "sum_not_exact", "too_many_payments"]),
        (rules_came, ["quote_changed", "amount_changed", "rules_changed", "sum_not_exact"]),
    ],
)
def test_a_world_that_changed_is_refused_with_what_changed(shop, change, codes):
    quote = quoted(shop)
    change(shop)
    shop.account.refresh_from_db()
    found = refused(accept, quote)
    assert found[0] == "quote_changed"
    assert set(codes) <= set(found)
    assert (Arrangement.objects.count(), Quote.objects.get().status) == (0, "open")


def test_a_payment_in_between_changes_what_is_owed(shop):
    quote = quoted(shop)
    shop.confirm(shop.checkout())
    assert "owed_changed" in refused(accept, quote)


@pytest.mark.parametrize("status", ["recalled", "closed", "disputed", "bankruptcy", "deceased", "attorney", "unmapped"])
def test_an_account_that_closed_meanwhile_agrees_to_nothing(shop, status):
    quote = quoted(shop)
    Account.objects.update(status=status)
    assert "account_not_open" in refused(accept, quote)
    found = agree.quote(account=shop.account, wish=Wish("parts"), by=KEY, now=SOON)
    assert "account_not_open" in [one.code for one in found]


def test_a_second_quote_of_an_account_with_a_plan_is_refused(shop):
    first, second = quoted(shop), quoted(shop)
    accept(first)
    assert refused(accept, second) == ["arrangement_active"]
    found = agree.quote(account=shop.account, wish=Wish("parts"), by=KEY, now=SOON)
    assert [one.code for one in found] == ["arrangement_active"]


@pytest.mark.parametrize("age", ["expired", "unknown", ""])
def test_an_old_debt_needs_its_notice_before_anything_is_agreed_sol_01_sol_04(shop, age):
    Account.objects.update(sol_status=age)
    found = agree.quote(account=shop.account, wish=Wish("parts"), by=KEY, now=NOW)
    assert [one.code for one in found] == ["sol_notice_required"]
    age_notice.read_in_visit(visit=shop.visit(), account=shop.account, language="en", now=NOW)
    parts = agree.quote(account=shop.account, wish=Wish("parts"), by=KEY, now=NOW)
    # SOL-04: each part could start the clock again.
    assert [one.code for one in parts] == ["too_old_for_parts"]
    assert accept(quoted(shop, Wish("settlement"))).status == "performing"
    Agency.objects.update(old_debt_parts_states="FL NY")
    assert agree.quote(account=shop.account, wish=Wish("promise"), by=KEY, now=NOW)[0].code == "arrangement_active"


def test_with_a_kept_card_the_host_takes_every_payment_and_the_text_is_signed(shop):
    card = stored_card(shop)
    arrangement = accept(quoted(shop, Wish("parts", first_on=FIRST)), method=card, ip="127.0.0.1")
    assert set(arrangement.postdates.values_list("executor", "method")) == {("host", card.pk)}
    signed = arrangement.authorization
    assert (signed.kind, signed.total_cents, signed.evidence["by"]) == ("schedule", 750_00, KEY)
    assert "Then I owe the whole balance again" in signed.text
    assert Notice.objects.filter(postdate__arrangement=arrangement).count() == 6


def test_another_consumers_card_is_unknown(shop, other_shop):
    with acting_for(other_shop.agency):
        theirs = stored_card(other_shop)
    assert refused(accept, quoted(shop), method=theirs) == ["method_unknown"]
    assert Arrangement.objects.count() == 0


def test_a_text_that_was_not_shown_is_refused(shop):
    card = stored_card(shop)
    quote = quoted(shop, Wish("parts", first_on=FIRST))
    assert refused(accept, quote, method=card, text="I agree to everything.") == ["text_changed"]
    assert Authorization.objects.filter(arrangements__quote=quote).count() == 0


def test_a_kept_card_does_not_pay_an_offer_that_is_made_for_bank_accounts_only(shop):
    card = stored_card(shop)
    IndividualOffer.objects.create(
        account=shop.account, origin="staff", amount_cents=600_00, max_payments=3, max_days=120, methods=["ach"],
        made_at=NOW,
    )  # fmt: skip
    quote = quoted(shop, Wish("parts", first_on=FIRST))
    assert refused(accept, quote, method=card) == ["method_not_allowed"]
    assert accept(quote).status == "performing"


def test_the_host_s_own_offer_is_accepted_by_its_quote(shop):
    offers.set_host_offer(account=shop.account, settlement=HostSettlement(amount_cents=600_00), now=NOW)
    accept(quoted(shop, Wish("settlement")))
    assert IndividualOffer.objects.get().status == "accepted"


SATURDAY = dt.date(2026, 12, 5)


def test_a_bank_debit_whose_first_day_is_the_last_possible_one_is_accepted_though_banks_move_it(shop):
    publish_rules(latest_first_days=4)
    quote = quoted(shop, Wish("plan", "ach", parts=4, first_on=SATURDAY))
    assert quote.lines[:2] == [["2026-12-07", 250_00, "2026-12-05"], ["2027-01-05", 250_00]]
    assert accept(quote).schedule[:2] == [["2026-12-07", 250_00], ["2027-01-05", 250_00]]


def test_a_bank_debit_keeps_the_smallest_payment_of_its_pace_though_banks_move_it(shop):
    """From the 9th to the 1st are 23 days, as twice a month; to the 4th, when banks open, they are 26."""
    publish_rules(minimum_cents=200_00)
    wish = Wish("plan", "ach", frequency="semimonthly", parts=10, first_on=dt.date(2026, 12, 9))
    quote = quoted(shop, wish)
    assert quote.lines[1] == ["2027-01-04", 100_00, "2027-01-01"]
    assert accept(quote).schedule[1] == ["2027-01-04", 100_00]


def test_a_chosen_day_that_is_over_keeps_nobody_from_a_debit_that_is_still_to_come(shop):
    publish_rules(latest_first_days=1)
    saturday = dt.datetime(2026, 12, 5, 17, tzinfo=dt.UTC)
    quote = quoted(shop, Wish("plan", "ach", parts=4), now=saturday)
    assert quote.lines[0] == ["2026-12-07", 250_00, "2026-12-05"]
    at = gate.standing(read_account(shop.account.pk), now=saturday)
    assert quotes.what_changed(quote=quote, offered=at.offered) == []
    assert accept(quote, now=saturday + dt.timedelta(hours=20)).schedule[0] == ["2026-12-07", 250_00]


def test_the_other_agency_cannot_accept_a_quote(shop, other_shop):
    quote = quoted(shop)
    with acting_for(other_shop.agency), pytest.raises(Quote.DoesNotExist):
        accept(quote)
    assert Arrangement.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same", [True, False])
def test_two_who_accept_at_once_make_one_arrangement(open_shop, same):
    one = quoted(open_shop)
    other = one if same else quoted(open_shop)
    barrier, found = threading.Barrier(2), []

    def tab(quote):
        with acting_for(open_shop.agency):
            barrier.wait()
            try:
                found.append(accept(quote).pk)
            except pay.Refused as no:
                found.append([refusal.code for refusal in no.refusals])
        connections.close_all()

    tabs = [threading.Thread(target=tab, args=(quote,)) for quote in (one, other)]
    for thread in tabs:
        thread.start()
    for thread in tabs:
        thread.join()
    assert Arrangement.objects.count() == 1
    assert Postdate.objects.count() == 6
    if same:
        assert found[0] == found[1]
    else:
        assert ["arrangement_active"] in found
    assert kinds(open_shop.account).count("arrangement.created") == 1


def test_the_contact_plan_of_an_arrangement_is_requested_today(shop):
    publish_rules()
    arrangement = accept(quoted(shop))
    (told,) = Event.objects.filter(kind="contact_plan.requested")
    assert told.data == {
        "v": 1,
        "plan": "PPA",
        "reason": "arrangement",
        "on": today().isoformat(),
        "arrangement": str(arrangement.pk),
    }


def test_no_code_asks_for_no_contact_plan(shop):
    publish_rules(sif_plan_arrangement="")
    accept(quoted(shop))
    assert not Event.objects.filter(kind="contact_plan.requested").exists()
