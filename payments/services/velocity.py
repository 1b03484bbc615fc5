"""Whether a card may be tried now, by the payments and stored cards that there are (AUTH-16); staff see who may not.

A press that charges several accounts is one decline. Items of the due run are nobody's presses and are not counted. A
card that is only to be kept has no checkout: what was kept is a method, what was not is an event, and what its bank is
being asked about is a method that is not stored yet.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, QuerySet, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from accounts import events
from accounts.crypto import blind_index
from accounts.known import known
from accounts.models import Account, Event
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Checkout, Incident, Method, Payment
from payments.processors import Card
from payments.rules.velocity import (
    CARDS_WITHIN,
    DECLINES_WITHIN,
    Tried,
    wait_after_declines,
    wait_for_another_card,
)
from payments.services import incidents

DECLINES, CARDS = "too_many_declines", "too_many_cards"
REFUSED, ASKS = "method.refused", "bank_asks"
NOBODYS = UUID(int=0)
_SENTENCES = {
    DECLINES: gettext_noop(
        "Your bank said no several times. A card can be tried again from %(again_at)s. Other ways to pay stay open, "
        "and you can call us."
    ),
    CARDS: gettext_noop(
        "Many different cards were tried. Another one can be tried from %(again_on)s, %(again_at)s. Other ways to pay "
        "stay open, and you can call us."
    ),
}


def against(
    account: Account,
    *,
    visit_id: UUID | None,
    link_id: UUID | None,
    card: str = "",
    key: UUID | None = None,
    now: datetime,
) -> list[Refusal]:
    """List why a card may not be tried now: in this visit, or by this link, or this card on this account.

    :param card: its fingerprint; without one only the visit is looked at.
    :param key: of the page that asks now, where the card is only to be kept: sent again, it is no other try.
    """
    declined, tried = _read(account, visit_id, link_id, card, key, now)
    found = [
        (DECLINES, wait_after_declines(now, declined)),
        (CARDS, wait_for_another_card(now, tried, card) if card else None),
    ]
    zone = ZoneInfo(account.consumer.time_zone)
    waits = [(code, at.astimezone(zone)) for code, at in found if at]
    return [refuse(_SENTENCES[code], code, field="method", again_on=at.date(), again_at=at) for code, at in waits]


def _read(
    account: Account, visit_id: UUID | None, link_id: UUID | None, card: str, key: UUID | None, now: datetime
) -> tuple[list[datetime], list[Tried]]:
    """Read the declines of a visit or link, and the cards tried on the account, in one query."""
    if not (visit_id or link_id or card):
        return [], []
    who = account.pk, account.consumer_id, visit_id, str(visit_id or ""), link_id
    rows = _tries(*who, bool(card), key or NOBODYS, now - DECLINES_WITHIN, now - CARDS_WITHIN)
    declined = {key: at for what, key, at in sorted(rows, key=lambda row: row[2]) if what == "d"}
    return list(declined.values()), [Tried(key, at) for what, key, at in rows if what == "c"]


@known
def _tries(
    account_id: UUID,
    consumer_id: UUID,
    visit_id: UUID | None,
    visit: str,
    link_id: UUID | None,
    card: bool,
    key: UUID,
    declined: datetime,
    tried: datetime,
) -> QuerySet:
    """List as `d` each decline since `declined`, and with a card as `c` each card tried since `tried`.

    A card that is only to be kept and whose bank has not answered yet may be declined: it counts as one.
    """
    cards = Payment.objects.filter(kind=Method.Kind.CARD, postdate=None)
    unkept = Event.objects.filter(consumer=consumer_id, kind=REFUSED).order_by()
    parts = []
    if visit_id or link_id:
        mine = Checkout.objects.filter(visit=visit_id) if visit_id else Checkout.objects.filter(link=link_id)
        press = Cast(Coalesce("group", "pk"), TextField())
        charged = cards.filter(
            idempotency_key__in=mine.values("pk"),
            status=Payment.Status.DECLINED,
            decided_at__gt=declined,
        )
        # A card that was not kept is a decline too; what was signed for it was revoked in that moment.
        kept = mine.filter(setup_status=Checkout.Setup.DECLINED, authorization__revoked_at__gt=declined)
        parts += [charged.annotate(what=Value("d"), key=press, at=F("decided_at"))]
        parts += [kept.annotate(what=Value("d"), key=press, at=F("authorization__revoked_at"))]
        said = unkept.annotate(visit=KT("data__visit"), reason=KT("data__reason"))
        noes = said.filter(visit=visit, occurred_at__gt=declined).exclude(reason=ASKS)
        parts += [noes.annotate(what=Value("d"), key=KT("data__method"), at=F("occurred_at"))]
        asked = Method.objects.filter(consumer=consumer_id, kind=Method.Kind.CARD, stored=False, removed_at=None)
        asked = asked.annotate(visit=KT("consent__visit")).filter(visit=visit, created_at__gt=declined)
        parts += [asked.exclude(pk=key).annotate(what=Value("d"), key=Cast("pk", TextField()), at=F("created_at"))]
    if card:
        paid = cards.filter(account=account_id, intended_at__gt=tried)
        kept = Checkout.objects.filter(account=account_id, confirmed_at__gt=tried).exclude(setup_status="")
        parts += [paid.annotate(what=Value("c"), key=F("method__fingerprint"), at=F("intended_at"))]
        parts += [kept.annotate(what=Value("c"), key=F("authorization__method__fingerprint"), at=F("confirmed_at"))]
        added = Method.objects.filter(consumer=consumer_id, kind=Method.Kind.CARD, consent__has_key="visit")
        parts += [
            added.filter(created_at__gt=tried).annotate(what=Value("c"), key=F("fingerprint"), at=F("created_at"))
        ]
        others = unkept.filter(occurred_at__gt=tried)
        parts += [others.annotate(what=Value("c"), key=KT("data__card"), at=F("occurred_at"))]
    first, *others = [part.values_list("what", "key", "at") for part in parts]
    return first.union(*others, all=True)


@transaction.atomic
def write_refused(account: Account, *, key: UUID, visit_id: UUID, card: Card, reason: str, now: datetime) -> None:
    """Write down that a card that was only to be kept was not; its event names it by an index of our own.

    :param key: of the page: its form sent twice is one try.
    :param reason: the bank's, or ASKS where it did not say no.
    """
    index = blind_index(card.fingerprint, agency_id=account.agency_id, field="card")
    about = {"method": str(key), "visit": str(visit_id), "card": index, "kind": Method.Kind.CARD, "reason": reason}
    about |= {"brand": card.brand, "funding": card.funding, "last4": card.last4}
    events.record(REFUSED, consumer=account.consumer_id, now=now, data=about)


def tell(
    refusals: Iterable[Refusal], *, account: Account, visit_id: UUID | None, link_id: UUID | None, now: datetime
) -> None:
    """Show staff that somebody was stopped, once while the matter is open; what was refused is rolled back by now."""
    codes = {one.code for one in refusals}
    session = f"visit:{visit_id}" if visit_id else f"link:{link_id}"
    for code, key in ((DECLINES, session), (CARDS, f"account:{account.pk}")):
        if code in codes:
            incidents.open(
                kind=f"card_testing_{code}", key=key, severity=Incident.Severity.WARNING, account=account, now=now
            )
