"""The life of an arrangement through payments and days: late, broken, made good, paused, cancelled, completed."""

import datetime as dt

import pytest

from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Arrangement, Authorization, Dispute, Incident, LedgerEntry, Notice, Payment, Postdate
from payments.processors import Outcome
from payments.services import disputes, life, mirror, reversals, settle
from payments.services.owed import owed
from settlements.models import Hardship, IndividualOffer
from settlements.rules.offers import HostSettlement
from settlements.rules.quotes import Wish
from settlements.services import offers
from tests.conftest import NOW
from tests.payments.conftest import MASTERCARD, today
from tests.payments.test_agree import accept, quoted
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_later import publish_rules
from tests.payments.test_mirror import Line
from tests.payments.test_pay import kinds
from tests.payments.test_returns import debit


def at(year, month, day):
    """Noon in New York, more or less."""
    return dt.datetime(year, month, day, 17, 0, tzinfo=dt.UTC)


def three_parts(shop, **rules):
    """A settlement of $750.00 under rules with two failures and ten days: $250.00 now and two at the host."""
    publish_rules(**rules)
    agree_to_email(shop)
    lines = [(today(), 250_00), (dt.date(2027, 1, 4), 250_00), (dt.date(2027, 2, 4), 250_00)]
    return shop.confirm(shop.checkout("parts", lines)).arrangement


def show(shop, payments=(), postdates=(), now=NOW):
    mirror.mirror(account=shop.account, payments=payments, postdates=postdates, now=now)


def host_says(shop, number, status, now, *, host_id=None, cents=250_00):
    item = Postdate.objects.filter(number=number).latest("turn")
    HostNews.lines[item.pk] = Line(host_id or f"D{number}", item.pk, cents, status, on=now.date(), updated_at=now)
    show(shop, list(HostNews.lines.values()), now=now)


class HostNews:
    """The host's list is whole each time: what it said before is in it."""

    lines: dict = {}


@pytest.fixture(autouse=True)
def _no_news():
    HostNews.lines = {}


def review(now):
    with acting_for(ALL_AGENCIES):
        return life.review_due(now=now)


def fresh(arrangement):
    return Arrangement.objects.get(pk=arrangement.pk)


def told(kind):
    return Event.objects.filter(kind=kind).latest("account_seq").data


def test_the_day_alone_makes_it_late_and_the_host_is_told_for_its_queues(shop):
    arrangement = three_parts(shop)
    assert review(at(2027, 1, 4)) == 0
    assert fresh(arrangement).status == "performing"
    assert review(at(2027, 1, 5)) == 1
    assert (fresh(arrangement).status, fresh(arrangement).late_since) == ("late", dt.date(2027, 1, 5))
    said = told("arrangement.late")
    assert (said["work_queue"], said["due_cents"], said["missing_cents"]) == ("late", 500_00, 250_00)
    assert said["make_good_by"] == "2027-01-15"
    assert review(at(2027, 1, 5)) == 0
    assert kinds(shop.account).count("arrangement.late") == 1


def test_a_late_arrangement_performs_again_when_the_host_posts_the_payment(shop):
    arrangement = three_parts(shop)
    review(at(2027, 1, 5))
    host_says(shop, 2, "POSTED", at(2027, 1, 6))
    assert fresh(arrangement).status == "performing"
    assert told("arrangement.performing")["work_queue"] == "performing"


def test_a_bank_debit_that_the_host_has_under_way_makes_nobody_late_until_it_comes_back(shop):
    arrangement = three_parts(shop)
    host_says(shop, 2, "PROCESSED", at(2027, 1, 4))
    assert review(at(2027, 1, 9)) == 0
    assert fresh(arrangement).status == "performing"
    assert life.missing_cents(arrangement, now=at(2027, 1, 9)) == 0
    host_says(shop, 2, "DECLINED", at(2027, 1, 9))
    assert fresh(arrangement).status == "late"
    assert life.missing_cents(arrangement, now=at(2027, 1, 9)) == 250_00


