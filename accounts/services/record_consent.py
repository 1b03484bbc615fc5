"""Write down what a consumer agreed to or took back elsewhere: on the telephone, in a letter, on a form (RF-12, RF-13).

The ledger only grows, and forward in time: a line that would stand before one it has is refused, so that the answer
for a past moment never changes afterwards.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts import events
from accounts.models import Consent, Consumer, ContactPoint
from accounts.refusals import Refusal, gettext_noop, refuse
from accounts.services import consent

HOST = "host"
HOW = ("telephone", "letter", "email", "form", "in_person")
"""How the consumer said it to the one who writes it down."""

KIND_OF = {"email": ContactPoint.Kind.EMAIL, "text": ContactPoint.Kind.PHONE}
_S = {
    "demonstrated_only": gettext_noop("Only the consumer agrees to electronic documents, by a code from one of them."),
    "contact_point_needed": gettext_noop("Say which address they agreed to."),
    "contact_point_unknown": gettext_noop("The consumer has no such address in use."),
    "wording_needed": gettext_noop("Write what they saw or heard when they agreed."),
    "version_needed": gettext_noop("Say which version of the wording it was."),
    "unconfirmed": gettext_noop("The consumer typed this address and no code came back from it yet."),
    "opted_out_stands": gettext_noop("The consumer stopped this; only they open it again, themselves."),
    "in_the_future": gettext_noop("This moment has not come yet."),
    "before_the_last_line": gettext_noop("The ledger has a later line about this consumer and this medium."),
}


def _no(code: str, field: str, *, rule: str = "") -> Refusal:
    return refuse(_S[code], code, field=field, **({"rule": rule} if rule else {}))


@dataclass(frozen=True, slots=True)
class Recorded:
    """Hold the line that says so, and whether it was written now."""

    line: Consent
    new: bool


def record(
    *,
    consumer: Consumer,
    kind: str,
    granted: bool,
    contact_point: ContactPoint | None,
    wording: str,
    version: str,
    language: str,
    how: str,
    said_at: datetime,
    now: datetime,
) -> Recorded | list[Refusal]:
    """Append a line, with what follows from it; or everything that is against it, and nothing is written.

    A grant is a direct consent, so it makes the address's route valid (RF-13, RF-16). A revocation stops the address,
    or without one the medium, at once (RF-07), or takes back the consent to electronic documents (ES-04).

    :param wording: what they saw or heard; of a revocation their own words.
    """
    source = f"{HOST}:{how}" if how else HOST
    with transaction.atomic():
        if not granted:
            consent.addresses_alone(consumer.agency_id)
        Consumer.objects.select_for_update(no_key=True).only("pk").get(pk=consumer.pk)
        lines = Consent.objects.filter(consumer=consumer, kind=kind).order_by("-at", "-id")
        if found := _against(consumer, lines.first(), kind, granted, contact_point, wording, version, said_at, now):
            return found
        if granted:
            return Recorded(_grant(contact_point, kind, wording, version, language, source, said_at, now), True)
        if kind == Consent.Kind.ESIGN:
            new = consent.esign_live(consumer) is not None
            if new:
                consent.withdraw_esign(consumer=consumer, source=source, ip=None, now=said_at)
        else:
            new = _revoke(consumer, kind, contact_point, wording, version, source, said_at, now)
        stands = lines.filter(granted=False)
        stands = stands.filter(contact_point=contact_point) if contact_point is not None else stands
        return Recorded(stands.first() or lines.first(), new)


def _against(
    consumer: Consumer,
    last: Consent | None,
    kind: str,
    granted: bool,
    point: ContactPoint | None,
    wording: str,
    version: str,
    said_at: datetime,
    now: datetime,
) -> list[Refusal]:
    found = []
    if point is not None and (
        point.consumer_id != consumer.pk or point.kind != KIND_OF.get(kind) or point.removed_at is not None
    ):
        found.append(_no("contact_point_unknown", "contact_point"))
    if granted and kind == Consent.Kind.ESIGN:
        found.append(_no("demonstrated_only", "kind", rule="ES-02"))
    elif granted:
        if point is None:
            found.append(_no("contact_point_needed", "contact_point", rule="RF-13"))
        elif point.unconfirmed:
            found.append(_no("unconfirmed", "contact_point", rule="AUTH-09"))
        elif point.opted_out_at is not None or consent.medium_stopped(consumer.pk, kind):
            found.append(_no("opted_out_stands", "granted", rule="RF-07"))
        if not wording.strip():
            found.append(_no("wording_needed", "wording", rule="RF-13"))
        if not version.strip():
            found.append(_no("version_needed", "version", rule="RF-13"))
    if said_at > now:
        found.append(_no("in_the_future", "said_at"))
    elif last is not None and said_at < last.at:
        found.append(_no("before_the_last_line", "said_at"))
    return found


def _grant(
    point: ContactPoint, kind: str, wording: str, version: str, language: str, source: str, at: datetime, now: datetime
) -> Consent:
    line = Consent.objects.create(
        consumer_id=point.consumer_id,
        contact_point=point,
        kind=kind,
        granted=True,
        wording=wording,
        version=version,
        language=language,
        source=source,
        at=at,
    )
    row = ContactPoint.objects.select_for_update().get(pk=point.pk)
    row.route = "consumer"
    row.evidence = row.evidence | {
        "consent": str(line.pk),
        "version": version,
        "consent_on": at.date().isoformat(),
    }
    row.save(update_fields=["route", "evidence"])
    about = {"consent": str(line.pk), "kind": kind, "version": version, "to": row.masked, "source": source}
    events.record("consent.granted", consumer=point.consumer_id, now=now, data=about)
    return line


def _revoke(
    consumer: Consumer,
    kind: str,
    point: ContactPoint | None,
    wording: str,
    version: str,
    source: str,
    at: datetime,
    now: datetime,
) -> bool:
    scope = "address" if point is not None else "medium"
    named = point or consumer.contact_points.filter(kind=KIND_OF[kind]).order_by("removed_at", "pk").first()
    if named is None:
        # Nothing to write to so far: the ledger keeps the medium stopped for addresses that come later.
        if consent.medium_stopped(consumer.pk, kind):
            return False
        Consent.objects.create(
            consumer=consumer, kind=kind, granted=False, wording=wording, version=version or consent.STOP_VERSION,
            source=source, at=at,
        )  # fmt: skip
        events.record("optout.medium", consumer=consumer, now=now, data={"kind": KIND_OF[kind], "source": source})
        return True
    return consent.opt_out(
        contact_point=named, scope=scope, source=source, words=wording, version=version, said_at=at, now=now
    )
