"""Structured logs that cannot say a card number, a bank number or an SSN."""

import re
from typing import Any

import structlog

SECRET_NAMES = re.compile(
    r"ssn|dob|routing|account_?number|^number$|cvc|password|secret|token|authorization$|cookie|(?<!idempotency_)key$",
    re.I,
)
DIGITS = re.compile(r"(?<![\w-])\d(?:[ -]?\d){6,18}(?![\w-])")
SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
HIDDEN = "[hidden]"


def scrub(value: Any, name: str = "") -> Any:
    """Hide values by their name, and runs of 7 to 19 digits wherever they stand; ids and short numbers pass."""
    if name and SECRET_NAMES.search(name) and value not in (None, ""):
        return HIDDEN
    if isinstance(value, str):
        return DIGITS.sub(HIDDEN, SSN.sub(HIDDEN, value))
    if isinstance(value, dict):
        return {key: scrub(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(inner) for inner in value]
    return value


def scrub_event(_logger, _method, event: dict) -> dict:
    """Scrub one log line (structlog processor)."""
    return {key: scrub(value, "" if key in ("event", "timestamp") else key) for key, value in event.items()}


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
    processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

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
        "django_structlog": {"level": "INFO"},
        "quittance": {"level": "INFO"},
        "django.request": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
    },
}