def test_a_bank_debit_under_way_counts_once_when_the_host_posts_it(shop):
    arrangement = three_parts(shop)
    host_says(shop, 2, "PROCESSED", at(2027, 1, 4))
    host_says(shop, 2, "POSTED", at(2027, 1, 8))
    assert fresh(arrangement).status == "performing"
    assert review(at(2027, 2, 5)) == 1
    assert (fresh(arrangement).status, told("arrangement.late")["missing_cents"]) == ("late", 250_00)


def test_a_debit_of_the_hosts_own_that_is_under_way_counts_for_nothing_yet(shop):
    arrangement = three_parts(shop)
    show(shop, [Line("H9", None, 250_00, "PROCESSED", on=dt.date(2027, 1, 4))], now=at(2027, 1, 4))
    assert review(at(2027, 1, 5)) == 1
    assert fresh(arrangement).status == "late"


def test_two_failed_payments_in_a_row_break_it_and_the_rest_is_not_charged(shop):
    arrangement = three_parts(shop, breach_cure_days=60)
    host_says(shop, 2, "DECLINED", at(2027, 1, 4))
    assert (fresh(arrangement).status, fresh(arrangement).failures) == ("late", 1)
    host_says(shop, 3, "DECLINED", at(2027, 2, 4))
    assert (fresh(arrangement).status, fresh(arrangement).failures) == ("broken", 2)
    assert told("arrangement.broken")["work_queue"] == "broken"
    assert "settlement.broken" not in kinds(shop.account)


def test_what_is_due_paid_within_the_days_makes_a_broken_settlement_perform_again(shop):
    publish_rules(failures_to_break=1, breach_cure_days=10)
    agree_to_email(shop)
    lines = [(today(), 250_00), (dt.date(2027, 1, 4), 250_00), (dt.date(2027, 2, 4), 250_00)]
    arrangement = shop.confirm(shop.checkout("parts", lines)).arrangement
    host_says(shop, 2, "DECLINED", at(2027, 1, 4))
    assert fresh(arrangement).status == "broken"
    third = Postdate.objects.get(number=3)
    assert (third.status, third.held_for) == ("held", "arrangement_broken")
    show(
        shop,
        [*HostNews.lines.values(), Line("H1", None, 250_00, "POSTED", on=dt.date(2027, 1, 10))],
        now=at(2027, 1, 10),
    )
    assert fresh(arrangement).status == "performing"
    third.refresh_from_db()
    assert third.status == "scheduled"
    assert told("postdate.hold_requested")["hold"] is False


def test_after_the_days_a_settlement_is_over_and_the_accepted_policy_says_what_is_owed(shop):
    arrangement = three_parts(shop)
    review(at(2027, 1, 15))
    assert fresh(arrangement).status == "late"
    review(at(2027, 1, 16))
    ended = fresh(arrangement)
    assert (ended.status, ended.ended_at) == ("broken", at(2027, 1, 16))
    assert kinds(shop.account)[-4:] == [
        "arrangement.broken",
        *["postdate.cancel_requested"] * 2,
        "settlement.broken",
    ]
    said = told("settlement.broken")
    assert (said["reinstates"], said["owed_cents"], said["paid_cents"]) == ("balance", 750_00, 250_00)
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}
    # Paying what was due then does not bring the settlement back.
    show(shop, [Line("H1", None, 250_00, "POSTED", on=dt.date(2027, 1, 20))], now=at(2027, 1, 20))
    assert fresh(arrangement).status == "broken"


def test_where_the_rest_stays_due_paying_it_completes_the_settlement_after_all(shop):
    arrangement = three_parts(shop, breach_reinstates="rest")
    review(at(2027, 1, 16))
    assert told("settlement.broken")["owed_cents"] == 500_00
    show(shop, [Line("H1", None, 500_00, "POSTED", on=dt.date(2027, 2, 1))], now=at(2027, 2, 1))
    assert fresh(arrangement).status == "completed"


