"""Change an arrangement in mid-life: previewed with its effect on the settlement, then confirmed as it was previewed.

Move a date, skip a payment to the end, another rhythm, another method, pay extra, pay off, cancel. What the host holds
is asked back first and planned anew once it was let go (services.replan). Paying extra or off is a payment like any
other (`checkout.choose(choice="amount")`); its preview says which planned payments fall away.
"""

from datetime import date, datetime

from django.db import transaction

from accounts import events
from payments.models import Arrangement, Authorization, Method, Postdate
from payments.rules.changes import Changed
from payments.services import authority, gate, life, replan
from payments.services.arrange import about_of
from payments.services.authorize import authorize
from payments.services.locks import lock_account
from payments.services.preview import COUNTED, KINDS, Facts, Preview, Wish, facts_of, method_of, preview, work_out
from payments.services.route import Route
from payments.services.sign import Refused

__all__ = ["KINDS", "Preview", "Refused", "Wish", "confirm", "preview"]


@transaction.atomic
def confirm(
    *,
    arrangement: Arrangement,
    wish: Wish,
    by: str,
    now: datetime,
    text_sha256: str = "",
    ip: str | None = None,
    language: str = "en",
) -> Arrangement:
    """Make a change as it was previewed. Paying is not one of them: that is a checkout.

    :param text_sha256: of the authorization that the preview showed, where it showed one.
    :raises Refused: the change is not possible, or what was shown has changed; nothing is written.
    """
    account = lock_account(arrangement.account_id)
    facts = facts_of(arrangement.pk, account, by, now)
    seen = work_out(facts, wish, language)
    if seen.refusals:
        raise Refused(seen.refusals)
    if seen.text_sha256 != text_sha256:
        raise Refused([gate.no("text_changed")])
    row = facts.row
    if wish.kind == "cancel":
        return life.cancel(arrangement=row, by=by, reason="cancelled", now=now)
    assert wish.kind in COUNTED, "paying goes through a checkout"
    method, route = method_of(facts, wish)
    if seen.text:
        _sign(facts, seen, method, route, by=by, ip=ip, language=language, now=now)
    row.changes += 1
    if wish.kind == "frequency":
        row.frequency = wish.frequency
    row.save(update_fields=["changes", "frequency", "authorization", "method"])
    told = about_of(
        row,
        account,
        change=wish.kind,
        changes=row.changes,
        planned=[[on.isoformat(), cents] for on, cents in seen.lines],
        by=by,
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


def _batches(wish: Wish, gone: list[Postdate], changed: Changed) -> list[tuple[list[Postdate], list[tuple[date, int]]]]:
    """Let go of each item by itself where each has its own successor, of all together where the rhythm changes."""
    if wish.kind == "method":
        return [([item], [(item.due_on, item.amount_cents)]) for item in gone]
    return [(gone, [(line.due_on, line.amount_cents) for line in changed.lines])]


def _sign(
    facts: Facts,
    seen: Preview,
    method: Method | None,
    route: Route,
    *,
    by: str,
    ip: str | None,
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
        ip=ip,
        evidence={"by": by, "later": list(route), "before": str(before.pk) if before else None},
        now=now,
    )
    if before is not None and row.method_id != method.pk:
        authority.revoke(before, account=facts.account, by=by, now=now)
    row.method = method
    return row.authorization
