"""Send the statements that payments owns: the accounting of a plan and the satisfaction letter (ST-03, ST-04)."""

from datetime import date, datetime

from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.calendars import format_date
from accounts.models import Event
from accounts.services import consent
from campaigns.services.wording import dates, debt_rows, money, write
from payments.models import Statement
from payments.services import statements


def write_due(event: Event, now: datetime) -> None:
    """A statement is owed: write it to the address the consumer agreed to, or ask for the letter (ES-01, ES-04)."""
    row = statements.find(event.data["statement"])
    if row is None or row.owner != "portal" or row.channel != "email" or row.status != Statement.Status.DUE:
        return
    account = row.account
    consumer, language = account.consumer, account.consumer.language[:2]
    if (agreed := consent.esign_live(consumer)) is None:
        statements.as_letter(row=row, reason="no_consent", now=now)
        return
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "since": format_date(row.since, language),
            "until": format_date(row.until, language),
            "amount": money(row.paid_cents, account.currency, language),
            "balance": money(row.balance_cents, account.currency, language),
            "dates": dates([(date.fromisoformat(on), cents) for on, cents in row.lines], account.currency, language),
            "together": money(row.paid_cents, account.currency, language) if len(row.lines) > 1 else "",
            "rows": [(_("Paid to"), account.agency.legal_name), *debt_rows(account)],
        }
    write(
        row.kind,
        account=account,
        cause=f"statement:{row.pk}",
        language=language,
        facts=facts,
        attachments=({"kind": "statement", "id": str(row.pk)},),
        to=agreed.contact_point,
        now=now,
    )
