"""Whether a card may be tried now, by the payments and stored cards that there are (AUTH-16); staff see who may not.

A press that charges several accounts is one decline. Items of the due run are nobody's presses and are not counted.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce

from accounts.known import known
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Checkout, Incident, Method, Payment
from payments.rules.velocity import (
    CARDS_WITHIN,
    DECLINES_WITHIN,
    Tried,
    wait_after_declines,
    wait_for_another_card,
)
from payments.services import incidents

DECLINES, CARDS = "too_many_declines", "too_many_cards"
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
    account: Account, *, visit_id: UUID | None, link_id: UUID | None, card: str = "", now: datetime
) -> list[Refusal]:
    """List why a card may not be tried now: in this visit, or by this link, or this card on this account.

    :param card: its fingerprint; without one only the visit is looked at.
    """
    declined, tried = _read(account, visit_id, link_id, card, now)
    found = [
        (DECLINES, wait_after_declines(now, declined)),
        (CARDS, wait_for_another_card(now, tried, card) if card else None),
    ]
    zone = ZoneInfo(account.consumer.time_zone)
    waits = [(code, at.astimezone(zone)) for code, at in found if at]
    return [refuse(_SENTENCES[code], code, field="method", again_on=at.date(), again_at=at) for code, at in waits]


def _read(
    account: Account, visit_id: UUID | None, link_id: UUID | None, card: str, now: datetime
) -> tuple[list[datetime], list[Tried]]:
    """Read the declines of a visit or link, and the cards tried on the account, in one query."""
    if not (visit_id or link_id or card):
        return [], []
    rows = _tries(account.pk, visit_id, link_id, bool(card), now - DECLINES_WITHIN, now - CARDS_WITHIN)
    declined = {key: at for what, key, at in sorted(rows, key=lambda row: row[2]) if what == "d"}
    return list(declined.values()), [Tried(key, at) for what, key, at in rows if what == "c"]


@known
def _tries(
    account_id: UUID, visit_id: UUID | None, link_id: UUID | None, card: bool, declined: datetime, tried: datetime
) -> QuerySet:
    """List as `d` each decline since `declined`, and with a card as `c` each card tried since `tried`."""
    cards = Payment.objects.filter(kind=Method.Kind.CARD, postdate=None)
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
    if card:
        paid = cards.filter(account=account_id, intended_at__gt=tried)
        kept = Checkout.objects.filter(account=account_id, confirmed_at__gt=tried).exclude(setup_status="")
        parts += [paid.annotate(what=Value("c"), key=F("method__fingerprint"), at=F("intended_at"))]
        parts += [kept.annotate(what=Value("c"), key=F("authorization__method__fingerprint"), at=F("confirmed_at"))]
    first, *others = [part.values_list("what", "key", "at") for part in parts]
    return first.union(*others, all=True)


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
