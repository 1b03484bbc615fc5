"""United States bank accounts: what a routing and an account number may look like, and how they are shown."""

from accounts.refusals import Refusal, gettext_noop, refuse

ACCOUNT_TYPES = ("checking", "savings")
# A Nacha entry has 17 characters for the account number; shorter than 4 leaves nothing to mask.
ACCOUNT_NUMBER_DIGITS = range(4, 18)
_WEIGHTS = (3, 7, 1) * 3
# Federal Reserve districts, thrifts, electronic, and the government's 00; no other prefix was ever given out.
_PREFIXES = {*range(0, 13), *range(21, 33), *range(61, 73), 80}

_SENTENCES = {
    "routing_number_shape": gettext_noop("A routing number has nine digits."),
    "routing_number_check_digit": gettext_noop("This routing number is not right. Check each digit."),
    "account_number_shape": gettext_noop("An account number has 4 to 17 digits, without letters."),
    "account_number_is_routing_number": gettext_noop("This is the routing number again."),
    "account_type_unknown": gettext_noop("Choose checking or savings."),
}


def routing_number_is_valid(routing: str) -> bool:
    """Test nine digits, a prefix in use, and the 3-7-1 check digit (ACH-17): 021000021 yes, 021000022 no."""
    if not _is_digits(routing) or len(routing) != 9 or int(routing[:2]) not in _PREFIXES:
        return False
    return routing != "0" * 9 and sum(w * int(digit) for w, digit in zip(_WEIGHTS, routing, strict=True)) % 10 == 0


def check_bank_account(routing: str, number: str, account_type: str) -> list[Refusal]:
    """List every reason why these cannot be an account; no number is repeated in a refusal."""
    found: list[Refusal] = []

    def no(code: str, field: str) -> None:
        found.append(refuse(_SENTENCES[code], code, field=field))

    if not _is_digits(routing) or len(routing) != 9:
        no("routing_number_shape", "routing")
    elif not routing_number_is_valid(routing):
        no("routing_number_check_digit", "routing")
    if not _is_digits(number) or len(number) not in ACCOUNT_NUMBER_DIGITS:
        no("account_number_shape", "number")
    elif number == routing:
        no("account_number_is_routing_number", "number")
    if account_type not in ACCOUNT_TYPES:
        no("account_type_unknown", "account_type")
    return found


def typed_digits(text: str) -> str:
    """Drop the spaces and dashes that people type between digits; anything else stays to be refused."""
    return "".join(text.split()).replace("-", "")


def last4(number: str) -> str:
    """Give the last four characters, all that may be shown or logged of a number (ACH-04)."""
    return number[-4:]


def mask(number: str) -> str:
    """Show an account or routing number as dots and its last four, without telling its length."""
    return f"•••• {last4(number)}"


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
