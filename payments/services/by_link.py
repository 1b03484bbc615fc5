"""A payment by somebody who has no visit: a helper who holds a link, or a consumer whom an agent has on the telephone.

The same gates, the same three steps, the same one outcome as any payment; only who is there differs, and what they
read: a helper nothing of the debt (RF-11), the consumer on the telephone everything (CARD-02), read out by the agent.
An agent never types a card into our pages: the field is the processor's.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.known import known
from accounts.models import Account, Visit
from accounts.refusals import Refusal, gettext_noop, refuse
from payments import crash
from payments.models import Checkout, PayLink, Payment
from payments.rules import spoken
from payments.rules.spoken import HelperParts
from payments.services import authority, checkout, gate, locks, methods, pay, pay_links
from payments.services.checkout import Review
from payments.services.locks import read_account
from payments.services.means import Means, means_of
from payments.services.sign import Agreement, Refused, sign
from settlements.rules.schedules import Line

HELPER, TELEPHONE = "helper", "telephone"
_SENTENCES = {
    "read_the_notice": gettext_noop(
        "The notice about the age of this debt must be read in writing: send the payment to the consumer instead."
    ),
}


def prepare(
    *,
    account: Account,
    choice: str,
    amount_cents: int | None,
    parts: int | None,
    frequency: str,
    by: str,
    reason: str,
    mail: bool,
    text: bool = False,
    now: datetime,
) -> PayLink | list[Refusal]:
    """Prepare what an agent and a consumer talked about: an amount, the settlement, all of it, or parts of it."""
    at = checkout.standing_of(account=account, now=now)
    frequency = frequency if choice in gate.SCHEDULED else "once"
    if choice in gate.SCHEDULED:
        lines = checkout.propose_lines(account=account, now=now, parts=parts, frequency=frequency, choice=choice)
    else:
        whole = at.terms.amount_cents if choice == "settlement" and at.terms else at.owed.single_most_cents
        lines = (Line(at.today, (amount_cents or 0) if choice == "amount" else whole),)
    return pay_links.make_agent(
        account=account,
        choice=choice,
        lines=lines,
        frequency=frequency,
        by=by,
        reason=reason,
        mail=mail,
        text=text,
        now=now,
    )


@transaction.atomic
def begin(*, link: PayLink, said: dict[str, str], now: datetime) -> Checkout | list[Refusal]:
    """Begin a checkout without a visit; its id is the key of the payment it may become.

    :param said: who pays or takes it (`channel`, `payer` or `by`), kept as evidence.
    """
    account = locks.lock_account(link.account_id)
    if pay_links.state(link, now=now) != pay_links.OPEN:
        return [pay_links.closed()]
    made = Checkout.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        link=link,
        said=said,
        payments_seen=Payment.objects.filter(account=account).count(),
        created_at=now,
    )
    made.account = account
    at = gate.standing(account, now=now)
    lines = [Line(at.today, link.amount_cents)] if link.choice == "amount" else ()
    if found := checkout.choose(checkout=made, choice=link.choice, lines=lines, now=now):
        transaction.set_rollback(True)
        return found
    return made


@transaction.atomic
def begin_prepared(*, link: PayLink, visit: Visit, now: datetime) -> Checkout | list[Refusal]:
    """Begin the consumer's own checkout of what an agent prepared; it is the same until it is confirmed."""
    account = locks.lock_account(link.account_id)
    if pay_links.state(link, now=now) != pay_links.OPEN:
        return [pay_links.closed()]
    mine = Checkout.objects.filter(link=link, visit=visit, confirmed_at=None)
    if (known := mine.select_related("method").first()) is not None and known.lines:
        return known
    made = checkout.begin(visit=visit, account=account, now=now)
    made.account = account
    at = gate.standing(account, now=now)
    lines: Sequence[Line] = ()
    if link.choice == "amount":
        lines = (Line(at.today, link.amount_cents),)
    elif link.choice in gate.SCHEDULED:
        # From today on: what was prepared yesterday has yesterday's dates.
        lines = checkout.propose_lines(
            account=account, now=now, parts=len(link.lines), frequency=link.frequency, choice=link.choice
        )
    found = checkout.choose(checkout=made, choice=link.choice, lines=lines, now=now, frequency=link.frequency)
    if found:
        transaction.set_rollback(True)
        return found
    methods.change(made, link=link)
    return made


