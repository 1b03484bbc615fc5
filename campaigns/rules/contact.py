"""May we contact this consumer, by this address, now? Facts in; allow or deny out, with every rule that was asked.

Asked when a message leaves, not when it is queued (RF-01), by every message; each purpose answers to its own rules.
A denial that time alone lifts says until when; every other one keeps the message back for good.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from accounts import statuses
from campaigns.rules import addresses, packs, zones
from campaigns.rules.facts import CHANNELS, OUR_OWN, PURPOSES, WEEK, Denial, Facts, Found

MOST_CALLS = 7
"""RF-09: in seven days about one debt; an eighth is presumed a violation."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Say yes or no, with everything that is against it and every rule that was asked."""

    denials: tuple[Denial, ...]
    checked: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        return not self.denials

    @property
    def reason(self) -> str:
        """The first thing against it that no waiting lifts, else the first of all; empty when it is allowed."""
        lasting = [denial.code for denial in self.denials if denial.until is None]
        return next(iter([*lasting, *(denial.code for denial in self.denials)]), "")

    @property
    def until(self) -> datetime | None:
        """When to ask again; None when it is allowed, or no waiting helps."""
        if not self.denials or any(denial.until is None for denial in self.denials):
            return None
        return max(denial.until for denial in self.denials if denial.until)


def judge(facts: Facts) -> Judgement:
    """Ask every rule that this purpose and channel answer to."""
    assert facts.channel in CHANNELS, facts.channel
    assert facts.purpose in PURPOSES, facts.purpose
    asked = _asked(facts.purpose, facts.channel)
    return Judgement(tuple(found for rule in asked if (found := rule(facts)) is not None), _ids(asked))


@lru_cache(maxsize=64)
def _asked(purpose: str, channel: str) -> tuple[Callable[[Facts], Found], ...]:
    return tuple(rule for rule, _ids, purposes, channels in RULES if purpose in purposes and channel in channels)


@lru_cache(maxsize=64)
def _ids(asked: tuple) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for rule, ids, *_rest in RULES if rule in asked for one in ids))


# The debt -------------------------------------------------------------------------------------------------------


def _status(facts: Facts) -> Found:
    column = {"campaign": "campaign", "reminder": "reminder"}.get(facts.purpose, "receipt")
    if statuses.may(facts.status, column):
        return None
    return Denial(f"status_{facts.status}", _STATUS_RULES.get(facts.status, ("STS-06",)))


_STATUS_RULES = {
    "disputed": ("RF-32",),
    "cease": ("RF-06",),
    "attorney": ("RF-05",),
    "bankruptcy": ("STS-01",),
    "deceased": ("STS-03",),
    "blocked": ("STS-04", "STS-05"),
    "breathing": ("UK-07",),
}


def _dispute(facts: Facts) -> Found:
    return Denial("dispute", ("RF-32",)) if facts.disputed else None


def _hardship(facts: Facts) -> Found:
    return Denial("hardship", ("STS-05",)) if facts.hardship else None


def _licence(facts: Facts) -> Found:
    return Denial("not_licensed", ("ST-09",)) if facts.unlicensed else None


def _validation(facts: Facts) -> Found:
    """We are not the first to write about a debt before its validation notice, and no offer ends within its period."""
    if facts.first_contact and not facts.validation_sent:
        return Denial("validation_missing", ("RF-28",))
    ends = facts.validation_ends_on
    if ends is not None and facts.offer_expires_on is not None and facts.offer_expires_on < ends:
        return Denial("offer_overshadows", ("RF-31",))
    return None


# When and how often ---------------------------------------------------------------------------------------------


def _hours(facts: Facts) -> Found:
    if facts.answers:
        return None
    opens = _next_opening(facts.now, facts.zones, facts.policy.opens, facts.policy.closes)
    if opens is None:
        return Denial("no_common_hour", ("RF-01", "RF-03"))
    return Denial("outside_hours", ("RF-01", "RF-03", "SMS-08"), opens) if opens > facts.now else None


@lru_cache(maxsize=4096)
def _next_opening(now: datetime, where: tuple[str, ...], opens: time, closes: time) -> datetime | None:
    opens, closes = max(opens, zones.OPENS), min(closes, zones.CLOSES)
    return zones.next_opening(now, where, opens=opens, closes=closes)


def suits_until(facts: Facts) -> datetime | None:
    """Say when the hours end in which a contact is allowed now (RF-01, RF-04); None where any hour suits it."""
    if facts.answers or facts.purpose not in _NOT_CODES:
        return None
    ends = _closing(facts.now, facts.zones, facts.policy.opens, facts.policy.closes)
    assert ends is not None, "what is allowed lies within its hours"
    return min([ends, *_quiet_from(facts)])


@lru_cache(maxsize=4096)
def _closing(now: datetime, where: tuple[str, ...], opens: time, closes: time) -> datetime | None:
    return zones.closing(now, where, opens=max(opens, zones.OPENS), closes=min(closes, zones.CLOSES))


def _quiet_from(facts: Facts) -> list[datetime]:
    """List when times that do not suit begin later today."""
    found = []
    for zone in facts.zones if facts.quiet else ():
        local = facts.now.astimezone(ZoneInfo(zone))
        for quiet in facts.quiet:
            if quiet.weekday == local.weekday() and quiet.starts > local.time():
                found.append(datetime.combine(local.date(), quiet.starts, ZoneInfo(zone)))
    return found


