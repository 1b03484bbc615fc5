"""The addresses a consumer can be reached at: which one gets what, add one (RF-13, AUTH-09), take one away."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from accounts import events
from accounts.bulk import write_rows
from accounts.keys import email_key
from accounts.models import Agency, Code, Consent, Consumer, ContactPoint, Suppression, Visit
from accounts.services import codes, consent, streams

EMAIL_VERSION = "2026-11"
"""Of the wording beside the field; an address typed under no version, or an older one, is not taken (RF-13)."""

NOT_FOR_CODES = timedelta(hours=24)
"""AUTH-09: who takes over a visit must not take over the next ones too."""

EMAIL = ContactPoint.Kind.EMAIL


class Known(Exception):
    """Add another: this address is in use already."""


class Needed(Exception):
    """Keep it: codes or notices could go nowhere else, or the agreement to electronic documents names it."""


def wording(agency: Agency) -> str:
    """Say beside the field what a typed address may be used for (RF-13), in the active language."""
    return _(
        "%(name)s may use this address to write to you about your debt. "
        "Please give one that only you read, not one from your employer. Every email has a link that stops it."
    ) % {"name": agency.legal_name}


def emails(consumer: Consumer) -> list[ContactPoint]:
    """List the e-mail addresses that count, those opted out or not working too; typed and unconfirmed ones not."""
    found = consumer.contact_points.filter(kind=EMAIL, removed_at=None).order_by("position", "pk")
    return [point for point in found if not point.unconfirmed]


def phone(consumer: Consumer) -> ContactPoint | None:
    """Return the number to text, if there is one."""
    found = consumer.contact_points.filter(kind=ContactPoint.Kind.PHONE, textable=True, removed_at=None)
    return found.order_by("position", "pk").first()


def address_for(consumer: Consumer) -> ContactPoint | None:
    """Choose where a consumer's papers go: the address of the E-SIGN consent, else the first that still works."""
    if (agreed := consent.esign_live(consumer)) is not None:
        return agreed.contact_point
    return min(emails(consumer), key=lambda point: (blocked(point) != "", point.position, point.pk), default=None)


def blocked(point: ContactPoint, *, stream: str = "receipts") -> str:
    """Say why nothing of this stream may go to an address; empty when it may.

    A code that the consumer asks for goes to an opted-out address too, never to one known to be bad (AUTH-07).
    """
    if point.bad_at or point.removed_at:
        return "bad_address"
    if stream == "security":
        return ""
    if point.opted_out_at:
        return "opted_out"
    if point.unconfirmed:
        return "unconfirmed"
    if not point.route and not Code.objects.filter(contact_point=point, used_at__isnull=False).exists():
        return "no_route"  # RF-12: nobody can say how we came to it, and the consumer never used it with us
    return ""


def propose(*, visit: Visit, address: str, now: datetime) -> Code:
    """Send a code to an address the consumer typed; until it comes back the address counts for nothing.

    :raises Known: it is in use.
    :raises codes.TooSoon: and nothing is written.
    """
    address = address.strip()
    with transaction.atomic():
        consent.addresses_together(visit.agency_id)
        codes.lock(visit)
        points = ContactPoint.objects.filter(consumer_id=visit.consumer_id, kind=EMAIL)
        point = points.filter(value_key=email_key(address)).first()
        if point is None:
            last = points.aggregate(last=Max("position"))["last"]
            point = ContactPoint(consumer_id=visit.consumer_id, kind=EMAIL, value=address)
            point.value_key = email_key(address)
            point.position = 0 if last is None else last + 1
            lists = streams.take_over([point])
            _as_typed(point, now=now)
            write_rows(Suppression, lists)
        elif point.removed_at or point.bad_at or point.unconfirmed:
            _as_typed(point, now=now)
        elif not point.opted_out_at:
            raise Known
        return codes.send(visit=visit, contact_point=point, purpose=Code.Purpose.CONTACT, now=now)


def _as_typed(point: ContactPoint, *, now: datetime) -> None:
    point.source, point.route = ContactPoint.TYPED, ""
    point.removed_at = point.bad_at = None
    point.code_usable_from = now + NOT_FOR_CODES
    point.save()


def confirm(*, visit: Visit, text: str, agency: Agency, language: str, ip: str | None, now: datetime) -> ContactPoint:
    """Take a typed address into use if the code that went there is right; the wording shown is kept (RF-13).

    Only the consumer undoes an opt-out, and this is how (RF-07).

    :raises codes.WrongCode: and the like, as `codes.check`.
    """

    def use(code: Code) -> None:
        consumer = Consumer.objects.select_for_update(no_key=True).get(pk=visit.consumer_id)
        old = address_for(consumer)
        point = code.contact_point
        agreed = Consent.objects.create(
            consumer=consumer,
            contact_point=point,
            kind=Consent.Kind.EMAIL,
            granted=True,
            wording=wording(agency),
            version=EMAIL_VERSION,
            language=language,
            source="page",
            demonstrated=True,
            ip=ip,
            at=now,
        )
        if point.unconfirmed:
            point.code_usable_from = now + NOT_FOR_CODES
        point.source, point.route, point.opted_out_at = ContactPoint.TYPED, "consumer", None
        point.evidence = point.evidence | {"consent": str(agreed.pk), "version": EMAIL_VERSION}
        point.save(update_fields=["source", "route", "opted_out_at", "evidence", "code_usable_from"])
        streams.reopen(contact_point=point, now=now)
        about = {"consent": str(agreed.pk), "kind": "email", "version": EMAIL_VERSION, "to": point.masked}
        events.record("consent.granted", consumer=consumer, now=now, data=about)
        _tell(consumer, point, "email_added", now=now, old=old.masked if old else "", address=point.value)

    code = codes.check(visit=visit, purpose=Code.Purpose.CONTACT, text=text, now=now, then=use)
    return code.contact_point


def removable(consumer: Consumer, *, now: datetime) -> list[ContactPoint]:
    """List the addresses the consumer may take away: another must stay for codes and one for notices."""
    agreed = consent.esign_live(consumer)
    known = emails(consumer)
    for_codes = set(codes.contacts_for_codes(consumer, now=now))
    for_notices = {point for point in known if not blocked(point)}
    return [
        point
        for point in known
        if for_codes != {point} and for_notices != {point} and (agreed is None or agreed.contact_point_id != point.pk)
    ]


def remove(*, consumer: Consumer, contact_point: ContactPoint, now: datetime) -> None:
    """Take an address out of use for good: a host that goes on listing it does not bring it back.

    :raises Needed: it must stay.
    """
    with transaction.atomic():
        Consumer.objects.select_for_update(no_key=True).only("pk").get(pk=consumer.pk)
        if contact_point not in removable(consumer, now=now):
            raise Needed
        ContactPoint.objects.filter(pk=contact_point.pk).update(source=ContactPoint.TYPED, removed_at=now)
        new = address_for(consumer)
        _tell(consumer, contact_point, "email_removed", now=now, new=new.masked if new else "")


def _tell(consumer: Consumer, point: ContactPoint, change: str, *, now: datetime, **more: str) -> None:
    """Tell the host, which keeps the addresses too, and whoever reads the events: the old address gets a notice."""
    side = "new" if change == "email_added" else "old"
    about = {"change": change, "contact_point": str(point.pk), "kind": point.kind, side: point.masked}
    events.record("consumer.contact_changed", consumer=consumer, now=now, data=about | more)