def test_the_offer_of_a_broken_settlement_is_closed(shop):
    said = HostSettlement(percent_bps=60_00, max_payments=2, max_days=90)
    offers.set_host_offer(account=shop.account, settlement=said, now=NOW)
    arrangement = accept(quoted(shop))
    review(at(2026, 12, 2))
    review(at(2026, 12, 13))
    assert fresh(arrangement).status == "broken"
    assert IndividualOffer.objects.get().status == "broken"


def test_a_part_an_early_and_a_foreign_payment_all_count(shop):
    arrangement = three_parts(shop)
    lines = [
        Line("H1", None, 100_00, "POSTED", on=dt.date(2026, 12, 20), method="CHECK"),
        Line("H2", None, 150_00, "POSTED", on=dt.date(2027, 1, 2), method="CASH"),
        # Not posted, and one from before: neither counts.
        Line("H3", None, 250_00, "PROCESSED", on=dt.date(2027, 1, 2)),
        Line("H0", None, 250_00, "POSTED", on=dt.date(2026, 11, 20)),
    ]
    show(shop, lines, now=at(2027, 1, 2))
    review(at(2027, 1, 5))
    assert fresh(arrangement).status == "performing"
    show(shop, lines[1:], now=at(2027, 1, 6))
    assert fresh(arrangement).status == "late"


def test_an_extra_payment_shortens_the_plan_from_its_end(shop):
    arrangement = three_parts(shop)
    show(shop, [Line("H1", None, 300_00, "POSTED", on=dt.date(2026, 12, 10))], now=at(2026, 12, 10))
    second, third = Postdate.objects.order_by("number")
    assert (third.status, third.held_for) == ("cancel_req", "covered")
    assert (second.status, second.replacement["lines"]) == ("cancel_req", [["2027-01-04", 200_00]])
    answer(second)
    answer(third)
    (left,) = Postdate.objects.filter(status="scheduled")
    assert (left.number, left.turn, left.amount_cents, left.due_on) == (2, 1, 200_00, dt.date(2027, 1, 4))
    by_check = Line("H1", None, 300_00, "POSTED", on=dt.date(2026, 12, 10))
    taken = Line("D2b", left.pk, 200_00, "POSTED", on=dt.date(2027, 1, 4))
    show(shop, [by_check, taken], now=at(2027, 1, 4))
    assert fresh(arrangement).status == "completed"


def answer(item, *, cancelled=True, now=NOW):
    from payments.services import postdates

    return postdates.settle_cancel(postdate_id=item.pk, cancelled=cancelled, reason="", now=now)


def test_a_paid_off_plan_lets_go_of_everything_and_completes(shop):
    arrangement = three_parts(shop)
    show(shop, [Line("H1", None, 500_00, "POSTED", on=dt.date(2026, 12, 10))], now=at(2026, 12, 10))
    assert fresh(arrangement).status == "completed"
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}
    for item in Postdate.objects.all():
        answer(item)
    assert Postdate.objects.filter(status="scheduled").count() == 0
    assert kinds(shop.account).count("settlement.completed") == 1


def test_the_last_payment_asks_for_the_final_contact_plan_the_day_after_it_once(shop):
    arrangement = three_parts(shop)
    host_says(shop, 2, "POSTED", at(2027, 1, 4))
    host_says(shop, 3, "POSTED", at(2027, 2, 4))
    show(shop, list(HostNews.lines.values()), now=at(2027, 2, 5))
    assert fresh(arrangement).status == "completed"
    final = [one.data for one in Event.objects.filter(kind="contact_plan.requested", data__reason="full_or_final")]
    assert final == [
        {"v": 1, "plan": "PPB", "reason": "full_or_final", "on": "2027-02-05", "arrangement": str(arrangement.pk)}
    ]


def test_the_final_contact_plan_follows_the_hosts_own_date_of_the_payment(shop):
    three_parts(shop)
    posted = Line("H1", None, 500_00, "POSTED", on=dt.date(2026, 12, 30))
    show(shop, [posted], now=at(2027, 1, 2))
    assert told("contact_plan.requested")["on"] == "2026-12-31"


