"""Show what a template will say: with a real account's values or with samples, for staff and by API alike."""

from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.calendars import format_date
from accounts.models import Account, Agency, ContactPoint
from accounts.scope import acting
from campaigns.models import TemplateVersion
from campaigns.rules import fields
from campaigns.rules.notice_words import NOTICES, OWN
from campaigns.rules.segments import measure
from campaigns.services import letters, writer
from campaigns.services.compose import TooTelling, compose
from campaigns.services.templates import words_of
from campaigns.services.wording import debt_rows
from payments.services.owed import owed

SAMPLE_CENTS, SAMPLE_DAY = 125_00, date(2026, 12, 4)
"""Of the payment that a previewed notice speaks of."""


def preview(version: TemplateVersion, language: str, account: Account | None = None) -> dict[str, Any]:
    """Write a version for a look, as its first mail about a debt.

    :return: `code` (the language) with `subject`, `preheader`, `html` and `text`; of a text message with `text` and
        `length`; or with `error`, where it could not be written.
    """
    shown: dict[str, Any] = {"code": language}
    if language not in version.words:
        return shown | {"error": f"It is not written in {language}."}
    agency = account.agency if account else Agency.objects.get(pk=acting())
    values = fields.samples(language) | {"agency": agency.name, "agency_phone": agency.phone, "stop_url": "#"}
    if account:
        values |= writer.values_of(agency, account, owed(account).cents, None, language)
    if version.template.kind in NOTICES:
        return shown | _notice(version, language, agency, account)
    if version.template.channel == "text":
        compiled = letters.compile_text(version=version, agency=agency, language=language, first=False)
        text = compiled.write(values)[1]
        return shown | {"text": text, "length": measure(text)}
    try:
        compiled = letters.compile_mail(version=version, agency=agency, language=language, first=True, barred=False)
    except TooTelling as error:
        return shown | {"error": str(error)}
    subject, text, page = compiled.write(values)
    preheader = " ".join(fields.FIELD.sub(lambda m: values.get(m[1], ""), version.words[language]["preheader"]).split())
    return shown | {"subject": subject, "preheader": preheader, "html": page, "text": text}


def _notice(version: TemplateVersion, language: str, agency: Agency, account: Account | None) -> dict[str, Any]:
    """Write a notice: the account's own name and rows, and a payment that nobody made."""
    kind = version.template.kind
    # Nobody's address: whoever looks at a preview must not hold a link that stops somebody's mail.
    point = ContactPoint(agency_id=agency.pk, value="jane@example.com")
    with override(language):
        currency = account.currency if account else "usd"
        amount = fields.written("balance", SAMPLE_CENTS, currency=currency, language=language)
        day = format_date(SAMPLE_DAY, language)
        samples = fields.samples(language)
        rows = [(_("Reference"), samples["reference"]), (_("Original creditor"), samples["creditor"])]
        facts = {
            "name": (account.consumer.first_name or str(account.consumer)) if account else samples["first_name"],
            "amount": amount,
            "total": amount,
            "count": 1,
            "day": day,
            "method": str(OWN["method"].sample),
            "outcome": "declined",
            "rows": debt_rows(account) if account else rows,
            "dates": [(1, day, amount)],
            "together": "",
            "notice": "email",
        }
    words = words_of(version)[language]
    try:
        mail = compose(template=kind, agency=agency, contact_point=point, language=language, facts=facts, words=words)
    except TooTelling as error:
        return {"error": str(error)}
    return {"subject": mail.subject, "preheader": mail.preheader, "html": mail.html, "text": mail.text}
