"""Write the notices whose day has come where the consumer lives: before a debit, and before a changed one."""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.calendars import format_date, local_date
from accounts.known import known
from accounts.models import Account
from accounts.services import consent
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.models import Message
from campaigns.services import notices
from campaigns.services.wording import debt_rows, money, write
from payments.models import Notice, Postdate
from payments.rules import change_notices
from payments.services.means import means_of_method

LIMIT = 200
"""Notices in one go, then whatever else waits has its turn."""
READY = """
FROM payments_notice notice
JOIN payments_postdate postdate ON postdate.id = notice.postdate_id
JOIN accounts_account account ON account.id = postdate.account_id
JOIN accounts_consumer consumer ON consumer.id = account.consumer_id
CROSS JOIN LATERAL (SELECT %(now)s AT TIME ZONE consumer.time_zone AS now) there
WHERE notice.owner = 'portal' AND notice.channel = 'email' AND notice.status = 'due'
    AND notice.target_on <= %(tomorrow)s AND NOT notice.proof ? 'message'
    AND (postdate.status IN ('scheduled', 'held') AND notice.latest_on < there.now::date
        OR postdate.status = 'scheduled' AND notice.target_on <= there.now::date
            AND there.now::time >= %(opens)s AND there.now::time < %(closes)s)
"""
"""Notices about which there is something to do now where the consumer lives: to send, or too late to be sent.

What can only wait is not among them: it locks nothing, and takes no place from what can go.
"""
NEXT = f"SELECT notice.agency_id, notice.id, account.id {READY} ORDER BY notice.latest_on, notice.id LIMIT %(limit)s"
TEMPLATES = {"predebit": "predebit"} | dict.fromkeys(change_notices.KINDS, "change_notice")


def ready_at(now: datetime) -> dict:
    """Give the values of `READY`."""
    # A day more than UTC knows: some consumers live ahead of it.
    return {
        "now": now,
        "tomorrow": now.date() + timedelta(days=1),
        "opens": notices.OPENS.isoformat(),
        "closes": notices.CLOSES.isoformat(),
    }


@known
def _to_lock(account_id: UUID) -> QuerySet[Account]:
    return Account.objects.select_for_update(no_key=True).only("pk").filter(pk=account_id)


def announce(*, now: datetime, limit: int = LIMIT) -> int:
    """Write the e-mail notices whose day has come where the consumer lives; return how many were decided (PDC-01)."""
    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        cursor.execute(NEXT, ready_at(now) | {"limit": limit})
        found = cursor.fetchall()
    count = 0
    for agency_id, key, account_id in found:
        with acting_for(agency_id), transaction.atomic():
            _to_lock.get(account_id)
            count += _announce(key, now=now)
    return count


@known
def _to_announce(key: UUID) -> QuerySet[Notice]:
    joined = Notice.objects.select_related("postdate__account__consumer", "postdate__method")
    return (
        joined.select_related("postdate__account__client", "postdate__account__agency")
        .select_for_update(of=("self",), skip_locked=True)
        .filter(pk=key, status=Notice.Status.DUE, channel="email", proof__message__isnull=True)
    )


def _announce(key: UUID, *, now: datetime) -> bool:
    if (notice := _to_announce.first(key)) is None:
        return False
    postdate = notice.postdate
    consumer = postdate.account.consumer
    today = local_date(now, consumer.time_zone)
    if today > notice.latest_on:
        notices.as_letter(notice=notice, reason="window_closed", now=now)
        return True
    if postdate.status != Postdate.Status.SCHEDULED or today < notice.target_on:
        return False
    if not notices.in_hours(zone=consumer.time_zone, now=now):
        return False
    if (agreed := consent.esign_live(consumer)) is None:
        notices.as_letter(notice=notice, reason="no_consent", now=now)
        return True
    language = consumer.language[:2]
    account = postdate.account
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": money(postdate.amount_cents, account.currency, language),
            "day": format_date(postdate.due_on, language),
            "method": means_of_method(postdate.method).label(language),
            "rows": [
                (_("Payment"), _("%(number)s of %(of)s") % {"number": postdate.number, "of": postdate.of}),
                (_("Paid to"), account.agency.legal_name),
                *debt_rows(account),
            ],
        } | _changed(notice, account, language)
    message = write(
        TEMPLATES[notice.kind],
        account=account,
        cause=f"notice:{notice.pk}",
        language=language,
        facts=facts,
        to=agreed.contact_point,
        now=now,
    )
    if message is not None and message.status == Message.Status.QUEUED:
        notice.proof = notice.proof | {"message": str(message.pk), "queued_at": now.isoformat()}
        notice.save(update_fields=["proof"])
    return True


def _changed(notice: Notice, account: Account, language: str) -> dict[str, str]:
    """Say what was agreed before, where the notice is about a change of it."""
    if not notice.about:
        return {}
    on, cents = notice.about["was"]
    return {
        "kind": notice.kind,
        "was_day": format_date(date.fromisoformat(on), language),
        "was_amount": money(cents, account.currency, language),
    }
