"""Changes in mid-life: previewed with their effect on the settlement, then confirmed as previewed."""

import datetime as dt

import pytest

from accounts.models import Account, Agency, Event, Licence
from accounts.services import consent
from accounts.tenancy import acting_for
from payments.models import Arrangement, Authorization, Dispute, Incident, Method, Notice, Payment, Postdate
from payments.services import change, disputes, life, postdates, route, wallet
from payments.services.change import Wish
from tests.conftest import NOW
from tests.payments.conftest import MASTERCARD, VISA_DEBIT, today
from tests.payments.test_agree import accept, quoted
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_later import publish_rules
from tests.payments.test_pay import kinds, refused

SOON = NOW + dt.timedelta(minutes=5)
ME = "consumer:1"
JAN, FEB, MAR = dt.date(2027, 1, 1), dt.date(2027, 2, 1), dt.date(2027, 3, 1)


@pytest.fixture
def plan(shop):
    """Five payments of $200.00 by card: the first one now, four at the host; three changes are allowed."""
    publish_rules(max_months_unsettled=6)
    agree_to_email(shop)
    lines = [(today(), 200_00), (JAN, 200_00), (FEB, 200_00), (MAR, 200_00), (dt.date(2027, 4, 1), 200_00)]
    return shop.confirm(shop.checkout("plan", lines)).arrangement


def item(number):
    return Postdate.objects.filter(number=number).latest("turn")


def look(arrangement, by=ME, now=SOON, **wish):
    return change.preview(arrangement=arrangement, wish=Wish(**wish), by=by, now=now)


def codes(preview):
    return [one.code for one in preview.refusals]


def confirm(arrangement, by=ME, now=SOON, **wish):
    seen = look(arrangement, by=by, now=now, **wish)
    return change.confirm(arrangement=arrangement, wish=Wish(**wish), by=by, now=now, text_sha256=seen.text_sha256)


def host_lets_go(*, cancelled=True, now=SOON):
    for one in Postdate.objects.filter(status="cancel_req"):
        postdates.settle_cancel(postdate_id=one.pk, cancelled=cancelled, reason="", now=now)


def scheduled():
    rows = Postdate.objects.filter(status="scheduled").order_by("due_on")
    return list(rows.values_list("number", "turn", "due_on", "amount_cents"))


def fresh(arrangement):
    return Arrangement.objects.get(pk=arrangement.pk)


def test_a_preview_shows_the_payments_and_the_effect_and_writes_nothing(plan, shop):
    before = kinds(shop.account)
    seen = look(plan, kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15))
    assert seen.refusals == ()
    assert [on for on, _cents in seen.lines] == [dt.date(2027, 1, 15), FEB, MAR, dt.date(2027, 4, 1)]
    assert [one.code for one in seen.effects] == ["total_kept", "payments_left", "host_confirms", "changes_left"]
    assert seen.effects[0].sentence == "You pay $1,000.00 in all, as agreed."
    assert seen.effects[3].sentence == "Changes that you can still make after this one: 2."
    assert "1. January 15, 2027: $200.00" in seen.text
    assert "I have 10 days to pay what is due; after that this plan ends." in seen.text
    assert kinds(shop.account) == before
    assert Authorization.objects.count() == 1


def test_a_moved_date_is_asked_of_the_host_and_planned_when_it_let_go(plan, shop):
    confirm(plan, kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15))
    old = item(2)
    assert (old.status, old.turn) == ("cancel_req", 0)
    assert fresh(plan).due[1] == ["2027-01-01", 200_00]
    assert [one[2] for one in scheduled()] == [FEB, MAR, dt.date(2027, 4, 1)]
    host_lets_go()
    assert scheduled()[0] == (2, 1, dt.date(2027, 1, 15), 200_00)
    moved = fresh(plan)
    assert moved.due[1] == ["2027-01-15", 200_00]
    assert moved.schedule[1] == ["2027-01-01", 200_00]
    assert moved.changes == 1
    told = Event.objects.get(kind="arrangement.changed").data
    assert (told["change"], told["changes"], told["by"]) == ("move", 1, ME)
    assert Notice.objects.filter(postdate=item(2)).count() == 1
    assert moved.authorization.evidence["before"] == str(plan.authorization_id)
    assert ["2027-01-15", 200_00] in moved.authorization.lines


