"""Identify a consumer by three facts, softly locked, and without telling anyone what exists (AUTH-02 to AUTH-05).

Every refusal - unknown reference, wrong name, wrong number, blocked account - runs the same queries and the same
number of keyed-hash comparisons; a test counts both.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from itertools import takewhile

from django.core.cache import cache
from django.db import connection, transaction

from accounts import events, statuses
from accounts.crypto import blind_index, same
from accounts.keys import digits, name_key, reference_key, zip_key
from accounts.models import Account, Agency, Consumer, IdentifyAttempt
from accounts.scope import acting

MAY_IDENTIFY = statuses.those("login")
"""Whoever owes on another status gets the same refusal as a stranger, and a phone number (AUTH-04)."""

FAILURES_PER_LOCK = 5
FIRST_LOCK = timedelta(minutes=15)
LONGEST_LOCK = timedelta(hours=24)
FAILURES_PER_IP_HOUR = 20
REFERENCES_PER_IP_HOUR = 10
FAILURES_PER_AGENCY_HOUR = 500
"""More than consumers mistype after a campaign to a hundred thousand: somebody tries from many lines at once."""
BRAKE = 4
"""By so much less is let through of each line then. Nobody is shut out for another's tries (AUTH-03)."""
NO_HASH = "-" * 64
CANDIDATES = 3
"""Accounts compared for one reference (it may live on several connections); missing ones are compared all the same."""


class LockedOut(Exception):
    """Wait until `until`; the lock is soft, the same for references that exist and that do not."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


def identify(
    *, agency: Agency, reference: str, last_name: str, factor_value: str, ip: str, now: datetime
) -> Account | None:
    """Return the account that all three facts name, or None; write the attempt either way.

    :raises LockedOut: too many failures for this reference, or from this address.
    """
    hashed = blind_index(reference_key(reference) or "-", agency_id=agency.pk, field="attempt")
    line, brake = line_of(ip), BRAKE if _failures(agency, now) >= FAILURES_PER_AGENCY_HOUR else 1
    with transaction.atomic():
        _one_at_a_time(line, hashed)
        if until := _locked_until(hashed, now) or _line_locked_until(line, hashed, now, brake):
            raise LockedOut(until)
        found = _match(agency, reference, last_name, factor_value)
        IdentifyAttempt.objects.create(reference_hash=hashed, ip=line, ok=found is not None, at=now)
        if found is None:
            events.record("consumer.identification_failed", now=now, data={"ip": ip})
    if found is None:
        _count_failure(agency, now)
    return found


def confirm(*, agency: Agency, account: Account, factor_value: str, ip: str, now: datetime) -> bool:
    """Check the third fact alone, for whoever holds a link that was sent to the consumer; the attempt is written.

    Only failures behind links to this account count: nobody without one keeps its consumer out (AUTH-03).

    :raises LockedOut: too many of them.
    """
    hashed = blind_index(account.pk.hex, agency_id=agency.pk, field="attempt_by_link")
    with transaction.atomic():
        _one_at_a_time(hashed)
        if until := _locked_until(hashed, now):
            raise LockedOut(until)
        ok = _factor_ok(agency, account.consumer, factor_value) & (account.status in MAY_IDENTIFY)
        IdentifyAttempt.objects.create(reference_hash=hashed, ip=line_of(ip), ok=ok, at=now)
        if not ok:
            events.record("consumer.identification_failed", now=now, data={"ip": ip})
    return ok


def _factor_ok(agency: Agency, consumer: Consumer, factor_value: str) -> bool:
    by_ssn = agency.factor == Agency.Factor.SSN4
    given = digits(factor_value)[-4:] if by_ssn else zip_key(factor_value)
    stored = consumer.ssn4_index if by_ssn else consumer.zip_index
    return same(blind_index(given or "-", agency_id=agency.pk, field="ssn4" if by_ssn else "zip"), stored or NO_HASH)


def _match(agency: Agency, reference: str, last_name: str, factor_value: str) -> Account | None:
    column = "ssn4_index" if agency.factor == Agency.Factor.SSN4 else "zip_index"
    field = "ssn4" if agency.factor == Agency.Factor.SSN4 else "zip"
    given = digits(factor_value)[-4:] if field == "ssn4" else zip_key(factor_value)
    name = blind_index(name_key(last_name) or "-", agency_id=agency.pk, field="last_name")
    factor = blind_index(given or "-", agency_id=agency.pk, field=field)
    candidates: list[Account | None] = list(
        Account.objects.select_related("consumer").filter(reference_key=reference_key(reference) or "-")[:CANDIDATES]
    )
    candidates += [None] * (CANDIDATES - len(candidates))
    matched: list[Account] = []
    for account in candidates:
        stored_name = account.consumer.last_name_key if account else "-"
        stored_factor = getattr(account.consumer, column) if account else NO_HASH
        name_ok = same(name, blind_index(stored_name or "--", agency_id=agency.pk, field="last_name"))
        factor_ok = same(factor, stored_factor)
        if name_ok & factor_ok & (account is not None and account.status in MAY_IDENTIFY):
            matched.append(account)
    return matched[0] if len(matched) == 1 else None


def line_of(ip: str) -> str:
    """Give the address by which tries are counted: of IPv6 the /64, all of which one line has to itself."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ""  # a socket in the file system has none
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))


def _one_at_a_time(*keys: str) -> None:
    """Let whoever tries with one of these keys wait for the one before: what is counted next is all there (AUTH-03).

    The line comes first everywhere, so that no two wait for each other.
    """
    with connection.cursor() as cursor:
        for key in filter(None, keys):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"identify:{acting()}:{key}"])


def _locked_until(hashed: str, now: datetime) -> datetime | None:
    """AUTH-03: five failures lock a reference for 15 minutes, then 30, up to a day."""
    tries = IdentifyAttempt.objects.filter(reference_hash=hashed, at__gt=now - 2 * LONGEST_LOCK).order_by("-at")
    failures = [at for ok, at in takewhile(lambda one: not one[0], tries.values_list("ok", "at")[:100])]
    locks, more = divmod(len(failures), FAILURES_PER_LOCK)
    if not locks:
        return None
    until = failures[more] + min(FIRST_LOCK * 2 ** (locks - 1), LONGEST_LOCK)
    return until if until > now else None


def _line_locked_until(line: str, hashed: str, now: datetime, brake: int) -> datetime | None:
    """AUTH-03: from one line come twenty failures an hour at most, with ten references; where it brakes, fewer."""
    failures = IdentifyAttempt.objects.filter(ip=line, ok=False, at__gt=now - timedelta(hours=1)).order_by("-at")
    failures = list(failures.values_list("reference_hash", "at")[:100])
    others = {reference for reference, _at in failures} | {hashed}
    if len(failures) >= FAILURES_PER_IP_HOUR // brake or len(others) > REFERENCES_PER_IP_HOUR // brake:
        return failures[-1][1] + timedelta(hours=1)
    return None


def _hour(agency: Agency, now: datetime) -> str:
    return f"identify-failures:{agency.pk}:{int(now.timestamp()) // 3600}"


def _failures(agency: Agency, now: datetime) -> int:
    """Say how often an agency's front door was tried in vain this hour, from everywhere; without a cache never."""
    return cache.get(_hour(agency, now)) or 0


def _count_failure(agency: Agency, now: datetime) -> None:
    cache.add(_hour(agency, now), 0, timeout=7200)
    with suppress(ValueError):  # it went meanwhile
        cache.incr(_hour(agency, now))
