"""A plan is changed on its own page: previewed, signed anew, told to the host, and settled by the host's answer."""

import datetime as dt

import pytest

from accounts.models import Account, Event
from payments.models import Arrangement, Authorization, Postdate
from tests.flows.test_pay_once import read_on
from tests.payments.test_change import JAN, host_lets_go, item, other_card, plan, scheduled  # noqa: F401
from tests.payments.test_pay import kinds
from tests.visitor import Visitor, text

TO = "2027-01-15"


def ask(sure, plan, kind, **wish):  # noqa: F811
    """Open the page of a change and say what is wished."""
    page = sure.get(f"/plan/{plan.pk}/change/{kind}/")
    assert page.status_code == 200
    assert page.context["preview"] is None or kind == "cancel"
    return sure.get(f"/plan/{plan.pk}/change/{kind}/", {"preview": "1", **wish})


def agree(sure, plan, page, kind, **changed):  # noqa: F811
    """Sign what the preview shows."""
    preview = page.context["preview"]
    sent = dict(page.context["same"]) | {"changes": page.context["changes"], "agree": "on"}
    if preview["authorization"]:
        sent["authorization_sha256"] = preview["authorization"]["sha256"]
    return sure.post(f"/plan/{plan.pk}/change/{kind}/", sent | changed)


def test_a_day_is_moved_in_three_steps_and_the_host_is_asked(sure, plan, shop):  # noqa: F811
    page = sure.get(f"/plan/{plan.pk}/")
    assert page.context["changes"] == ["move", "skip", "method", "frequency", "cancel"]
    before = kinds(shop.account)
    page = ask(sure, plan, "move", payment=item(2).pk, to_on=TO)
    said = text(page)
    assert "You can make 3 more changes here." in said
    assert "You pay $1,000.00 in all, as agreed." in said
    assert "Changes that you can still make after this one: 2." in said
    assert "What you signed before, on December 1, 2026" in said
    assert "January 15, 2027 (new)" in said
    assert kinds(shop.account) == before
    page = sure.follow(agree(sure, plan, page, "move"))
    assert "Your plan is changed." in text(page)
    assert [one["on"] for one in page.context["asked"]] == [dt.date(2027, 1, 15)]
    assert "Being changed" in text(page)
    assert kinds(shop.account)[-3:] == ["authorization.created", "arrangement.changed", "postdate.cancel_requested"]
    signed = Arrangement.objects.get().authorization
    assert ["2027-01-15", 200_00] in signed.lines
    assert (signed.level, signed.evidence["visit"]) == (2, str(sure.visit().pk))
    assert signed.evidence["before"] == str(plan.authorization_id)
    host_lets_go()
    page = sure.get(f"/plan/{plan.pk}/")
    assert page.context["asked"] == []
    assert [one["on"] for one in page.context["items"]][1] == dt.date(2027, 1, 15)
    assert "Being changed" not in text(page)


def test_pressing_twice_changes_once(sure, plan):  # noqa: F811
    page = ask(sure, plan, "move", payment=item(2).pk, to_on=TO)
    assert agree(sure, plan, page, "move").status_code == 302
    assert agree(sure, plan, page, "move").status_code == 302
    assert (Arrangement.objects.get().changes, Authorization.objects.count()) == (1, 2)
    assert Event.objects.filter(kind="arrangement.changed").count() == 1


def test_without_the_tick_or_with_an_older_text_nothing_changes(sure, plan):  # noqa: F811
    page = ask(sure, plan, "skip", payment=item(2).pk)
    refused = agree(sure, plan, page, "skip", agree="")
    assert (refused.status_code, "Without it nothing changes." in text(refused)) == (422, True)
    refused = agree(sure, plan, page, "skip", authorization_sha256="0" * 64)
    assert (refused.status_code, 'data-code="text_changed"' in refused.content.decode()) == (422, True)
    assert (Arrangement.objects.get().changes, Authorization.objects.count()) == (0, 1)


@pytest.mark.parametrize(
    ("kind", "wish", "code"),
    [
        ("move", {"to_on": "2026-12-01"}, "date_not_later"),
        ("move", {"to_on": "2027-02-01"}, "date_taken"),
        ("move", {"to_on": "not a day"}, "invalid"),
        ("move", {"to_on": "2030-01-01"}, "date_too_late"),
        ("frequency", {"frequency": "monthly"}, "nothing_changes"),
        ("frequency", {"frequency": "daily"}, "invalid_choice"),
        ("method", {"method": "00000000-0000-0000-0000-000000000000"}, "invalid_choice"),
    ],
)
def test_what_cannot_be_is_refused_by_code_beside_its_field(sure, plan, kind, wish, code):  # noqa: F811
    page = ask(sure, plan, kind, payment=item(2).pk, **wish)
    assert page.status_code == 422
    assert f'data-code="{code}"' in page.content.decode()
    assert page.context["preview"] is None


def test_another_card_takes_over_and_the_old_text_ends(sure, plan, shop):  # noqa: F811
    card = other_card(shop)
    page = ask(sure, plan, "method", method=card.pk)
    assert "my Mastercard credit card ending in 4444" in text(page)
    sure.follow(agree(sure, plan, page, "method"))
    host_lets_go()
    assert set(Postdate.objects.filter(status="scheduled").values_list("method", flat=True)) == {card.pk}
    assert Authorization.objects.get(pk=plan.authorization_id).revoked_by == f"consumer:{shop.account.consumer_id}"


def test_another_rhythm_keeps_the_sum_and_the_last_day(sure, plan):  # noqa: F811
    page = ask(sure, plan, "frequency", frequency="biweekly")
    assert sum(line["amount_cents"] for line in page.context["preview"]["lines"]) == 800_00
    sure.follow(agree(sure, plan, page, "frequency"))
    host_lets_go()
    assert [one[2] for one in scheduled()] == [JAN + dt.timedelta(weeks=2 * n) for n in range(7)]


def test_the_whole_plan_is_cancelled_after_its_end_was_shown(sure, plan):  # noqa: F811
    page = ask(sure, plan, "cancel")
    assert "The plan ends. You then owe $800.00." in text(page)
    page = sure.follow(agree(sure, plan, page, "cancel"))
    assert "Your plan is cancelled. Nothing more is taken." in text(page)
    assert (Arrangement.objects.get().status, page.context["changes"]) == ("cancelled", [])
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}


def test_the_age_of_the_debt_is_said_before_a_change_too_sol_02(sure, plan):  # noqa: F811
    Account.objects.update(sol_status="expired")
    where = f"/plan/{plan.pk}/change/move/?payment={item(2).pk}"
    assert read_on(sure, sure.follow(sure.get(where)))["Location"] == where
    assert sure.get(where).status_code == 200


def test_in_spanish_every_word_is_spanish(sure, plan):  # noqa: F811
    sure.post("/language/", {"language": "es", "next": "/home/"})
    page = ask(sure, plan, "move", payment=item(2).pk, to_on=TO)
    for words in ("Mover un pago", "Qué cambia", "Lo que firmó antes", "15 de enero de 2027 (nuevo)"):
        assert words in text(page)


def test_another_agencys_plan_is_not_found(plan, other_shop, clock):  # noqa: F811
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account, level=2)
    for kind in ("move", "cancel"):
        path = f"/plan/{plan.pk}/change/{kind}/"
        assert (stranger.get(path).status_code, stranger.post(path).status_code) == (404, 404)
    assert Arrangement.objects.get().changes == 0
