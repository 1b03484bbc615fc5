"""Staff change, rest and cancel what is arranged: by a recorded yes, or by a notice in time; never by themselves."""

import datetime as dt

import pytest

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from payments.models import Arrangement, Authorization, Incident, Notice, Payment, Postdate
from payments.rules.routing import Route, RouteKey
from payments.services import life, refunds, route
from tests.conftest import NOW
from tests.payments.conftest import today
from tests.payments.due_cast import announce, fresh, keep_card, plan, run, told
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_change import SOON, codes, confirm, look
from tests.payments.test_pay import kinds, refused

ANN = "staff:7"
JAN, FEB, MAR = dt.date(2027, 1, 5), dt.date(2027, 2, 2), dt.date(2027, 3, 2)
LINES = ((JAN, 100_00), (FEB, 100_00), (MAR, 100_00))


OURS = {RouteKey("card", timing): Route("portal", "portal") for timing in ("immediate", "postdated")}


@pytest.fixture
def arrangement(shop, monkeypatch) -> Arrangement:
    """Three payments by card that the portal takes, signed by the consumer, announced by e-mail."""
    monkeypatch.setattr(route, "table", lambda account: OURS)
    agree_to_email(shop)
    Account.objects.update(as_of=dt.datetime(2027, 1, 4, tzinfo=dt.UTC))
    return plan(shop, LINES)


def one(number: int) -> Postdate:
    return Postdate.objects.filter(number=number).latest("turn")


def test_a_moved_day_is_told_in_time_and_signed_by_nobody(arrangement, shop):
    to_on = dt.date(2027, 1, 12)
    made = confirm(arrangement, by=ANN, kind="move", payment=one(1).pk, to_on=to_on, reason="Payday moved")
    assert Authorization.objects.count() == 1
    data = Event.objects.get(kind="arrangement.changed").data
    assert (data["signed"], data["reason"], data["by"]) == (False, "Payday moved", ANN)
    moved = one(1)
    assert (moved.due_on, moved.turn, made.due[0]) == (to_on, 1, ["2027-01-12", 100_00])
    notice = Notice.objects.get(postdate=moved, kind="date_change")
    assert (notice.owner, notice.channel, notice.about) == ("portal", "email", {"was": ["2027-01-05", 100_00]})
    # Seven working days before Tuesday, 2027-01-12: New Year's Day is none.
    assert (notice.target_on, notice.latest_on) == (today(SOON), dt.date(2026, 12, 31))
    assert Notice.objects.filter(postdate=moved, kind="predebit").count() == 1
    due = told(shop.account, "notice.due")[-1]
    assert (due["kind"], due["was_on"], due["was_cents"]) == ("date_change", "2027-01-05", 100_00)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"kind": "move", "to_on": dt.date(2026, 12, 9)}, "change_notice_impossible"),
        ({"kind": "frequency", "frequency": "biweekly"}, "recording_missing"),
        ({"kind": "advance", "days_in_advance": 11}, "days_in_advance_wrong"),
        ({"kind": "advance", "days_in_advance": 0}, "nothing_changes"),
    ],
)
def test_what_staff_cannot_do_alone_is_refused_and_writes_nothing(arrangement, shop, wish, code):
    before = kinds(shop.account)
    assert codes(look(arrangement, by=ANN, payment=one(1).pk, **wish)) == [code]
    assert refused(confirm, arrangement, by=ANN, payment=one(1).pk, **wish) == [code]
    assert (kinds(shop.account), Arrangement.objects.get().changes) == (before, 0)


def test_a_recorded_yes_is_an_authorization_by_telephone_with_its_copy_ach_07(arrangement, shop):
    card = keep_card(shop, "5555555555554444")
    seen = look(arrangement, by=ANN, kind="method", method=card, recording="call 4711")
    assert "my Mastercard" in seen.text
    confirm(arrangement, by=ANN, kind="method", method=card, recording="call 4711", reason="Asked for it")
    signed = Arrangement.objects.get().authorization
    assert (signed.evidence["recording"], signed.evidence["by"], signed.level) == ("call 4711", ANN, 0)
    assert signed.method == card
    assert kinds(shop.account).count("authorization.created") == 1
    assert not Notice.objects.filter(kind="date_change").exists()


def test_days_in_advance_are_in_the_schedule_and_in_every_notice(arrangement, shop):
    assert codes(look(arrangement, kind="advance", days_in_advance=3)) == ["change_unknown"]
    made = confirm(arrangement, by=ANN, kind="advance", days_in_advance=3, reason="Agreed")
    days = [dt.date(2027, 1, 2), dt.date(2027, 1, 30), dt.date(2027, 2, 27)]
    assert made.days_in_advance == 3
    assert [line[0] for line in made.due] == [day.isoformat() for day in days]
    assert list(Postdate.objects.filter(status="scheduled").order_by("due_on").values_list("due_on", flat=True)) == days
    assert Notice.objects.filter(kind="date_change", status="due").count() == 3
    confirm(arrangement, by=ANN, kind="advance", days_in_advance=2, reason="Agreed")
    assert Arrangement.objects.get().due[0] == ["2027-01-03", 100_00]
    notice = Notice.objects.get(postdate=one(1), kind="date_change")
    assert notice.about == {"was": ["2027-01-05", 100_00]}


