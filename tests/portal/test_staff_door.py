"""Signing in: one door, counted tries, a second factor, and out again when idle."""

import re

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client, override_settings
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from accounts.models import User
from tests.staff import PASSWORD, member, signed_in

LOGIN = "/staff/login/"


@pytest.fixture(autouse=True)
def _fresh_counters():
    cache.clear()


@pytest.fixture
def user(agency) -> User:
    return member(agency)


@pytest.fixture
def visitor() -> Client:
    return Client(HTTP_HOST="localhost")


def enter(visitor, name: str, password: str = PASSWORD, **more):
    return visitor.post(LOGIN, {"login": name, "password": password, **more})


def test_the_staff_pages_lead_to_the_door_and_back(user, visitor):
    asked = visitor.get("/admin/accounts/account/")
    assert asked.status_code == 302
    door = visitor.get(asked["Location"])
    assert door["Location"] == LOGIN + "?next=%2Fadmin%2Faccounts%2Faccount%2F"
    answer = enter(visitor, user.username, next="/admin/accounts/account/")
    assert answer["Location"] == "/admin/accounts/account/"
    assert visitor.get("/admin/accounts/account/").status_code == 200


def test_nobody_is_led_to_another_site(user, visitor):
    visitor.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert visitor.get("/admin/login/?next=https://evil.example/")["Location"] == "/admin/"


def test_the_admins_own_login_takes_no_password_from_whoever_is_signed_in(user, agency, visitor):
    other = member(agency, "collector")
    visitor.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    visitor.post("/admin/login/", {"username": user.username, "password": PASSWORD})
    assert visitor.session["_auth_user_id"] == str(other.pk)


def test_after_five_wrong_passwords_the_right_one_waits_too(user, visitor):
    for _try in range(5):
        assert enter(visitor, user.username, "wrong").status_code == 200
    answer = enter(visitor, user.username)
    assert "Too many failed login attempts" in answer.content.decode()
    assert "_auth_user_id" not in visitor.session


def test_wrong_passwords_are_counted_by_line_and_shut_out_nobody_elses(user, agency, visitor):
    def enters(address: str, name: str) -> bool:
        here = Client(HTTP_HOST="localhost", REMOTE_ADDR=address)
        return enter(here, name, PASSWORD if name == user.username else "wrong").status_code == 302

    for line in ("::ffff:198.51.100.1", "2001:db8:7:7::1"):
        assert not any(enters(line, f"nobody{number}") for number in range(20))
        assert not enters(line, user.username)
    assert not enters("2001:db8:7:7:ffff::2", user.username)
    # A server that listens on both kinds of addresses sees those of the fourth version so.
    assert enters("::ffff:198.51.100.2", user.username)
    assert enters("2001:db8:7:8::1", user.username)


@pytest.mark.parametrize("name", ["account_signup", "account_reset_password", "account_email"])
def test_there_is_no_sign_up_and_no_password_by_mail(name):
    with pytest.raises(NoReverseMatch):
        reverse(name)


def test_staff_of_an_agency_that_is_switched_off_stay_out(user, agency):
    agency.is_active = False
    agency.save()
    assert signed_in(user).get("/admin/", follow=True).status_code == 403


def test_staff_without_an_agency_who_are_not_the_platform_stay_out(db):
    lost = User.objects.create_user("lost", password=PASSWORD, is_staff=True)
    assert signed_in(lost).get("/admin/", follow=True).status_code == 403


# The second factor --------------------------------------------------------------------------------------------


@override_settings(STAFF_SECOND_FACTOR=True)
def test_without_a_second_factor_every_staff_page_leads_to_its_set_up(user):
    visitor = signed_in(user)
    for address in ("/admin/", "/admin/accounts/account/", "/admin/password_change/"):
        answer = visitor.get(address)
        assert (answer.status_code, answer["Location"]) == (302, reverse("mfa_index"))
    assert "Set up a second factor to go on" in visitor.get(reverse("mfa_index")).content.decode()


