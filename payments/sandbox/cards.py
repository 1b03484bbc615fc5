"""Test cards: what each number is and how it answers. No other number is ever stored."""

import hashlib
import json
import re
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from .errors import ApiError
from .store import Store


@dataclass(frozen=True)
class Card:
    """Say what a card number does.

    ``outcome`` is one of approve, decline (at once, also when saved), decline_on_charge (saves, then
    declines), challenge (3-D Secure until set up), challenge_always, dispute, refund_fails.
    """

    brand: str
    funding: str = "credit"
    outcome: str = "approve"
    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    network_code: str | None = None
    note: str = ""


def _declined(decline_code: str, advice: str, network: str, note: str, **more: str) -> Card:
    return replace(Card("visa", "credit", "decline", "card_declined", decline_code, advice, network, note), **more)


LATER, NEVER, CHECK = "try_again_later", "do_not_try_again", "confirm_card_data"

# The numbers, brands and outcomes that Stripe publishes for its test mode (docs.stripe.com/testing);
# the three marked "ours" are this program's own.
CARDS = {
    "4242424242424242": Card("visa", note="Succeeds"),
    "4000056655665556": Card("visa", "debit", note="Succeeds"),
    "5555555555554444": Card("mastercard", note="Succeeds"),
    "2223003122003222": Card("mastercard", note="Succeeds"),
    "5200828282828210": Card("mastercard", "debit", note="Succeeds"),
    "5105105105105100": Card("mastercard", "prepaid", note="Succeeds"),
    "378282246310005": Card("amex", note="Succeeds"),
    "371449635398431": Card("amex", note="Succeeds"),
    "6011111111111117": Card("discover", note="Succeeds"),
    "6011981111111113": Card("discover", "debit", note="Succeeds"),
    "4000000000000002": _declined("generic_decline", LATER, "05", "Declined"),
    "4000000000009995": _declined("insufficient_funds", LATER, "51", "Insufficient funds"),
    "4000056655669996": _declined(
        "insufficient_funds", LATER, "51", "Insufficient funds, debit (ours)", funding="debit"
    ),
    "5200828282829994": _declined(
        "insufficient_funds",
        LATER,
        "51",
        "Insufficient funds, debit (ours)",
        brand="mastercard",
        funding="debit",
    ),
    "5105105105109995": _declined(
        "insufficient_funds",
        LATER,
        "51",
        "Insufficient funds, prepaid (ours)",
        brand="mastercard",
        funding="prepaid",
    ),
    "4000000000009987": _declined("lost_card", NEVER, "41", "Lost card"),
    "4000000000009979": _declined("stolen_card", NEVER, "43", "Stolen card"),
    "4000000000006975": _declined("card_velocity_exceeded", LATER, "61", "Too often, over its limit"),
    "4100000000000019": _declined("fraudulent", NEVER, "59", "Always blocked as risky"),
    "4000000000000069": Card("visa", "credit", "decline", "expired_card", "expired_card", CHECK, "54", "Expired card"),
    "4000000000000127": Card(
        "visa", "credit", "decline", "incorrect_cvc", "incorrect_cvc", CHECK, "N7", "Wrong security code"
    ),
    "4000000000000119": Card(
        "visa", "credit", "decline", "processing_error", "processing_error", LATER, "96", "Processing error"
    ),
    "4000000000000341": Card(
        "visa",
        "credit",
        "decline_on_charge",
        "card_declined",
        "generic_decline",
        LATER,
        "05",
        "Saves, then every charge is declined",
    ),
    "4000002500003155": Card("visa", outcome="challenge", note="3-D Secure until it is saved"),
    "4000002760003184": Card("visa", outcome="challenge_always", note="3-D Secure each time"),
    "4000000000003220": Card("visa", outcome="challenge_always", note="3-D Secure each time"),
    "4000008260003178": Card(
        "visa",
        "credit",
        "challenge_always",
        "card_declined",
        "insufficient_funds",
        LATER,
        "51",
        "3-D Secure, then insufficient funds",
    ),
    "4000000000000259": Card("visa", outcome="dispute", note="Succeeds, then is disputed as fraudulent"),
    "4000000000005126": Card("visa", outcome="refund_fails", note="Succeeds; a refund fails a day later"),
}
# A real card typed into the sandbox is neither stored nor charged.
REAL = Card("visa", "credit", "decline", "card_declined", "test_mode_live_card", NEVER, None)

