"""Links by which somebody pays: made, looked up, used up, revoked. How they are paid is in `by_link`.

A helper's link is a bearer's: 128 bits, of which only a hash is kept, so it is shown once. What an agent prepared has
no secret: it opens for its consumer after they have said who they are. One link is good for one payment; a payment
that took nothing leaves it as it was.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import events
from accounts.known import known
from accounts.models import Account, Visit
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Checkout, PayLink, Payment
from payments.rules import cards
from payments.rules.gates import handover_gates
from payments.services import age_notice, gate
from payments.services.gate import Standing
from payments.services.locks import lock_account
from payments.services.means import disclosures
from settlements.rules.schedules import Line

TOKEN_BYTES = 16
"""128 bits (AUTH-06)."""
HELPER_LIFE, AGENT_LIFE = timedelta(days=7), timedelta(days=3)
"""A helper may need a pay day; what an agent prepared is about today's figures."""
MOST_OPEN = 5
"""Open links of one account: enough for a family, too few to spread."""
_SENTENCES = {
    "link_closed": gettext_noop("This link can no longer be used."),
    "too_many_links": gettext_noop("There are %(most)s open links for this account already. Take one back first."),
}
OPEN, DECIDING, PAID, CLOSED = "open", "deciding", "paid", "closed"


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def closed() -> Refusal:
    """Say that a link can no longer be used."""
    return _no("link_closed")


def hash_of(token: str) -> str:
    """Hash a token as it is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


@known
def _by_hash(token_hash: str) -> QuerySet[PayLink]:
    joined = PayLink.objects.select_related("account__consumer", "account__client", "account__agency", "payment")
    return joined.filter(token_hash=token_hash, kind=PayLink.Kind.HELPER)


def find(token: str) -> PayLink | None:
    """Look up a helper's link by its token, in the acting agency."""
    return _by_hash.first(hash_of(token))


def against_helper(
    at: Standing, amount_cents: int, *, visit: Visit | None, now: datetime, link: PayLink | None = None
) -> list[Refusal]:
    """List everything against letting somebody else pay this amount by card (CARD-02: what must be shown is there).

    :param visit: of the consumer who makes the link, or the link where it is made.
    """
    line = Line(at.today, amount_cents)
    found = gate.check_lines(at, "amount", [line], method="card")
    acknowledged = gate.sol_needed(at) and age_notice.was_read(
        visit.pk if visit else None, at.account, link_id=link.pk if link else None
    )
    facts = gate.facts_of(at, (line,), None, "portal", single=True, acknowledged=acknowledged, now=now)
    # No card is there yet; what stands against the account and the sum does now.
    found += [one for one in handover_gates(facts) if one.field != "method"]
    if cards.missing_disclosures(disclosures(at.account)):
        found.append(gate.no("card_disclosures_missing", "method"))
    if not gate.routes(at.account, "card", [line], at.today)[1]:
        found.append(gate.no("method_not_routed", "method"))
    return list({one.code: one for one in reversed(found)}.values())[::-1]


@transaction.atomic
def make_helper(
    *, account: Account, visit: Visit, amount_cents: int, now: datetime
) -> tuple[PayLink, str] | list[Refusal]:
    """Make a link by which somebody else pays an amount, and give its token, once; or all that is against it."""
    account = lock_account(account.pk)
    at = gate.standing(account, now=now)
    found = against_helper(at, amount_cents, visit=visit, now=now)
    if len(open_of(account, now=now)) >= MOST_OPEN:
        found.append(_no("too_many_links", most=MOST_OPEN))
    if found:
        return found
    token = secrets.token_urlsafe(TOKEN_BYTES)
    link = _make(
        account=account,
        kind=PayLink.Kind.HELPER,
        token=token,
        amount_cents=amount_cents,
        by=f"consumer:{account.consumer_id}",
        expires_at=now + HELPER_LIFE,
        now=now,
    )
    if gate.sol_needed(at):
        # Who owes it has read the notice in this visit; it goes with the link (SOL-02).
        about = {"visit": str(visit.pk), "link": str(link.pk)}
        events.record("sol_notice.acknowledged", account=account, now=now, data=about)
    return link, token


@transaction.atomic
def make_agent(
    *,
    account: Account,
    choice: str,
    lines: Sequence[Line],
    frequency: str,
    by: str,
    reason: str,
    mail: bool,
    text: bool = False,
    now: datetime,
) -> PayLink | list[Refusal]:
    """Prepare a payment or a plan for the consumer; every reason against it at once.

    :param mail: tell the consumer by e-mail that it waits behind the log-in.
    :param text: tell them by text, where they may be texted; else by e-mail.
    """
    account = lock_account(account.pk)
    at = gate.standing(account, now=now)
    found = gate.check_lines(at, choice, list(lines), method=None)
    line = lines[0] if lines else Line(at.today, 0)
    # The notice about the age of the debt is read by the consumer, on the way to the payment.
    facts = gate.facts_of(at, (line,), None, "portal", single=choice in gate.SINGLE, acknowledged=True, now=now)
    found += [one for one in handover_gates(facts) if one.field != "method"]
    if found or not lines:
        found = found or [gate.no("no_plan", "choice")]
        return list({one.code: one for one in reversed(found)}.values())[::-1]
    return _make(
        account=account,
        kind=PayLink.Kind.AGENT,
        token=secrets.token_urlsafe(TOKEN_BYTES),
        amount_cents=lines[0].amount_cents,
        by=by,
        expires_at=now + AGENT_LIFE,
        now=now,
        choice=choice,
        lines=[[one.due_on.isoformat(), one.amount_cents] for one in lines],
        frequency=frequency,
        reason=reason[:300],
        told={"mail": mail, "text": text},
    )