def test_a_settlement_by_one_payment_asks_for_it_too(shop):
    publish_rules()
    payment = shop.confirm(shop.checkout("settlement"))
    assert told("contact_plan.requested") == {
        "v": 1,
        "plan": "PPB",
        "reason": "full_or_final",
        "on": "2026-12-02",
        "payment": str(payment.pk),
    }


def test_a_settlement_by_bank_asks_only_when_the_host_has_posted_it(shop):
    publish_rules()
    payment = shop.confirm(shop.checkout("settlement", bank="000123456789"))
    assert "contact_plan.requested" not in kinds(shop.account)
    posted = Line("P1", payment.pk, 750_00, "POSTED", on=dt.date(2026, 12, 3), method="ACH", last4="6789")
    show(shop, [posted], now=at(2026, 12, 4))
    show(shop, [posted], now=at(2026, 12, 5))
    assert told("contact_plan.requested")["on"] == "2026-12-04"
    assert kinds(shop.account).count("contact_plan.requested") == 1


def test_late_at_night_the_day_is_the_consumers_own(shop):
    publish_rules()
    night = dt.datetime(2026, 12, 2, 3, 0, tzinfo=dt.UTC)
    Account.objects.update(as_of=night)
    shop.confirm(shop.checkout("settlement", now=night), now=night)
    assert told("contact_plan.requested")["on"] == "2026-12-02"


def test_a_promise_that_is_paid_is_kept(shop):
    promise = accept(quoted(shop, Wish("promise", amount_cents=80_00, first_on=dt.date(2026, 12, 11))))
    after = NOW + dt.timedelta(hours=1)
    shop.confirm(shop.checkout(lines=[(today(), 80_00)], now=after), now=after)
    assert fresh(promise).status == "completed"
    assert kinds(shop.account)[-2:] == ["arrangement.completed", "promise.kept"]
    assert Postdate.objects.get().status == "taken"


def test_a_promise_that_is_not_paid_by_its_day_is_broken(shop):
    promise = accept(quoted(shop, Wish("promise", amount_cents=80_00, first_on=dt.date(2026, 12, 11))))
    assert review(at(2026, 12, 11)) == 0
    review(at(2026, 12, 12))
    assert fresh(promise).status == "broken"
    assert kinds(shop.account)[-2:] == ["arrangement.broken", "promise.broken"]
    assert Postdate.objects.get().status == "failed"


def test_a_plan_without_a_method_is_marked_by_what_was_paid(shop):
    publish_rules()
    plan = accept(quoted(shop, Wish("plan", first_on=dt.date(2026, 12, 10), parts=4)))
    after = NOW + dt.timedelta(hours=1)
    shop.confirm(shop.checkout(lines=[(today(), 300_00)], now=after), now=after)
    assert list(Postdate.objects.order_by("number").values_list("status", flat=True)) == [
        "taken",
        "scheduled",
        "scheduled",
        "scheduled",
    ]
    review(at(2027, 1, 11))
    assert (fresh(plan).status, told("arrangement.late")["missing_cents"]) == ("late", 200_00)
    assert Postdate.objects.get(number=2).status == "failed"


def test_a_returned_payment_reopens_what_it_had_completed(shop):
    promise = accept(quoted(shop, Wish("promise", amount_cents=80_00, first_on=dt.date(2026, 12, 11))))
    after = NOW + dt.timedelta(hours=1)
    payment = shop.confirm(shop.checkout(lines=[(today(), 80_00)], now=after, card=MASTERCARD), now=after)
    assert fresh(promise).status == "completed"
    reversals.record_dispute(payment_id=payment.pk, said="opened", now=at(2026, 12, 9))
    assert fresh(promise).status == "performing"
    assert Postdate.objects.get().status == "scheduled"
    reversals.record_dispute(payment_id=payment.pk, said="won", now=at(2026, 12, 10))
    assert fresh(promise).status == "completed"
    assert sum(LedgerEntry.objects.values_list("amount_cents", flat=True)) == 0


