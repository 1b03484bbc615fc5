"""Sign a checkout: all gates, the text that was seen, and the authorization that holds it, under the account's lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts import events
from accounts.known import known
from accounts.models import Account, Code, Visit
from accounts.refusals import Refusal
from payments.models import Authorization, Checkout, Method
from payments.rules.authorization import IncompleteAuthorization
from payments.services import gate, pay_links
from payments.services.checkout import authorization_text
from payments.services.gate import Standing
from payments.services.means import Means, means_of
from payments.services.methods import active_processor, customer_of
from payments.services.route import Route
from settlements.rules.schedules import Line


class Refused(Exception):
    """Show these reasons; nothing was written and nothing will be charged."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(", ".join(refusal.code for refusal in refusals))
        self.refusals = list(refusals)


@dataclass(frozen=True, slots=True)
class Signed:
    """Hold what was just signed: the checkout, its payments, who takes them, the method and the authorization."""

    checkout: Checkout
    lines: tuple[Line, ...]
    now_route: Route | None
    later_route: Route | None
    method: Method
    authorization: Authorization
    at: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Hold how a consumer agreed: the hash of the text they saw, from where, in which language."""

    text_sha256: str
    ip: str | None
    user_agent: str
    language: str


@known
def _to_sign(checkout_id: UUID) -> QuerySet[Checkout]:
    joined = Checkout.objects.select_related("visit", "consumer", "method__processor_account", "link")
    return joined.select_for_update(of=("self",)).filter(pk=checkout_id)


def sign(
    *,
    checkout: Checkout,
    account: Account,
    agreement: Agreement,
    now: datetime,
    written: tuple[str, str, str] | None = None,
    english: str = "",
    method: Method | None = None,
) -> Signed:
    """Write down the authorization of a checkout whose account the caller has locked, and freeze the checkout.

    :param written: the text with its SHA-256 and version, where it is not this checkout's alone.
    :param english: what that text says in English, where it is in another language (LANG-04).
    :param method: the card that was written down already, by another checkout of the same signature.
    :raises Refused: with every failing gate, or because the text changed; nothing is written.
    """
    checkout = _to_sign.get(checkout.pk)
    checkout.account = account
    at = gate.standing(account, now=now)
    found = gate.refusals(checkout, at, now=now)
    if checkout.link_id:
        found += pay_links.against_use(checkout, now=now)
    means = means_of(checkout)
    if found or means is None:
        raise Refused(found)
    try:
        text, sha256, version = written or authorization_text(checkout, agreement.language, now=now)
        if not agreement.language.startswith("en"):
            english = english or authorization_text(checkout, "en", now=now)[0]
    except IncompleteAuthorization as error:
        raise Refused(error.refusals) from None
    if sha256 != agreement.text_sha256:
        raise Refused([gate.no("text_changed")])
    lines = gate.lines_of(checkout)
    (now_route, later_route), _complete = gate.routes(account, means.kind, lines, at.today)
    ahead = gate.plans_ahead(lines, at.today)
    method = method or _method(checkout, means, kept=ahead, now=now)
    authorization = Authorization.objects.create(
        consumer_id=checkout.consumer_id,
        account=account,
        method=method,
        kind=gate.authorization_kind(lines, at.today),
        text=text,
        text_sha256=sha256,
        version=version,
        language=agreement.language[:2],
        total_cents=sum(line.amount_cents for line in lines),
        lines=[[line.due_on.isoformat(), line.amount_cents] for line in lines],
        sec_code="WEB" if means.kind == Method.Kind.ACH else "",
        accepted_at=now,
        time_zone=account.consumer.time_zone,
        ip=agreement.ip,
        user_agent=agreement.user_agent[:300],
        level=checkout.visit.level if checkout.visit else 0,
        evidence=_evidence(checkout, account)
        | ({"later": list(later_route)} if later_route else {})
        | ({"english": english} if english else {}),
    )
    Checkout.objects.filter(pk=checkout.pk).update(confirmed_at=now, authorization=authorization)
    checkout.confirmed_at, checkout.authorization = now, authorization
    if checkout.link_id and gate.starts_later(lines, at.today):
        pay_links.use(checkout, account=account, now=now)
    tell_authorization(authorization, account=account, now=now)
    return Signed(checkout, lines, now_route, later_route, method, authorization, at)


def _method(checkout: Checkout, means: Means, *, kept: bool, now: datetime) -> Method:
    """Find the bank account or stored card, or write down the new card as the server saw it."""
    if means.method is not None:
        return means.method
    merchant = active_processor(checkout.account)
    return Method.objects.create(
        consumer_id=checkout.consumer_id,
        kind=Method.Kind.CARD,
        processor_account=merchant,
        processor_customer=customer_of(checkout.consumer_id, merchant) if kept else "",
        created_at=now,
        **checkout.card,
    )


def _evidence(checkout: Checkout, account: Account) -> dict:
    """Say how whoever agreed was known; by a link: who let them, and what was said of them, or who prepared it."""
    link = checkout.link
    prepared = {"link": str(link.pk), "link_by": link.made_by} if link is not None else {}
    known = checkout.said if checkout.visit is None else evidence_of(checkout.visit, account)
    return known | prepared


@known
def _code_used(visit_id: UUID) -> QuerySet[Code]:
    used = Code.objects.select_related("contact_point").filter(visit=visit_id, used_at__isnull=False)
    return used.filter(purpose=Code.Purpose.STEP_UP).order_by("-used_at")


def evidence_of(visit: Visit, account: Account) -> dict:
    """Say how the person who agreed was known: the facts given, and the masked address that got the code."""
    # Only a code lifts a visit above what the facts give.
    latest = _code_used.first(visit.pk) if visit.level >= Visit.Level.CONFIRMED else None
    return {
        "visit": str(visit.pk),
        "visit_started_at": visit.started_at.isoformat(),
        "facts": ["reference", "last_name", account.agency.factor],
        "level": visit.level,
        "code_sent_to": latest.contact_point.masked if latest else "",
    }


def tell_authorization(authorization: Authorization, *, account: Account, now: datetime) -> None:
    """Tell what was signed: its hash, never its text."""
    about = {
        "authorization": str(authorization.pk),
        "kind": authorization.kind,
        "method": str(authorization.method_id),
        "text_sha256": authorization.text_sha256,
        "version": authorization.version,
        "language": authorization.language,
        "total_cents": authorization.total_cents,
        "lines": authorization.lines,
        "currency": account.currency,
    }
    events.record("authorization.created", account=account, now=now, data=about)
