"""May this address be used at all: how it came to us, and what was said against it (RF-07, RF-10 to RF-16)."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.rules.facts import Denial, Facts, Found, Point

TEXT_CONSENT_DAYS = 60
"""RF-16: so long a text, a consent or a scrub of the number speaks for it."""
OPT_OUT_DAYS = 35
"""RF-14: so long the creditor's notice must leave the consumer to object."""
USED, CREDITOR, PRIOR, TEXTED = "RF-13", "RF-14", "RF-15", "RF-16"
ROUTES = {"consumer": USED, **{rule: rule for rule in (USED, CREDITOR, PRIOR, TEXTED)}}
"""How an address may have come to us, by the word in its row."""

PUBLIC_DOMAINS = """
gmail.com googlemail.com yahoo.com ymail.com outlook.com hotmail.com live.com msn.com icloud.com me.com mac.com aol.com
proton.me protonmail.com gmx.com gmx.net mail.com zoho.com fastmail.com comcast.net att.net verizon.net sbcglobal.net
bellsouth.net cox.net charter.net earthlink.net optonline.net
"""
"""Mailboxes that people get for themselves; any other domain may be an employer's (RF-10)."""
_PUBLIC = frozenset(PUBLIC_DOMAINS.split())


# The address ----------------------------------------------------------------------------------------------------


def no_address(facts: Facts) -> Found:
    return None if facts.point is not None else Denial("no_address", ("RF-12",))


def bad(facts: Facts) -> Found:
    return Denial("bad_address", ("EML-05", "RF-12")) if facts.point and facts.point.bad else None


def opted_out(facts: Facts) -> Found:
    if facts.point and facts.point.opted_out:
        return Denial("opted_out", ("RF-07", "EML-04"))
    return Denial("medium_stopped", ("RF-07",)) if facts.medium_stopped else None


def revoked_all(facts: Facts) -> Found:
    """From its day on a stop by text ends texts and calls on every matter, to every number of the consumer."""
    return Denial("revoked_all", ("SMS-04",)) if facts.revoked_all else None


STREAM_OF = {
    "campaign": "campaigns",
    "reminder": "campaigns",
    "service": "notices",
    "notice": "notices",
    "receipt": "receipts",
}
"""On whose suppression list to look (EML-06); codes and confirmations answer the consumer and have none."""


def stream_stopped(facts: Facts) -> Found:
    """Each stream has its own list: who wants no offers still gets the notices and receipts that the law wants."""
    if facts.point and STREAM_OF.get(facts.purpose) in facts.point.streams:
        return Denial("stream_stopped", ("EML-06",))
    return None


def mail_route(facts: Facts) -> Found:
    """E-mail: the consumer used or gave it (i), the creditor announced it (ii), a prior collector used it (iii)."""
    if (point := facts.point) is None:
        return None
    if point.unconfirmed:
        return Denial("unconfirmed", ("RF-13",))
    if point.proven and not point.route:
        return None  # a code came back from it: the consumer used it with us
    route = ROUTES.get(point.route, "")
    if route == USED:
        # Typed into our page it counts only with the wording that stood beside the field.
        typed_blind = point.typed and not point.evidence.get("version")
        return Denial("no_disclosure", ("RF-13",)) if typed_blind else None
    if route == CREDITOR:
        return _creditor_notice(point, facts)
    if route == PRIOR:
        said = str(_evidence(point, "opt_out")).lower() in ("yes", "true", "1")
        return Denial("opted_out", ("RF-15", "RF-07")) if said else None
    return Denial("no_route", ("RF-12",))


def _creditor_notice(point: Point, facts: Facts) -> Found:
    sent, deadline = _day(_evidence(point, "notice_sent_on")), _day(_evidence(point, "opt_out_deadline"))
    if sent is None or deadline is None or (deadline - sent).days < OPT_OUT_DAYS:
        return Denial("creditor_notice_invalid", ("RF-14",))
    if facts.now.astimezone(ZoneInfo(facts.zones[0])).date() > deadline:
        return None
    opens = datetime.combine(deadline + timedelta(days=1), facts.policy.opens, ZoneInfo(facts.zones[0]))
    return Denial("creditor_notice_running", ("RF-14",), opens)


def employer(facts: Facts) -> Found:
    """No address at work unless the consumer used it with us or consented to it directly."""
    if (point := facts.point) is None or ROUTES.get(point.route) == USED or point.proven:
        return None
    domain = point.value.rpartition("@")[2].lower()
    at_work = domain in facts.policy.employers or domain not in _PUBLIC
    return Denial("employer_address", ("RF-10",)) if at_work else None


# Text messages --------------------------------------------------------------------------------------------------


def text_sender(facts: Facts) -> Found:
    match facts.policy.texts:
        case "ready":
            return None
        case "forbidden":
            return Denial("provider_forbids", ("SMS-06",))
        case "pending":
            return Denial("sender_not_registered", ("SMS-07",))
    return Denial("no_text_sender", ("SMS-06", "SMS-07"))


def text_route(facts: Facts) -> Found:
    """Text: the consumer's own text or consent, renewed or the number scrubbed within sixty days; never a transfer."""
    if (point := facts.point) is None:
        return None
    if not point.mobile:
        return Denial("not_a_mobile", ("SMS-11",))
    if point.unconfirmed:
        return Denial("unconfirmed", ("RF-16",))
    if ROUTES.get(point.route) not in (USED, TEXTED):
        return Denial("no_route" if not point.route else "no_text_consent", ("RF-16", "RF-12"))
    said = [_day(_evidence(point, name)) for name in ("consent_on", "last_text_on")]
    if str(_evidence(point, "scrub_answer")).lower() == "no":  # "yes" and "no data" do not pass
        said.append(_day(_evidence(point, "scrubbed_on")))
    last = max((day for day in said if day), default=None)
    today = facts.now.astimezone(ZoneInfo(facts.zones[0])).date()
    if last is None or (today - last).days > TEXT_CONSENT_DAYS:
        return Denial("text_consent_old", ("RF-16",))
    return None


# What is read from evidence -------------------------------------------------------------------------------------

_NAMES = {
    "notice_sent_on": ("creditor_notice_sent_on", "CreditorNoticeSentOn", "NoticeSentOn"),
    "opt_out_deadline": ("optout_deadline", "OptOutDeadline"),
    "opt_out": ("opt_out", "OptOut"),
    "consent_on": ("consent_on", "ConsentOn"),
    "last_text_on": ("last_text_on", "LastTextOn"),
    "scrubbed_on": ("scrubbed_on", "ScrubbedOn"),
    "scrub_answer": ("scrub_answer", "ScrubAnswer"),
}
"""Our word, and how hosts write it."""


def _evidence(point: Point, name: str) -> object:
    return next((point.evidence[key] for key in _NAMES[name] if point.evidence.get(key)), "")


def _day(said: object) -> date | None:
    try:
        return date.fromisoformat(str(said)[:10])
    except ValueError:
        return None