def test_a_partly_refunded_payment_counts_with_what_is_left(shop):
    arrangement = three_parts(shop)
    payment = Payment.objects.get()
    reversals.record_refund(payment_id=payment.pk, refunded_cents=50_00, now=at(2026, 12, 5))
    assert fresh(arrangement).status == "late"
    assert told("arrangement.late")["missing_cents"] == 50_00


def test_a_pause_holds_what_is_planned_and_asks_the_host(shop):
    arrangement = three_parts(shop)
    life.pause(account=shop.account, until=dt.date(2027, 1, 20), reason="hardship", now=at(2026, 12, 20))
    paused = fresh(arrangement)
    assert (paused.status, paused.paused_until) == ("paused", dt.date(2027, 1, 20))
    assert set(Postdate.objects.values_list("status", "held_for")) == {("held", "paused")}
    assert kinds(shop.account)[-3:] == ["postdate.hold_requested"] * 2 + ["arrangement.paused"]
    assert told("arrangement.paused")["until"] == "2027-01-20"
    assert review(at(2027, 1, 10)) == 0
    assert life.pause(account=shop.account, until=dt.date(2027, 1, 25), reason="hardship", now=at(2027, 1, 1)) == paused
    assert kinds(shop.account).count("arrangement.paused") == 1


def test_after_a_pause_what_fell_into_it_is_due_at_the_end_and_not_charged(shop):
    arrangement = three_parts(shop)
    life.pause(account=shop.account, until=dt.date(2027, 1, 20), reason="hardship", now=at(2026, 12, 20))
    review(at(2027, 1, 21))
    back = fresh(arrangement)
    assert (back.status, back.paused_until) == ("performing", None)
    assert back.due == [["2026-12-01", 250_00], ["2027-02-04", 250_00], ["2027-03-04", 250_00]]
    assert back.schedule == arrangement.schedule
    second, third = Postdate.objects.order_by("number")
    assert (second.status, third.status) == ("cancel_req", "scheduled")
    answer(second, now=at(2027, 1, 21))
    moved = Postdate.objects.get(number=2, turn=1)
    assert (moved.due_on, moved.executor, moved.method_id) == (dt.date(2027, 3, 4), "consumer", None)
    assert review(at(2027, 2, 4)) == 0


def test_after_a_pause_what_nobody_was_told_of_in_time_is_due_at_the_end_and_not_charged_pdc_01(shop):
    arrangement = three_parts(shop)
    third = Postdate.objects.get(number=3)
    assert (third.executor, third.due_on) == ("host", dt.date(2027, 2, 4))
    notice = Notice.objects.get(postdate=third)
    life.pause(account=shop.account, until=notice.send_by, reason="hardship", now=at(2027, 1, 20))
    assert review(at(2027, 2, 2)) == 1
    third.refresh_from_db()
    assert third.status == "cancel_req"
    said = Event.objects.filter(kind="postdate.hold_requested", data__postdate=str(third.pk)).latest("account_seq")
    assert said.data["hold"] is True
    assert [cents for _on, cents in fresh(arrangement).due] == [250_00] * 3
    assert fresh(arrangement).due[-1][0] > "2027-02-04"


def test_what_a_broken_settlement_held_past_its_notice_stays_held_and_staff_are_told_pdc_01(shop):
    arrangement = three_parts(shop, failures_to_break=1, breach_cure_days=60)
    host_says(shop, 2, "DECLINED", at(2027, 1, 4))
    paid = Line("H1", None, 250_00, "POSTED", on=dt.date(2027, 2, 3))
    show(shop, [*HostNews.lines.values(), paid], now=at(2027, 2, 3))
    assert fresh(arrangement).status == "performing"
    third = Postdate.objects.get(number=3)
    assert (third.status, third.held_for) == ("held", "arrangement_broken")
    incident = Incident.objects.get(kind="held_past_its_day")
    assert incident.data == {"postdates": [str(third.pk)], "amount_cents": 250_00}


