"""Write the statements that the law owes to consumers, prove that they left, and tell staff when one is late."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max, OuterRef, Q, Subquery

from accounts import events, statuses
from accounts.calendars import local_date, utc_of_local
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from accounts.services import consent
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Arrangement, Payment, Postdate, Statement
from payments.rules import statements as rules
from payments.services import incidents
from payments.services.owed import owed
from payments.services.sums import refunded_cents

ACCOUNTING, SATISFACTION = Statement.Kind.ACCOUNTING, Statement.Kind.SATISFACTION
STATES = frozenset(law.state for law in rules.LAWS)
LOOKS_BACK = timedelta(days=120)
"""A last payment older than this was answered long ago."""
NOON = time(12)
"""A letter has a day and no hour."""
_FUTURE = gettext_noop("A letter cannot have left on a day that is not here yet.")
_EARLY = gettext_noop("A letter cannot have left before it was asked for.")


def run(*, now: datetime) -> int:
    """Write every statement whose time has come, and open an incident for each that is late; return how many.

    Every account is a transaction of its own, so an interrupted run goes on where it stopped.
    """
    count = 0
    for agency_id, account_id in _candidates(now):
        with acting_for(agency_id), transaction.atomic():
            account = _locked(account_id)
            count += _accounting(account, now=now) + _satisfaction(account, now=now)
    for agency_id, key in _late(now):
        with acting_for(agency_id):
            _tell_late(key, now=now)
    return count


def _candidates(now: datetime) -> list[tuple[UUID, UUID]]:
    """Find accounts where a law asks for statements and something was agreed or paid that may be due for one."""
    with acting_for(ALL_AGENCIES):
        told = Statement.objects.filter(account=OuterRef("pk")).order_by()
        last = Subquery(told.values("account").annotate(day=Max("until")).values("day"))
        paying = Q(arrangements__status__in=Arrangement.LIVE)
        paid = Q(payments__status=Payment.Status.SUCCEEDED, payments__decided_at__gt=now - LOOKS_BACK)
        rows = Account.objects.filter(paying | paid, consumer__state__in=STATES).annotate(told=last)
        # A day more than UTC knows: some consumers live ahead of it.
        quiet_since = now.date() + timedelta(days=1 - min(law.accounting_days for law in rules.LAWS) + rules.AHEAD_DAYS)
        rows = rows.filter(Q(told=None) | Q(told__lte=quiet_since) | paid)
        return list(rows.order_by("agency", "pk").values_list("agency_id", "pk").distinct())


def _locked(account_id: UUID) -> Account:
    rows = Account.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("consumer", "client", "agency").get(pk=account_id)


def _accounting(account: Account, *, now: datetime) -> bool:
    zone = account.consumer.time_zone
    today = local_date(now, zone)
    law = rules.law_of(account.consumer.state, today)
    plan = Arrangement.objects.filter(account=account, status__in=Arrangement.LIVE).first()
    # Who may not even get a receipt gets no statement, by mail or by letter (STS-01, STS-03).
    if law is None or plan is None or not statuses.may(account.status, "receipt"):
        return False
    told = Statement.objects.filter(account=account, kind=ACCOUNTING).aggregate(last=Max("until"))["last"]
    since = max(filter(None, (told, local_date(plan.accepted_at, zone))))
    if (send_by := rules.accounting_due(law, since, today)) is None:
        return False
    return _write(ACCOUNTING, account=account, since=since, until=today, send_by=send_by, now=now)


def _satisfaction(account: Account, *, now: datetime) -> bool:
    """Write the letter once nothing is owed, nothing is on its way and the last payment can be relied on."""
    zone = account.consumer.time_zone
    today = local_date(now, zone)
    law = rules.law_of(account.consumer.state, today)
    if law is None or account.status not in (Account.Status.OPEN, Account.Status.PAID, Account.Status.CLOSED):
        return False
    counted = list(Payment.objects.filter(account=account, status__in=Payment.COUNTED).order_by("decided_at", "pk"))
    if not counted or any(one.status != Payment.Status.SUCCEEDED for one in counted):
        return False
    paid_on = local_date(counted[-1].decided_at, zone)
    send_by = rules.satisfaction_due(law, paid_on, today)
    if send_by is None or not _nothing_owed(account):
        return False
    if Statement.objects.filter(account=account, kind=SATISFACTION, until__gte=paid_on).exists():
        return False
    first = local_date(counted[0].decided_at, zone) - timedelta(days=1)
    return _write(SATISFACTION, account=account, since=first, until=today, send_by=send_by, now=now)


def _nothing_owed(account: Account) -> bool:
    """Ask our own books and the host's balance; what the host closed as paid is paid whatever it left as a balance."""
    if Arrangement.objects.filter(account=account, status__in=Arrangement.LIVE).exists():
        return False
    if Postdate.objects.filter(account=account, status__in=Postdate.OPEN).exists():
        return False
    ended = Arrangement.objects.filter(account=account).order_by("-accepted_at").first()
    settled = ended is not None and ended.status == Arrangement.Status.COMPLETED and ended.kind == "settlement"
    return account.status == Account.Status.PAID or settled or owed(account).cents == 0


