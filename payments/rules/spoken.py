"""Words for who does not sign as the debtor at a page: a helper who pays by a link, and a consumer on the telephone.

A helper is told the amount and whom they pay, and nothing that tells of a debt (RF-11): no creditor, no account, no
name but their own. The words need the agency's counsel and a reviewed translation (LANG-01).
"""

import re
from dataclasses import dataclass
from datetime import date

from accounts.calendars import format_date
from accounts.money import format_cents
from payments.rules.authorization import Parts, clauses, text_sha256

VERSION = "2026-11-29"
_TELLING = re.compile(
    r"debt|collect|recover|receivabl|credit|judg(e)?ment|arrears|legal|law\b|attorney"
    r"|deud|cobr|recuper|cartera|acreed|juicio|moros",
    re.IGNORECASE,
)
_WORDS = {
    "en": {
        "title": "Authorization for one card payment",
        "payee": "To: {payee}",
        "name": "From: {name}",
        "date": "Date of this authorization: {day}",
        "once": "I authorize {payee}, and those who process payments for it, to charge my card once. I pay this for"
        " somebody else because I want to; I owe nothing here myself.",
        "amount": "Amount: {amount}",
        "timing": "When: {day}, once. My card is not kept.",
        "revocation": "I can withdraw this authorization until the payment is sent to my bank: I call {phone}.",
        "copy": "I sign this electronically and can save a copy of it.",
    },
    "es": {
        "title": "Autorización de un pago con tarjeta",
        "payee": "Para: {payee}",
        "name": "De: {name}",
        "date": "Fecha de esta autorización: {day}",
        "once": "Autorizo a {payee}, y a quienes procesan pagos en su nombre, a hacer un solo cargo a mi tarjeta. Pago"
        " esto por otra persona porque así lo quiero; yo no debo nada aquí.",
        "amount": "Monto: {amount}",
        "timing": "Cuándo: {day}, una sola vez. Mi tarjeta no se guarda.",
        "revocation": "Puedo retirar esta autorización hasta que el pago se envíe a mi banco: llamo al {phone}.",
        "copy": "Firmo esto de forma electrónica y puedo guardar una copia.",
    },
}
_ON_THE_TELEPHONE = {
    "en": "I agree to this on the telephone, in a call that I know is recorded, and receive a copy of it in writing.",
    "es": "Acepto esto por teléfono, en una llamada que sé que se graba, y recibo una copia por escrito.",
}


_UNNAMED = {"en": "the company at {phone}", "es": "la empresa del teléfono {phone}"}


def payee(name: str, phone: str, language: str = "en") -> str:
    """Say whom a helper pays: by name where it is harmless, else by where they can be reached."""
    code = "es" if language.startswith("es") else "en"
    return harmless_name(name) or _UNNAMED[code].format(phone=phone)


def harmless_name(name: str) -> str:
    """Give a name that says nothing about a debt, empty where it does (RF-11)."""
    return "" if _TELLING.search(name) else name


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperParts:
    """Hold what a helper signs; `account` says the card: `my Visa debit card ending in 4242`."""

    payee: str
    phone: str
    payer: str
    amount_cents: int
    currency: str
    today: date
    account: str


def for_helper(parts: HelperParts, language: str = "en") -> tuple[str, str, str]:
    """Write what a helper agrees to: the text, its SHA-256 and the version of the wording."""
    code = "es" if language.startswith("es") else "en"
    facts = {
        "payee": parts.payee,
        "phone": parts.phone,
        "name": parts.payer,
        "day": format_date(parts.today, code),
        "amount": format_cents(parts.amount_cents, parts.currency, code),
    }
    words = {slot: text.format(**facts) for slot, text in _WORDS[code].items()}
    paid_with = parts.account
    order = ("title", "payee", "name", "with", "date", "once", "amount", "timing", "revocation", "copy")
    text = "\n\n".join(paid_with if slot == "with" else words[slot] for slot in order)
    return text, text_sha256(text), VERSION


def card_line(parts: Parts, language: str = "en") -> str:
    """Say what a payment is made with, as every authorization does."""
    return clauses(parts, language)["account"]


def on_the_telephone(text: str, parts: Parts, language: str = "en") -> tuple[str, str, str]:
    """Turn an authorization that is signed at a page into the one that is read out and agreed to aloud."""
    code = "es" if language.startswith("es") else "en"
    signed = clauses(parts, code)["copy"]
    assert signed in text, "every authorization ends with how it is signed"
    spoken = text.replace(signed, _ON_THE_TELEPHONE[code])
    return spoken, text_sha256(spoken), VERSION
