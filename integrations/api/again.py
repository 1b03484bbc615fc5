"""A write that is asked for twice happens once: the answer is kept in the transaction of its effect.

What was refused left nothing behind, so nothing is kept of it and its key is free for another try.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException

from accounts.known import known
from integrations.api.bodies import Refuse
from integrations.models import ApiKey, IdempotencyKey

HEADER = "Idempotency-Key"
LONGEST = 255
KEPT_HEADERS = ("Location",)
BEGUN = 0
"""The status of a write in steps that has no answer yet."""
FORGET = 50
"""Answers whose time is over that one write clears away."""


@known
def _kept(key_id: UUID, name: str) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(api_key=key_id, key=name)


def once(
    *, request: HttpRequest, key: ApiKey, body: bytes, now: datetime, write: Callable[[], HttpResponse]
) -> HttpResponse:
    """Write and keep the answer, or give the one that was kept, byte for byte.

    :raises Refuse: 400 without a usable key; 409 `idempotency_running`; 422 `idempotency_mismatch`.
    """
    name = _name(request)
    digest = digest_of(request, body)
    with transaction.atomic():
        if not _alone(key.pk, name):
            raise _running()
        kept = _kept.first(key.pk, name)
        if kept is not None and kept.expires_at > now:
            return _again(kept, digest)
        answer = write()
        assert answer.status_code < 300, "a refusal is raised, so that it writes nothing"
        _forget(now, kept)
        IdempotencyKey.objects.create(
            api_key=key,
            key=name,
            request_sha256=digest,
            status=answer.status_code,
            headers={header: answer[header] for header in KEPT_HEADERS if header in answer},
            body=answer.content.decode(),
            made_at=now,
            expires_at=now + timedelta(hours=settings.IDEMPOTENCY_HOURS),
        )
    return answer


def in_steps(
    *,
    request: HttpRequest,
    key: ApiKey,
    body: bytes,
    now: datetime,
    write: Callable[[], HttpResponse],
    goes_on: bool = False,
) -> HttpResponse:
    """Do the same for a write that commits in several steps, or uses the network, which no transaction may hold.

    Its key is kept before it begins. Where the answer was lost with the process, asking again writes nothing: 409
    `idempotency_unknown` says to look what became of it.

    :param goes_on: it may be begun again: where its answer was lost, the same request does what is left of it.
    :raises Refuse: as `once`.
    """
    name = _name(request)
    digest = digest_of(request, body)
    with _holding(key.pk, name) as alone:
        if not alone:
            raise _running()
        kept = _kept.first(key.pk, name)
        if kept is not None and kept.expires_at > now:
            lost = kept.status == BEGUN and kept.request_sha256 == digest
            if lost and not goes_on:
                said = "The first request with this key ended without an answer: look what became of it."
                raise Refuse(409, "idempotency_unknown", said)
            if not lost:
                return _again(kept, digest)
        _forget(now, kept)
        begun = IdempotencyKey.objects.create(
            api_key=key,
            key=name,
            request_sha256=digest,
            status=BEGUN,
            body="",
            made_at=now,
            expires_at=now + timedelta(hours=settings.IDEMPOTENCY_HOURS),
        )
        try:
            answer = write()
        except APIException:
            begun.delete()
            raise
        begun.status, begun.body = answer.status_code, answer.content.decode()
        begun.headers = {header: answer[header] for header in KEPT_HEADERS if header in answer}
        begun.save(update_fields=["status", "body", "headers"])
    return answer


def _running() -> Refuse:
    said = "The first request with this key is still running: ask again in a moment."
    return Refuse(409, "idempotency_running", said, wait=1)


def digest_of(request: HttpRequest, body: bytes) -> str:
    """Tell one request from another: its method, its whole address, its body."""
    return hashlib.sha256(b"\n".join([request.method.encode(), request.get_full_path().encode(), body])).hexdigest()


@contextmanager
def _holding(key_id: UUID, name: str) -> Iterator[bool]:
    """Take this key's place in this database session until the block ends."""
    number = _number(key_id, name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


def _number(key_id: UUID, name: str) -> int:
    return int.from_bytes(hashlib.sha256(key_id.bytes + name.encode()).digest()[:8], signed=True)


def _name(request: HttpRequest) -> str:
    name = request.headers.get(HEADER, "")
    if not name:
        said = f"Send {HEADER}: a text of your own for this one write, the same when you ask again."
        raise Refuse(400, "idempotency_key_missing", said)
    if len(name) > LONGEST or not (name.isascii() and name.isprintable()):
        said = f"{HEADER} has at most {LONGEST} printable ASCII characters."
        raise Refuse(400, "idempotency_key_invalid", said)
    return name


def _alone(key_id: UUID, name: str) -> bool:
    """Take this key's place until the transaction ends; false when another request has it.

    A row could not be seen by others before the commit, and waiting for it would hold a connection each.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_number(key_id, name)])
        (alone,) = cursor.fetchone()
    return alone


def _again(kept: IdempotencyKey, digest: str) -> HttpResponse:
    if kept.request_sha256 != digest:
        said = "This key was used for another request. Use a new one for a new write."
        raise Refuse(422, "idempotency_mismatch", said)
    answer = HttpResponse(kept.body, status=kept.status, content_type="application/json", headers=kept.headers)
    answer["Idempotent-Replayed"] = "true"
    return answer


@known
def _over(now: datetime) -> QuerySet:
    over = IdempotencyKey.objects.filter(expires_at__lte=now).order_by("expires_at")
    return over.values_list("pk", flat=True)[:FORGET]


def _forget(now: datetime, kept: IdempotencyKey | None) -> None:
    gone = {*_over(now), *([kept.pk] if kept else [])}
    IdempotencyKey.objects.filter(pk__in=gone).delete()