def test_what_the_host_does_not_let_go_stays_as_it_was(plan, shop):
    confirm(plan, kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15))
    host_lets_go(cancelled=False)
    assert scheduled()[0] == (2, 0, JAN, 200_00)
    assert fresh(plan).due == plan.schedule
    assert Event.objects.filter(kind="arrangement.changed", data__change_refused=True).count() == 1


def test_while_a_change_is_under_way_no_second_one_begins(plan, shop):
    confirm(plan, kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15))
    assert codes(look(plan, kind="skip", payment=item(3).pk)) == ["change_under_way"]


def test_a_skipped_payment_comes_after_the_last_one(plan, shop):
    confirm(plan, kind="skip", payment=item(2).pk)
    host_lets_go()
    assert [one[2] for one in scheduled()] == [FEB, MAR, dt.date(2027, 4, 1), dt.date(2027, 5, 1)]
    effects = [one.sentence for one in look(plan, kind="skip", payment=item(3).pk).effects]
    assert "The last payment moves from May 1, 2027 to June 1, 2027." in effects


def test_a_settlement_never_passes_its_last_day(shop):
    agree_to_email(shop)
    arrangement = shop.confirm(shop.checkout("parts")).arrangement
    assert codes(look(arrangement, kind="skip", payment=item(2).pk)) == ["date_too_late"]
    late = look(arrangement, kind="move", payment=item(6).pk, to_on=dt.date(2027, 7, 1))
    assert [(one.code, one.field) for one in late.refusals] == [("date_too_late", "to_on")]
    seen = look(arrangement, kind="move", payment=item(6).pk, to_on=dt.date(2027, 5, 20))
    assert seen.effects[0].sentence == ("The settlement stays as it is: $750.00 in all, which saves you $250.00.")


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"kind": "move", "to_on": dt.date(2027, 1, 1)}, "nothing_changes"),
        ({"kind": "move", "to_on": dt.date(2026, 12, 1)}, "date_not_later"),
        ({"kind": "move", "to_on": None}, "date_not_later"),
        ({"kind": "move", "to_on": FEB}, "date_taken"),
        ({"kind": "move", "to_on": dt.date(2030, 1, 1)}, "date_too_late"),
        ({"kind": "frequency", "frequency": "daily"}, "frequency_unknown"),
        ({"kind": "frequency", "frequency": "monthly"}, "nothing_changes"),
        ({"kind": "method"}, "method_unknown"),
        ({"kind": "dance"}, "change_unknown"),
        ({"kind": "pay_extra", "amount_cents": 0}, "payment_not_positive"),
        ({"kind": "pay_extra", "amount_cents": 800_01}, "more_than_left"),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_code_and_writes_nothing(plan, shop, wish, code):
    before = kinds(shop.account)
    assert codes(look(plan, payment=item(2).pk, **wish)) == [code]
    assert refused(confirm, plan, payment=item(2).pk, **wish) == [code]
    assert (fresh(plan).changes, kinds(shop.account)) == (0, before)


def test_what_must_be_signed_anew_waits_until_the_text_can_say_everything(plan, shop):
    Agency.objects.filter(pk=shop.agency.pk).update(address="")
    before = kinds(shop.account)
    move = {"kind": "move", "payment": item(2).pk, "to_on": dt.date(2027, 1, 15)}
    seen = look(plan, **move)
    assert (codes(seen), seen.text) == (["authorization_incomplete"], "")
    assert seen.refusals[0].params == {"missing": "payee, revocation"}
    assert refused(confirm, plan, **move) == ["authorization_incomplete"]
    assert (fresh(plan).changes, kinds(shop.account)) == (0, before)


def test_a_payment_of_tomorrow_stays(plan, shop):
    eve = dt.datetime(2026, 12, 31, 15, 0, tzinfo=dt.UTC)
    assert codes(look(plan, now=eve, kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15))) == [
        "payment_too_near"
    ]


def test_more_changes_than_the_rules_allow_are_for_staff_only(plan, shop):
    Arrangement.objects.update(changes=3)
    wish = {"kind": "move", "payment": item(2).pk, "to_on": dt.date(2027, 1, 15)}
    assert codes(look(plan, **wish)) == ["changes_used_up"]
    assert codes(look(plan, by="staff:7", **wish)) == []
    assert codes(look(plan, kind="pay_off")) == []


