"""What the consumer agreed to and took back: one append-only ledger (ES-01 to ES-06, RF-07)."""

from datetime import datetime

from django.core import signing
from django.db import transaction

from accounts import events
from accounts.models import Code, Consent, Consumer, ContactPoint, Visit

ESIGN_VERSION = "2026-11"
"""A material change bumps this; consents to older wording then lead to letters (ES-03)."""

STOP_SALT = "stop-messages"


def grant_esign(
    *, visit: Visit, code: Code, wording: str, version: str, language: str, ip: str | None, now: datetime
) -> Consent:
    """Record consent to electronic documents, demonstrated by a code from the document that was mailed (ES-02)."""
    assert code.purpose == Code.Purpose.ESIGN
    assert code.used_at is not None
    assert code.visit_id == visit.pk
    with transaction.atomic():
        consent = Consent.objects.create(
            consumer_id=visit.consumer_id,
            contact_point_id=code.contact_point_id,
            kind=Consent.Kind.ESIGN,
            granted=True,
            wording=wording,
            version=version,
            language=language,
            source="page",
            demonstrated=True,
            ip=ip,
            at=now,
        )
        about = {"consent": str(consent.pk), "version": version, "language": language, "demonstrated": True}
        events.record("esign.granted", account=visit.account, now=now, data=about)
    return consent


def withdraw_esign(*, consumer: Consumer, source: str, ip: str | None, now: datetime) -> None:
    """Take consent back from now on (ES-04); what was sent stays sent."""
    with transaction.atomic():
        Consent.objects.create(
            consumer=consumer,
            kind=Consent.Kind.ESIGN,
            granted=False,
            wording="",
            version=ESIGN_VERSION,
            source=source,
            ip=ip,
            at=now,
        )
        events.record("esign.withdrawn", consumer=consumer, now=now)


def esign_live(consumer: Consumer) -> Consent | None:
    """Return the consumer's live, demonstrated consent to the current wording whose address still works, if any."""
    latest = (
        Consent.objects.select_related("contact_point")
        .filter(consumer=consumer, kind=Consent.Kind.ESIGN)
        .order_by("-at", "-id")
        .first()
    )
    if latest is None or not (latest.granted and latest.demonstrated and latest.version == ESIGN_VERSION):
        return None
    point = latest.contact_point
    gone = point is None or point.bad_at or point.removed_at or point.opted_out_at or point.unconfirmed
    return None if gone else latest


def stop_token(contact_point: ContactPoint) -> str:
    """Make the opt-out token of an address: signed, opaque, valid as long as we keep records (EML-01)."""
    return signing.dumps(str(contact_point.pk), salt=f"{STOP_SALT}:{contact_point.agency_id}")


def contact_of_stop_token(token: str, *, agency_id) -> ContactPoint | None:
    """Find the address a token is for, within its agency."""
    try:
        key = signing.loads(token, salt=f"{STOP_SALT}:{agency_id}")
    except signing.BadSignature:
        return None
    return ContactPoint.objects.select_related("consumer").filter(pk=key).first()


def opt_out(*, contact_point: ContactPoint, scope: str, source: str, now: datetime) -> bool:
    """Stop writing to one address, or by its medium altogether (RF-07); False when it was so already."""
    assert scope in ("address", "medium")
    with transaction.atomic():
        points = ContactPoint.objects.filter(opted_out_at__isnull=True)
        if scope == "address":
            points = points.filter(pk=contact_point.pk)
        else:
            points = points.filter(consumer_id=contact_point.consumer_id, kind=contact_point.kind)
        if not points.update(opted_out_at=now):
            return False
        about = {"contact_point": str(contact_point.pk), "kind": contact_point.kind, "source": source}
        about["to"] = contact_point.masked
        events.record(f"optout.{scope}", consumer=contact_point.consumer_id, now=now, data=about)
    return True
