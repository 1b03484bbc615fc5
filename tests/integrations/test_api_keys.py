"""Keys of the public API: shown once, kept as hashes, scoped, rotated, ended; each acts for its own agency only."""

import datetime as dt
import hashlib
import re

import pytest
from django.core.cache import cache
from django.db import InternalError, transaction
from django.urls import reverse

from accounts.models import Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import keys
from integrations.models import ApiKey
from portal.staff import ROLES, codenames
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, refusal
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def caller(account) -> Caller:
    return Caller(account.agency)


def show(text: str, *, ip: str = "203.0.113.9", now: dt.datetime = NOW) -> ApiKey:
    return keys.authenticate(text=text, ip=ip, now=now)


def test_of_a_key_only_a_hash_is_kept(caller):
    row = caller.row
    prefix, key_id, secret = caller.text.split("_", 2)
    assert (prefix, key_id) == ("qk", row.pk.hex)
    assert len(secret) == 43  # 256 bits
    assert row.secret_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(vars(row))


def test_a_key_acts_for_its_own_agency(caller, account, others_account):
    other = Caller(others_account.agency)
    for who, mine in ((caller, account), (other, others_account)):
        shown = who.get("accounts").json()["items"]
        assert [row["id"] for row in shown] == [str(mine.pk)]


def test_what_a_key_does_says_so_in_every_event(caller, account):
    request_id = "5e9e7a3e-6e2c-4b0e-9a55-0a8c6f1f5a11"
    body = {"percent_bps": 8000, "reason": "Asked by telephone."}
    answer = caller.post(f"accounts/{account.pk}/offers", body, X_Request_ID=request_id)
    assert answer.status_code == 201
    assert answer.headers["X-Request-ID"] == request_id
    with acting_for(account.agency):
        event = Event.objects.get(kind="offer.made")
    assert (event.actor, event.request_id) == (f"key:{caller.key.pk}", request_id)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "key_missing"),
        ("", "key_missing"),
        ("Bearer ", "key_missing"),
        ("Basic qk_x_y", "key_missing"),
        ("Bearer qk", "invalid_credentials"),
        ("Bearer qk_00000000000070008000000000000000_secret", "invalid_credentials"),
        ("Bearer qk_not-hexadecimal-not-hexadecimal-_secret", "invalid_credentials"),
        ("Bearer \u00ff\u00fe", "invalid_credentials"),
    ],
)
def test_without_a_key_of_ours_nobody_gets_in(caller, header, code):
    answer = caller.get("accounts", Authorization=header)
    assert refusal(answer) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_right_id_with_another_keys_secret_is_as_unknown_as_no_key(caller, others_account):
    other = Caller(others_account.agency)
    mixed = f"qk_{caller.key.pk.hex}_{other.text.split('_', 2)[2]}"
    assert refusal(caller.get("accounts", Authorization=f"Bearer {mixed}")) == (401, "invalid_credentials")


def test_a_key_ends_when_it_says(account):
    text = Caller(account.agency, expires_at=NOW + HOUR).text
    assert show(text, now=NOW + HOUR - dt.timedelta(seconds=1))
    with pytest.raises(keys.KeyExpired):
        show(text, now=NOW + HOUR)