@pytest.mark.parametrize("proven", [True, False])
def test_a_moved_payment_is_charged_only_after_its_notice_is_proven(arrangement, shop, proven):
    confirm(arrangement, by=ANN, kind="move", payment=one(1).pk, to_on=dt.date(2027, 1, 12), reason="x")
    announce(arrangement)
    if not proven:
        Notice.objects.filter(kind="date_change").update(status="due", sent_at=None)
    run(dt.datetime(2027, 1, 12, 13, tzinfo=dt.UTC))
    if proven:
        assert Payment.objects.get().status == Payment.Status.SUCCEEDED
        assert fresh(one(1)).status == "taken"
    else:
        assert Payment.objects.count() == 0
        assert told(shop.account, "postdate.skipped")[-1]["reasons"] == ["change_notice_not_proven"]
        assert (fresh(one(1)).status, Incident.objects.get().kind) == ("held", "charge_without_notice")


def test_a_smaller_last_payment_is_announced_ten_days_ahead_eft_04(arrangement, shop):
    shop.confirm(shop.checkout(lines=[(today(), 50_00)], now=SOON), now=SOON)
    last = one(3)
    assert (last.due_on, last.amount_cents) == (MAR, 50_00)
    notice = Notice.objects.get(postdate=last, kind="varying")
    assert notice.about == {"was": ["2027-03-02", 100_00]}
    # Twelve days before is Thursday, 2027-02-18; by card seven working days, so the 19th is the last.
    assert (notice.target_on, notice.latest_on) == (dt.date(2027, 2, 18), dt.date(2027, 2, 19))
    assert Incident.objects.count() == 0


def test_with_less_than_ten_days_the_debit_moves_and_never_the_notice_eft_04(shop):
    agree_to_email(shop)
    soon = dt.date(2026, 12, 8)
    arrangement = plan(shop, ((soon, 100_00),))
    shop.confirm(shop.checkout(lines=[(today(), 50_00)], now=SOON), now=SOON)
    item = one(1)
    assert (item.due_on, item.amount_cents) == (dt.date(2026, 12, 11), 50_00)
    assert Arrangement.objects.get(pk=arrangement.pk).due == [["2026-12-11", 100_00]]
    assert Notice.objects.get(postdate=item, kind="varying").latest_on == today(SOON)


def stopped_try(arrangement, shop, at=dt.datetime(2027, 1, 5, 13, tzinfo=dt.UTC)):
    """Have a person stop the undecided try of the first payment on its day."""
    announce(arrangement)
    Account.objects.update(as_of=at - dt.timedelta(hours=1))
    shop.program.control("POST", "faults", {"mode": "drop_before", "times": 2})
    run(at)
    shop.program.control("DELETE", "faults")
    refunds.void(payment=Payment.objects.get(), reason="They asked us to.", by=ANN, now=at)
    assert (one(1).status, one(1).held_for) == ("held", "stopped_by_staff")


@pytest.mark.parametrize(
    ("wish", "due_on"),
    [({"kind": "move", "to_on": dt.date(2027, 1, 21)}, dt.date(2027, 1, 21)), ({"kind": "skip"}, dt.date(2027, 4, 2))],
)
@pytest.mark.parametrize("days", [0, 2])
def test_staff_plan_a_payment_whose_try_a_person_stopped_for_a_later_day_with_its_notice_ach_08(
    arrangement, shop, wish, due_on, days
):
    stopped_try(arrangement, shop)
    now = dt.datetime(2027, 1, 5 + days, 15, tzinfo=dt.UTC)
    assert codes(look(arrangement, now=now, payment=one(1).pk, **wish)) == ["payment_too_near"]
    near = {"kind": "move", "to_on": dt.date(2027, 1, 8)}
    assert codes(look(arrangement, by=ANN, now=now, payment=one(1).pk, **near)) == ["change_notice_impossible"]
    confirm(arrangement, by=ANN, now=now, payment=one(1).pk, reason="Agreed", **wish)
    moved = one(1)
    assert (moved.status, moved.due_on, moved.turn) == ("scheduled", due_on, 1)
    assert Postdate.objects.get(number=1, turn=0).status == "cancelled"
    assert Notice.objects.get(postdate=moved, kind="date_change").about == {"was": ["2027-01-05", 100_00]}


def test_a_payment_that_is_held_for_another_reason_is_too_near_on_its_day(arrangement, shop):
    Postdate.objects.filter(number=1).update(status="held", held_for="processor_refuses")
    now = dt.datetime(2027, 1, 5, 15, tzinfo=dt.UTC)
    wish = {"kind": "move", "payment": one(1).pk, "to_on": dt.date(2027, 1, 21)}
    assert codes(look(arrangement, by=ANN, now=now, **wish)) == ["payment_too_near"]


def test_after_so_many_instalments_a_person_looks_at_it(arrangement, shop):
    announce(arrangement)
    life.suspend_after(arrangement=arrangement, instalments=1, now=SOON)
    assert Arrangement.objects.get().status == "performing"
    run(dt.datetime(2027, 1, 5, 13, tzinfo=dt.UTC))
    row = Arrangement.objects.get()
    assert (row.status, row.review_after) == ("review", None)
    assert list(Postdate.objects.order_by("due_on").values_list("status", "held_for")) == [
        ("taken", ""),
        ("held", "review"),
        ("held", "review"),
    ]
    assert told(shop.account, "arrangement.suspended")[0]["after"] == 1
    life.resume(account=shop.account, now=dt.datetime(2027, 1, 8, 15, tzinfo=dt.UTC))
    assert Arrangement.objects.get().status == "performing"
    assert list(Postdate.objects.order_by("due_on").values_list("status", flat=True)) == [
        "taken",
        "scheduled",
        "scheduled",
    ]


def test_another_agencys_arrangement_is_out_of_reach(arrangement, other_shop):
    with acting_for(other_shop.agency), pytest.raises(Account.DoesNotExist):
        life.suspend_after(arrangement=arrangement, instalments=1, now=NOW)
    with acting_for(other_shop.agency), pytest.raises(Account.DoesNotExist):
        confirm(arrangement, by=ANN, kind="cancel")
