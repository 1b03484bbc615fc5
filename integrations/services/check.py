"""Test a host connection without changing anything there."""

from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import http
from integrations.models import HostConnection
from integrations.services.pull import PULLED, Unanswered, requirements
from integrations.services.receive import adapter_for

MISSING = {
    "credit_allocation": gettext_lazy("credit allocation"),
    "collections_package": gettext_lazy("the collections package"),
}
NO_SUCH_ACCOUNT = "quittance-connection-test"


class Tested(NamedTuple):
    """Say whether the host answered as it should, in a stable code and a sentence for staff."""

    ok: bool
    code: str
    sentence: str
    duration_ms: float


def test_connection(connection: HostConnection) -> Tested:
    """Ask the host, with our key, for an account that does not exist; its 404 is the right answer."""
    if connection.style in PULLED:
        return _test_ledger(connection)
    request = adapter_for(connection).account_request(NO_SUCH_ACCOUNT)
    return _judged(http.ask(request, timeout=settings.HOST_TIMEOUT, answer_limit=settings.HOST_ANSWER_LIMIT))


def _judged(heard: http.Heard) -> Tested:
    words = {"ms": round(heard.duration_ms), "status": heard.status, "error": heard.error}
    match heard.status:
        case 200 | 404:
            ok, code, sentence = True, "ok", _("The host answered and took our key, in %(ms)s ms.")
        case 401 | 403:
            ok, code, sentence = False, "key_refused", _("The host answered, but it refuses our key.")
        case 0:
            ok, code, sentence = False, "no_answer", _("The host did not answer: %(error)s")
        case _:
            ok, code, sentence = False, "unexpected", _("The host answered HTTP %(status)s.")
    return Tested(ok, code, sentence % words, heard.duration_ms)


def _test_ledger(connection: HostConnection) -> Tested:
    """Ask a creditor's ledger what it has switched on, and name what is missing; nothing is changed there."""
    try:
        found = requirements(connection)
    except Unanswered as error:
        return _judged(error.heard)
    missing = ", ".join(str(MISSING.get(name, name)) for name in found.missing)
    if missing:
        sentence = _("The ledger answered, but it lacks: %(missing)s. No payment can be written back until then.")
        return Tested(False, "requirements_missing", sentence % {"missing": missing}, found.duration_ms)
    return Tested(True, "ok", _("The ledger answered and has all that is needed."), found.duration_ms)


test_connection.__test__ = False
