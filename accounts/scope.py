"""Which agency acts: a context variable, set at the edge. No framework here: the database backend reads it too."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

ALL_AGENCIES = "*"
"""The explicit scope of the router, the sweeps and platform staff."""

_acting: ContextVar[str] = ContextVar("acting_agency", default="")


class NoActingAgency(RuntimeError):
    """Name the agency first: `with acting_for(agency):`."""


class WrongAgency(RuntimeError):
    """Write a row under its own agency only."""


def acting() -> str:
    """Return the acting agency's id as text, `*` for all, or an empty string for none."""
    return _acting.get()


@contextmanager
def acting_for(agency: Any) -> Iterator[None]:
    """Act for one agency (a row or its id) or for ALL_AGENCIES until the block ends."""
    named = str(getattr(agency, "pk", agency))
    if named != ALL_AGENCIES:
        uuid.UUID(named)
    token = _acting.set(named)
    try:
        yield
    finally:
        _acting.reset(token)