@pytest.mark.parametrize("word", ["VOIDED", "SOMETHING NEW"])
def test_no_other_word_of_a_host_counts_as_on_its_way(shop, word):
    arrangement = three_parts(shop)
    host_says(shop, 2, word, at(2027, 1, 4))
    assert review(at(2027, 1, 5)) == 1
    assert fresh(arrangement).status == "late"


@pytest.mark.parametrize("status", ["cease", "open"])
def test_what_is_agreed_to_while_nothing_planned_may_be_charged_is_held_at_once_sts_07(shop, status):
    Account.objects.filter(pk=shop.account.pk).update(status=status)
    three_parts(shop)
    held = status == "cease"
    assert set(Postdate.objects.values_list("status", "held_for")) == {
        ("held", "account_status") if held else ("scheduled", "")
    }
    asked = Event.objects.filter(kind="postdate.hold_requested", data__hold=True)
    assert asked.count() == (2 if held else 0)


def test_a_pause_ends_early_when_it_is_resumed(shop):
    arrangement = three_parts(shop)
    life.pause(account=shop.account, until=None, reason="hardship", now=at(2026, 12, 20))
    life.resume(account=shop.account, now=at(2026, 12, 27))
    assert fresh(arrangement).status == "performing"
    assert set(Postdate.objects.values_list("status", flat=True)) == {"scheduled"}
    assert fresh(arrangement).due == arrangement.schedule


def test_cancelling_asks_the_host_revokes_the_text_and_tells_what_is_owed(shop):
    arrangement = three_parts(shop)
    life.cancel(arrangement=arrangement, by="consumer:1", reason="changed my mind", now=at(2026, 12, 20))
    assert (fresh(arrangement).status, fresh(arrangement).ended_at) == ("cancelled", at(2026, 12, 20))
    assert Authorization.objects.get().revoked_by == "consumer:1"
    said = told("arrangement.cancelled")
    assert (said["work_queue"], said["owed_cents"], said["by"]) == ("none", 750_00, "consumer:1")
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}
    assert life.cancel(arrangement=arrangement, by="x", reason="", now=at(2026, 12, 21)).ended_at == at(2026, 12, 20)
    assert owed(shop.account).cents == 750_00


def test_a_new_agreement_stands_before_a_broken_one_that_is_made_good_too_late(shop):
    publish_rules(failures_to_break=1, breach_cure_days=30)
    agree_to_email(shop)
    lines = [(today(), 250_00), (dt.date(2026, 12, 4), 250_00), (dt.date(2026, 12, 31), 250_00)]
    broken = shop.confirm(shop.checkout("parts", lines)).arrangement
    after = NOW + dt.timedelta(minutes=5)
    host_says(shop, 2, "DECLINED", after)
    assert fresh(broken).status == "broken"
    second = accept(quoted(shop, Wish("promise", amount_cents=40_00, first_on=today()), now=after), now=after)
    life.review(arrangement=broken, now=after)
    assert (fresh(broken).status, fresh(second).status) == ("broken", "performing")


def test_the_review_of_all_agencies_touches_only_what_changed(shop, other_shop):
    mine = three_parts(shop)
    with acting_for(other_shop.agency):
        theirs = three_parts(other_shop)
    host_says(shop, 2, "POSTED", at(2027, 1, 4))
    assert review(at(2027, 1, 5)) == 1
    assert fresh(mine).status == "performing"
    with acting_for(other_shop.agency):
        assert fresh(theirs).status == "late"


def test_the_review_asks_no_more_often_for_more_arrangements(shop, other_shop, django_assert_max_num_queries):
    three_parts(shop)
    with acting_for(other_shop.agency):
        three_parts(other_shop)
    with django_assert_max_num_queries(8):
        review(at(2026, 12, 10))


