"""The papers of one payment, made from its rows: what the consumer downloads is what the mail carried."""

from datetime import date
from zoneinfo import ZoneInfo

from accounts.models import Account, Agency
from payments import documents
from payments.models import Authorization, Payment, Statement
from payments.services.means import means_of_method


def authorization_copy(authorization: Authorization) -> bytes:
    """Make the consumer's copy of an authorization as PDF, in the language it was signed in (EFT-02), and in English.

    The English text is the one that was written beside it when it was signed (LANG-04).
    """
    account = authorization.account
    zone = ZoneInfo(authorization.time_zone)
    return documents.authorization_pdf(
        copy=documents.AuthorizationCopy(
            agency=_agency(account.agency),
            consumer_name=str(authorization.consumer),
            **_debt(account),
            text=authorization.text,
            english=authorization.evidence.get("english", ""),
            schedule=tuple(
                documents.ScheduleLine(on=date.fromisoformat(day), cents=cents) for day, cents in authorization.lines
            ),
            method=means_of_method(authorization.method).label(authorization.language),
            accepted_at=authorization.accepted_at.astimezone(zone),
            browser_address=authorization.ip or "",
            text_sha256=authorization.text_sha256,
            language=authorization.language,
            currency=account.currency,
            # ST-02: the list of New York, for who lives there.
            exempt_income_notice=authorization.consumer.state == "NY",
        )
    )


def receipt(payment: Payment, *, language: str) -> bytes:
    """Make the receipt of a payment as PDF; one that the bank can still return says so."""
    account = payment.account
    return documents.receipt_pdf(
        receipt=documents.Receipt(
            agency=_agency(account.agency),
            number=payment.reference,
            consumer_name=str(payment.consumer),
            **_debt(account),
            amount_cents=payment.amount_cents,
            method=means_of_method(payment.method).label(language) if payment.method else "",
            paid_at=(payment.decided_at or payment.intended_at).astimezone(ZoneInfo(payment.consumer.time_zone)),
            language=language,
            cleared=payment.status != Payment.Status.PENDING,
            currency=payment.currency,
        )
    )


def statement(row: Statement, *, language: str) -> bytes:
    """Make a statement as PDF: what was paid in its time, and what is left or that nothing is (ST-03, ST-04)."""
    account = row.account
    return documents.statement_pdf(
        statement=documents.Statement(
            agency=_agency(account.agency),
            kind=row.kind,
            consumer_name=str(account.consumer),
            **_debt(account),
            since=row.since,
            until=row.until,
            payments=tuple(documents.ScheduleLine(on=date.fromisoformat(on), cents=cents) for on, cents in row.lines),
            balance_cents=row.balance_cents,
            made_at=row.made_at.astimezone(ZoneInfo(account.consumer.time_zone)),
            language=language,
            currency=account.currency,
        )
    )


def helper_receipt(payment: Payment, *, payee: str, language: str) -> bytes:
    """Make the receipt of who paid for somebody else: what they signed, and nothing that tells of a debt (RF-11)."""
    signed = payment.authorization
    return documents.helper_receipt_pdf(
        payee=payee,
        number=payment.reference,
        payer=signed.evidence.get("payer", "") if signed else "",
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        method=means_of_method(payment.method).label(language) if payment.method else "",
        paid_at=(payment.decided_at or payment.intended_at).astimezone(ZoneInfo(payment.consumer.time_zone)),
        text=signed.text if signed else "",
        language=language,
    )


def _debt(account: Account) -> dict[str, str]:
    return {
        "account_reference": account.reference,
        "original_creditor": account.original_creditor,
        "description": account.description,
    }


def _agency(agency: Agency) -> documents.Agency:
    return documents.Agency(
        name=agency.name,
        legal_name=agency.legal_name,
        address=agency.address,
        phone=agency.phone,
        licences=tuple(line.strip() for line in agency.licences.splitlines() if line.strip()),
    )
