"""What the consumer agreed to and took back: one append-only ledger (ES-01 to ES-06, RF-07)."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.core import signing
from django.db import connection, transaction
from django.db.models import QuerySet

from accounts import events
from accounts.known import known
from accounts.models import Code, Consent, Consumer, ContactPoint, Visit

ESIGN_VERSION = "2026-11"
"""A material change bumps this; consents to older wording then lead to letters (ES-03)."""

ADDRESSES = "SELECT pg_advisory_xact_lock{way}(hashtextextended(%s, 0))"

STOP_SALT = "stop-messages"
STOP_VERSION = "2026-11"
"""Of the page that stops messages; what was said in other words stands in the ledger itself."""


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


@known
def _esign(consumer_id: UUID) -> QuerySet[Consent]:
    lines = Consent.objects.select_related("contact_point").filter(consumer=consumer_id, kind=Consent.Kind.ESIGN)
    return lines.order_by("-at", "-id")


def esign_live(consumer: Consumer) -> Consent | None:
    """Return the consumer's live, demonstrated consent to the current wording whose address still works, if any."""
    latest = _esign.first(consumer.pk)
    if latest is None or not (latest.granted and latest.demonstrated and latest.version == ESIGN_VERSION):
        return None
    point = latest.contact_point
    gone = point is None or point.bad_at or point.removed_at or point.opted_out_at or point.unconfirmed
    return None if gone else latest


def stop_token(contact_point: ContactPoint) -> str:
    """Make the opt-out token of an address: signed, opaque, valid as long as we keep records (EML-01)."""
    return signing.Signer(salt=f"{STOP_SALT}:{contact_point.agency_id}").sign(contact_point.pk.hex)


def stop_tokens(agency_id: UUID) -> Callable[[UUID], str]:
    """Give what makes the opt-out tokens of an agency's addresses, as `stop_token` does, its key worked out once."""
    signer = signing.Signer(salt=f"{STOP_SALT}:{agency_id}")
    # As django.utils.crypto.salted_hmac derives it.
    key = hashlib.sha256(f"{signer.salt}signer{signer.key}".encode()).digest()

    def token(contact_point_id: UUID) -> str:
        value = contact_point_id.hex
        return f"{value}{signer.sep}{signing.b64_encode(hmac.digest(key, value.encode(), 'sha256')).decode()}"

    return token


def contact_of_stop_token(token: str, *, agency_id) -> ContactPoint | None:
    """Find the address a token is for, within its agency."""
    salt = f"{STOP_SALT}:{agency_id}"
    try:
        key = signing.Signer(salt=salt).unsign(token)
    except signing.BadSignature:
        try:
            key = signing.loads(token, salt=salt)  # as they were made at first, with the time in them
        except signing.BadSignature:
            return None
    return ContactPoint.objects.select_related("consumer").filter(pk=key).first()


def addresses_alone(agency_id: UUID | str) -> None:
    """Let nobody else of an agency stop, open or list an address until this transaction is over (RF-07, EML-05).

    One lock for all of them, before any row: what is said about one address goes on to the accounts and consumers of
    everyone who shares it, and of all their other addresses, so no order of rows would keep two such apart.
    """
    _addresses(agency_id, "")


def addresses_together(agency_id: UUID | str) -> None:
    """Let nobody stop an address until this transaction is over: it lists some, as they stand now (RF-07)."""
    _addresses(agency_id, "_shared")


def _addresses(agency_id: UUID | str, way: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ADDRESSES.format(way=way), [f"addresses:{agency_id}"])


def hold(contact_point: ContactPoint, *, medium: bool = False) -> list[ContactPoint]:
    """Lock everyone of the agency for whom an address is listed; give its rows, those that were removed too.

    A mailbox is one, whoever else of the agency it stands with: what its reader says counts for each (RF-07, RF-17).

    Whoever locks a row before takes `addresses_alone` before that.

    :param medium: so for every address of its kind that its consumer has.
    """
    addresses_alone(contact_point.agency_id)
    mine = ContactPoint.objects.filter(agency_id=contact_point.agency_id, kind=contact_point.kind)
    keys = [contact_point.value_key]
    if medium:
        keys = list(mine.filter(consumer_id=contact_point.consumer_id).values_list("value_key", flat=True))
    rows = mine.filter(value_key__in=keys).order_by("consumer_id", "pk")
    everyone = Consumer.objects.filter(pk__in=[row.consumer_id for row in rows]).order_by("pk")
    list(everyone.select_for_update(no_key=True).values_list("pk", flat=True))
    return list(rows.all())


