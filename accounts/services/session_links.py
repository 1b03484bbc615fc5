"""Links to the log-in of one account, made by the agency's own system for a consumer who is there now (AUTH-06).

Whoever opens one is asked for one fact, as behind a personal link in a message (AUTH-01): the link saves typing and
proves nothing. It is 128 random bits, works once and for minutes, and of it only a hash is kept. Looking at it spends
nothing, so mail scanners may look.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction

from accounts import events, statuses
from accounts.models import Account, SessionLink
from accounts.refusals import Refusal, gettext_noop, refuse

TOKEN_BYTES = 16
LIFE, LONGEST_LIFE = timedelta(minutes=15), timedelta(hours=24)
"""As long as a log-in takes; a day where the agency sends it on and its consumer is not at the screen."""
MOST_OPEN = 5
"""Of one account: an integration that makes one per screen would leave them lying about."""
_CLOSED = gettext_noop("This account is not open to its consumer on the site now.")
_TOO_MANY = gettext_noop("There are %(most)s open links for this account already. Take one back first.")


def hash_of(token: str) -> str:
    """Hash a token as it is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def make(
    *, account: Account, page: str, life: timedelta, by: str, now: datetime
) -> tuple[SessionLink, str] | list[Refusal]:
    """Make a link and give its token, once; or every reason against it."""
    assert timedelta(0) < life <= LONGEST_LIFE, life
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    found = []
    if account.status not in statuses.those("login"):
        found.append(refuse(_CLOSED, "account_closed_to_consumer"))
    live = SessionLink.objects.filter(account=account, used_at=None, revoked_at=None, expires_at__gt=now)
    if live.count() >= MOST_OPEN:
        found.append(refuse(_TOO_MANY, "too_many_links", most=MOST_OPEN))
    if found:
        return found
    token = secrets.token_urlsafe(TOKEN_BYTES)
    link = SessionLink.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        page=page,
        token_hash=hash_of(token),
        made_by=by[:80],
        made_at=now,
        expires_at=now + life,
    )
    events.record("session_link.made", account=account, now=now, data=_about(link))
    return link, token


def find(token: str, *, now: datetime) -> SessionLink | None:
    """Look up a link that still works, in the acting agency; None too where its account is another person's now."""
    joined = SessionLink.objects.select_related("account__consumer")
    link = joined.filter(token_hash=hash_of(token), used_at=None, revoked_at=None, expires_at__gt=now).first()
    return link if link is not None and link.consumer_id == link.account.consumer_id else None


@transaction.atomic
def use(*, link: SessionLink, now: datetime) -> bool:
    """Spend a link; false when somebody was faster."""
    if not SessionLink.objects.filter(pk=link.pk, used_at=None, revoked_at=None).update(used_at=now):
        return False
    events.record("session_link.used", account=link.account, now=now, data=_about(link))
    return True


@transaction.atomic
def revoke(*, link: SessionLink, by: str, now: datetime) -> SessionLink:
    """Take a link back; one that was used or taken back stays what it is."""
    row = SessionLink.objects.select_related("account").select_for_update(of=("self",)).get(pk=link.pk)
    if row.used_at is None and row.revoked_at is None:
        row.revoked_at = now
        row.save(update_fields=["revoked_at"])
        events.record("session_link.revoked", account=row.account, now=now, data=_about(row) | {"by": by})
    return row


def _about(link: SessionLink) -> dict:
    return {"link": str(link.pk), "page": link.page, "by": link.made_by, "expires_at": link.expires_at.isoformat()}