def test_another_rhythm_spreads_what_is_left_to_the_same_last_day(plan, shop):
    confirm(plan, kind="frequency", frequency="biweekly")
    assert scheduled() == []
    host_lets_go()
    rows = scheduled()
    assert [one[2] for one in rows] == [JAN + dt.timedelta(weeks=2 * n) for n in range(7)]
    assert sum(one[3] for one in rows) == 800_00
    assert fresh(plan).frequency == "biweekly"
    assert sum(cents for _on, cents in fresh(plan).due) == 1_000_00
    assert len({one[0] for one in rows}) == 7


def test_a_rhythm_of_which_the_host_keeps_one_payment_is_all_as_before(plan, shop):
    confirm(plan, kind="frequency", frequency="biweekly")
    kept = item(3)
    postdates.settle_cancel(postdate_id=kept.pk, cancelled=False, reason="being_charged", now=SOON)
    host_lets_go()
    assert [one[2:] for one in scheduled()] == [(day, 200_00) for day in (JAN, FEB, MAR, dt.date(2027, 4, 1))]
    assert fresh(plan).due == plan.schedule


def other_card(shop):
    """A second kept card of the same consumer."""
    token = shop.merchant.token(MASTERCARD)
    intent = shop.merchant.v1.setup_intents.create(
        {
            "confirm": True,
            "usage": "off_session",
            "customer": shop.merchant.v1.customers.create({}).id,
            "confirmation_token": token,
            "allowed_payment_method_types": ["card"],
            "payment_method_options": {"card": {"setup_credential_usage": "installment"}},
        }
    )
    first = Method.objects.get()
    return Method.objects.create(
        consumer=first.consumer,
        kind="card",
        processor_account=first.processor_account,
        processor_method=intent.payment_method,
        processor_customer=intent.customer,
        brand="mastercard",
        funding="credit",
        last4="4444",
        stored=True,
        created_at=NOW,
    )


def test_another_card_takes_over_every_payment_and_the_old_text_ends(plan, shop):
    card = other_card(shop)
    confirm(plan, kind="method", method=card)
    assert Postdate.objects.filter(status="cancel_req").count() == 4
    host_lets_go()
    assert set(Postdate.objects.filter(status="scheduled").values_list("method", flat=True)) == {card.pk}
    assert [one[2:] for one in scheduled()] == [(day, 200_00) for day in (JAN, FEB, MAR, dt.date(2027, 4, 1))]
    changed = fresh(plan)
    assert changed.method == card
    assert changed.due == plan.schedule
    assert Authorization.objects.get(pk=plan.authorization_id).revoked_by == ME
    assert "my Mastercard credit card ending in 4444" in changed.authorization.text
    told = Event.objects.filter(kind="postdate.scheduled").latest("account_seq").data
    assert told["token"]["payment_method"] == card.processor_method


def our_own_of_tomorrow():
    """Let the portal charge the second payment, on the eve of its day; return it with the moment."""
    eve = dt.datetime(2026, 12, 31, 18, tzinfo=dt.UTC)
    Account.objects.update(as_of=eve)
    Postdate.objects.filter(number=2).update(executor="portal")
    return item(2), eve


def test_another_card_takes_over_our_own_payment_of_tomorrow_eft_05(plan, shop):
    """Signing for the new card ends what was signed for the old one, and the new text lists this payment."""
    card = other_card(shop)
    mine, eve = our_own_of_tomorrow()
    confirm(plan, kind="method", method=card, now=eve)
    follows = item(2)
    assert (follows.turn, follows.method, follows.due_on, follows.status) == (1, card, JAN, "scheduled")
    assert [JAN.isoformat(), 200_00] in fresh(plan).authorization.lines
    mine.refresh_from_db()
    assert (mine.status, mine.held_for) == ("cancelled", "changed")


def test_a_payment_whose_charge_is_undecided_is_planned_no_second_time_on_another_card(plan, shop):
    card = other_card(shop)
    mine, eve = our_own_of_tomorrow()
    Payment.objects.create(
        account=mine.account,
        consumer_id=mine.account.consumer_id,
        method=mine.method,
        postdate=mine,
        idempotency_key=mine.pk,
        request_hash="",
        kind="card",
        executor="portal",
        purpose="amount",
        amount_cents=200_00,
        status="intended",
        intended_at=eve,
    )
    assert str(mine.pk) not in look(plan, kind="method", method=card, now=eve).changed.gone


