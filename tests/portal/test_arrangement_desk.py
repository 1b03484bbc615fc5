"""Staff change, rest and cancel arrangements on their pages: shown first, by permission, with a reason."""

import datetime as dt

import pytest
import time_machine
from django.contrib.admin.models import LogEntry

from payments.models import Arrangement, Postdate
from payments.services import disputes, life
from tests.conftest import NOW
from tests.payments import conftest as payments
from tests.payments.due_cast import plan
from tests.payments.test_arrange import agree_to_email
from tests.portal.test_money_desk import act, address, desk

processor_program, processor, shop = payments.processor_program, payments.processor, payments.shop
other_shop, _scollect_routes = payments.other_shop, payments._scollect_routes
JAN, FEB = dt.date(2027, 1, 5), dt.date(2027, 2, 2)


@pytest.fixture
def row(shop, time_machine_at_now) -> Arrangement:
    agree_to_email(shop)
    return plan(shop, ((JAN, 100_00), (FEB, 100_00)))


@pytest.fixture
def time_machine_at_now():
    with time_machine.travel(NOW, tick=False):
        yield


def test_a_change_is_shown_first_and_made_by_the_second_press(shop, row):
    ann = desk(shop)
    wish = {
        "kind": "move",
        "payment": str(Postdate.objects.get(number=1).pk),
        "to_on": "2027-01-12",
        "reason": "Payday",
    }
    said = act(ann, row, "change_it", **wish)
    assert "The consumer is told by email at once." in said.content.decode()
    assert "January 12, 2027: $100.00" in said.content.decode()
    assert Arrangement.objects.get().changes == 0
    seen = said.context["form"].data["seen"]
    assert "Changed." in act(ann, row, "change_it", seen=seen, **wish).content.decode()
    assert Arrangement.objects.get().due[0] == ["2027-01-12", 100_00]
    assert LogEntry.objects.filter(change_message="move: Payday").count() == 1
    early = wish | {"payment": str(Postdate.objects.get(number=2).pk), "to_on": "2026-12-04"}
    said = act(ann, row, "change_it", **early).content.decode()
    assert "The consumer must be told of it 7 days before." in said


def test_days_in_advance_have_a_permission_of_their_own(shop, row):
    carl = desk(shop, role="collector")
    assert carl.get(address(row, "in_advance")).status_code == 403
    assert carl.get(address(row, "change_it")).status_code == 200
    ann = desk(shop, username="ann")
    said = act(ann, row, "in_advance", days="3", reason="Agreed")
    act(ann, row, "in_advance", days="3", reason="Agreed", seen=said.context["form"].data["seen"])
    assert Arrangement.objects.get().days_in_advance == 3


def test_pause_resume_review_and_cancel_need_a_reason_each(shop, row):
    ann = desk(shop)
    act(ann, row, "pause", reason="")
    assert Arrangement.objects.get().status == "performing"
    act(ann, row, "pause", reason="In hospital", until="2027-01-20")
    assert (Arrangement.objects.get().status, Arrangement.objects.get().paused_until) == (
        "paused",
        dt.date(2027, 1, 20),
    )
    act(ann, row, "resume", reason="Back home")
    assert Arrangement.objects.get().status == "performing"
    act(ann, row, "look_after", reason="New budget then", instalments="1")
    assert Arrangement.objects.get().review_after == 1
    item = Postdate.objects.get(number=1)
    act(ann, item, "stop", reason="Asked on the phone")
    assert Postdate.objects.get(number=1).status == "cancelled"
    act(ann, row, "cancel", reason="Moved abroad")
    assert Arrangement.objects.get().status == "cancelled"


def test_a_payment_that_was_taken_meanwhile_is_not_told_as_cancelled(shop, row):
    ann, item = desk(shop), Postdate.objects.get(number=1)
    where = address(item, "stop")
    assert ann.get(where).status_code == 200
    Postdate.objects.filter(pk=item.pk).update(status="taken")
    said = ann.post(where, {"reason": "Asked on the phone", "confirmed": "yes"}, follow=True).content.decode()
    assert "It is taken or decided already: nothing was cancelled." in said
    assert "Cancelled here at once" not in said
    assert not LogEntry.objects.filter(change_message__contains="Cancelled").exists()