def test_a_hardship_rests_the_arrangement_and_its_end_goes_on(shop):
    from payments import tasks
    from settlements.services import hardship

    arrangement = three_parts(shop)
    assert tasks.rest in hardship.on_pause
    for hook in hardship.on_pause:
        hook(shop.account, dt.date(2100, 1, 1))
    assert fresh(arrangement).status == "paused"
    for hook in hardship.on_pause:
        hook(shop.account, None)
    assert fresh(arrangement).status == "performing"
    assert fresh(arrangement).paused_until is None


# Several rests --------------------------------------------------------------------------------------------------


def lost_card(shop, arrangement, now):
    """Decline a payment beside the plan: its card is reported as lost."""
    payment = debit(shop.account, arrangement.method, status="intended")
    news = Outcome(status="declined", decline_code="lost_card")
    settle.record_outcome(payment_id=payment.pk, outcome=news, now=now)


def by_hardship(shop):
    """A hardship pause comes and ends."""
    from settlements.services import hardship

    for until in (dt.date(2100, 1, 1), None):
        for hook in hardship.on_pause:
            hook(shop.account, until)


def by_dispute(shop):
    """A dispute is opened and resolved."""
    now = at(2026, 12, 3)
    disputes.open_dispute(account=shop.account, visit=None, reason="paid", text="", amount_cents=None, now=now)
    found = {"by": "staff:1", "note": "Proof sent.", "verified_on": now.date()}
    assert disputes.resolve(dispute=Dispute.objects.get(), now=now, **found) == []


def states():
    return list(Postdate.objects.order_by("number", "turn").values_list("status", "held_for"))


def let_go():
    return Event.objects.filter(kind="postdate.hold_requested", data__hold=False).exists()


@pytest.mark.parametrize("passes", [by_hardship, by_dispute])
def test_a_rest_for_a_lost_card_outlives_what_passes_and_nothing_of_that_card_is_let_go_card_09(shop, passes):
    arrangement = three_parts(shop)
    lost_card(shop, arrangement, at(2026, 12, 2))
    passes(shop)
    assert (fresh(arrangement).status, fresh(arrangement).paused_until) == ("paused", None)
    assert states() == [("held", "paused")] * 2
    life.resume(account=shop.account, now=at(2026, 12, 4))
    assert fresh(arrangement).status == "performing"
    assert states() == [("held", "method_blocked")] * 2
    assert not let_go()


@pytest.mark.parametrize("passes", [by_hardship, by_dispute])
def test_what_waits_to_be_looked_at_is_let_go_by_nothing_that_passes(shop, passes):
    arrangement = three_parts(shop)
    life.suspend_after(arrangement=arrangement, instalments=1, now=NOW)
    passes(shop)
    assert fresh(arrangement).status == "review"
    assert states() == [("held", "review")] * 2
    assert not let_go()
    life.resume(account=shop.account, now=at(2026, 12, 4))
    assert states() == [("scheduled", "")] * 2


def test_a_card_that_is_lost_during_a_pause_makes_it_rest_until_somebody_ends_it(shop):
    arrangement = three_parts(shop)
    life.pause(account=shop.account, until=dt.date(2027, 1, 20), reason="hardship", now=at(2026, 12, 20))
    lost_card(shop, arrangement, at(2027, 1, 10))
    assert told("arrangement.paused")["reason"] == "decline_lost_card"
    life.go_on(account=shop.account, now=at(2027, 1, 21))
    assert review(at(2027, 1, 21)) == 0
    assert fresh(arrangement).status == "paused"
    life.resume(account=shop.account, now=at(2027, 1, 22))
    # What fell into the first of both rests is due at the end, like what fell into the second.
    assert fresh(arrangement).due == [["2026-12-01", 250_00], ["2027-02-04", 250_00], ["2027-03-04", 250_00]]
    assert Postdate.objects.get(number=3).held_for == "method_blocked"


