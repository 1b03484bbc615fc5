"""What a log line can never say, however it is written, and what it must still say to be of use."""

import datetime as dt
import io
import json
import logging
import logging.config
import os
import re
import subprocess
import sys
import uuid
from decimal import Decimal
from urllib.parse import quote

import pytest
import structlog
from django.conf import settings
from django.urls import URLResolver, get_resolver
from hypothesis import given
from hypothesis import strategies as st

from portal.logs import HIDDEN, LOGGING, scrub, scrub_sentry
from tests.visitor import Visitor

CARD = "4242424242424242"
UUID = "0192f3c4-7b1a-7def-8123-456789abcdef"
TOKENS = [
    "abcdefghijklmnopqrstuvwxyz",
    "q-1_Xy3-zYw8vTs5RqPo0A",
    "7d1e5a90b3c24f688123456789abcdef:5k3Xq-Wm_zR8aYtBnPcLdVeHfJgKsUoTiMxNwQyZ1A4",
]
NUMBERS = [
    CARD,
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "4242.4242.4242.4242",
    "378282246310005",
    "3782 822463 10005",
    "900-99-1234",
    "900 99 1234",
    "900991234",
    "000123456789",
    "110000000",
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("around", ["{}", "card {} declined", '{{"n": "{}"}}', "n={}&x=1", "({}),", "{}\nmore"])
def test_a_number_is_hidden_wherever_it_stands(number, around):
    said = scrub(around.format(number))
    assert number not in said
    assert HIDDEN in said


@pytest.mark.parametrize("around", ["card{}", "card_{}", "pay-{}", "{}abc", "x{}y", "/cards/{}/"])
def test_a_card_number_is_hidden_also_where_letters_touch_it(around):
    assert CARD not in scrub(around.format(CARD))


@pytest.mark.parametrize(
    "value", [4242424242424242, b"card 4242424242424242", {4242424242424242}, {CARD: 1}, Decimal(CARD), ((CARD,),)]
)
def test_a_number_is_hidden_in_every_type(value):
    assert CARD not in str(scrub(value))


def test_an_exception_is_read_before_it_is_printed():
    assert CARD not in str(scrub(ValueError(f"bad card {CARD}")))


@pytest.mark.parametrize(
    "name",
    [
        "ssn",
        "SSN",
        "consumer_ssn4",
        "dob",
        "birth_date",
        "routing_number",
        "account_number",
        "AccountNumber",
        "card_number",
        "cardNumber",
        "number",
        "cvc",
        "cvv2",
        "password",
        "client_secret",
        "confirmation_token",
        "Authorization",
        "cookie",
        "api_key",
        "secret_key",
    ],
)
def test_a_value_is_hidden_by_its_name(name):
    assert scrub({name: "x"}) == {name: HIDDEN}
    assert scrub({"deep": [{name: {"any": "thing"}}]}) == {"deep": [{name: HIDDEN}]}


@pytest.mark.parametrize("name", ["code", "digits", "step_up_code"])
def test_a_six_digit_code_is_hidden_and_a_reason_is_not(name):
    assert scrub({name: "123456"}) == {name: HIDDEN}
    assert scrub({name: "insufficient_funds"}) == {name: "insufficient_funds"}


def routes(patterns=None, before: str = "/"):
    """Give the route of every page that is not the staff's."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(one.pattern)
        if not isinstance(one, URLResolver):
            yield route
        elif route != "/admin/":
            yield from routes(one.url_patterns, route)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["GET {}", "https://acme.example.com{}?x=1", "Not Found: {}", "'{}'"])
def test_what_opens_a_link_is_hidden_in_the_address_of_every_page_that_has_one(around, token):
    """AUTH-06: whoever reads it could follow the link; a new page with a text in its path is looked at too."""
    secret = [route for route in routes() if "<str:" in route]
    assert {route.split("/")[1] for route in secret} == {"m", "p", "s", "stop"}
    for route in secret:
        path = re.sub("<uuid:[^>]+>", UUID, re.sub("<str:[^>]+>", token, route))
        assert scrub(around.format(path)) == around.format(path.replace(token, HIDDEN))
        assert token[:8] not in scrub(around.format(path.removesuffix("/")))
        onward = scrub(around.format(f"/code/?next={quote(path, safe='')}&way=card"))
        assert token[:8] not in onward
        assert token[-8:] not in onward
        assert "way=card" in onward


@pytest.mark.parametrize("name", ["token", "key", "api_key", "payment_intent_client_secret", "Password"])
def test_a_secret_in_a_query_is_hidden_by_its_name(name):
    assert scrub(f"GET /x?a=1&{name}=abc-DEF&b=2") == f"GET /x?a=1&{name}={HIDDEN}&b=2"
    assert scrub({"query_string": f"{name}=abc-DEF"}) == {"query_string": f"{name}={HIDDEN}"}
    assert scrub("GET /x?code=123456&code=insufficient_funds") == f"GET /x?code={HIDDEN}&code=insufficient_funds"


@pytest.mark.parametrize(
    "kept",
    [
        "GET /accounts/0192f3c4-7b1a-7def-8123-456789abcdef/pay/?way=ach",
        "GET /staff/login/?next=%2Fadmin%2F",
        "/usr/lib/python3/site-packages/stops/s.py",
        "0192f3c4-7b1a-7def-8123-456789abcdef",
        "01234567-1234-7234-8234-123456789012",
        "POST /api/v1/hosts/0192f3c4-7b1a-7def-8123-456789abcdef/accounts",
        "2026-12-01T14:00:00.123456Z",
        "ending 4242",
        "127.0.0.1:54999",
        "$1,000.00",
        "insufficient_funds",
    ],
)
def test_ids_moments_and_short_numbers_stay_readable(kept):
    assert scrub(kept) == kept


def test_every_uuid_stays_readable():
    @given(st.uuids())
    def reads(key: uuid.UUID) -> None:
        assert scrub(f"payment {key} decided") == f"payment {key} decided"
        assert scrub(key) == str(key)

    reads()


def test_amounts_in_cents_counts_durations_and_switches_survive():
    line = {"amount_cents": 1_250_000_00, "count": 5_000, "duration_ms": 12.5, "ok": True, "none": None, "status": 200}
    assert scrub(line) == line


def test_an_empty_secret_stays_visibly_empty_and_an_idempotency_key_readable():
    line = {"password": "", "secret_key": None, "idempotency_key": "0192f3c4-7b1a-7def-8123-456789abcdef"}
    assert scrub(line) == line


def test_moments_are_printed_as_text():
    assert scrub({"at": dt.datetime(2026, 12, 1, 15, tzinfo=dt.UTC)}) == {"at": "2026-12-01T15:00:00+00:00"}


def formatter() -> logging.Formatter:
    """Make what the site's lines are written with."""
    return logging.config.DictConfigurator(LOGGING).configure_formatter(dict(LOGGING["formatters"]["json"]))


@pytest.fixture
def lines():
    """Log as the site does, into a text that the test reads line by line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter())
    logger = logging.getLogger("quittance.test")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.handlers, logger.propagate = [], True


def test_our_own_lines_are_json_and_scrubbed(lines):
    structlog.get_logger("quittance.test").info("paid", card=CARD, payload={"Number": "900-99-1234", "cents": 125_00})
    (line,) = lines()
    assert (line["event"], line["level"], line["card"]) == ("paid", "info", HIDDEN)
    assert line["payload"] == {"Number": HIDDEN, "cents": 125_00}


def test_lines_of_libraries_are_scrubbed_with_their_arguments(lines):
    logging.getLogger("quittance.test").warning("could not charge %s of %s", CARD, {"ssn": "900-99-1234"})
    (line,) = lines()
    assert CARD not in line["event"]
    assert "900-99-1234" not in line["event"]
    assert line["logger"] == "quittance.test"


def test_a_traceback_is_scrubbed_and_still_says_where(lines):
    try:
        raise ValueError(f"card {CARD} of 900991234")
    except ValueError:
        logging.getLogger("quittance.test").exception("broken")
    (line,) = lines()
    assert CARD not in json.dumps(line)
    assert "900991234" not in json.dumps(line)
    assert "ValueError" in line["exception"]
    assert "test_logs.py" in line["exception"]


def test_a_report_to_sentry_is_scrubbed():
    report = {
        "exception": {"values": [{"value": f"card {CARD}", "stacktrace": {"frames": [{"vars": {"ssn": "'9'"}}]}}]},
        "request": {"headers": {"Authorization": "Bearer qin_x", "Cookie": "session=1"}, "url": f"/x?n={CARD}"},
    }
    said = json.dumps(scrub_sentry(report, {}))
    for secret in (CARD, "'9'", "qin_x", "session=1"):
        assert secret not in said


@pytest.mark.parametrize("place", ["m", "p", "s", "stop"])
@pytest.mark.parametrize("token", TOKENS)
def test_a_request_for_a_link_leaves_nothing_in_the_log_that_opens_it(agency, other_agency, caplog, place, token):
    """AUTH-06: neither the two lines of the request nor the warning about a form from elsewhere."""
    path = f"/{place}/{token}/"
    for one in (agency, other_agency):
        assert Visitor(one).get(f"{path}?token={token}", headers={"referer": path}).status_code == 404
        Visitor(one, enforce_csrf_checks=True).post(path)
    said = [formatter().format(record) for record in caplog.records]
    assert sum(f'"request": "GET /{place}/{HIDDEN}/?token={HIDDEN}"' in line for line in said) == 4
    assert [line for line in said if token[:8] in line or token[-8:] in line] == []


BROKEN_REQUEST = """
import django
from gunicorn.config import Config
from gunicorn.glogging import Logger
server = Logger(Config())
django.setup()
server.error("Error handling request %s %s", "GET", "/m/abcdefghijklmnopqrstuvwxyz/")
"""


def test_what_the_web_server_says_of_a_broken_request_is_scrubbed_too():
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings", "DEMO": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", BROKEN_REQUEST], env=environment, capture_output=True, text=True, check=True
    )
    (line,) = ran.stderr.splitlines()
    assert json.loads(line)["event"] == f"Error handling request GET /m/{HIDDEN}/"


def test_the_web_server_keeps_no_log_of_requests_of_its_own():
    """AUTH-06: its format has the path and the page that it was called from."""
    assert "access-log" not in (settings.BASE_DIR / "Dockerfile").read_text()


ASK_ONCE = """
import django
django.setup()
from django.test import Client
print(Client(SERVER_NAME="localhost").get("/health/live").status_code)
"""


@pytest.mark.parametrize(("level", "lines"), [("INFO", 2), ("WARNING", 0)])
def test_the_level_says_whether_each_request_is_told(level, lines):
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings", "DEMO": "1", "LOG_LEVEL": level}
    ran = subprocess.run([sys.executable, "-c", ASK_ONCE], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "200"
    assert sum('"request": "GET /health/live"' in line for line in ran.stderr.splitlines()) == lines


BREAK_ONCE = """
import json
import sentry_sdk
from portal import settings

told = []
sentry_sdk.get_client().transport.capture_envelope = lambda envelope: told.append(envelope.get_event())

def send(text, given):
    raise ValueError("broken")

try:
    send(str(481_515 + 1), given=str(1_233 + 1))
except ValueError:
    sentry_sdk.capture_exception()
print(json.dumps(told))
"""


def test_auth_10_a_report_to_sentry_has_no_variables_a_code_and_the_end_of_an_ssn_have_plain_names():
    environment = os.environ | {"DEMO": "1", "SENTRY_DSN": "https://key@sentry.example.com/1"}
    ran = subprocess.run(
        [sys.executable, "-c", BREAK_ONCE], env=environment, capture_output=True, text=True, check=True
    )
    (report,) = json.loads(ran.stdout)
    (error,) = report["exception"]["values"]
    assert [frame["function"] for frame in error["stacktrace"]["frames"]] == ["<module>", "send"]
    for secret in ("481516", "'1234'"):
        assert secret not in ran.stdout