@pytest.mark.parametrize(
    ("name", "ended", "success", "why"),
    [
        ("cancel", "cancelled", "Cancelled. What the host holds", "This arrangement cannot be changed now."),
        ("cancel", "completed", "Cancelled. What the host holds", "This arrangement cannot be changed now."),
        ("pause", "completed", "Paused.", "This arrangement has ended."),
        ("resume", "performing", "Resumed.", "This arrangement is not paused."),
        ("look_after", "cancelled", "Noted.", "This arrangement has ended."),
    ],
)
def test_nothing_is_told_as_done_to_an_arrangement_that_is_something_else_meanwhile(
    shop, row, name, ended, success, why
):
    ann = desk(shop)
    Arrangement.objects.update(status=ended)
    if ended != "performing":
        Arrangement.objects.update(ended_at=NOW)
    said = act(ann, row, name, reason="Asked on the phone").content.decode()
    assert why in said
    assert success not in said
    assert (Arrangement.objects.get().status, LogEntry.objects.filter(user__username="ann").count()) == (ended, 0)


def test_a_payment_that_was_cancelled_before_is_not_told_as_cancelled_now(shop, row):
    ann, item = desk(shop), Postdate.objects.get(number=1)
    act(ann, item, "stop", reason="Asked on the phone")
    said = act(ann, item, "stop", reason="Asked again").content.decode()
    assert "It is not planned any more: it was cancelled or moved before." in said
    assert "Cancelled here at once" not in said
    assert LogEntry.objects.filter(change_message__contains="Cancelled").count() == 1


def test_a_pause_that_outlives_the_look_of_a_person_is_not_told_as_resumed(shop, row):
    ann = desk(shop)
    Arrangement.objects.update(status="review")
    act(ann, row, "pause", reason="In hospital", until="2027-01-20")
    said = act(ann, row, "resume", reason="Looked at").content.decode()
    assert "It still rests until January 20, 2027: that pause goes on." in said
    assert "Resumed." in act(ann, row, "resume", reason="Back home").content.decode()


ENDED = "This arrangement has ended."
WISHES = [
    ("pause", {"reason": "In hospital"}, ENDED),
    ("resume", {"reason": "Back home"}, "This arrangement is not paused."),
    ("look_after", {"reason": "New budget then", "instalments": "1"}, ENDED),
    ("cancel", {"reason": "Moved abroad"}, "This arrangement cannot be changed now."),
]


@pytest.mark.parametrize(("name", "form", "refusal"), WISHES)
def test_what_was_replaced_while_its_form_was_open_is_refused_and_the_newer_one_stays_as_it_is(
    shop, row, name, form, refusal
):
    ann = desk(shop)
    assert ann.get(address(row, name)).status_code == 200
    life.cancel(arrangement=row, by="consumer", reason="x", now=NOW)
    newer = plan(shop, ((JAN, 50_00), (FEB, 50_00)), method=row.method)
    if name == "resume":
        life.pause(account=shop.account, until=None, reason="Asked for.", now=NOW)
    before = Arrangement.objects.values().get(pk=newer.pk)
    said = act(ann, row, name, **form).content.decode()
    assert refusal in said
    assert not any(word in said for word in ("Nothing is taken.", "Resumed.", "Noted.", "asked back."))
    assert Arrangement.objects.values().get(pk=newer.pk) == before
    assert Arrangement.objects.get(pk=row.pk).status == "cancelled"
    assert not LogEntry.objects.exists()


def test_a_pause_until_a_day_that_is_over_where_the_consumer_lives_is_refused(shop, row):
    ann = desk(shop)
    assert "Write a day that is not over." in act(ann, row, "pause", reason="x", until="2026-11-30").content.decode()
    assert Arrangement.objects.get().status == "performing"
    assert not LogEntry.objects.exists()
    # In New York it is December 1 until five in the morning, UTC.
    with time_machine.travel(dt.datetime(2026, 12, 2, 4, 30, tzinfo=dt.UTC), tick=False):
        said = act(desk(shop, username="bea"), row, "pause", reason="x", until="2026-12-01").content.decode()
        assert "Paused. Nothing is taken." in said


def test_nothing_is_told_as_resumed_while_a_dispute_is_open_rf_32(shop, row):
    disputes.open_dispute(account=shop.account, visit=None, reason="paid", text="", amount_cents=None, now=NOW)
    said = act(desk(shop), row, "resume", reason="Back home").content.decode()
    assert "A dispute or a question of the consumer is open." in said
    assert "Resumed." not in said
    assert Arrangement.objects.get().status == "paused"
    assert not LogEntry.objects.exists()


def test_others_may_not_and_another_agencys_is_not_found(shop, other_shop, row):
    auditor = desk(shop, role="auditor")
    for name in ("change_it", "in_advance", "pause", "resume", "look_after", "cancel"):
        assert auditor.get(address(row, name)).status_code == 403
        assert desk(other_shop, username=f"x{name}").get(address(row, name)).status_code == 404
    assert Arrangement.objects.get().status == "performing"
