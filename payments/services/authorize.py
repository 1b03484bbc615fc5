"""Write down what was agreed to outside of a checkout: by an accepted quote, or by a change of an arrangement."""

from collections.abc import Sequence
from datetime import date, datetime

from accounts.models import Account, Visit
from payments.models import Authorization, Method
from payments.services.sign import evidence_of, tell_authorization


def usable(method: Method) -> bool:
    """Tell whether a method can be charged later without the consumer: a card that is kept, a validated account."""
    if method.removed_at is not None:
        return False
    if method.kind == Method.Kind.CARD:
        return method.stored and bool(method.processor_method)
    return method.validated_at is not None and method.wiped_at is None


def authorize(
    *,
    account: Account,
    method: Method,
    lines: Sequence[tuple[date, int]],
    text: tuple[str, str, str],
    language: str,
    ip: str | None,
    evidence: dict,
    now: datetime,
    visit: Visit | None = None,
    user_agent: str = "",
    sec_code: str = "WEB",
    english: str = "",
) -> Authorization:
    """Write an authorization of later payments: `text` is the words, their SHA-256 and their version (EFT-01).

    :param visit: in which the consumer agreed; None where somebody else says that they did.
    :param english: what the text says in English, where it is in another language (LANG-04).
    :param sec_code: how a bank debit was agreed to: WEB here, TEL on the phone (ACH-01).
    """
    written, sha256, version = text
    authorization = Authorization.objects.create(
        consumer_id=account.consumer_id,
        account=account,
        method=method,
        kind="schedule" if len(lines) > 1 else "later",
        text=written,
        text_sha256=sha256,
        version=version,
        language=language[:2],
        total_cents=sum(cents for _on, cents in lines),
        lines=[[on.isoformat(), cents] for on, cents in lines],
        sec_code="" if method.kind == Method.Kind.CARD else sec_code,
        accepted_at=now,
        time_zone=account.consumer.time_zone,
        ip=ip,
        user_agent=user_agent[:300],
        level=visit.level if visit else 0,
        evidence=(evidence_of(visit, account) if visit else {}) | evidence | ({"english": english} if english else {}),
    )
    tell_authorization(authorization, account=account, now=now)
    return authorization
