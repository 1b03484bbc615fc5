"""What a change of an arrangement comes to, with its effect on the settlement, before anybody confirms it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Arrangement, Method, Postdate
from payments.rules import change_notices
from payments.rules import changes as rules
from payments.rules.authorization import IncompleteAuthorization
from payments.rules.changes import Changed, Planned
from payments.services import authority, gate, life, replan, tries
from payments.services.arrange import BY_THEMSELVES, breach_of
from payments.services.authorize import usable
from payments.services.gate import Standing
from payments.services.limits import last_day, limit_of, terms_of
from payments.services.locks import read_account
from payments.services.means import means_of_method
from payments.services.methods import kept_for
from payments.services.owed import owed
from payments.services.received import received
from payments.services.route import Route
from settlements.rules.schedules import Line

_UNCHANGED = Changed()
KINDS = ("move", "skip", "frequency", "method", "advance", "pay_extra", "pay_off", "cancel")
COUNTED = ("move", "skip", "frequency", "method", "advance")
"""What the rules limit in number; nobody is kept from paying or from cancelling."""
BY_STAFF_ONLY = ("advance",)
MOST_IN_ADVANCE = 10
"""Days: with more, a weekly payment would be taken before the one it follows."""
_SENTENCES = {
    "change_unknown": gettext_noop("Please choose what you would like to change."),
    "arrangement_not_running": gettext_noop("This arrangement cannot be changed now."),
    "changes_used_up": gettext_noop("This arrangement was changed %(count)s times. Please call to change it again."),
    "change_under_way": gettext_noop("An earlier change is still being confirmed. Please try again later."),
    "method_unknown": gettext_noop("Please choose one of your saved ways to pay."),
    "nothing_changes": gettext_noop("This is how it is planned already."),
    "recording_missing": gettext_noop(
        "Only the consumer can agree to this: give the reference of the recorded call in which they did."
    ),
    "days_in_advance_wrong": gettext_noop("Enter a number of days from 0 to %(most)s."),
    "not_linked": gettext_noop("No card and no bank account is linked, so nothing is charged on any day."),
    "payment_not_positive": gettext_noop("Enter an amount."),
    "more_than_left": gettext_noop("The most you can pay now is %(left_cents)s."),
}
_EFFECTS = {
    "settlement_kept": gettext_noop(
        "The settlement stays as it is: %(total_cents)s in all, which saves you %(saving_cents)s."
    ),
    "total_kept": gettext_noop("You pay %(total_cents)s in all, as agreed."),
    "last_moves": gettext_noop("The last payment moves from %(before_on)s to %(after_on)s."),
    "payments_left": gettext_noop("Payments that remain: %(count)s, %(rest_cents)s in all."),
    "changes_left": gettext_noop("Changes that you can still make after this one: %(count)s."),
    "host_confirms": gettext_noop("The agency's own system has to confirm this. You will see it here."),
    "notice_first": gettext_noop("The consumer is told by email at once. Without that notice nothing is charged."),
    "letter_first": gettext_noop("The consumer is told by letter. Without that notice nothing is charged."),
    "all_paid": gettext_noop("This pays everything that is left. No later payments are taken."),
    "settlement_ends": gettext_noop("The settlement ends. You then owe %(owed_cents)s."),
    "plan_ends": gettext_noop("The plan ends. You then owe %(owed_cents)s."),
    "saving_lost": gettext_noop("The saving of %(saving_cents)s is lost."),
    "none_taken": gettext_noop("Planned payments that are not taken any more: %(count)s, %(rest_cents)s in all."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Say what is to change; `payment` is a post-date, `method` a kept card or bank account of the consumer.

    `recording` names the recorded call in which the consumer agreed, where staff write it down (ACH-07); without one
    staff can only do what a notice in time allows. `reason` is why staff did it.
    """

    kind: str
    payment: UUID | None = None
    to_on: date | None = None
    frequency: str = ""
    method: Method | None = None
    amount_cents: int = 0
    days_in_advance: int = 0
    recording: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Show what a change comes to; with refusals it cannot be confirmed.

    `lines` are the payments that would be planned, `effects` sentences of the catalogue (`Refusal.say`), first of
    all what becomes of the settlement. `text` is the new authorization, empty where nothing is charged by us.
    `pay_now_cents` is what `pay_extra` and `pay_off` come to.
    """

    refusals: tuple[Refusal, ...] = ()
    lines: tuple[tuple[date, int], ...] = ()
    effects: tuple[Refusal, ...] = ()
    text: str = ""
    text_sha256: str = ""
    text_version: str = ""
    pay_now_cents: int = 0
    changed: Changed = _UNCHANGED


@dataclass(frozen=True, slots=True)
class Facts:
    row: Arrangement
    account: Account
    at: Standing
    items: tuple[Postdate, ...]
    planned: tuple[Planned, ...]
    counted_cents: int
    today: date
    now: datetime
    by_staff: bool


def preview(*, arrangement: Arrangement, wish: Wish, now: datetime, by: str, language: str = "en") -> Preview:
    """Work out what a change comes to, with its effect on the settlement; nothing is written."""
    account = read_account(arrangement.account_id)
    return work_out(facts_of(arrangement.pk, account, by, now), wish, language)


@known
def _row(arrangement_id: UUID) -> QuerySet[Arrangement]:
    return Arrangement.objects.select_related("authorization", "method__processor_account").filter(pk=arrangement_id)


@known
def _open(arrangement_id: UUID, extra: bool) -> QuerySet[Postdate]:
    joined = Postdate.objects.select_related("method__processor_account", "arrangement")
    mine = joined.filter(arrangement=arrangement_id, status__in=Postdate.OPEN, extra=extra)
    return mine.order_by("due_on")


def facts_of(arrangement_id: UUID, account: Account, by: str, now: datetime) -> Facts:
    row = _row.get(arrangement_id)
    row.account = account
    items = tuple(_open(arrangement_id, False))
    by_staff = by.startswith("staff:")
    planned = tuple(
        Planned(
            str(item.pk), item.due_on, item.amount_cents, item.status in replan.MOVABLE, by_staff and _stopped(item)
        )
        for item in items
    )
    today = local_date(now, account.consumer.time_zone)
    counted = received([row])[row.pk].counted_cents
    at = gate.standing(account, now=now)
    return Facts(row, account, at, items, planned, counted, today, now, by_staff)


def _stopped(item: Postdate) -> bool:
    """Tell an item whose try a person stopped: it is taken on no day until staff choose another."""
    return item.status == Postdate.Status.HELD and item.held_for == tries.STOPPED


def _no(code: str, field: str | None = None, **params: Any) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def _against(facts: Facts, wish: Wish) -> list[Refusal]:
    if wish.kind not in KINDS:
        return [_no("change_unknown", "kind")]
    if wish.kind in BY_STAFF_ONLY and not facts.by_staff:
        return [_no("change_unknown", "kind")]
    row = facts.row
    found = []
    if row.status not in (Arrangement.Status.PERFORMING, Arrangement.Status.LATE):
        # A resting or broken one can still be paid off or cancelled.
        open_for = ("cancel", "pay_off", "pay_extra") if row.status in life.WATCHED else ()
        if wish.kind not in open_for or (row.status == Arrangement.Status.BROKEN and row.ended_at is not None):
            found.append(_no("arrangement_not_running"))
    if wish.kind in COUNTED:
        most = limit_of(row.terms, "max_changes")
        if most is not None and row.changes >= most and not facts.by_staff:
            found.append(_no("changes_used_up", count=row.changes))
        if any(item.replacement for item in facts.items) or _open.exists(row.pk, True):
            found.append(_no("change_under_way"))
    return found


def work_out(facts: Facts, wish: Wish, language: str) -> Preview:
    if found := _against(facts, wish):
        return Preview(refusals=tuple(found))
    if wish.kind == "cancel":
        return Preview(effects=tuple(_ending(facts)))
    if wish.kind in ("pay_extra", "pay_off"):
        return _paying(facts, wish)
    return _changing(facts, wish, language)


def _ending(facts: Facts) -> list[Refusal]:
    """Say what cancelling comes to: what is owed then, the saving that is lost, the payments that are not taken."""
    settling = facts.row.kind == Arrangement.Kind.SETTLEMENT
    code = "settlement_ends" if settling else "plan_ends"
    found = [_effect(facts, code, owed_cents=owed(facts.account).cents)]
    if settling and facts.row.saving_cents:
        found.append(_effect(facts, "saving_lost", saving_cents=facts.row.saving_cents))
    if planned := [item for item in facts.items if item.method_id]:
        rest = sum(item.amount_cents for item in planned)
        found.append(_effect(facts, "none_taken", count=len(planned), rest_cents=rest))
    return found


def _paying(facts: Facts, wish: Wish) -> Preview:
    left = min(facts.row.total_cents - facts.counted_cents, facts.at.owed.single_most_cents)
    amount = left if wish.kind == "pay_off" else wish.amount_cents
    if amount <= 0:
        return Preview(refusals=(_no("payment_not_positive", "amount_cents"),))
    if amount > left:
        return Preview(refusals=(_no("more_than_left", "amount_cents", left_cents=left),))
    rest = facts.row.total_cents - facts.counted_cents - amount
    charged = [one for one, item in zip(facts.planned, facts.items, strict=True) if item.method_id]
    stays = rules.after_payment(charged, sum(one.amount_cents for one in charged) - rest)
    kept = [_kept(facts)]
    if rest <= 0:
        kept.append(_effect(facts, "all_paid"))
    else:
        kept.append(_effect(facts, "payments_left", count=len(stays), rest_cents=rest))
    lines = tuple((one.due_on, one.amount_cents) for one in stays)
    return Preview(lines=lines, effects=tuple(kept), pay_now_cents=amount)


def _changing(facts: Facts, wish: Wish, language: str) -> Preview:
    row, today = facts.row, facts.today
    limit = last_day(row, facts.planned, today)
    kind = row.method.kind if row.method else ""
    if wish.kind == "move":
        # Without a day it is refused like any day that is not later.
        to_on = wish.to_on or today
        changed = rules.move(facts.planned, str(wish.payment), to_on, today=today, limit_on=limit, method=kind)
    elif wish.kind == "skip":
        changed = rules.skip(
            facts.planned, str(wish.payment), frequency=row.frequency, today=today, limit_on=limit, method=kind
        )
    elif wish.kind == "frequency":
        changed = rules.reschedule(
            facts.planned,
            wish.frequency,
            terms=terms_of(row, limit),
            today=today,
            limit_on=limit,
            method=kind or "card",
        )
    elif wish.kind == "advance":
        changed = _in_advance(facts, wish, limit, kind)
    else:
        changed = _other_method(facts, wish)
    if changed.refusals:
        return Preview(refusals=changed.refusals)
    stay = [(one.due_on, one.amount_cents) for one in facts.planned if one.key not in changed.gone]
    lines = tuple(sorted([*stay, *((line.due_on, line.amount_cents) for line in changed.lines)]))
    method, route = method_of(facts, wish)
    if against := _closed(facts, lines, method, route):
        return Preview(refusals=tuple(against))
    if method is not None and facts.by_staff and not wish.recording:
        if unsigned := _unsigned(facts, wish, changed, method):
            return Preview(refusals=tuple(unsigned))
        return Preview(lines=lines, effects=(*_effects(facts, changed, lines), _announced(facts)), changed=changed)
    if method is not None:
        ahead = [Line(on, cents) for on, cents in lines]
        channel = gate.channel_for(facts.account.consumer)
        if late := gate.check_channel(channel, [line for line in ahead if line in changed.lines], today):
            return Preview(refusals=tuple(late))
    try:
        text, sha256, version = text_of(facts, method, lines, language) if method else ("", "", "")
    except IncompleteAuthorization as error:
        return Preview(refusals=error.refusals)
    return Preview(
        lines=lines,
        effects=tuple(_effects(facts, changed, lines)),
        text=text,
        text_sha256=sha256,
        text_version=version,
        changed=changed,
    )


def _closed(facts: Facts, lines: Sequence[tuple[date, int]], method: Method | None, route: Route) -> list[Refusal]:
    """Ask what a new plan would have to pass, whoever changes it: what is planned anew is handed over anew."""
    if method is None and facts.row.method is not None:
        return [gate.no("method_not_routed", "method")]
    ahead = [Line(on, cents) for on, cents in lines]
    means = means_of_method(method) if method else None
    return gate.against_agreeing(facts.at, ahead, means, route.executor, now=facts.now)


def _other_method(facts: Facts, wish: Wish) -> Changed:
    """Let another card or bank account take over what is planned."""
    method = wish.method
    mine = method is not None and method.consumer_id == facts.account.consumer_id
    if method is None or not mine or not usable(method) or not kept_for(facts.account, method):
        return Changed(refusals=(_no("method_unknown", "method"),))
    if method.pk == facts.row.method_id:
        return Changed(refusals=(_no("nothing_changes", "method"),))
    moving = _taken_over(facts, wish)
    lines = tuple(Line(one.due_on, one.amount_cents) for one in moving)
    route = _route_for(facts, method, lines) if lines else None
    if route is None or method.kind not in facts.at.allowed.methods(max(len(lines), 2)):
        return Changed(refusals=(gate.no("method_not_routed", "method"),))
    return Changed(tuple(one.key for one in moving), lines)


def _taken_over(facts: Facts, wish: Wish) -> list[Planned]:
    """List what another method takes over: what a host charges today or tomorrow is on its way, our own is not.

    Signing for the new method ends what was signed for the old one, so what is ours stays behind only while its charge
    is undecided (EFT-05, PDC-07). A host that takes it over is told a day ahead.
    """
    near = facts.today + timedelta(days=rules.NEAR_DAYS)
    first = facts.today + timedelta(days=1 if method_of(facts, wish)[1].executor == "host" else 0)
    ours = [item for item in facts.items if item.method_id and item.executor == "portal" and item.due_on <= near]
    soon = {item.pk for item in ours if item.due_on >= first}
    soon -= set(tries.undecided(facts.account.pk)) if soon else set()
    return [one for one in facts.planned if one.movable and (one.due_on > near or UUID(one.key) in soon)]


def _in_advance(facts: Facts, wish: Wish, limit: date, kind: str) -> Changed:
    if not kind:
        return Changed(refusals=(_no("not_linked", "days_in_advance"),))
    if not 0 <= wish.days_in_advance <= MOST_IN_ADVANCE:
        return Changed(refusals=(_no("days_in_advance_wrong", "days_in_advance", most=MOST_IN_ADVANCE),))
    earlier = wish.days_in_advance - facts.row.days_in_advance
    return rules.advance(facts.planned, earlier, today=facts.today, limit_on=limit, method=kind)


def _unsigned(facts: Facts, wish: Wish, changed: Changed, method: Method) -> list[Refusal]:
    """Say what is against a change that the consumer does not sign: only days move, and each is told in time."""
    if wish.kind not in ("move", "skip", "advance"):
        return [_no("recording_missing", "recording")]
    channel = gate.channel_for(facts.account.consumer)
    kind, today = change_notices.DATE_CHANGE, facts.today
    late = (change_notices.check_in_time(kind, line.due_on, today, method.kind, channel) for line in changed.lines)
    return next(filter(None, late), []) or gate.check_channel(channel, list(changed.lines), today)


def _announced(facts: Facts) -> Refusal:
    return _effect(facts, "letter_first" if gate.channel_for(facts.account.consumer) == "letter" else "notice_first")


def _route_for(facts: Facts, method: Method, lines: tuple[Line, ...]) -> Route | None:
    (_now, later), _complete = gate.routes(facts.account, method.kind, lines, facts.today)
    return later


def method_of(facts: Facts, wish: Wish) -> tuple[Method | None, Route]:
    method = wish.method if wish.kind == "method" else facts.row.method
    if method is None:
        return None, BY_THEMSELVES
    first = Line(facts.today + timedelta(days=1), 1)
    route = _route_for(facts, method, (first,))
    return (method, route) if route is not None else (None, BY_THEMSELVES)


def text_of(facts: Facts, method: Method, lines: tuple[tuple[date, int], ...], language: str) -> tuple[str, str, str]:
    """Write what is agreed to when these payments stand from now on."""
    return authority.write(
        account=facts.account,
        means=means_of_method(method),
        lines=lines,
        today=facts.today,
        settlement_of_cents=None,
        language=language,
        breach=breach_of(facts.row.terms) if "breach" in facts.row.terms else None,
        settling=facts.row.kind == Arrangement.Kind.SETTLEMENT,
    )


def _effect(facts: Facts, code: str, **params: Any) -> Refusal:
    return refuse(_EFFECTS[code], code, currency=facts.account.currency, **params)


def _kept(facts: Facts) -> Refusal:
    row = facts.row
    if row.kind == Arrangement.Kind.SETTLEMENT:
        return _effect(facts, "settlement_kept", total_cents=row.total_cents, saving_cents=row.saving_cents)
    return _effect(facts, "total_kept", total_cents=row.total_cents)


def _effects(facts: Facts, changed: Changed, lines: tuple[tuple[date, int], ...]) -> list[Refusal]:
    found = [_kept(facts)]
    before, after = max(one.due_on for one in facts.planned), lines[-1][0]
    if before != after:
        found.append(_effect(facts, "last_moves", before_on=before, after_on=after))
    rest = sum(cents for _on, cents in lines)
    found.append(_effect(facts, "payments_left", count=len(lines), rest_cents=rest))
    if any(item.executor == "host" for item in facts.items if str(item.pk) in changed.gone):
        found.append(_effect(facts, "host_confirms"))
    most = limit_of(facts.row.terms, "max_changes")
    if most is not None and not facts.by_staff:
        found.append(_effect(facts, "changes_left", count=most - facts.row.changes - 1))
    return found
