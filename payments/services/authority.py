"""The text a consumer agrees to: the rules' own wording, filled from account and checkout (EFT-01, ACH-05, CARD-05)."""

from collections.abc import Sequence
from datetime import date, datetime

from accounts import events
from accounts.models import Account
from accounts.money import format_cents
from payments.models import Authorization
from payments.rules.authorization import Parts, compose, text_sha256
from payments.services.means import Means
from settlements.rules.offers import Breach

_SETTLEMENT = {
    "en": "{agency} accepts these payments, {total} together, as settlement in full of the balance of {balance}.",
    "es": "{agency} acepta estos pagos, {total} en total, como liquidación total del saldo de {balance}.",
}


def kind_of(lines: Sequence[tuple[date, int]], today: date) -> str:
    """Name the kind of an authorization: single is one payment now, later one on a later day, else a schedule."""
    if len(lines) > 1:
        return "schedule"
    return "later" if lines and lines[0][0] > today else "single"


def write(
    *,
    account: Account,
    means: Means,
    lines: Sequence[tuple[date, int]],
    today: date,
    settlement_of_cents: int | None,
    language: str,
    breach: Breach | None = None,
    settling: bool = False,
) -> tuple[str, str, str]:
    """Write the authorization: its text, the SHA-256 of the text and the version of the wording.

    Paragraphs are parted by an empty line, the first one is the title.

    :param settlement_of_cents: the balance that the payments settle in full, None for any other payment.
    :param settling: the payments belong to a settlement, though they are not all of it.
    :param breach: what it means when a planned payment fails; None for one payment now.
    :raises IncompleteAuthorization: a fact that must be said is blank.
    """
    code = "es" if language.startswith("es") else "en"
    settles = settling or settlement_of_cents is not None
    made = compose(
        parts_of(account=account, means=means, lines=lines, today=today, breach=breach, settling=settles), code
    )
    if settlement_of_cents is None:
        return made.text, made.sha256, made.version
    clause = _SETTLEMENT[code].format(
        agency=account.agency.legal_name,
        total=format_cents(sum(cents for _on, cents in lines), account.currency, code),
        balance=format_cents(settlement_of_cents, account.currency, code),
    )
    text = f"{made.text}\n\n{clause}"
    return text, text_sha256(text), made.version


def parts_of(
    *,
    account: Account,
    means: Means,
    lines: Sequence[tuple[date, int]],
    today: date,
    breach: Breach | None = None,
    settling: bool = False,
) -> Parts:
    """Gather the facts that an authorization of these payments on this account must say."""
    agency = account.agency
    return Parts(
        kind=kind_of(lines, today),
        method=means.kind,
        lines=tuple(lines),
        signed_on=today,
        consumer_name=str(account.consumer),
        agency_name=agency.legal_name,
        agency_address=agency.address,
        agency_phone=agency.phone,
        reference=account.reference,
        # A card is refused where these are blank (CARD-02); a bank debit still says which debt it is for.
        original_creditor=account.original_creditor or account.client.name,
        description=account.description or account.debt_type or account.client.name,
        last4=means.last4,
        brand=means.brand,
        funding=means.funding,
        account_type=means.account_type,
        currency=account.currency,
        breach=breach,
        settling=settling,
    )


def revoke(authorization: Authorization | None, *, account: Account, by: str, now: datetime) -> None:
    """Revoke an authorization once; the signed text stays as it is."""
    if authorization is None:
        return
    live = Authorization.objects.filter(pk=authorization.pk, revoked_at=None)
    if live.update(revoked_at=now, revoked_by=by[:80]):
        about = {"authorization": str(authorization.pk), "by": by}
        events.record("authorization.revoked", account=account, now=now, data=about)
