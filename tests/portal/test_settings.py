"""Settings are refused where they are not understood, and where they are safe only in the demonstration."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from portal import checks
from portal.settings import flag, keyring, secret_key

REPOSITORY = Path(__file__).resolve().parents[2]
KEY = base64.b64encode(bytes(32)).decode()
OTHER_KEY = base64.b64encode(bytes([1] * 32)).decode()
PRODUCTION = {
    "SECRET_KEY": "x" * 50,
    "FIELD_KEYS": f"1:{KEY}",
    "INDEX_KEY": KEY,
    "DATABASE_URL": "postgres://quittance:secret@db.example.com:5433/pay?sslmode=verify-full&sslrootcert=/ca.pem&options=-c%20work_mem%3D8MB",
    "REDIS_URL": "rediss://:secret@redis.example.com:6379/0",
    "PORTAL_DOMAIN": "pay.example.com",
}


def ask(question: str, **environment: str) -> str:
    """Read the settings in a process of their own, as a server without .local/env does, and print an expression."""
    done = subprocess.run(
        [sys.executable, "-c", f"from portal import settings as s; print({question})"],
        cwd=REPOSITORY,
        env={"PATH": os.defpath, "LOCAL_HOME": "/nonexistent"} | PRODUCTION | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (done.stdout or done.stderr.strip().splitlines()[-1]).strip()


@pytest.mark.parametrize(("said", "read"), [("1", True), ("0", False)])
def test_a_switch_is_exactly_1_or_0(monkeypatch, said, read):
    monkeypatch.setenv("SWITCH", said)
    assert flag("SWITCH", default=not read) is read


@pytest.mark.parametrize("said", ["yes", "true", "True", "", " 1", "2", "on"])
def test_a_switch_that_is_anything_else_is_refused_and_never_guessed(monkeypatch, said):
    monkeypatch.setenv("SWITCH", said)
    with pytest.raises(ImproperlyConfigured, match="SWITCH must be 1 or 0"):
        flag("SWITCH", default=False)


@pytest.mark.parametrize("default", [True, False])
def test_a_switch_nobody_set_is_its_default(monkeypatch, default):
    monkeypatch.delenv("SWITCH", raising=False)
    assert flag("SWITCH", default=default) is default


def test_a_keyring_keeps_its_order_since_the_first_key_seals(monkeypatch):
    monkeypatch.setenv("RING", f"2:{OTHER_KEY}, 1:{KEY}")
    assert list(keyring("RING").items()) == [(2, bytes([1] * 32)), (1, bytes(32))]


@pytest.mark.parametrize(
    "said",
    [
        "",
        KEY,
        f"1:{KEY[:-4]}",
        f"1:{base64.b64encode(bytes(16)).decode()}",
        f"1:{base64.b64encode(bytes(33)).decode()}",
        "1:not base64",
        f"new:{KEY}",
        f"1:{KEY},",
        f"1:{KEY},1:{OTHER_KEY}",
    ],
    ids=["empty", "no version", "cut", "short", "long", "no base64", "no number", "comma", "version twice"],
)
def test_a_keyring_with_anything_odd_is_refused(monkeypatch, said):
    monkeypatch.setenv("RING", said)
    with pytest.raises(ImproperlyConfigured, match=r"^RING: "):
        keyring("RING")


def test_a_refused_key_is_not_repeated_in_the_message():
    with pytest.raises(ImproperlyConfigured) as refused:
        secret_key("INDEX_KEY", "c2hvcnQgc2VjcmV0")
    assert "c2hvcnQ" not in str(refused.value)


def test_the_index_key_has_32_bytes_too():
    assert "INDEX_KEY: a key is base64 of 32 bytes." in ask("1", INDEX_KEY="c2hvcnQ=")


def test_the_options_of_a_database_address_are_kept_beside_our_own():
    assert ask("sorted(s.DATABASES['default']['OPTIONS'].items())") == str(
        [
            ("application_name", "quittance"),
            ("connect_timeout", 5),
            ("options", "-c work_mem=8MB -c join_collapse_limit=6"),
            ("sslmode", "verify-full"),
            ("sslrootcert", "/ca.pem"),
        ]
    )


def test_the_defaults_are_those_of_production():
    question = "s.DEBUG, s.DEMO, s.TLS, s.STAFF_SECOND_FACTOR, s.SESSION_COOKIE_NAME, s.SECURE_HSTS_SECONDS"
    assert ask(question) == "False False True True __Host-session 31536000"


def test_the_demonstration_is_plain_http_without_a_second_factor():
    assert ask("s.TLS, s.STAFF_SECOND_FACTOR, s.SESSION_COOKIE_NAME", DEMO="1") == "False False session"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({}, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]),
        ({"DEMO": "1"}, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "127.0.0.0/8", "::1/128"]),
        ({"HOST_NETWORKS": ""}, []),
        ({"HOST_NETWORKS": "10.1.0.0/16,127.0.0.1"}, ["10.1.0.0/16", "127.0.0.1/32"]),
    ],
)
def test_hosts_may_stand_in_private_networks_but_on_our_own_machine_only_in_the_demonstration(said, answer):
    assert ask("[str(network) for network in s.HOST_NETWORKS]", **said) == str(answer)


def test_an_opt_out_link_of_an_older_key_still_works(settings):
    settings.SECRET_KEY = "old" * 20
    token = signing.dumps("contact point", salt="stop")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, ["old" * 20]
    assert signing.loads(token, salt="stop") == "contact point"
    assert ask("s.SECRET_KEY_FALLBACKS", SECRET_KEY_FALLBACKS="a,b") == "['a', 'b']"


@pytest.mark.parametrize("missing", ["SECRET_KEY", "FIELD_KEYS", "INDEX_KEY", "DATABASE_URL", "REDIS_URL"])
def test_a_missing_secret_or_address_stops_the_start_with_its_name(missing):
    environment = {name: value for name, value in PRODUCTION.items() if name != missing}
    done = subprocess.run(
        [sys.executable, "-c", "import portal.settings"],
        cwd=REPOSITORY,
        env={"PATH": os.defpath, "LOCAL_HOME": "/nonexistent"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert missing in done.stderr.splitlines()[-1]


def test_a_proxys_word_about_https_counts_only_behind_a_trusted_one():
    assert ask("s.SECURE_PROXY_SSL_HEADER") == "None"
    assert ask("s.SECURE_PROXY_SSL_HEADER", TRUSTED_PROXIES="1") == "('HTTP_X_FORWARDED_PROTO', 'https')"


def test_who_may_scrape_is_a_list_of_networks():
    assert ask("[str(n) for n in s.METRICS_FROM]") == "['127.0.0.1/32', '::1/128']"
    assert ask("[str(n) for n in s.METRICS_FROM]", METRICS_FROM="10.0.0.0/8") == "['10.0.0.0/8']"
    assert "does not appear to be an IPv4 or IPv6 network" in ask("1", METRICS_FROM="prometheus")


@pytest.fixture
def production(settings):
    """Be a production machine: nothing of the demonstration is on."""
    settings.DEMO = settings.DEBUG = False
    settings.TLS = settings.STAFF_SECOND_FACTOR = True
    settings.PORTAL_DOMAIN = "pay.example.com"
    settings.SECRET_KEY = "x" * 50
    return settings


def found() -> list[str]:
    return [error.id for error in checks.production_is_strict()]


def test_a_production_machine_passes_its_checks(production):
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("DEMO", True, "portal.E001"),
        ("STAFF_SECOND_FACTOR", False, "portal.E002"),
        ("TLS", False, "portal.E003"),
        ("DEBUG", True, "portal.E004"),
        ("PORTAL_DOMAIN", "localhost:8000", "portal.E005"),
        ("SECRET_KEY", "short", "portal.E006"),
    ],
)
def test_each_unsafe_setting_is_an_error_of_its_own(production, name, value, code):
    setattr(production, name, value)
    assert found() == [code]


def test_check_deploy_fails_on_them(production):
    production.DEMO = True
    with pytest.raises(SystemCheckError, match=r"portal\.E001"):
        call_command("check", deploy=True, fail_level="ERROR")


def test_our_database_role_obeys_row_level_security(db):
    assert checks.the_role_obeys_row_level_security(databases=["default"]) == []
    assert checks.the_role_obeys_row_level_security() == []


def test_a_role_that_bypasses_row_level_security_is_an_error(db, monkeypatch):
    class Cursor:
        __enter__, __exit__, execute = (lambda self: self), (lambda *_: None), (lambda *_: None)
        fetchone = staticmethod(lambda: (True,))

    monkeypatch.setattr(checks.connection, "cursor", Cursor)
    assert [error.id for error in checks.the_role_obeys_row_level_security(databases=["default"])] == ["portal.E007"]


def test_every_setting_and_check_is_in_the_operations_page():
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    code = "".join((REPOSITORY / "portal" / name).read_text() for name in ("settings.py", "logs.py"))
    names = set(re.findall(r'(?:env(?:\.\w+)?|flag|keyring|environ\.get)\("([A-Z_]+)"', code))
    assert names >= {"FIELD_KEYS", "TLS", "DATABASE_URL", "METRICS_FROM", "LOCAL_HOME", "LOG_LEVEL"}
    assert [name for name in sorted(names) if f"| `{name}` |" not in page] == []
    told = set(re.findall(r"portal\.E\d+", page))
    assert told == {f"portal.E{number:03d}" for number in range(1, 9)}