def test_a_plan_without_a_method_is_linked_to_a_card(plan, shop):
    life.cancel(arrangement=plan, by=ME, reason="", now=SOON)
    host_lets_go()
    promise = accept(quoted(shop, now=SOON), now=SOON)
    assert promise.method is None
    card = Method.objects.get()
    confirm(promise, kind="method", method=card)
    linked = Postdate.objects.filter(arrangement=promise, status="scheduled", method=card)
    # Today's own payment stays with the consumer.
    assert linked.count() == 5
    assert fresh(promise).authorization.kind == "schedule"


def test_another_consumers_card_is_unknown(plan, shop, other_shop):
    with acting_for(other_shop.agency):
        agree_to_email(other_shop)
        theirs = other_shop.confirm(other_shop.checkout("parts")).method
    assert codes(look(plan, kind="method", method=theirs)) == ["method_unknown"]


def test_a_text_that_is_not_the_one_shown_is_refused(plan):
    wish = Wish(kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15))
    assert refused(change.confirm, arrangement=plan, wish=wish, by=ME, now=SOON, text_sha256="0") == ["text_changed"]
    assert fresh(plan).changes == 0


def test_paying_extra_shows_what_falls_away_and_then_it_does(plan, shop):
    seen = look(plan, kind="pay_extra", amount_cents=300_00)
    assert seen.pay_now_cents == 300_00
    assert seen.lines == ((JAN, 200_00), (FEB, 200_00), (MAR, 100_00))
    assert [one.code for one in seen.effects] == ["total_kept", "payments_left"]
    shop.confirm(shop.checkout(lines=[(today(), 300_00)], now=SOON), now=SOON)
    host_lets_go()
    assert [one[2:] for one in scheduled()] == [(JAN, 200_00), (FEB, 200_00), (MAR, 100_00)]
    assert fresh(plan).status == "performing"


def test_paying_off_early_completes_it_and_nothing_more_is_taken(plan, shop):
    seen = look(plan, kind="pay_off")
    assert (seen.pay_now_cents, seen.lines) == (800_00, ())
    assert [one.code for one in seen.effects] == ["total_kept", "all_paid"]
    payment = shop.confirm(shop.checkout(lines=[(today(), 800_00)], now=SOON, card=VISA_DEBIT), now=SOON)
    assert payment.status == Payment.Status.SUCCEEDED
    assert fresh(plan).status == "completed"
    assert Postdate.objects.filter(status="scheduled").count() == 0
    assert "account.paid_in_full" in kinds(shop.account)


def test_cancelling_shows_what_is_owed_then(plan, shop):
    seen = look(plan, kind="cancel")
    assert [one.sentence for one in seen.effects] == [
        "The plan ends. You then owe $800.00.",
        "Planned payments that are not taken any more: 4, $800.00 in all.",
    ]
    assert confirm(plan, kind="cancel").status == "cancelled"


def test_an_arrangement_that_is_over_is_not_changed(plan):
    life.cancel(arrangement=plan, by=ME, reason="", now=SOON)
    for kind in ("move", "cancel", "pay_off"):
        assert codes(look(plan, kind=kind, payment=item(2).pk)) == ["arrangement_not_running"]


def test_a_resting_arrangement_can_be_paid_but_not_moved(plan, shop):
    life.pause(account=shop.account, until=dt.date(2027, 1, 20), reason="hardship", now=SOON)
    assert codes(look(plan, kind="skip", payment=item(2).pk)) == ["arrangement_not_running"]
    assert codes(look(plan, kind="pay_off")) == []


# The host answers late ------------------------------------------------------------------------------------------


def moved_to_the_15th(plan):
    """Ask the host to let go of the second payment, which moves to January 15."""
    confirm(plan, kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15))


def told_of(postdate):
    """What the host was told of an item, in order."""
    said = Event.objects.filter(kind__startswith="postdate.", data__postdate=str(postdate.pk)).order_by("account_seq")
    return [(event.kind, event.data.get("hold")) for event in said]


def by_dispute(account):
    disputes.open_dispute(account=account, visit=None, reason="paid", text="", amount_cents=None, now=SOON)


def by_pause(account):
    life.pause(account=account, until=None, reason="hardship", now=SOON)


