"""Change an arrangement in mid-life: previewed with its effect on the settlement, then confirmed as it was previewed.

Move a date, skip a payment to the end, another rhythm, another method, pay extra, pay off, cancel. What the host holds
is asked back first and planned anew once it was let go (services.replan). Paying extra or off is a payment like any
other (`checkout.choose(choice="amount")`); its preview says which planned payments fall away.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from accounts import events
from accounts.models import Event, Visit
from payments.models import Arrangement, Authorization, Method, Postdate
from payments.rules.changes import Changed
from payments.services import authority, gate, life, replan
from payments.services.arrange import about_of
from payments.services.authorize import authorize
from payments.services.locks import lock_account
from payments.services.preview import (
    COUNTED,
    KINDS,
    Facts,
    Preview,
    Wish,
    facts_of,
    method_of,
    preview,
    text_of,
    work_out,
)
from payments.services.route import Route
from payments.services.sign import Refused

__all__ = ["KINDS", "Preview", "Refused", "Wish", "confirm", "made_already", "preview"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Say in which visit, from where and with which browser the consumer agreed."""

    visit: Visit | None = None
    ip: str | None = None
    user_agent: str = ""


BY_NOBODY = Signer()


@transaction.atomic
def confirm(
    *,
    arrangement: Arrangement,
    wish: Wish,
    by: str,
    now: datetime,
    text_sha256: str = "",
    seen_changes: int | None = None,
    signer: Signer = BY_NOBODY,
    language: str = "en",
) -> Arrangement:
    """Make a change as it was previewed. Paying is not one of them: that is a checkout.

    :param text_sha256: of the authorization that the preview showed, where it showed one.
    :param seen_changes: how often it had been changed when it was previewed: confirming twice is confirming once.
    :raises Refused: the change is not possible, or what was shown has changed; nothing is written.
    """
    account = lock_account(arrangement.account_id)
    facts = facts_of(arrangement.pk, account, by, now)
    if made_already(facts.row, wish.kind, text_sha256, seen_changes):
        return facts.row
    seen = work_out(facts, wish, language)
    if seen.refusals:
        raise Refused(seen.refusals)
    if seen.text_sha256 != text_sha256:
        raise Refused([gate.no("text_changed")])
    row = facts.row
    if wish.kind == "cancel":
        return life.cancel(arrangement=row, by=by, reason=wish.reason or "cancelled", now=now)
    assert wish.kind in COUNTED, "paying goes through a checkout"
    method, route = method_of(facts, wish)
    if seen.text:
        _sign(facts, seen, method, route, wish, by=by, signer=signer, language=language, now=now)
    row.changes += 1
    if wish.kind == "frequency":
        row.frequency = wish.frequency
    if wish.kind == "advance":
        row.days_in_advance = wish.days_in_advance
    row.save(update_fields=["changes", "frequency", "authorization", "method", "days_in_advance"])
    told = about_of(
        row,
        account,
        change=wish.kind,
        changes=row.changes,
        planned=[[on.isoformat(), cents] for on, cents in seen.lines],
        by=by,
        signed=bool(seen.text),
        days_in_advance=row.days_in_advance,
        **({"reason": wish.reason[:300]} if wish.reason else {}),
    )
    events.record("arrangement.changed", account=account, now=now, data=told)
    gone = [item for item in facts.items if str(item.pk) in seen.changed.gone]
    for one, lines in _batches(wish, gone, seen.changed):
        replan.let_go(
            one,
            arrangement=row,
            account=account,
            lines=lines,
            reason="changed",
            now=now,
            method=method,
            route=route,
            shifts=wish.kind != "method",
        )
    return life.review_locked(row.pk, account=account, now=now)


def made_already(row: Arrangement, kind: str, text_sha256: str, seen_changes: int | None) -> bool:
    """Tell whether this very change was confirmed before: the page was sent twice."""
    if seen_changes is None or kind not in COUNTED or row.changes != seen_changes + 1:
        return False
    last = Event.objects.filter(account_id=row.account_id, kind="arrangement.changed", data__arrangement=str(row.pk))
    told = last.order_by("-account_seq").values_list("data__change", flat=True).first()
    signed = row.authorization.text_sha256 if row.authorization and text_sha256 else ""
    return told == kind and signed == text_sha256


def _batches(wish: Wish, gone: list[Postdate], changed: Changed) -> list[tuple[list[Postdate], list[tuple[date, int]]]]:
    """Let go of each item by itself where each has its own successor, of all together where the rhythm changes."""
    if wish.kind == "method":
        return [([item], [(item.due_on, item.amount_cents)]) for item in gone]
    if wish.kind == "advance":
        return [([item], [(line.due_on, line.amount_cents)]) for item, line in zip(gone, changed.lines, strict=True)]
    return [(gone, [(line.due_on, line.amount_cents) for line in changed.lines])]


def _sign(
    facts: Facts,
    seen: Preview,
    method: Method | None,
    route: Route,
    wish: Wish,
    *,
    by: str,
    signer: Signer,
    language: str,
    now: datetime,
) -> Authorization:
    """Write the authorization of what is planned from now on; another method's old one ends."""
    assert method is not None, "a text is signed for a method"
    row, before = facts.row, facts.row.authorization
    row.authorization = authorize(
        account=facts.account,
        method=method,
        lines=seen.lines,
        text=(seen.text, seen.text_sha256, seen.text_version),
        language=language,
        ip=signer.ip,
        user_agent=signer.user_agent,
        visit=signer.visit,
        sec_code="TEL" if wish.recording else "WEB",
        evidence={"by": by, "later": list(route), "before": str(before.pk) if before else None}
        | ({"recording": wish.recording[:120]} if wish.recording else {}),
        english="" if language.startswith("en") else text_of(facts, method, seen.lines, "en")[0],
        now=now,
    )
    if before is not None and row.method_id != method.pk:
        authority.revoke(before, account=facts.account, by=by, now=now)
    row.method = method
    return row.authorization
