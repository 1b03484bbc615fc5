"""Cards: which brand and funding may repay a debt, what must be shown before, and what a decline means.

Words are Stripe's: brand `visa`, `mastercard`, `amex`, `discover`...; funding `credit`, `debit`, `prepaid`,
`unknown`. The answer of a bank is repeated only as far as it helps: lost and stolen are not said aloud.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from accounts.refusals import Refusal, gettext_noop, refuse

_BRANDS = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "discover": "Discover",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
}
_OTHER_BRANDS = {
    "mastercard": gettext_noop("a Mastercard"),
    "amex": gettext_noop("an American Express card"),
    "discover": gettext_noop("a Discover card"),
}
_ANY_VISA = gettext_noop("a Visa card")
_VISA_DEBIT_OR_PREPAID = gettext_noop("a Visa debit or prepaid card")
_BANK_ACCOUNT = gettext_noop("your bank account")
_NOTHING_ELSE = gettext_noop("another way to pay that the agency can name")

_SENTENCES = {
    "card_brand_not_accepted": gettext_noop("%(brand)s cards are not accepted here. You can use %(alternatives)s."),
    "visa_credit_not_accepted": gettext_noop(
        "Visa credit cards cannot be used to pay a debt. You can use %(alternatives)s."
    ),
    "visa_not_accepted": gettext_noop(
        "Visa cards cannot be used to pay this kind of loan. You can use %(alternatives)s."
    ),
    "card_funding_unknown": gettext_noop(
        "This Visa card may be a credit card, and those cannot pay a debt. You can use %(alternatives)s."
    ),
}


@dataclass(frozen=True, slots=True)
class CardPolicy:
    """Say which cards an agency or client takes; the default is a collection agency's (CARD-01)."""

    visa_credit: bool = False
    payday_loan: bool = False
    brands: tuple[str, ...] = ("visa", "mastercard", "amex", "discover")


DEFAULT_POLICY = CardPolicy()


def check_card(
    brand: str, funding: str, policy: CardPolicy = DEFAULT_POLICY, *, ach_allowed: bool = True
) -> list[Refusal]:
    """Refuse a card by brand and funding as the processor read them, naming what can be used (CARD-01).

    Run on the server before the charge is confirmed and again with the method that is charged. A Visa card
    of unknown funding could be a credit card and is refused like one.
    """
    code = _card_fault(brand.lower(), funding.lower(), policy)
    if code is None:
        return []
    name = _BRANDS.get(brand.lower(), brand.title())
    choices = alternatives(policy, ach_allowed=ach_allowed)
    return [refuse(_SENTENCES[code], code, field="card", brand=name, funding=funding, alternatives=choices)]


def _card_fault(brand: str, funding: str, policy: CardPolicy) -> str | None:
    if brand not in policy.brands:
        return "card_brand_not_accepted"
    if brand != "visa":
        return None
    if policy.payday_loan:
        return "visa_not_accepted"
    if policy.visa_credit or funding in ("debit", "prepaid"):
        return None
    return "visa_credit_not_accepted" if funding == "credit" else "card_funding_unknown"


def alternatives(policy: CardPolicy = DEFAULT_POLICY, *, ach_allowed: bool = True) -> tuple[str, ...]:
    """Name in English what can be used; each phrase is in the message catalogue."""
    visa = _ANY_VISA if policy.visa_credit else _VISA_DEBIT_OR_PREPAID
    names = [visa] if "visa" in policy.brands and not policy.payday_loan else []
    names += [phrase for brand, phrase in _OTHER_BRANDS.items() if brand in policy.brands]
    return tuple(names + [_BANK_ACCOUNT] * ach_allowed) or (_NOTHING_ELSE,)


@dataclass(frozen=True, slots=True)
class CardDisclosures:
    """Hold what an agency must show before it charges a card (CARD-02)."""

    original_creditor: str
    reference: str
    description: str
    contract_on: date | None
    ask_where: str


def missing_disclosures(shown: CardDisclosures) -> tuple[str, ...]:
    """Name the blank disclosures; with any of them cards are not offered and the host is told (CARD-02)."""
    return tuple(
        name
        for name in CardDisclosures.__dataclass_fields__
        if not (value := getattr(shown, name)) or (isinstance(value, str) and not value.strip())
    )


class Decline(NamedTuple):
    """Explain a decline: its grade, what to say, what to do next, and how often a machine may try again.

    Grades: A never again with this card; B the consumer mends the data; C later; D unknown, once more.
    """

    code: str
    grade: str
    sentence: str
    next_step: str
    automatic_retries: int
    wait: timedelta