def _write(kind: str, *, account: Account, since: date, until: date, send_by: date, now: datetime) -> bool:
    lines = list(_lines(account, since, until))
    owner = Postdate.objects.filter(account=account).order_by("-pk").values_list("notifier", flat=True).first()
    by_email = consent.esign_live(account.consumer) is not None
    row = Statement.objects.create(
        account=account,
        kind=kind,
        owner=owner or "portal",
        channel="email" if by_email else "letter",
        since=since,
        until=until,
        send_by=send_by,
        lines=[[on.isoformat(), cents] for on, cents in lines],
        paid_cents=sum(cents for _on, cents in lines),
        balance_cents=0 if kind == SATISFACTION else owed(account).cents,
        made_at=now,
    )
    events.record("statement.due", account=account, now=now, data=snapshot(row))
    if row.channel == "letter":
        ask_for_letter(row, reason="no_consent", now=now)
    return True


def _lines(account: Account, since: date, until: date) -> Iterator[tuple[date, int]]:
    """Give each payment of the days after `since` up to `until`, less what of it went back."""
    zone = account.consumer.time_zone
    taken = Payment.objects.filter(account=account, status=Payment.Status.SUCCEEDED)
    for one in taken.annotate(back=refunded_cents()).order_by("decided_at", "pk"):
        on = one.received_on or local_date(one.decided_at, zone)
        kept = one.amount_cents - (one.back or 0)
        if since < on <= until and kept > 0:
            yield on, kept


def find(key: str) -> Statement | None:
    """Give a statement of the acting agency with all that a message about it says."""
    joined = Statement.objects.select_related("account__consumer", "account__client", "account__agency")
    return joined.filter(pk=UUID(key)).first()


def snapshot(row: Statement) -> dict:
    """Tell a statement so that a host can write it from the event alone; amounts in cents."""
    return {
        "statement": str(row.pk),
        "kind": row.kind,
        "owner": row.owner,
        "channel": row.channel,
        "since": row.since.isoformat(),
        "until": row.until.isoformat(),
        "send_by": row.send_by.isoformat(),
        "payments": row.lines,
        "paid_cents": row.paid_cents,
        "balance_cents": row.balance_cents,
        "currency": row.account.currency,
        "original_creditor": row.account.original_creditor or row.account.client.name,
    }


def ask_for_letter(row: Statement, *, reason: str, now: datetime) -> None:
    """Tell the host to post a statement by its last day."""
    about = {"type": row.kind, "statement": str(row.pk), "send_by": row.send_by.isoformat(), "reason": reason}
    events.record("letter.required", account=row.account, now=now, data=about)


def proven(*, row: Statement, sent_at: datetime, proof: dict, now: datetime) -> None:
    """Write that a statement left, and tell the host."""
    row.status, row.sent_at, row.proof = Statement.Status.SENT, sent_at, row.proof | proof
    row.save(update_fields=["status", "sent_at", "proof"])
    events.record("statement.sent", account=row.account, now=now, data=snapshot(row) | {"proof": row.proof})


@transaction.atomic
def as_letter(*, row: Statement, reason: str, now: datetime) -> None:
    """Ask for a letter in place of an e-mail that does not arrive; what was proven by it is proven no more."""
    row.channel, row.status, row.sent_at = "letter", Statement.Status.DUE, None
    row.proof = row.proof | {"failed": reason, "failed_at": now.isoformat()}
    row.save(update_fields=["channel", "status", "sent_at", "proof"])
    ask_for_letter(row, reason=reason, now=now)


@transaction.atomic
def left_by_post(*, statement_id: UUID, sent_on: date, by: str, now: datetime) -> Statement | list[Refusal]:
    """Record that a letter left, told by whoever posted it; told again it changes nothing.

    :raises Statement.DoesNotExist: the acting agency has no such statement.
    """
    account = _locked(Statement.objects.values_list("account_id", flat=True).get(pk=statement_id))
    row = Statement.objects.select_for_update().get(pk=statement_id)
    row.account = account
    zone = account.consumer.time_zone
    if row.status == Statement.Status.SENT:
        return row
    if sent_on > local_date(now, zone):
        return [refuse(_FUTURE, "sent_in_the_future", field="sent_on")]
    if sent_on < local_date(row.made_at, zone):
        return [refuse(_EARLY, "sent_too_early", field="sent_on")]
    proof = {"local_date": sent_on.isoformat(), "time_zone": zone, "by": by}
    proven(row=row, sent_at=utc_of_local(sent_on, NOON, zone), proof=proof, now=now)
    return row


def _late(now: datetime) -> list[tuple[UUID, UUID]]:
    with acting_for(ALL_AGENCIES):
        waiting = Statement.objects.filter(status=Statement.Status.DUE, send_by__lte=now.date())
        zones = waiting.values_list("agency_id", "pk", "send_by", "account__consumer__time_zone").order_by("pk")
        return [(agency, key) for agency, key, send_by, zone in zones if local_date(now, zone) > send_by]


def _tell_late(key: UUID, *, now: datetime) -> None:
    row = Statement.objects.select_related("account__client").get(pk=key)
    incidents.open(kind="statement_late", key=str(key), now=now, account=row.account, data=snapshot(row))