def test_what_the_host_lets_go_after_the_card_was_removed_is_not_planned_again_pdc_07(plan, shop):
    moved_to_the_15th(plan)
    wallet.remove(method=plan.method, by=ME, now=SOON)
    host_lets_go()
    assert list(Postdate.objects.order_by("number").values_list("number", "turn", "status", "held_for")) == [
        (number, 0, "cancelled", "") for number in (2, 3, 4, 5)
    ]
    told = kinds(shop.account)
    assert "postdate.scheduled" not in told[told.index("authorization.revoked") :]
    assert fresh(plan).status == "cancelled"


def test_what_the_host_keeps_after_the_consumer_withdrew_is_asked_for_once_more_and_then_held_pdc_07(plan):
    moved_to_the_15th(plan)
    wallet.revoke(authorization=fresh(plan).authorization, by=ME, now=SOON)
    second, third = item(2), item(3)
    asked = len(told_of(second))
    postdates.settle_cancel(postdate_id=second.pk, cancelled=False, reason="busy", now=SOON)
    assert (item(2).status, item(2).replacement) == ("cancel_req", None)
    assert told_of(second)[asked:] == [("postdate.changed", None), ("postdate.cancel_requested", None)]
    for one in (second, third):
        postdates.settle_cancel(postdate_id=one.pk, cancelled=False, reason="busy", now=SOON)
        assert (item(one.number).status, item(one.number).held_for) == ("held", "authorization_revoked")
        assert told_of(one)[-2:] == [("postdate.changed", None), ("postdate.hold_requested", True)]
    assert Postdate.objects.count() == 4


@pytest.mark.parametrize("rest", [by_dispute, by_pause])
def test_what_the_host_lets_go_while_the_plan_rests_is_planned_and_held_rf_32(plan, shop, rest):
    moved_to_the_15th(plan)
    rest(shop.account)
    host_lets_go()
    moved = item(2)
    assert (moved.turn, moved.due_on) == (1, dt.date(2027, 1, 15))
    assert (moved.status, moved.held_for) == ("held", "paused")
    assert told_of(moved) == [("postdate.scheduled", None), ("postdate.hold_requested", True)]
    assert scheduled() == []


@pytest.mark.parametrize("rest", [by_dispute, by_pause])
def test_what_the_host_keeps_while_the_plan_rests_is_held_until_it_goes_on_rf_32(plan, shop, rest):
    moved_to_the_15th(plan)
    rest(shop.account)
    host_lets_go(cancelled=False)
    kept = item(2)
    assert (kept.turn, kept.status, kept.held_for) == (0, "held", "paused")
    assert told_of(kept)[-2:] == [("postdate.changed", None), ("postdate.hold_requested", True)]
    if rest is by_pause:
        life.resume(account=shop.account, now=SOON)
        assert [one[2] for one in scheduled()] == [JAN, FEB, MAR, dt.date(2027, 4, 1)]


def test_what_the_host_keeps_of_which_nobody_was_told_in_time_is_held_for_staff_pdc_01(plan):
    moved_to_the_15th(plan)
    Notice.objects.filter(postdate=item(2)).update(send_by=dt.date(2026, 11, 30))
    host_lets_go(cancelled=False)
    assert (item(2).status, item(2).held_for) == ("held", "notice_not_proven")
    assert Incident.objects.get(kind="held_past_its_day").data["postdates"] == [str(item(2).pk)]


def test_a_card_that_was_ruled_out_before_the_host_answers_is_held_there(plan):
    moved_to_the_15th(plan)
    Method.objects.filter(pk=plan.method_id).update(blocked_at=SOON, blocked_reason="lost_card")
    host_lets_go()
    assert (item(2).turn, item(2).status, item(2).held_for) == (1, "held", "method_blocked")
    assert told_of(item(2))[-1] == ("postdate.hold_requested", True)


def answered(month, day, year=2027):
    """Ten in the morning of a day where the consumer lives, when the host's answer comes."""
    return dt.datetime(year, month, day, 15, tzinfo=dt.UTC)


def notices(postdate):
    return list(Notice.objects.filter(postdate=postdate).order_by("kind").values_list("kind", "status", "send_by"))


def missed():
    (incident,) = Incident.objects.filter(kind="held_past_its_day")
    return incident.data["postdates"]