def code_of(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


@override_settings(STAFF_SECOND_FACTOR=True)
def test_an_authenticator_app_is_set_up_sealed_and_then_asked_for(user, visitor):
    enter(visitor, user.username)
    asked_again = visitor.get(reverse("mfa_activate_totp"))["Location"]
    assert visitor.post(asked_again, {"password": PASSWORD}).status_code == 302
    form = visitor.get(reverse("mfa_activate_totp")).context["form"]
    assert visitor.post(reverse("mfa_activate_totp"), {"code": code_of(form.secret)}).status_code == 302
    assert visitor.get("/admin/").status_code == 200
    kept = Authenticator.objects.get(user=user, type="totp").data["secret"]
    assert form.secret not in kept

    cache.clear()
    again = Client(HTTP_HOST="localhost")
    answer = enter(again, user.username)
    assert answer["Location"].startswith(reverse("mfa_authenticate"))
    assert again.get("/admin/").status_code == 302
    assert again.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code == 200
    assert "_auth_user_id" not in again.session
    assert again.post(reverse("mfa_authenticate"), {"code": code_of(form.secret)}).status_code == 302
    assert again.get("/admin/").status_code == 200


def test_an_administrator_removes_a_lost_second_factor_but_not_their_own(user, agency):
    other = member(agency, "collector")
    for each in (user, other):
        TOTP.activate(each, generate_totp_secret())
    visitor = signed_in(user)
    assert visitor.post(reverse("admin:accounts_user_reset_factors", args=[other.pk])).status_code == 302
    assert visitor.post(reverse("admin:accounts_user_reset_factors", args=[user.pk])).status_code == 403
    assert [each.user for each in Authenticator.objects.all()] == [user]


@override_settings(STAFF_SECOND_FACTOR=False, DEMO=False, TLS=True, DEBUG=False)
def test_a_deployment_without_the_second_factor_is_refused(db):
    with pytest.raises(SystemCheckError, match=r"portal\.E002"):
        call_command("check", deploy=True)


# Idle ---------------------------------------------------------------------------------------------------------


def test_staff_are_signed_out_after_fifteen_idle_minutes_and_not_before(user):
    with time_machine.travel("2026-12-01 15:00", tick=False) as clock:
        visitor = signed_in(user)
        assert visitor.get("/admin/").status_code == 200
        clock.shift(settings.STAFF_IDLE_SECONDS)
        assert visitor.get("/admin/").status_code == 200
        clock.shift(settings.STAFF_IDLE_SECONDS + 1)
        assert visitor.get("/admin/accounts/account/")["Location"] == LOGIN + "?next=%2Fadmin%2Faccounts%2Faccount%2F"
        assert "_auth_user_id" not in visitor.session


def test_auth_08_a_page_that_renews_itself_keeps_nobody_signed_in(user):
    stream = reverse("admin:integrations_delivery_stream")
    with time_machine.travel("2026-12-01 15:00", tick=False) as clock:
        visitor = signed_in(user)
        asked = re.search(r'hx-get="([^"]+)"', visitor.get(stream).content.decode())[1].replace("&amp;", "&")
        for _time in range(settings.STAFF_IDLE_SECONDS // 30):
            clock.shift(30)
            assert visitor.get(stream + asked, headers={"HX-Request": "true"}).status_code == 200
        clock.shift(1)
        over = visitor.get(stream + asked, headers={"HX-Request": "true"})
        assert over["HX-Redirect"] == f"{LOGIN}?{urlencode({'next': stream})}"
        assert visitor.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
        assert "_auth_user_id" not in visitor.session


def test_auth_08_staff_are_signed_out_after_eight_hours_whatever_they_do(user, other_agency):
    with time_machine.travel("2026-12-01 15:00", tick=False) as clock:
        visitor = signed_in(user)
        answers = []
        for _time in range(9 * 6 + 1):
            answers.append(visitor.get("/admin/").status_code)
            clock.shift(600)
        assert answers[: 8 * 6 + 1] == [200] * (8 * 6 + 1)
        assert answers[8 * 6 + 1 :] == [302] * 6
        colleague = signed_in(member(other_agency))
        assert colleague.get("/admin/").status_code == 200


def test_roles_are_there_after_a_migrate(db):
    from django.contrib.auth.models import Group

    Group.objects.all().delete()
    call_command("migrate", verbosity=0, interactive=False)
    assert Group.objects.filter(name="agency admin").exists()