def test_a_pause_until_a_day_is_neither_shortened_nor_ended_by_a_hardship(shop):
    arrangement = three_parts(shop)
    life.pause(account=shop.account, until=dt.date(2026, 12, 20), reason="Asked for.", now=NOW)
    life.pause(account=shop.account, until=dt.date(2026, 12, 10), reason="hardship", now=NOW)
    assert fresh(arrangement).paused_until == dt.date(2026, 12, 20)
    life.go_on(account=shop.account, now=at(2026, 12, 8))
    assert fresh(arrangement).status == "paused"
    assert review(at(2026, 12, 20)) == 0
    assert review(at(2026, 12, 21)) == 1
    assert (fresh(arrangement).status, states()) == ("performing", [("scheduled", "")] * 2)


def test_a_hardship_pause_that_still_runs_outlives_the_look_of_a_person(shop):
    arrangement = three_parts(shop)
    life.suspend_after(arrangement=arrangement, instalments=1, now=NOW)
    Hardship.objects.create(
        account=shop.account,
        consumer=shop.account.consumer,
        cause="other",
        consent="x",
        status="granted",
        asked_days=30,
        asked_at=NOW,
        decided_at=NOW,
        decided_by="system",
        review_on=dt.date(2026, 12, 20),
        starts_on=dt.date(2026, 12, 1),
        ends_on=dt.date(2026, 12, 30),
    )
    life.resume(account=shop.account, now=at(2026, 12, 4))
    resting = fresh(arrangement)
    assert (resting.status, resting.paused_until) == ("paused", dt.date(2026, 12, 30))
    assert (told("arrangement.paused")["reason"], told("arrangement.paused")["until"]) == ("hardship", "2026-12-30")
    assert not let_go()
    life.go_on(account=shop.account, now=at(2026, 12, 5))
    assert states() == [("scheduled", "")] * 2


def test_a_pause_until_a_day_that_begins_while_a_person_looks_outlives_their_look(shop):
    arrangement, until = three_parts(shop), dt.date(2026, 12, 20)
    life.suspend_after(arrangement=arrangement, instalments=1, now=NOW)
    life.pause(account=shop.account, until=until, reason="Asked for.", now=NOW)
    assert (fresh(arrangement).status, fresh(arrangement).paused_until) == ("review", until)
    assert (told("arrangement.paused")["reason"], told("arrangement.paused")["until"]) == ("Asked for.", "2026-12-20")
    life.pause(account=shop.account, until=None, reason="return_R11", now=NOW)
    life.pause(account=shop.account, until=dt.date(2026, 12, 10), reason="hardship", now=NOW)
    assert fresh(arrangement).paused_until == until
    resting = life.resume(account=shop.account, now=at(2026, 12, 4))
    assert (resting.status, resting.paused_until, states()) == ("paused", until, [("held", "paused")] * 2)
    assert (told("arrangement.paused")["status"], told("arrangement.paused")["until"]) == ("paused", "2026-12-20")
    life.go_on(account=shop.account, now=at(2026, 12, 8))
    assert (review(at(2026, 12, 20)), let_go()) == (0, False)
    assert review(at(2026, 12, 21)) == 1
    assert (fresh(arrangement).status, states()) == ("performing", [("scheduled", "")] * 2)


def test_a_plan_that_is_made_good_during_a_dispute_is_charged_only_after_it_rf_32(shop):
    arrangement = three_parts(shop, failures_to_break=1, breach_cure_days=60)
    host_says(shop, 2, "DECLINED", at(2027, 1, 4))
    disputes.open_dispute(
        account=shop.account, visit=None, reason="paid", text="", amount_cents=None, now=at(2027, 1, 5)
    )
    paid = Line("H1", None, 250_00, "POSTED", on=dt.date(2027, 1, 6))
    show(shop, [*HostNews.lines.values(), paid], now=at(2027, 1, 6))
    third = Postdate.objects.get(number=3)
    assert (fresh(arrangement).status, third.status, third.held_for) == ("performing", "held", "dispute_open")
    found = {"by": "staff:1", "note": "Proof sent.", "verified_on": dt.date(2027, 1, 7)}
    assert disputes.resolve(dispute=Dispute.objects.get(), now=at(2027, 1, 7), **found) == []
    third.refresh_from_db()
    assert (third.status, third.held_for) == ("scheduled", "")