def test_a_change_that_the_host_answers_in_the_last_days_still_owes_its_notice_pdc_01(plan):
    """Signed 45 days ahead: the five days that need no notice count from then, not from the answer."""
    moved_to_the_15th(plan)
    host_lets_go(now=answered(1, 11))
    assert (item(2).turn, item(2).status) == (1, "scheduled")
    assert notices(item(2)) == [("predebit", "due", dt.date(2027, 1, 12))]


def test_a_change_that_is_answered_after_the_day_of_its_notice_is_held_at_the_host_pdc_01(plan):
    moved_to_the_15th(plan)
    host_lets_go(now=answered(1, 13))
    assert (item(2).turn, item(2).status, item(2).held_for) == (1, "held", "notice_not_proven")
    assert told_of(item(2)) == [("postdate.scheduled", None), ("postdate.hold_requested", True)]
    assert missed() == [str(item(2).pk)]


def test_by_letter_the_days_of_the_post_are_over_sooner_pdc_05(plan, shop):
    consent.withdraw_esign(consumer=shop.account.consumer, source="page", ip=None, now=SOON)
    moved_to_the_15th(plan)
    host_lets_go(now=answered(1, 7))
    assert notices(item(2)) == [("predebit", "due", dt.date(2027, 1, 5))]
    assert (item(2).status, item(2).held_for) == ("held", "notice_not_proven")


@pytest.mark.parametrize(
    ("day", "expected"), [(29, ("scheduled", "")), (31, ("held", "day_is_over"))], ids=["in time", "over"]
)
def test_what_was_agreed_within_five_days_needs_no_notice_and_is_charged_on_no_other_day(plan, day, expected):
    agreed_at = answered(12, 26, 2026)
    Account.objects.update(as_of=agreed_at)
    confirm(plan, kind="move", payment=item(2).pk, to_on=dt.date(2026, 12, 30), now=agreed_at)
    host_lets_go(now=answered(12, day, 2026))
    moved = item(2)
    assert (moved.turn, notices(moved), (moved.status, moved.held_for)) == (1, [], expected)
    held = expected[0] == "held"
    assert told_of(moved)[1:] == [("postdate.hold_requested", True)] * held
    assert [one.data["postdates"] for one in Incident.objects.all()] == [[str(moved.pk)]] * held


def test_a_day_that_staff_moved_waits_for_both_of_its_notices_when_the_host_answers_late_ach_08(plan):
    confirm(plan, by="staff:7", kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15), reason="Payday moved")
    host_lets_go(now=answered(1, 8))
    assert notices(item(2)) == [
        ("date_change", "due", dt.date(2027, 1, 6)),
        ("predebit", "due", dt.date(2027, 1, 12)),
    ]
    assert (item(2).status, item(2).held_for) == ("held", "notice_not_proven")


@pytest.mark.parametrize(
    ("day", "expected"), [(28, ("scheduled", "")), (29, ("held", "notice_not_proven"))], ids=["in time", "late"]
)
def test_what_is_planned_again_as_it_was_owes_its_notice_as_it_did_pdc_01(plan, day, expected):
    let_go_of_one_of_all(plan, answered(12, day, 2026))
    again = item(2)
    assert (again.turn, again.due_on, (again.status, again.held_for)) == (1, JAN, expected)
    assert notices(again) == [("predebit", "due", dt.date(2026, 12, 28))]


def let_go_of_one_of_all(plan, now):
    """Ask the host for all payments, for another rhythm: it lets go of the first and keeps the others."""
    confirm(plan, kind="frequency", frequency="biweekly")
    for one in Postdate.objects.filter(status="cancel_req").order_by("number"):
        postdates.settle_cancel(postdate_id=one.pk, cancelled=one.number == 2, reason="", now=now)


@pytest.mark.parametrize("let_go", [False, True], ids=["kept", "planned again"])
def test_what_only_the_payment_knew_holds_it_still_after_a_change_that_the_host_refused(plan, let_go):
    Postdate.objects.filter(number=2).update(status="held", held_for="taken_out_of_batch")
    if let_go:
        let_go_of_one_of_all(plan, SOON)
    else:
        moved_to_the_15th(plan)
        host_lets_go(cancelled=False)
    assert (item(2).turn, item(2).status, item(2).held_for) == (int(let_go), "held", "taken_out_of_batch")
    assert told_of(item(2))[-1] == ("postdate.hold_requested", True)
    assert [one[0] for one in scheduled()] == [3, 4, 5]


