"""The text that a consumer signs for a payment or a schedule, in English and Spanish, with its hash.

Each slot is one clause; a clause whose facts are blank is missing, and an incomplete text is never made.
The words need the agency's counsel and a reviewed translation (LANG-01); changing one raises `VERSION`.
Nobody is asked to plan a payment by a threat: none of our words speaks of prosecution (PDC-03).
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import date
from string import Formatter

from accounts.calendars import format_date
from accounts.money import format_cents
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules.offers import Breach

VERSION = "2026-11-22"
_BRANDS = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover"}

# The seven slots of a consumer's debit authorization (ACH-05); a card's agreement fixes the same (CARD-05).
SLOTS: tuple[str, ...] = ("single_or_recurring", "amounts", "timing", "name", "account", "date", "revocation")
# To whom and for what: without these nobody could tell which debt was paid (EFT-01, CARD-02).
_ALWAYS: tuple[str, ...] = ("payee", "debt")
_INCOMPLETE = gettext_noop(
    "This cannot be agreed to here, because the agency lacks information that the text must say. Please call."
)


class IncompleteAuthorization(ValueError):
    """A slot has no words: complete the facts before the consumer is asked to sign. `missing` names them."""

    def __init__(self, missing: tuple[str, ...]):
        super().__init__(f"The authorization lacks {', '.join(missing)}.")
        self.missing = missing

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Say it to whoever was about to sign."""
        return (refuse(_INCOMPLETE, "authorization_incomplete", missing=", ".join(self.missing)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Hold the facts of one authorization.

    `kind` is single (one payment now), later (one payment on a later day) or schedule; `lines` are dates with
    cents, in order; `method` is card or ach. `funding` and `brand` are the processor's words for a card,
    `account_type` is checking or savings. `signed_on` is the consumer's local date. `revoke_url` is where the portal
    cancels. `breach` is what a broken settlement (`settling`) or plan means; None where nothing can break.
    """

    kind: str
    method: str
    lines: tuple[tuple[date, int], ...]
    signed_on: date
    consumer_name: str
    agency_name: str
    agency_address: str
    agency_phone: str
    reference: str
    original_creditor: str
    description: str
    last4: str
    brand: str = ""
    funding: str = ""
    account_type: str = ""
    revoke_url: str = ""
    currency: str = "USD"
    breach: Breach | None = None
    settling: bool = False

    def __post_init__(self) -> None:
        assert self.kind in ("single", "later", "schedule"), self.kind
        assert self.method in ("card", "ach"), self.method
        assert self.kind == "schedule" or len(self.lines) <= 1, "one payment has one line"

    @property
    def regulation_e(self) -> bool:
        """Tell whether this is a consumer asset account: all but credit cards are treated so (EFT-03)."""
        return self.method == "ach" or self.funding != "credit"


@dataclass(frozen=True, slots=True)
class AuthorizationText:
    """Hold the exact words that were shown, and their SHA-256 in hex."""

    kind: str
    language: str
    version: str
    text: str
    sha256: str


def compose(parts: Parts, language: str = "en") -> AuthorizationText:
    """Write the authorization out of its parts.

    :raises IncompleteAuthorization: a required slot has no words.
    :raises ValueError: there is no such language.
    """
    text = "\n\n".join(clause for clause in clauses(parts, language).values() if clause)
    missing = lint(text, parts, language)
    if missing:
        raise IncompleteAuthorization(missing)
    return AuthorizationText(parts.kind, language.split("-")[0], VERSION, text, text_sha256(text))


def lint(text: str, parts: Parts, language: str = "en") -> tuple[str, ...]:
    """Name the required slots that this text does not say, in order (ACH-05, CARD-03, EFT-05)."""
    said = clauses(parts, language)
    return tuple(slot for slot in required_slots(parts) if not said[slot] or said[slot] not in text)


def required_slots(parts: Parts) -> tuple[str, ...]:
    """Name the slots that this kind of authorization must have.

    A schedule says that amounts and dates only change with consent and that notice comes before (PDC-01,
    EFT-04); by card it has the stored-credential consent (CARD-03), from a bank account, debit or prepaid
    card the right to stop a payment at the bank (EFT-05).
    """
    slots = _ALWAYS + SLOTS
    if parts.kind != "single":
        slots += ("changes", "notice")
        slots += ("stored_credential",) if parts.method == "card" else ()
        slots += ("stop_right",) if parts.regulation_e else ()
    slots += ("breach",) if parts.breach is not None else ()
    return (*slots, "copy")


def text_sha256(text: str) -> str:
    """Hash a text the same way on every machine: NFC, line feeds, UTF-8."""
    canonical = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def clauses(parts: Parts, language: str) -> dict[str, str]:
    """Write every clause of this kind in the order of the text; one with a blank fact is empty."""
    words = _WORDS.get(language.split("-")[0])
    if words is None:
        raise ValueError(f"No authorization text in {language!r}.")
    facts = _facts(parts, words, language.split("-")[0])
    required = required_slots(parts)
    said = {}
    for slot, template in words.items():
        if slot == "breach" and parts.breach is not None:
            said[slot] = breach_text(
                parts.breach, settling=parts.settling, agency_name=parts.agency_name, language=language
            )
        elif slot == "title" or slot in required:
            if isinstance(template, dict):
                template = template.get(f"{parts.kind}_{parts.method}") or template[parts.kind]
            said[slot] = _fill(template, facts)
    if parts.revoke_url.strip() and said["revocation"]:
        said["revocation"] += " " + _fill(words["revoke_online"], facts)
    return said


def breach_text(breach: Breach, *, settling: bool, agency_name: str, language: str = "en") -> str:
    """Say what happens when a payment fails: how long one has to make good, what ends it, and what is owed then."""
    words = _WORDS[language.split("-")[0]]["breach"]
    kind = "settlement" if settling else "plan"
    said = [words["missed"].format(days=breach.grace_days) if breach.grace_days else words["missed_at_once"]]
    said.append((words["cure"] if breach.cure_days else words["no_cure"])[kind].format(days=breach.cure_days))
    if breach.failures:
        said.append(words["failures"][kind].format(count=breach.failures))
    said.append(words["balance" if settling and breach.reinstates == "balance" else f"rest_{kind}"])
    return " ".join(said).format(agency=agency_name)


def _facts(parts: Parts, words: dict, language: str) -> dict[str, str]:
    dates = [format_date(day, language) for day, _ in parts.lines]
    amounts = [format_cents(cents, parts.currency, language) for _, cents in parts.lines]
    lines = [f"{n}. {day}: {cents}" for n, (day, cents) in enumerate(zip(dates, amounts, strict=True), start=1)]
    facts = {
        "agency": parts.agency_name,
        "address": ", ".join(parts.agency_address.split("\n")),
        "phone": parts.agency_phone,
        "reference": parts.reference,
        "creditor": parts.original_creditor,
        "description": parts.description,
        "name": parts.consumer_name,
        "account": _account(parts, words),
        "signed_on": format_date(parts.signed_on, language),
        "url": parts.revoke_url,
        "count": str(len(lines)),
        "total": format_cents(sum(cents for _, cents in parts.lines), parts.currency, language),
        "lines": "\n".join(lines),
        "amount": "".join(amounts[:1]),
        "first": "".join(dates[:1]),
        "last": "".join(dates[-1:]),
    }
    return {name: fact.strip() for name, fact in facts.items()}


def _account(parts: Parts, words: dict) -> str:
    if parts.method == "ach":
        kind, name = words["accounts"].get(parts.account_type, ""), parts.account_type
    else:
        kind, name = words["cards"].get(parts.funding.lower(), words["cards"]["unknown"]), parts.brand
    if not (kind and name.strip() and parts.last4.strip()):
        return ""
    brand = _BRANDS.get(parts.brand.lower(), parts.brand.title())
    return kind.format(brand=brand, last4=parts.last4)


def _fill(template: str, facts: dict[str, str]) -> str:
    used = [name for _, name, _, _ in Formatter().parse(template) if name]
    return template.format(**facts) if all(facts[name] for name in used) else ""


# In the order of the text; a clause may differ by kind, or by kind and method.
_ENGLISH: dict = {
    "title": {
        "single": "Authorization for one payment",
        "later": "Authorization for one payment on a later day",
        "schedule": "Authorization for a schedule of payments",
    },
    "payee": "To: {agency}, {address}, {phone}",
    "debt": "For: account {reference}, {description}. Original creditor: {creditor}.",
    "name": "From: {name}",
    "account": "Paid with: {account}",
    "date": "Date of this authorization: {signed_on}",
    "single_or_recurring": {
        "single_card": "I authorize {agency}, and those who process payments for it, to charge my card once.",
        "single_ach": "I authorize {agency}, and those who process payments for it, to take one electronic"
        " payment (a single ACH debit) from my bank account.",
        "later_card": "I authorize {agency}, and those who process payments for it, to charge my card once, on the"
        " day named here.",
        "later_ach": "I authorize {agency}, and those who process payments for it, to take one electronic payment"
        " (a single ACH debit) from my bank account, on the day named here.",
        "schedule_card": "I authorize {agency}, and those who process payments for it, to charge my card"
        " for the payments listed here (recurring card payments), and for nothing else.",
        "schedule_ach": "I authorize {agency}, and those who process payments for it, to take the electronic"
        " payments listed here (recurring ACH debits) from my bank account, and nothing else.",
    },
    "amounts": {"single": "Amount: {amount}", "later": "Amount: {amount}", "schedule": "Payments:\n{lines}"},
    "timing": {
        "single": "When: {first}, once.",
        "later": "When: {first}, once. The payment is not taken before its date.",
        "schedule": "Number of payments: {count}. First payment: {first}. Last payment: {last}. Total:"
        " {total}. No payment is taken before its date.",
    },
    "notice": "Before each payment that is more than five days away, I will be told its date and amount in writing.",
    "changes": "Amounts and dates change only if I agree. If an amount will differ from this list, I will"
    " be told in writing at least 10 days before.",
    "breach": {
        "missed": "A payment that is not made within {days} days of its date is missed.",
        "missed_at_once": "A payment that is not made on its date is missed.",
        "cure": {
            "settlement": "From then on I have {days} days to pay what is due; after that this settlement ends.",
            "plan": "From then on I have {days} days to pay what is due; after that this plan ends.",
        },
        "no_cure": {
            "settlement": "This settlement ends if what is due is not paid by the last date.",
            "plan": "This plan ends if what is due is not paid by the last date.",
        },
        "failures": {
            "settlement": "It also ends when {count} payments in a row fail.",
            "plan": "It also ends when {count} payments in a row fail.",
        },
        "balance": "Then I owe the whole balance again, less everything that I have paid.",
        "rest_settlement": "Then the rest of the settlement is due at once; everything that I have paid counts.",
        "rest_plan": "Then the rest of the balance is due; everything that I have paid counts.",
    },
    "stored_credential": {
        "schedule": "I agree that the payment processor stores my card and charges it for these"
        " payments on their dates, without asking me each time. My card is kept for this purpose only. If this"
        " use changes, I will be told first.",
        "later": "I agree that the payment processor stores my card and charges it for this payment on its date,"
        " without asking me again. My card is kept for this purpose only. If this use changes, I will be told first.",
    },
    "revocation": {
        "single": "I can withdraw this authorization until the payment is sent to my bank: I call {phone}"
        " or write to {agency}, {address}.",
        "later": "I can cancel this payment, or withdraw this authorization, at any time before the payment is sent to"
        " my bank: I call {phone} or write to {agency}, {address}. I will get a confirmation.",
        "schedule": "I can cancel a payment, or withdraw this authorization for all payments not yet sent"
        " to my bank, at any time: I call {phone} or write to {agency}, {address}. I will get a"
        " confirmation.",
    },
    "revoke_online": "I can also do this at {url}.",
    "stop_right": "I can also stop a payment by telling my bank at least three business days before its"
    " date. My bank may ask me to confirm this in writing within 14 days.",
    "copy": "I sign this electronically and receive a copy of it.",
    "accounts": {
        "checking": "my checking account ending in {last4}",
        "savings": "my savings account ending in {last4}",
    },
    "cards": {
        "credit": "my {brand} credit card ending in {last4}",
        "debit": "my {brand} debit card ending in {last4}",
        "prepaid": "my {brand} prepaid card ending in {last4}",
        "unknown": "my {brand} card ending in {last4}",
    },
}
_SPANISH: dict = {
    "title": {
        "single": "Autorización de un pago",
        "later": "Autorización de un pago en una fecha posterior",
        "schedule": "Autorización de un calendario de pagos",
    },
    "payee": "Para: {agency}, {address}, {phone}",
    "debt": "Por: cuenta {reference}, {description}. Acreedor original: {creditor}.",
    "name": "De: {name}",
    "account": "Forma de pago: {account}",
    "date": "Fecha de esta autorización: {signed_on}",
    "single_or_recurring": {
        "single_card": "Autorizo a {agency}, y a quienes procesan pagos en su nombre, a hacer un solo cargo"
        " a mi tarjeta.",
        "single_ach": "Autorizo a {agency}, y a quienes procesan pagos en su nombre, a tomar un solo pago"
        " electrónico (un débito ACH único) de mi cuenta bancaria.",
        "later_card": "Autorizo a {agency}, y a quienes procesan pagos en su nombre, a hacer un solo cargo a mi"
        " tarjeta, en la fecha que aparece aquí.",
        "later_ach": "Autorizo a {agency}, y a quienes procesan pagos en su nombre, a tomar un solo pago electrónico"
        " (un débito ACH único) de mi cuenta bancaria, en la fecha que aparece aquí.",
        "schedule_card": "Autorizo a {agency}, y a quienes procesan pagos en su nombre, a cargar a mi"
        " tarjeta los pagos que aparecen aquí (pagos recurrentes con tarjeta), y nada más.",
        "schedule_ach": "Autorizo a {agency}, y a quienes procesan pagos en su nombre, a tomar de mi cuenta"
        " bancaria los pagos electrónicos que aparecen aquí (débitos ACH recurrentes), y nada más.",
    },
    "amounts": {"single": "Monto: {amount}", "later": "Monto: {amount}", "schedule": "Pagos:\n{lines}"},
    "timing": {
        "single": "Cuándo: {first}, una sola vez.",
        "later": "Cuándo: {first}, una sola vez. El pago no se toma antes de su fecha.",
        "schedule": "Número de pagos: {count}. Primer pago: {first}. Último pago: {last}. Total: {total}."
        " Ningún pago se toma antes de su fecha.",
    },
    "notice": "Antes de cada pago para el que falten más de cinco días, se me informará por escrito de su"
    " fecha y su monto.",
    "changes": "Los montos y las fechas cambian solo si yo estoy de acuerdo. Si un monto va a ser distinto"
    " del que aparece aquí, se me informará por escrito al menos 10 días antes.",
    "breach": {
        "missed": "Un pago que no se hace dentro de los {days} días siguientes a su fecha es un pago incumplido.",
        "missed_at_once": "Un pago que no se hace en su fecha es un pago incumplido.",
        "cure": {
            "settlement": "A partir de entonces tengo {days} días para pagar lo que corresponda; después, este acuerdo"
            " de liquidación termina.",
            "plan": "A partir de entonces tengo {days} días para pagar lo que corresponda; después, este plan termina.",
        },
        "no_cure": {
            "settlement": "Este acuerdo de liquidación termina si lo que corresponde no se paga a más tardar en la"
            " última fecha.",
            "plan": "Este plan termina si lo que corresponde no se paga a más tardar en la última fecha.",
        },
        "failures": {
            "settlement": "También termina cuando fallan {count} pagos seguidos.",
            "plan": "También termina cuando fallan {count} pagos seguidos.",
        },
        "balance": "En ese caso vuelvo a deber todo el saldo, menos todo lo que haya pagado.",
        "rest_settlement": "En ese caso debo pagar de inmediato el resto de la liquidación; todo lo que haya pagado"
        " cuenta.",
        "rest_plan": "En ese caso debo pagar el resto del saldo; todo lo que haya pagado cuenta.",
    },
    "stored_credential": {
        "schedule": "Acepto que el procesador de pagos guarde mi tarjeta y le cargue estos pagos en"
        " sus fechas, sin preguntarme cada vez. Mi tarjeta se guarda solo para este fin. Si este uso cambia, se"
        " me informará antes.",
        "later": "Acepto que el procesador de pagos guarde mi tarjeta y le cargue este pago en su fecha, sin"
        " preguntarme otra vez. Mi tarjeta se guarda solo para este fin. Si este uso cambia, se me informará antes.",
    },
    "revocation": {
        "single": "Puedo retirar esta autorización hasta que el pago se envíe a mi banco: llamo al {phone}"
        " o escribo a {agency}, {address}.",
        "later": "Puedo cancelar este pago, o retirar esta autorización, en cualquier momento antes de que el pago se"
        " envíe a mi banco: llamo al {phone} o escribo a {agency}, {address}. Recibiré una confirmación.",
        "schedule": "Puedo cancelar un pago, o retirar esta autorización para todos los pagos que aún no se"
        " hayan enviado a mi banco, en cualquier momento: llamo al {phone} o escribo a {agency}, {address}."
        " Recibiré una confirmación.",
    },
    "revoke_online": "También puedo hacerlo en {url}.",
    "stop_right": "También puedo detener un pago si aviso a mi banco al menos tres días hábiles antes de su"
    " fecha. Mi banco puede pedirme que lo confirme por escrito dentro de 14 días.",
    "copy": "Firmo esto de forma electrónica y recibo una copia.",
    "accounts": {
        "checking": "mi cuenta corriente terminada en {last4}",
        "savings": "mi cuenta de ahorros terminada en {last4}",
    },
    "cards": {
        "credit": "mi tarjeta de crédito {brand} terminada en {last4}",
        "debit": "mi tarjeta de débito {brand} terminada en {last4}",
        "prepaid": "mi tarjeta prepagada {brand} terminada en {last4}",
        "unknown": "mi tarjeta {brand} terminada en {last4}",
    },
}
_WORDS = {"en": _ENGLISH, "es": _SPANISH}