_REFUSED = gettext_noop("Your bank did not accept this card. Nothing was taken. Use another way to pay.")
_STOPPED = gettext_noop(
    "Your bank says that you stopped payments from this card. Nothing was taken. To pay, choose another way."
)
_LATER = gettext_noop("Your bank could not be reached. Nothing was taken. Please try again later.")
_LIMIT = gettext_noop(
    "This card has reached its limit for now. Nothing was taken. Try another day or use another way to pay."
)
_FUNDS = gettext_noop(
    "Your bank declined the payment: there is not enough money available. Nothing was taken. You can choose a"
    " smaller amount, another day or another way to pay."
)
_UNKNOWN = gettext_noop(
    "Your bank declined the payment and did not say why. Nothing was taken. Ask your bank, or use another way to pay."
)
_CONFIRM = gettext_noop("Your bank wants you to confirm this payment. Nothing was taken yet.")
_NUMBER = gettext_noop("The card number is not right. Nothing was taken. Please check it.")
_EXPIRED = gettext_noop("This card has expired, or its date is not right. Nothing was taken.")
_CVC = gettext_noop("The security code of the card is not right. Nothing was taken. Please check it.")
_ADDRESS = gettext_noop("The ZIP code or address does not match the card. Nothing was taken. Please check it.")
_DATA = gettext_noop("Your bank does not recognise these card details. Nothing was taken. Please check them.")

# Grade, sentence, next step. Source: Stripe's decline codes, graded by Visa's and Mastercard's tables.
_DECLINES: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys(
        (
            "card_not_supported",
            "currency_not_supported",
            "do_not_try_again",
            "fraudulent",
            "invalid_account",
            "lost_card",
            "merchant_blacklist",
            "not_permitted",
            "pickup_card",
            "restricted_card",
            "security_violation",
            "service_not_allowed",
            "stolen_card",
            "transaction_not_allowed",
        ),
        ("A", _REFUSED, "use_another_method"),
    ),
    **dict.fromkeys(
        ("revocation_of_all_authorizations", "revocation_of_authorization", "stop_payment_order"),
        ("A", _STOPPED, "authorization_revoked"),
    ),
    "expired_card": ("B", _EXPIRED, "check_card"),
    "invalid_expiry": ("B", _EXPIRED, "check_card"),
    "invalid_expiry_month": ("B", _EXPIRED, "check_card"),
    "invalid_expiry_year": ("B", _EXPIRED, "check_card"),
    "incorrect_number": ("B", _NUMBER, "check_card"),
    "invalid_number": ("B", _NUMBER, "check_card"),
    "incorrect_cvc": ("B", _CVC, "check_card"),
    "invalid_cvc": ("B", _CVC, "check_card"),
    "incorrect_zip": ("B", _ADDRESS, "check_card"),
    "incorrect_address": ("B", _ADDRESS, "check_card"),
    "new_account_information_available": ("B", _DATA, "check_card"),
    "authentication_required": ("B", _CONFIRM, "authenticate"),
    "insufficient_funds": ("C", _FUNDS, "pay_less_or_later"),
    "card_velocity_exceeded": ("C", _LIMIT, "pay_less_or_later"),
    "withdrawal_count_limit_exceeded": ("C", _LIMIT, "pay_less_or_later"),
    "issuer_not_available": ("C", _LATER, "try_later"),
    "processing_error": ("C", _LATER, "try_later"),
    "reenter_transaction": ("C", _LATER, "try_later"),
    "try_again_later": ("C", _LATER, "try_later"),
}
_UNKNOWN_DECLINE = ("D", _UNKNOWN, "ask_bank")

# What the advice of processor and network means; the stricter of it and the code counts.
_ADVICE = {"do_not_try_again": "A", "confirm_card_data": "B"}
_NETWORK_ADVICE = {"01": "B", "03": "A", "21": "A"}
_VISA_NEVER = frozenset({"04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"})
# Mastercard says when: 1 hour, 1 day, then 2 to 10 days (CARD-08).
_NETWORK_WAITS = {
    "24": timedelta(hours=1),
    "25": timedelta(days=1),
    "26": timedelta(days=2),
    "27": timedelta(days=4),
    "28": timedelta(days=6),
    "29": timedelta(days=8),
    "30": timedelta(days=10),
}
_STRICTEST_FIRST = "ABDC"
_AUTOMATIC_RETRIES = {"A": 0, "B": 0, "C": 2, "D": 1}
_WAIT = timedelta(hours=72)
_BY_GRADE = {"A": (_REFUSED, "use_another_method"), "B": (_DATA, "check_card")}


def decline(
    code: str,
    *,
    advice_code: str = "",
    network_advice_code: str = "",
    network_decline_code: str = "",
    brand: str = "",
) -> Decline:
    """Grade a card decline by its Stripe code and the networks' advice (CARD-07, CARD-08, CARD-09).

    A code that nobody knows is D. Advice can only make the grade stricter.
    """
    grade, sentence, next_step = _DECLINES.get(code, _UNKNOWN_DECLINE)
    signals = [_ADVICE.get(advice_code), _NETWORK_ADVICE.get(network_advice_code)]
    if brand == "visa" and network_decline_code in _VISA_NEVER:
        signals.append("A")
    strictest = min([grade, *filter(None, signals)], key=_STRICTEST_FIRST.index)
    if strictest != grade:
        grade, (sentence, next_step) = strictest, _BY_GRADE[strictest]
    wait = _NETWORK_WAITS.get(network_advice_code, _WAIT) if grade in "CD" else timedelta()
    return Decline(code, grade, sentence, next_step, _AUTOMATIC_RETRIES[grade], wait)