def test_what_the_host_keeps_although_another_card_was_signed_for_is_held_there_eft_01(plan, shop):
    """Signing for the new card ended what was signed for the old one, so nobody may charge that any more."""
    card = other_card(shop)
    confirm(plan, kind="method", method=card)
    first, *others = Postdate.objects.filter(status="cancel_req").order_by("number")
    for one in (first, *others):
        postdates.settle_cancel(postdate_id=one.pk, cancelled=one != first, reason="busy", now=SOON)
    kept = item(first.number)
    assert (kept.turn, kept.method, kept.status, kept.held_for) == (0, plan.method, "held", "authorization_revoked")
    assert told_of(kept)[-1] == ("postdate.hold_requested", True)
    assert Incident.objects.get(kind="kept_by_host").data["postdate"] == str(kept.pk)
    assert [one[0] for one in scheduled()] == [3, 4, 5]


# The gates of a change ------------------------------------------------------------------------------------------


def licensed_elsewhere(shop):
    Agency.objects.filter(pk=shop.agency.pk).update(licensed_only=True)
    Licence.objects.create(state="OH", line="OH licence 1", starts_on=today())


ASKED = {
    "move": {"to_on": dt.date(2027, 1, 15)},
    "skip": {},
    "frequency": {"frequency": "biweekly"},
}
CLOSED = {
    "attorney": (lambda shop: Account.objects.update(status="attorney"), "account_not_open"),
    "unmapped": (lambda shop: Account.objects.update(status="unmapped"), "account_not_open"),
    "bankruptcy": (lambda shop: Account.objects.update(status="bankruptcy"), "account_not_open"),
    "dispute": (
        lambda shop: Dispute.objects.create(
            account=shop.account, consumer_id=shop.account.consumer_id, reason="paid", opened_at=NOW
        ),
        "dispute_open",
    ),
    "SOL-02": (lambda shop: Account.objects.update(sol_status="unknown"), "sol_notice_required"),
    "ST-09": (lambda shop: licensed_elsewhere(shop), "not_licensed"),
    "STS-07": (lambda shop: Account.objects.update(as_of=NOW - dt.timedelta(days=31)), "balance_not_fresh"),
    "ruled out": (lambda shop: Method.objects.update(blocked_at=NOW, blocked_reason="lost_card"), "method_blocked"),
    "CARD-01": (lambda shop: Method.objects.update(funding="credit"), "visa_credit_not_accepted"),
}


@pytest.mark.parametrize("world", CLOSED)
@pytest.mark.parametrize(
    ("kind", "by"),
    [*((kind, ME) for kind in ASKED), ("move", "key:1"), ("move", "staff:7"), ("skip", "staff:7")],
)
def test_what_is_planned_anew_passes_the_gates_of_a_new_plan_whoever_changes_it(plan, shop, kind, by, world):
    close, code = CLOSED[world]
    wish = {"kind": kind, "payment": item(2).pk, "reason": "x"} | ASKED[kind]
    assert codes(look(plan, by=by, **wish)) == []
    close(shop)
    before = kinds(shop.account)
    assert code in codes(look(plan, by=by, **wish))
    assert code in refused(confirm, plan, by=by, **wish)
    assert (kinds(shop.account), fresh(plan).changes, item(2).status) == (before, 0, "scheduled")


def test_what_the_consumer_pays_by_themselves_is_not_moved_on_a_closed_account_either(shop, other_shop):
    promised = accept(quoted(shop))
    wish = {"kind": "move", "payment": item(2).pk, "to_on": dt.date(2027, 1, 15)}
    assert codes(look(promised, **wish)) == []
    with acting_for(other_shop.agency):
        Account.objects.update(status="attorney")
    assert codes(look(promised, **wish)) == []
    Account.objects.update(status="attorney")
    assert codes(look(promised, **wish)) == ["account_not_open"]


def test_a_card_that_nobody_takes_any_more_is_not_moved_to_be_paid_by_hand(plan, monkeypatch):
    monkeypatch.setattr(route, "table", lambda account: {})
    seen = look(plan, kind="move", payment=item(2).pk, to_on=dt.date(2027, 1, 15))
    assert codes(seen) == ["method_not_routed"]