def _quiet(facts: Facts) -> Found:
    """Keep away from times that the consumer or the creditor's file called inconvenient, wherever the consumer is."""
    if facts.answers or not facts.quiet:
        return None
    at, policy = facts.now, facts.policy
    # Behind one time may follow another, or the night: go on until a moment suits.
    for _step in range(50):
        later = max((end for end in (_quiet_until(at, facts)) if end), default=at)
        opens = _next_opening(later, facts.zones, policy.opens, policy.closes)
        if opens is None or opens == at:
            break
        at = opens
    quiet_now = any(_quiet_until(facts.now, facts))
    return Denial("inconvenient_time", ("RF-04",), at) if quiet_now else None


def _quiet_until(at: datetime, facts: Facts) -> list[datetime]:
    found = []
    for zone in facts.zones:
        local = at.astimezone(ZoneInfo(zone))
        for quiet in facts.quiet:
            if quiet.weekday == local.weekday() and quiet.starts <= local.time() < quiet.ends:
                found.append(datetime.combine(local.date(), quiet.ends, ZoneInfo(zone)))
    return found


def _too_often(facts: Facts) -> Found:
    """Count all channels about this debt over seven days, rolling; what the agency allows, never more than the law."""
    recent = sorted(past.at for past in facts.past if past.at > facts.now - WEEK)
    if facts.channel == "call" or len(recent) < facts.policy.most_in_week:
        return None
    return Denial("too_often", ("RF-09",), recent[-facts.policy.most_in_week] + WEEK)


def _too_many_calls(facts: Facts) -> Found:
    calls = sorted(past.at for past in facts.past if past.channel == "call" and past.at > facts.now - WEEK)
    talked = [past.at for past in facts.past if past.conversation and past.at > facts.now - WEEK]
    if talked:
        return Denial("talked_this_week", ("RF-09",), max(talked) + WEEK)
    return Denial("too_many_calls", ("RF-09",), calls[-MOST_CALLS] + WEEK) if len(calls) >= MOST_CALLS else None


def _packs(facts: Facts) -> tuple[packs.Pack, ...]:
    return _in_force(facts.state, facts.zip_code, facts.now.astimezone(ZoneInfo(facts.zones[0])).date())


@lru_cache(maxsize=4096)
def _in_force(state: str, zip_code: str, today: date) -> tuple[packs.Pack, ...]:
    return packs.in_force(state=state, zip_code=zip_code, today=today)


def _state_limits(facts: Facts) -> Found:
    for pack in _packs(facts):
        for limit in pack.limits:
            if facts.channel not in limit.channels:
                continue
            counted = sorted(
                p.at for p in facts.past if p.channel in limit.channels and p.at > facts.now - limit.period
            )
            if len(counted) >= limit.most:
                return Denial(f"too_often_{pack.code}", (pack.rule,), counted[-limit.most] + limit.period)
    return None


def _state_consent(facts: Facts) -> Found:
    for pack in _packs(facts):
        if facts.channel in pack.consent_per_debt and not facts.consented_debt:
            return Denial(f"consent_{pack.code}", (pack.rule,))
        if facts.channel in pack.consent and not (facts.consented or facts.consented_debt):
            return Denial(f"consent_{pack.code}", (pack.rule,))
    return None


# Which rule is asked of what ------------------------------------------------------------------------------------

_ALL = PURPOSES
_NOT_CODES = tuple(one for one in PURPOSES if one not in ("code", "confirmation"))
_PRESSING = (*OUR_OWN, "service")
_WRITTEN = packs.ELECTRONIC
_ANY = CHANNELS

RULES: tuple[tuple[Callable[[Facts], Found], tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (addresses.no_address, ("RF-12",), _ALL, _WRITTEN),
    (addresses.bad, ("EML-05", "RF-12"), _ALL, _ANY),
    (addresses.opted_out, ("RF-07", "EML-04"), _NOT_CODES, _ANY),
    (addresses.revoked_all, ("SMS-04",), _NOT_CODES, ("text", "call")),
    (addresses.stream_stopped, ("EML-06",), _NOT_CODES, _WRITTEN),
    (addresses.mail_route, ("RF-12", "RF-13", "RF-14", "RF-15"), _NOT_CODES, ("email",)),
    (addresses.employer, ("RF-10",), _NOT_CODES, ("email",)),
    (addresses.text_sender, ("SMS-06", "SMS-07"), _ALL, ("text",)),
    (addresses.text_route, ("RF-16", "SMS-11"), _NOT_CODES, ("text",)),
    (_status, ("RF-05", "RF-06", "RF-32", "STS-01", "STS-03", "STS-06"), _NOT_CODES, _ANY),
    (_dispute, ("RF-32",), _PRESSING, _ANY),
    (_licence, ("ST-09",), OUR_OWN, _ANY),
    (_hardship, ("STS-05",), _PRESSING, _ANY),
    (_validation, ("RF-28", "RF-31"), OUR_OWN, _ANY),
    (_state_consent, ("ST-01", "ST-05", "ST-06", "ST-07"), OUR_OWN, _WRITTEN),
    (_too_often, ("RF-09",), OUR_OWN, _WRITTEN),
    (_too_many_calls, ("RF-09",), OUR_OWN, ("call",)),
    (_state_limits, ("ST-06", "ST-07", "ST-08"), OUR_OWN, _ANY),
    (_hours, ("RF-01", "RF-02", "RF-03", "SMS-08"), _NOT_CODES, _ANY),
    (_quiet, ("RF-04",), _NOT_CODES, _ANY),
)
"""Rule, its ids, the purposes and the channels it is asked for. Lasting reasons come before those that pass."""