def test_an_expired_key_is_refused_at_the_door(account):
    past = Caller(account.agency, expires_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert refusal(past.get("accounts")) == (401, "key_expired")


def test_a_revoked_key_is_refused_and_stays_revoked(caller):
    with acting_for(caller.agency):
        keys.revoke(key=caller.key, by="staff:1", now=NOW)
        keys.revoke(key=caller.key, by="staff:2", now=NOW + HOUR)
    assert refusal(caller.get("accounts")) == (401, "key_revoked")
    assert (caller.row.revoked_at, caller.row.revoked_by) == (NOW, "staff:1")
    with acting_for(caller.agency), pytest.raises(InternalError, match="stays revoked"), transaction.atomic():
        ApiKey.objects.update(revoked_at=None)


def test_somebody_without_the_secret_does_not_learn_that_a_key_is_revoked(caller):
    with acting_for(caller.agency):
        keys.revoke(key=caller.key, by="staff:1", now=NOW)
    guess = f"Bearer qk_{caller.key.pk.hex}_guess"
    assert refusal(caller.get("accounts", Authorization=guess)) == (401, "invalid_credentials")


def test_after_a_rotation_both_secrets_work_until_the_old_one_ends(caller):
    with acting_for(caller.agency):
        newer = keys.rotate(key=caller.key, keep_old=HOUR, now=NOW)
    assert newer != caller.text
    for text in (newer, caller.text):
        assert show(text, now=NOW + HOUR - dt.timedelta(seconds=1)).pk == caller.key.pk
    assert show(newer, now=NOW + HOUR)
    with pytest.raises(keys.KeyExpired):
        show(caller.text, now=NOW + HOUR)


def test_a_second_rotation_leaves_two_secrets_and_never_three(caller):
    with acting_for(caller.agency):
        second = keys.rotate(key=caller.key, keep_old=HOUR, now=NOW)
        third = keys.rotate(key=caller.key, keep_old=HOUR, now=NOW)
    assert show(second)
    assert show(third)
    with pytest.raises(keys.WrongKey):
        show(caller.text)


def test_a_revoked_key_is_not_rotated(caller):
    with acting_for(caller.agency):
        keys.revoke(key=caller.key, by="staff:1", now=NOW)
        with pytest.raises(keys.KeyRevoked):
            keys.rotate(key=caller.key, keep_old=HOUR, now=NOW)


def test_a_key_works_only_from_its_addresses(account):
    far = Caller(account.agency, ip_allow=["203.0.113.0/24"])
    assert refusal(far.get("accounts")) == (403, "address_not_allowed")
    assert show(far.text, ip="203.0.113.200")
    for ip in ("203.0.114.1", "", "no address", "2001:db8::1"):
        with pytest.raises(keys.WrongAddress):
            show(far.text, ip=ip)


def test_a_key_of_an_agency_that_is_switched_off_is_no_key(caller):
    caller.agency.is_active = False
    caller.agency.save()
    assert refusal(caller.get("accounts")) == (401, "invalid_credentials")


def test_last_use_is_written_at_most_once_a_minute(caller):
    assert caller.row.last_used_at is None
    for seconds, written in ((0, 0), (59, 0), (60, 60), (119, 60), (120, 120)):
        show(caller.text, now=NOW + dt.timedelta(seconds=seconds))
        assert caller.row.last_used_at == NOW + dt.timedelta(seconds=written)


def test_each_request_counts_against_the_key_and_says_what_is_left(caller, account, settings):
    cache.clear()
    settings.API_RATE = 2
    neighbour = Caller(account.agency)
    first, second, third = (caller.get("accounts") for _ in range(3))
    assert first.headers["RateLimit-Policy"] == '"key";q=2;w=60'
    assert first.headers["RateLimit"].startswith('"key";r=1;t=')
    assert second.headers["RateLimit"].startswith('"key";r=0;t=')
    assert refusal(third) == (429, "rate_limited")
    assert 1 <= int(third.headers["Retry-After"]) <= 60
    assert neighbour.get("accounts").status_code == 200


def test_a_request_beyond_its_scope_counts_too(account, settings):
    cache.clear()
    settings.API_RATE = 1
    narrow = Caller(account.agency, "rules:read")
    assert refusal(narrow.get("accounts")) == (403, "scope_missing")
    assert refusal(narrow.get("accounts")) == (429, "rate_limited")


def test_without_a_cache_nobody_is_kept_out(caller, settings, caplog):
    settings.API_RATE = 0
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    answer = caller.get("accounts")
    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers
    assert "api_rate_not_counted" in caplog.text


def page(name: str, *args) -> str:
    return reverse(f"admin:integrations_apikey_{name}", args=args)


def key_on(answer) -> str:
    """Read the key that a page shows."""
    (text,) = re.findall(r"qk_[0-9a-f]{32}_[\w-]{43}", answer.content.decode())
    return text


def test_staff_make_a_key_and_see_it_this_once(agency):
    browser = signed_in(member(agency))
    said = {"name": "IVR", "scopes": ["quotes:read", "accounts:read"], "ip_allow": "10.0.0.0/8"}
    answer = browser.post(page("add"), said)
    text = key_on(answer)
    assert "no-store" in answer["Cache-Control"]
    with acting_for(agency):
        key = ApiKey.objects.get()
    assert (key.scopes, key.ip_allow) == (["accounts:read", "quotes:read"], ["10.0.0.0/8"])
    assert show(text, ip="10.1.2.3").pk == key.pk
    again = browser.get(page("change", key.pk)).content.decode()
    assert text.split("_", 2)[2] not in again


@pytest.mark.parametrize(
    "wrong", [{"scopes": ["everything"]}, {"scopes": []}, {"ip_allow": "10.0.0.300"}, {"name": ""}]
)
def test_a_key_that_makes_no_sense_is_not_made(agency, wrong):
    browser = signed_in(member(agency))
    said = {"name": "IVR", "scopes": ["quotes:read"], "ip_allow": "10.0.0.0/8"} | wrong
    answer = browser.post(page("add"), said)
    assert "qk_" not in answer.content.decode()
    with acting_for(agency):
        assert not ApiKey.objects.exists()


def test_every_scope_needs_what_its_work_needs_on_the_pages_and_an_administrator_may_give_each():
    assert keys.NEEDS.keys() == keys.SCOPES.keys()
    roles = {name: codenames(role) for name, role in ROLES.items()}
    assert {one for needed in keys.NEEDS.values() for one in needed.split()} <= set().union(*roles.values())
    assert keys.within(roles["agency admin"].__contains__) == list(keys.NEEDS)
    assert keys.within(roles["integration engineer"].__contains__) == [
        "accounts:read", "sessions:read", "keys:read", "keys:write", "webhooks:read", "webhooks:write",
    ]  # fmt: skip


def test_staff_give_a_key_no_more_than_their_own_role_does(agency):
    engineer = signed_in(member(agency, "integration engineer"))
    offered = engineer.get(page("add")).content.decode()
    assert 'value="webhooks:write"' in offered
    assert 'value="refunds:approve"' not in offered
    for more in ("refunds:approve", "batches:approve", "rules:write", "budgets:write", "staff:write"):
        answer = engineer.post(page("add"), {"name": "Mine", "scopes": ["webhooks:read", more]})
        assert f"{more} is not one of the available choices" in answer.content.decode()
    with acting_for(agency):
        assert not ApiKey.objects.exists()
    key_on(engineer.post(page("add"), {"name": "Mine", "scopes": ["webhooks:read"]}))
    with acting_for(agency):
        assert ApiKey.objects.get().scopes == ["webhooks:read"]


def test_nobody_changes_a_key_that_may_do_more_than_they_but_everybody_with_the_right_ends_it(agency):
    boss, engineer = member(agency), member(agency, "integration engineer")
    caller = Caller(agency, "webhooks:read", "refunds:approve", by=f"staff:{boss.pk}")
    browser = signed_in(engineer)
    assert browser.get(page("change", caller.key.pk)).status_code == 200
    said = {"name": "IVR", "scopes": ["webhooks:read"]}
    assert browser.post(page("change", caller.key.pk), said).status_code == 403
    assert caller.row.scopes == ["refunds:approve", "webhooks:read"]
    assert signed_in(boss).post(page("change", caller.key.pk), said).status_code == 302
    assert caller.row.scopes == ["webhooks:read"]
    assert browser.post(page("change", caller.key.pk), said | {"scopes": ["rules:write"]}).status_code == 200
    assert caller.row.scopes == ["webhooks:read"]
    browser.post(page("revoke", caller.key.pk))
    assert caller.row.revoked_by == f"staff:{engineer.pk}"


def test_auth_15_a_secret_is_shown_to_nobody_but_who_made_the_key(agency):
    """What a key does counts as done by its maker, so nobody else may hold it."""
    boss, colleague = member(agency), member(agency, username="colleague")
    caller = Caller(agency, "accounts:read", by=f"staff:{boss.pk}")
    other = signed_in(colleague)
    assert page("rotate", caller.key.pk) not in other.get(page("change", caller.key.pk)).content.decode()
    assert other.post(page("rotate", caller.key.pk), {"hours": 0}).status_code == 403
    assert caller.get("accounts").status_code == 200
    key_on(signed_in(boss).post(page("rotate", caller.key.pk), {"hours": 0}))


def test_staff_rotate_and_revoke_by_a_post_only(agency, account):
    maker = member(agency)
    caller, browser = Caller(agency, by=f"staff:{maker.pk}"), signed_in(maker)
    rotate = reverse("admin:integrations_apikey_rotate", args=[caller.key.pk])
    assert browser.get(rotate).status_code == 200
    assert caller.row.rotated_at is None
    newer = key_on(browser.post(rotate, {"hours": 0}))
    assert refusal(caller.get("accounts")) == (401, "key_expired")
    caller.text = newer
    assert caller.get("accounts").status_code == 200
    browser.post(reverse("admin:integrations_apikey_revoke", args=[caller.key.pk]))
    assert refusal(caller.get("accounts")) == (401, "key_revoked")


@pytest.mark.parametrize("role", ["collector", "payments supervisor", "auditor"])
def test_nobody_else_makes_keys(agency, role):
    browser = signed_in(member(agency, role))
    assert browser.post(page("add"), {"name": "Mine", "scopes": ["rules:write"]}).status_code == 403
    with acting_for(ALL_AGENCIES):
        assert not ApiKey.objects.exists()


def test_auth_11_a_power_of_a_key_ends_with_the_role_of_whoever_made_it_and_the_rest_goes_on(agency, other_agency):
    boss, elsewhere = member(agency), member(other_agency, username="elsewhere")
    caller = Caller(agency, "accounts:read", "staff:write", by=f"staff:{boss.pk}")
    theirs = Caller(other_agency, "staff:write", by=f"staff:{elsewhere.pk}")
    invited = {"username": "new", "email": "new@example.com", "role": "collector"}
    assert refusal(caller.post("users", invited))[0] != 403
    boss.groups.clear()
    assert refusal(caller.post("users", invited | {"username": "another"})) == (403, "scope_missing")
    assert caller.get("accounts").status_code == 200
    assert refusal(theirs.post("users", invited | {"username": "third"}))[0] != 403
    shown = signed_in(member(agency, username="second")).get(page("change", caller.key.pk)).content.decode()
    assert "whoever made it may not do this any more: staff:write" in shown


def test_auth_11_whoever_is_kept_out_has_no_power_left_in_any_key(agency):
    boss = member(agency)
    caller = Caller(agency, "rules:write", "refunds:approve", "webhooks:read", by=f"staff:{boss.pk}")
    assert keys.ended(caller.row) == []
    boss.is_active = False
    boss.save(update_fields=["is_active"])
    assert keys.ended(caller.row) == ["refunds:approve", "rules:write"]
    assert caller.get("webhook-endpoints").status_code == 200


def test_auth_11_the_powers_are_scopes_that_somebody_must_hold_to_give_them():
    assert keys.POWERS.issubset(keys.NEEDS)
