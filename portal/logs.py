"""Structured logs that cannot say a card number, a bank number, an SSN or the secret of a link."""

import datetime as dt
import os
import re
from typing import Any

import structlog

SECRET_NAMES = re.compile(
    r"ssn|dob|birth|routing|(?:^|account_?|card_?|bank_?)number$|cv[cv]|password|secret|token|authorization$|cookie"
    r"|(?<!idempotency_)key$",
    re.I,
)
CODE_NAMES = re.compile(r"code$|^digits$", re.I)  # reasons are words; only a consumer's code is six digits
DIGITS = re.compile(r"(?<![\w-])\d(?:[ -]?\d){6,18}(?![\w-])")
SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
# A card number is hidden also where letters touch it; the digits of a UUID are not a card number.
UUID_OR_CARD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<!\d)\d(?:[ .-]?\d){12,18}(?!\d)", re.I)
# Whoever reads the secret of a link can follow it (AUTH-06); it may stand in the query of another address, encoded.
LINK = re.compile(r"((?:/|%2F)(?:m|p|s|stop)(?:/|%2F))(?:(?!%2F)[^\s/?#&\"'<>])+", re.I)
PARAMETER = re.compile(r"((?:^|[?&;])([\w.-]+)=)([^\s&;#\"'<>]+)")
LARGEST_AMOUNT = 10**11  # cents; a longer number is no sum of money, and may be a card
HIDDEN = "[hidden]"


def scrub(value: Any, name: str = "") -> Any:
    """Hide values by their name, and wherever they stand runs of 7 to 19 digits and what opens a link.

    Ids and short numbers pass.
    """
    if _is_secret(name, value):
        return HIDDEN
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < LARGEST_AMOUNT else HIDDEN
        case str():
            text = PARAMETER.sub(_hide_parameter, LINK.sub(rf"\1{HIDDEN}", value))
            return DIGITS.sub(HIDDEN, SSN.sub(HIDDEN, UUID_OR_CARD.sub(_hide_card, text)))
        case dict():
            return {scrub(key) if isinstance(key, str) else key: scrub(inner, str(key)) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [scrub(inner) for inner in value]
        case dt.date():
            return value.isoformat()
        case bytes():
            return scrub(value.decode("utf-8", "replace"))
    return scrub(str(value))  # the renderer would print it, so it is read first


def _is_secret(name: str, value: Any) -> bool:
    if name and SECRET_NAMES.search(name):
        return value not in (None, "")
    return isinstance(value, str) and bool(CODE_NAMES.search(name) and re.fullmatch(r"\d{6}", value))


def _hide_parameter(found: re.Match) -> str:
    return f"{found[1]}{HIDDEN}" if _is_secret(found[2], found[3]) else found[0]


def _hide_card(found: re.Match) -> str:
    digits = [int(digit) for digit in reversed(found[0]) if digit.isdecimal()]
    if re.match(r"[0-9a-f]{8}-[0-9a-f]{4}-", found[0], re.I) and len(found[0]) == 36:
        return found[0]
    luhn = sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return HIDDEN if luhn % 10 == 0 else found[0]


def scrub_event(_logger, _method, event: dict) -> dict:
    """Scrub one log line (structlog processor); what begins with _ is structlog's own and is not printed."""
    return {
        key: value if key.startswith("_") else scrub(value, "" if key in ("event", "timestamp") else key)
        for key, value in event.items()
    }


def scrub_sentry(event: dict, _hint: dict) -> dict:
    """Scrub one Sentry report."""
    return scrub(event)


SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    scrub_event,
]

structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

LEVEL = os.environ.get("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": SHARED,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django_structlog": {"level": LEVEL},
        # The server's own words about a request that failed name its address: through the scrubber they go, as JSON.
        "gunicorn.error": {"handlers": ["stderr"], "propagate": False},
        "quittance": {"level": LEVEL},
        "django.request": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
    },
}
