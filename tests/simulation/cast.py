"""Who lives through the year: made from a seed, the same people for the same seed, under the same numbers at both
agencies."""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from portal.local.stack import AGENCIES

HOMES = (
    # state, ZIP, zone, how many of a hundred
    ("NY", "12207", "America/New_York", 24),
    ("FL", "33602", "America/New_York", 10),
    ("TX", "78701", "America/Chicago", 20),
    ("CO", "80202", "America/Denver", 12),
    ("AZ", "85004", "America/Phoenix", 10),  # no daylight saving
    ("CA", "94103", "America/Los_Angeles", 16),
    ("AK", "99501", "America/Anchorage", 4),
    ("HI", "96813", "Pacific/Honolulu", 4),
)
WISHES = (
    # what is agreed, how often, how many of a hundred
    ("settlement_parts", "monthly", 16),
    ("settlement_parts", "biweekly", 8),
    ("plan", "weekly", 12),
    ("plan", "biweekly", 11),
    ("plan", "semimonthly", 10),
    ("plan", "monthly", 9),
    ("own", "custom", 8),
    ("later", "monthly", 6),
    ("promise", "", 6),
    ("by_hand", "monthly", 8),
    ("any", "", 3),
    ("settlement", "", 2),
    ("full", "", 1),
)
CARDS = (
    # first digits, brand, funding, how many of a hundred
    ("400005", "visa", "debit", 45),
    ("520082", "mastercard", "debit", 35),
    ("222300", "mastercard", "credit", 10),
    ("601198", "discover", "debit", 10),
)
STATES_WITHOUT_TROUBLE = "ACTIVE"


@dataclass(slots=True)
class Person:
    """A consumer with one account, what they will agree to and what they pay with."""

    agency: str
    reference: str
    last_name: str
    ssn: str
    home: tuple[str, str, str]
    email: str
    language: str
    balance_cents: int
    choice: str
    frequency: str
    count: int
    by_bank: bool
    paper: bool
    tidy: bool
    """Logs out; the others close the window, and their visit ends by itself."""
    calls: bool
    """Agrees on the telephone: the agency's own system writes it down."""
    card: str
    brand: str
    funding: str
    account_number: str
    comes_on: date
    account: str = ""
    browser: object = None
    sick: int = 0
    tries: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return self.agency, self.reference

    @property
    def zone(self) -> str:
        return self.home[2]

    def record(self) -> dict:
        """Tell the account as its host would."""
        state, code, _zone = self.home
        balance = f"{self.balance_cents / 100:.2f}"
        return {
            "FileNumber": self.reference,
            "Status": "ACTIVE",
            "ClientNumber": "C-010",
            "ClientName": "Harbor Medical",
            "ConsumerID": f"{self.agency[0].upper()}-{self.reference}",
            "FirstName": "Jo",
            "LastName": self.last_name,
            "Address": {"Street1": "1 Example Street", "City": "Example", "State": state, "Zip": code},
            "SSN": self.ssn,
            "CurrentBalance": balance,
            "AssignedBalance": balance,
            "AssignedDate": "2026-01-15",
            "ListedDate": "2026-01-15",
            "Emails": [{"Address": self.email, "Route": "RF-13"}],
            "OriginalCreditor": "Harbor Medical Group",
            "AccountDescription": "Emergency room visit",
            "ContractDate": "2025-03-14",
            "DebtType": "MEDICAL",
            "Language": self.language,
            "ValidationSentOn": "2026-02-01",
            "SolStatus": "live",
        }


def people(*, seed: int, count: int, first_day: date, days: int) -> list[Person]:
    """Make so many consumers, half of them at each agency."""
    made = []
    for number in range(count):
        dice = random.Random(f"{seed}:{number}")
        agency, reference = AGENCIES[number % 2], f"Y{number // 2:05d}"
        home = _one(dice, HOMES)[:3]
        choice, frequency = _one(dice, WISHES)[:2]
        first, brand, funding = _one(dice, CARDS)[:3]
        made.append(
            Person(
                agency=agency,
                reference=reference,
                last_name=f"Sample{'abcdefghij'[number % 10]}{number // 10:04d}",
                ssn=f"900-{number % 90 + 10:02d}-{number // 90 + 1:04d}",
                home=home,
                email=f"jo.{agency}.{reference.lower()}@example.com",
                language="es" if dice.random() < 0.1 else "en",
                balance_cents=dice.randrange(400_00, 1_600_00),
                choice=choice,
                frequency=frequency,
                count=dice.randint(3, 10 if frequency in ("weekly", "biweekly") else 7),
                by_bank=dice.random() < 0.35,
                paper=dice.random() < 0.05,
                tidy=number % 4 == 0,
                calls=choice == "by_hand" and dice.random() < 0.5,
                card=luhn(f"{first}{number:09d}"),
                brand=brand,
                funding=funding,
                account_number=f"77{number:08d}",
                # They come during the first half, so that most plans run to their end.
                comes_on=first_day + timedelta(days=dice.randrange(max(1, days // 2))),
            )
        )
    return made


def _one(dice: random.Random, rows: tuple) -> tuple:
    return dice.choices(rows, weights=[row[-1] for row in rows])[0]


def luhn(digits: str) -> str:
    """Add the check digit."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)