def _make(
    *, account: Account, kind: str, token: str, amount_cents: int, by: str, expires_at: datetime, now: datetime, **more
) -> PayLink:
    told = more.pop("told", {"mail": False})
    link = PayLink.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        kind=kind,
        token_hash=hash_of(token),
        amount_cents=amount_cents,
        made_by=by[:80],
        made_at=now,
        expires_at=expires_at,
        **more,
    )
    events.record("pay_link.made", account=account, now=now, data=about_of(link) | told)
    return link


def about_of(link: PayLink) -> dict:
    """Tell a link as events do; its token is nowhere."""
    return {
        "link": str(link.pk),
        "kind": link.kind,
        "choice": link.choice,
        "amount_cents": link.amount_cents,
        "payments": link.parts,
        "by": link.made_by,
        "reason": link.reason,
        "expires_at": link.expires_at.isoformat(),
    }


@transaction.atomic
def revoke(*, link: PayLink, by: str, now: datetime, reason: str = "") -> bool:
    """Take a link back; one that is used or revoked stays what it is."""
    account = lock_account(link.account_id)
    row = _to_lock.get(link.pk)
    if state(row, now=now) not in (OPEN, CLOSED) or row.revoked_at is not None:
        return False
    row.revoked_at, row.revoked_by = now, by[:80]
    row.save(update_fields=["revoked_at", "revoked_by"])
    events.record("pay_link.revoked", account=account, now=now, data=about_of(row) | {"by": by, "reason": reason})
    return True


@known
def _live(account_id: UUID, now: datetime) -> QuerySet[PayLink]:
    return PayLink.objects.filter(account=account_id, revoked_at=None, expires_at__gt=now).order_by("-made_at")


def open_of(account: Account, *, now: datetime) -> list[PayLink]:
    """List the links of an account that can still be paid."""
    return [link for link in _live(account.pk, now) if state(link, now=now) == OPEN]


@known
def _status(key: UUID) -> QuerySet:
    return Payment.objects.filter(idempotency_key=key).values_list("status", flat=True)


def state(link: PayLink, *, now: datetime) -> str:
    """Say what became of a link: open, being decided, paid, or closed."""
    used = used_by(link)
    if used is not None:
        undecided = _status.first(used.pk) == Payment.Status.INTENDED
        return DECIDING if undecided or used.setup_status == Checkout.Setup.INTENDED else PAID
    return CLOSED if link.revoked_at is not None or link.expires_at <= now else OPEN


@known
def _using(link_id: UUID, account_id: UUID) -> QuerySet[Checkout]:
    failed = Payment.objects.filter(status__in=(Payment.Status.DECLINED, Payment.Status.VOIDED))
    ended = Q(setup_status__in=(Checkout.Setup.DECLINED, Checkout.Setup.VOIDED))
    confirmed = Checkout.objects.filter(link=link_id, confirmed_at__isnull=False).exclude(ended)
    mine = failed.filter(account_id=account_id)
    return confirmed.exclude(pk__in=mine.values("idempotency_key"))


def used_by(link: PayLink) -> Checkout | None:
    """Find the confirmed checkout that uses a link up; one that took nothing does not."""
    return _using.first(link.pk, link.account_id)


@known
def _to_lock(link_id: UUID) -> QuerySet[PayLink]:
    return PayLink.objects.select_for_update().filter(pk=link_id)


def against_use(checkout: Checkout, *, now: datetime) -> list[Refusal]:
    """Say whether the link of a checkout, whose account is locked, can still be used by it."""
    link = _to_lock.get(checkout.link_id)
    return [] if state(link, now=now) == OPEN else [closed()]


@known
def _link(link_id: UUID) -> QuerySet[PayLink]:
    return PayLink.objects.filter(pk=link_id)


def use(checkout: Checkout, *, account: Account, now: datetime, payment: Payment | None = None) -> None:
    """Write down who used a link, in the transaction that confirms the checkout."""
    link = _link.get(checkout.link_id)
    if payment is not None:
        PayLink.objects.filter(pk=link.pk).update(payment=payment)
    told = about_of(link) | {"payment": str(payment.pk) if payment else None, "said": checkout.said}
    events.record("pay_link.used", account=account, now=now, data=told)
