"""How a checkout pays: a card behind a token, a stored card, or a bank account. Read from the checkout, one shape."""

from dataclasses import dataclass

from accounts.models import Account
from payments.models import Checkout, Method
from payments.rules.cards import CardDisclosures, CardPolicy

_WORDS = {
    "en": {"debit": "debit", "credit": "credit", "prepaid": "prepaid", "checking": "checking", "savings": "savings"},
    "es": {
        "debit": "de débito",
        "credit": "de crédito",
        "prepaid": "prepagada",
        "checking": "corriente",
        "savings": "de ahorros",
    },
}
_BRANDS = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}


@dataclass(frozen=True, slots=True)
class Means:
    """Hold what is charged, masked; `method` is the row of a stored card or a bank account."""

    kind: str
    last4: str
    brand: str = ""
    funding: str = ""
    account_type: str = ""
    holder: str = ""
    fingerprint: str = ""
    method: Method | None = None

    def label(self, language: str = "en") -> str:
        """Say `Visa debit ending 4242` or `checking account ending 6789`, in the consumer's language."""
        code = language[:2] if language[:2] in _WORDS else "en"
        words = _WORDS[code]
        if self.kind == Method.Kind.CARD:
            name = _BRANDS.get(self.brand, self.brand.title())
            parts = [name, words.get(self.funding, ""), "terminada en" if code == "es" else "ending", self.last4]
            return " ".join(part for part in parts if part)
        kind = words.get(self.account_type, "")
        return f"cuenta {kind} terminada en {self.last4}" if code == "es" else f"{kind} account ending {self.last4}"


def means_of(checkout: Checkout) -> Means | None:
    """Read how the checkout pays; None while nothing was chosen."""
    if (method := checkout.method) is not None:
        return means_of_method(method)
    if checkout.confirmation_token:
        card = checkout.card
        return Means(
            kind=Method.Kind.CARD,
            last4=card["last4"],
            brand=card["brand"],
            funding=card["funding"],
            fingerprint=card["fingerprint"],
        )
    return None


def means_of_method(method: Method) -> Means:
    """Read a stored card or a bank account."""
    return Means(
        kind=method.kind,
        last4=method.last4,
        brand=method.brand,
        funding=method.funding,
        account_type=method.account_type,
        holder=method.holder,
        fingerprint=method.fingerprint,
        method=method,
    )


def card_policy(account: Account) -> CardPolicy:
    """Say which cards are taken: the client's word on Visa credit, else the agency's (CARD-01)."""
    said, agency = account.client.allow_visa_credit, account.agency.allow_visa_credit
    return policy_of(client=said, agency=agency, debt_type=account.debt_type)


def policy_of(*, client: bool | None, agency: bool, debt_type: str) -> CardPolicy:
    """Say it from what client and agency said, and what kind of debt it is."""
    visa_credit = agency if client is None else client
    return CardPolicy(visa_credit=visa_credit, payday_loan="payday" in debt_type.casefold())


def disclosures(account: Account) -> CardDisclosures:
    """Gather what must be shown before a card is charged (CARD-02)."""
    return CardDisclosures(
        original_creditor=account.original_creditor,
        reference=account.reference,
        description=account.description,
        contract_on=account.contract_on,
        ask_where=account.agency.phone,
    )