def against_telephone(*, link: PayLink, now: datetime) -> list[Refusal]:
    """Say why a payment cannot be taken on the telephone."""
    at = gate.standing(read_account(link.account_id), now=now)
    return [refuse(_SENTENCES["read_the_notice"], "read_the_notice")] if gate.sol_needed(at) else []


def take_card(*, checkout: Checkout, confirmation_token: str, now: datetime) -> list[Refusal]:
    """Take the token of a card after reading brand and funding at the processor, before any charge (CARD-01)."""
    return methods.take_card(checkout=checkout, confirmation_token=confirmation_token, now=now)


def review(*, made: Checkout, language: str, now: datetime) -> Review:
    """Gather what is shown or read out before anybody agrees, after all gates; nothing is written."""
    seen = checkout.review(made, language=language, now=now)
    if seen.means is None or not seen.text:
        return seen
    text, sha256, version = written(made, seen.means, language, now=now)
    return Review(
        refusals=seen.refusals,
        amount_now_cents=seen.amount_now_cents,
        total_cents=seen.total_cents,
        saving_cents=seen.saving_cents,
        lines=seen.lines,
        means=seen.means,
        text=text,
        text_sha256=sha256,
        text_version=version,
        settlement_of_cents=seen.settlement_of_cents,
    )


def payee_of(made: Checkout | PayLink, language: str) -> str:
    """Name whom a helper pays: the agency where its name tells of no debt, else only where it can be reached."""
    agency = made.account.agency
    return spoken.payee(agency.name, agency.phone, language)


def written(made: Checkout, means: Means, language: str, *, now: datetime) -> tuple[str, str, str]:
    """Write what is agreed to: by a helper for themselves, or by the consumer on the telephone."""
    account = made.account
    today = gate.local_date(now, account.consumer.time_zone)
    lines = [(line.due_on, line.amount_cents) for line in gate.lines_of(made)]
    parts = authority.parts_of(account=account, means=means, lines=lines, today=today)
    if made.said.get("channel") == HELPER:
        return spoken.for_helper(
            HelperParts(
                payee=payee_of(made, language),
                phone=account.agency.phone,
                payer=made.said["payer"],
                amount_cents=lines[0][1],
                currency=account.currency,
                today=today,
                account=spoken.card_line(parts, language),
            ),
            language,
        )
    text, _sha256, _version = checkout.authorization_text(made, language, now=now)
    return spoken.on_the_telephone(text, parts, language)


def confirm(
    *,
    made: Checkout,
    text_sha256: str,
    ip: str | None,
    user_agent: str,
    language: str,
    now: datetime,
    said: dict[str, str] | None = None,
) -> Payment:
    """Make the one payment of a link; confirmed again it is the same one.

    :param said: more evidence of the consent, where it was given aloud: the recording, who heard it.
    :raises Refused: a gate failed, the link is used or taken back, or the text changed; nothing is written.
    """
    agreement = Agreement(text_sha256=text_sha256, ip=ip, user_agent=user_agent, language=language)
    with pay.watched(made, now=now):
        payment, fresh = intend(made=made, agreement=agreement, said=said or {}, now=now)
    crash.point("after_intent_commit")
    return pay.finish(payment, fresh=fresh, now=now)


@known
def _checkout(key: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.select_related("method").filter(pk=key)


@transaction.atomic(durable=True)
def intend(*, made: Checkout, agreement: Agreement, said: dict[str, str], now: datetime) -> tuple[Payment, bool]:
    """Write down what was agreed to and the payment that is about to be charged; tell whether it is new.

    :raises Refused: with every failing gate; nothing is written.
    """
    account = locks.lock_account(made.account_id)
    if (before := pay.of_checkout.first(made.pk)) is not None:
        return before, False
    row = _checkout.get(made.pk)
    row.account = account
    row.said |= said
    means = means_of(row)
    if means is None:
        raise Refused([gate.no("method_missing", "method")])
    row.save(update_fields=["said"])
    signed = sign(
        checkout=row,
        account=account,
        agreement=agreement,
        now=now,
        written=written(row, means, agreement.language, now=now),
        english=written(row, means, "en", now=now)[0] if not agreement.language.startswith("en") else "",
    )
    payment = pay.write_intent(signed, account=account, now=now)
    crash.point("before_intent_commit")
    return payment, True