MESSAGES = {
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "insufficient_funds": "Your card has insufficient funds.",
    "card_velocity_exceeded": "Your card was declined for making repeated attempts too frequently or "
    "exceeding its amount limit.",
    "test_mode_live_card": "Your card was declined. Your request was in test mode, but used a non test card.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}
TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_visa_debit": "4000056655665556",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_mastercard_debit": "5200828282828210",
    "pm_card_mastercard_prepaid": "5105105105105100",
    "pm_card_amex": "378282246310005",
    "pm_card_discover": "6011111111111117",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_createDispute": "4000000000000259",
}


def passes_luhn(number: str) -> bool:
    """Say whether the check digit fits (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def brand_of(number: str) -> str:
    """Tell the brand from the leading digits."""
    if re.match(r"3[47]", number):
        return "amex"
    if re.match(r"5[1-5]|2(22[1-9]|2[3-9]|[3-6]|7[01]|720)", number):
        return "mastercard"
    if re.match(r"6(011|4[4-9]|5)", number):
        return "discover"
    return "visa" if number.startswith("4") else "unknown"


def script(store: Store, number: str) -> Card:
    """Return how a number answers: scripted, published, or refused as a real card."""
    scripted = store.row("SELECT body FROM cards WHERE number = ?", number)
    if scripted:
        return Card(**json.loads(scripted["body"]))
    return CARDS.get(number) or replace(REAL, brand=brand_of(number))


def add_script(store: Store, number: str, wanted: dict[str, Any]) -> Card:
    """Keep a scripted card; what is not said is taken from the number itself."""
    known = {name: value for name, value in wanted.items() if name in Card.__dataclass_fields__ and value}
    card = Card(**{"brand": brand_of(number), **known})
    if card.outcome.startswith("decline") and not card.code:
        specific = card.decline_code in ("expired_card", "incorrect_cvc", "processing_error")
        card = replace(
            card,
            code=card.decline_code if specific else "card_declined",
            decline_code=card.decline_code or "generic_decline",
        )
    store.rows("INSERT OR REPLACE INTO cards VALUES (?, ?)", number, json.dumps(asdict(card)))
    return card


def card_error(code: str, message: str, *, param: str | None = None, **more: Any) -> ApiError:
    """Make a 402 about a card; it is kept, as the attempt happened."""
    return ApiError(402, {"type": "card_error", "code": code, "message": message, "param": param, **more}, keep=True)


def read_number(
    store: Store, account: str, given: dict[str, Any], *, now: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a typed card; return its public ``card`` object and what only the processor keeps.

    :raises ApiError: 402 for a number, expiry or security code that cannot be.
    """
    number = re.sub(r"[ -]", "", given.get("number") or "")
    if not re.fullmatch(r"\d{12,19}", number) or not passes_luhn(number):
        raise card_error("incorrect_number", "Your card number is incorrect.", param="number")
    month, year = given.get("exp_month") or 0, given.get("exp_year") or 0
    year += 2000 if 0 < year < 100 else 0
    if not 1 <= month <= 12:
        raise card_error("invalid_expiry_month", "Your card's expiration month is invalid.", param="exp_month")
    today = time.gmtime(now)
    if (year, month) < (today.tm_year, today.tm_mon) or year > today.tm_year + 50:
        raise card_error("invalid_expiry_year", "Your card's expiration year is invalid.", param="exp_year")
    card, cvc = script(store, number), given.get("cvc")
    if cvc and not re.fullmatch(r"\d{4}" if card.brand == "amex" else r"\d{3}", cvc):
        raise card_error("invalid_cvc", "Your card's security code is invalid.", param="cvc")
    known = card.decline_code != "test_mode_live_card"
    shown = {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked" if cvc else None,
        },
        "country": "US",
        "display_brand": {"amex": "american_express"}.get(card.brand, card.brand),
        "exp_month": month,
        "exp_year": year,
        "fingerprint": hashlib.sha256(f"{account}:{number}".encode()).hexdigest()[:16],
        "funding": card.funding,
        "generated_from": None,
        "last4": number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return shown, {"number": number if known else "0"}


def message_of(card: Card) -> str:
    """Return the sentence that the consumer is shown."""
    return MESSAGES.get(card.decline_code or "", "Your card was declined.")