def opt_out(
    *,
    contact_point: ContactPoint,
    scope: str,
    source: str,
    now: datetime,
    ip: str | None = None,
    words: str = "",
    version: str = "",
    said_at: datetime | None = None,
) -> bool:
    """Stop writing to one address, or by its medium altogether (RF-07); False when it was so already.

    An address is stopped for everyone of the agency for whom it is listed, with a line in the ledger of each. A medium
    stays stopped for addresses that come later, until the consumer opens one again.

    :param words: what the consumer said, where they said it in words.
    :param version: of the wording they answered to; none, our own page's.
    :param said_at: when they said it, where it is written down later; it holds from now.
    """
    assert scope in ("address", "medium")
    consumer_id, medium = contact_point.consumer_id, scope == "medium"
    kind = Consent.Kind.EMAIL if contact_point.kind == ContactPoint.Kind.EMAIL else Consent.Kind.TEXT
    with transaction.atomic():
        open_ = [row for row in hold(contact_point, medium=medium) if row.opted_out_at is None]
        ContactPoint.objects.filter(pk__in=[row.pk for row in open_]).update(opted_out_at=now)
        said = [(row, "address") for row in open_ if not medium or row.consumer_id != consumer_id]
        if medium and (len(said) < len(open_) or not medium_stopped(consumer_id, kind)):
            said.insert(0, (contact_point, "medium"))
        for row, how in said:
            Consent.objects.create(
                consumer_id=row.consumer_id,
                contact_point=row if how == "address" else None,
                kind=kind,
                granted=False,
                wording=words[:2000],
                version=version or STOP_VERSION,
                source=source,
                ip=ip,
                # Into another's ledger nothing comes before what stands there.
                at=said_at if said_at and row.consumer_id == consumer_id else now,
            )
            about = {"contact_point": str(row.pk), "kind": row.kind, "source": source, "to": row.masked}
            events.record(f"optout.{how}", consumer=row.consumer_id, now=now, data=about)
    return bool(said)


def start_texts(*, contact_point: ContactPoint, words: str, now: datetime) -> bool:
    """Open a number again because the consumer texted so from it (SMS-05); False when it was not stopped.

    The caller saw that the number had come to us in a way that still counts (RF-16): a word alone makes none.
    """
    with transaction.atomic():
        Consumer.objects.select_for_update(no_key=True).only("pk").get(pk=contact_point.consumer_id)
        point = ContactPoint.objects.get(pk=contact_point.pk)
        if point.opted_out_at is None and not medium_stopped(point.consumer_id, Consent.Kind.TEXT):
            return False
        point.opted_out_at = None
        point.evidence = point.evidence | {"last_text_on": now.date().isoformat()}
        point.save(update_fields=["opted_out_at", "evidence"])
        line = Consent.objects.create(
            consumer_id=point.consumer_id,
            contact_point=point,
            kind=Consent.Kind.TEXT,
            granted=True,
            wording=words[:2000],
            version=STOP_VERSION,
            source="text",
            at=now,
        )
        about = {"consent": str(line.pk), "kind": "text", "version": STOP_VERSION, "to": point.masked}
        events.record("consent.granted", consumer=point.consumer_id, now=now, data=about)
    return True


def medium_stopped(consumer_id: UUID, kind: str) -> bool:
    """Tell whether the last word about a medium as a whole was to stop, and no address was opened since."""
    lines = Consent.objects.filter(consumer_id=consumer_id, kind=kind).order_by("-at", "-id")
    last = lines.filter(contact_point=None).first() or lines.filter(granted=True).first()
    return last is not None and not last.granted and not lines.filter(granted=True, at__gt=last.at).exists()
