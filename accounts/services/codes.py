"""Six-digit codes to contact points we already know (AUTH-07): ten minutes, five tries, hashed, bound to the visit."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.crypto import blind_index, same
from accounts.keys import digits
from accounts.known import known
from accounts.models import Account, Code, Consumer, ContactPoint, Visit

CODES_PER_HOUR = 6
"""Per consumer, over all visits: enough for spam folders, too few to annoy or to guess."""

sender: Callable[[Code, str], None] | None = None
"""Port: queue a code's message, from its row and its six digits, in the transaction that makes it: a code nobody was
sent would only make the next one wait. Empty: NoSender, nothing is written."""

texts_to: Callable[[Consumer, datetime], list[ContactPoint]] | None = None
"""Port: the numbers of a consumer that a code may be texted to now. Empty: none."""


class WrongCode(Exception):
    """Try again; `tries_left` says how often."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(tries_left)
        self.tries_left = tries_left


class CodeExpired(Exception):
    """Ask for a new code: none is live."""


class TooManyTries(Exception):
    """Ask for a new code: this one is spent."""


class TooSoon(Exception):
    """Wait `seconds` before asking again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class NoSender(RuntimeError):
    """Configure a provider first."""


@known
def _addresses(consumer_id: UUID, now: datetime) -> QuerySet[ContactPoint]:
    unconfirmed = Q(source=ContactPoint.TYPED, route="")
    return ContactPoint.objects.filter(
        ~unconfirmed,
        Q(code_usable_from__isnull=True) | Q(code_usable_from__lte=now),
        consumer=consumer_id,
        kind=ContactPoint.Kind.EMAIL,
        bad_at__isnull=True,
        removed_at__isnull=True,
    ).order_by("position", "id")[:5]


def contacts_for_codes(consumer: Consumer, *, now: datetime) -> list[ContactPoint]:
    """List the e-mail addresses a code may go to: known by the host or older than a day (AUTH-09), not known bad."""
    return _addresses(consumer.pk, now)


def places(consumer: Consumer, *, now: datetime) -> list[ContactPoint]:
    """List where a code may go: the addresses, then the consumer's own mobiles that may be texted."""
    return contacts_for_codes(consumer, now=now) + (texts_to(consumer, now) if texts_to is not None else [])


@known
def _recent(consumer_id: UUID, since: datetime) -> QuerySet:
    made = Code.objects.filter(visit__consumer_id=consumer_id, created_at__gt=since)
    return made.order_by("-created_at").values_list("created_at", "purpose", "visit_id")


def send(*, visit: Visit, contact_point: ContactPoint, purpose: str, now: datetime) -> Code:
    """Make a code, spend the older ones of this purpose, and hand it to the sender.

    :raises TooSoon: the last one is younger than 30 seconds, or six went out within the hour.
    :raises NoSender: nobody can deliver it.
    """
    if sender is None:
        raise NoSender("No sender for codes.")
    assert contact_point.consumer_id == visit.consumer_id
    text = f"{secrets.randbelow(10**6):06d}"
    with transaction.atomic():
        lock(visit)
        recent = _recent(visit.consumer_id, now - timedelta(hours=1))
        mine = [at for at, kind, visit_id in recent if kind == purpose and visit_id == visit.pk]
        if mine and (wait := settings.CODE_RESEND_SECONDS - (now - mine[0]).total_seconds()) > 0:
            raise TooSoon(int(wait) + 1)
        if len(recent) >= CODES_PER_HOUR:
            raise TooSoon(int((recent[-1][0] + timedelta(hours=1) - now).total_seconds()) + 1)
        Code.objects.filter(visit=visit, purpose=purpose, used_at__isnull=True).update(expires_at=now)
        code = Code(visit=visit, contact_point=contact_point, purpose=purpose, created_at=now)
        code.expires_at = now + timedelta(seconds=settings.CODE_SECONDS)
        code.code_hash = _hash(code, text)
        code.save()
        sender(code, text)
    return code


@known
def _live(visit_id: UUID, purpose: str, now: datetime) -> QuerySet[Code]:
    live = Code.objects.select_for_update().filter(visit=visit_id, purpose=purpose, expires_at__gt=now)
    return live.order_by("-created_at")


def check(*, visit: Visit, purpose: str, text: str, now: datetime, then: Callable[[Code], object]) -> Code:
    """Spend the visit's live code if the digits are right, and do `then` what it was asked for, both or neither.

    The digits that were right are right once more in the same visit, as after a second press or a lost answer; what
    they were asked for is done already and not done again.

    :raises WrongCode: not these digits; a try is gone.
    :raises TooManyTries: five were wrong.
    :raises CodeExpired: there is no live code.
    """
    with transaction.atomic():
        lock(visit)
        if (code := _live.first(visit.pk, purpose, now)) is None:
            raise CodeExpired
        right = same(code.code_hash, _hash(code, digits(text)))
        if code.used_at is not None:
            if not right:
                raise CodeExpired
            return code
        if code.tries >= settings.CODE_TRIES:
            raise TooManyTries
        if right:
            code.used_at = now
            code.save(update_fields=["used_at"])
            then(code)
        else:
            # Outside this block the refusal rolls nothing back: the try must count.
            Code.objects.filter(pk=code.pk).update(tries=F("tries") + 1)
    if not right:
        left = settings.CODE_TRIES - code.tries - 1
        raise WrongCode(left) if left else TooManyTries
    return code


@known
def _consumer(key: UUID) -> QuerySet[Consumer]:
    return Consumer.objects.select_for_update(no_key=True).only("pk").filter(pk=key)


@known
def _account(key: UUID) -> QuerySet[Account]:
    return Account.objects.select_for_update(no_key=True).only("pk").filter(pk=key)


def lock(visit: Visit) -> None:
    """Let one of the consumer's codes at a time be made or spent: they are counted over all visits.

    Before the consumer their account, as hosts that place it and whoever hears the consumer do; and both before any
    code, as whoever writes down that a code's message went.
    """
    _account.get(visit.account_id)
    _consumer.get(visit.consumer_id)


def _hash(code: Code, text: str) -> str:
    return blind_index(f"{code.pk}:{text}", agency_id=code.agency_id or code.visit.agency_id, field="code")
