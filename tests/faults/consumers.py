"""The money load: people who identify, choose, give a card or a bank account, and press the button that pays.

They behave as people do: one press or two at once, a browser closed before the answer, a reload, a walk away. Each
keeps what the pages told about each payment, which the judge compares with what became of it.
"""

import copy
import http.client
import random
import re
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from portal.local.browser import Broken, Browser, Page
from portal.local.stack import AGENCIES, Stack, call
from tests.faults.load import Progress, insist, wait_until

CARDS = {"acme": "5200828282828210", "birch": "5200828282828210"}  # Mastercard debit: fresh tokens of it each time
BAD_CARD = "5200828282829994"
GOOD_BANK, BAD_BANK = "000123456789", "000222222227"
STATES = {
    "Payment received": "succeeded",
    "Payment on its way": "processing",
    "Payment instruction received": "handed_over",
    "Payment declined": "declined",
    "Payment not made": "voided",
    "Payment given back": "given_back",
    "We are finding out": "undecided",
}
DECIDED = {"succeeded", "processing", "handed_over", "declined", "voided", "given_back"}
MAIL_SHARE = 0.3
"""Of those who need no code: receipts are another run's subject, and most of its cost."""
PLAN_PARTS = 6
PLAN_CENTS = 50_00


@dataclass(frozen=True)
class Wish:
    """One payment somebody means to make: what, how, and how they press the button."""

    choice: str
    cents: int
    way: str = "card"
    press: str = "once"

    @property
    def needs_code(self) -> bool:
        """Tell whether it opens only after a code by mail: later payments and bank accounts do (AUTH-02)."""
        return self.choice == "settlement_parts" or self.way.endswith("bank")


@dataclass
class Told:
    """What the pages said of one payment; `state` is empty where somebody left before an answer."""

    key: str
    slug: str
    reference: str
    cents: int
    press: str
    state: str = ""
    payment: str = ""


@dataclass
class Book:
    """What all people of a load were told."""

    told: list[Told] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Person:
    """One consumer with one account, who comes once and makes some payments."""

    def __init__(
        self, stack: Stack, book: Book, progress: Progress, *, record: dict, slug: str, wishes: list[Wish], seed: str
    ) -> None:
        self.stack, self.book, self.progress = stack, book, progress
        self.record, self.slug, self.wishes = record, slug, wishes
        self.chance = random.Random(seed)
        self.reference = record["FileNumber"]
        self.first_day = ""
        self.days: list[str] = []
        self.typed: list[str] = []

    def __str__(self) -> str:
        return f"{self.slug} {self.reference}"

    # The way in.

    def play(self) -> None:
        """Come, pay all that was meant to be paid, leave."""
        self._log_in()
        if any(wish.needs_code for wish in self.wishes):
            self._confirm_identity()
        for wish in self.wishes:
            self._pay(wish)
            if wish.press == "leaves":
                return

    def _log_in(self) -> None:
        self.browser = Browser(self.stack, self.slug)
        factor = self.record["SSN"][-4:] if self.slug == "acme" else self.record["Address"]["Zip"]
        start = self._get("/")
        facts = {"reference": self.reference, "last_name": self.record["LastName"], "factor": factor}
        page = self._submit(start.form_with("reference", "last_name", "factor"), **facts)
        if not page.path.startswith("/home/"):
            raise Broken(f"could not log in: {page.path} {page.status} {page.text[:200]}")
        self.account = re.search(rb"/accounts/([0-9a-f-]{36})/", page.body)[1].decode()

    def _confirm_identity(self) -> None:
        """Ask for a code by mail and type it; come again where the answer with the session's new id was lost."""
        for _again in range(3):
            page = self._type_code()
            if page.path.startswith("/home/"):
                return
            if page.path != "/":
                break
            self._log_in()
        raise Broken(f"the code was not taken: {page.path} {page.status} {page.text[:200]}")

    def _type_code(self) -> Page:
        address = self.record["Emails"][0]["Address"]
        page = self._get("/code/?next=/home/")
        contact = re.search(rb'name="contact"[^>]*value="([^"]+)"', page.body)[1].decode()
        page = self._submit(page.form_with("contact"), contact=contact, action="send")
        asked = f"/_sandbox/messages?{urlencode({'to': address, 'tag': 'code'})}"

        def code() -> str:
            mails = call(self.stack.urls["mail"], asked)
            found = [re.search(r"\b(\d{6})\b", mail["text"])[1] for mail in mails]
            return next((one for one in found if one not in self.typed), "")

        # Whose request died was asked again, and then of two codes only the newer one counts.
        while True:
            self.typed.append(wait_until(code, sentence=f"no code came to {address} after {self.typed}"))
            page = self._submit(page.form_with("code"), code=self.typed[-1], action="verify")
            if page.status != 422:
                return page

    # One payment.

    def _pay(self, wish: Wish) -> None:
        for _again in range(4):
            told = self._try(wish)
            if told is None:
                continue
            if told.state not in ("declined", "voided") or told.press == "leaves":
                return
            # A no: the card was bad on purpose, or the payment was ended before it was sent. Once more, with a good
            # one.
            wish = Wish(wish.choice, wish.cents, "card" if wish.way == "bad card" else wish.way, "once")
        raise Broken(f"{wish} was refused again and again")

    def _try(self, wish: Wish) -> Told | None:
        """Go the whole way once; None when it led back to the start."""
        page = self._get(f"/accounts/{self.account}/pay/")
        more = {"amount": f"{wish.cents / 100:.2f}"} if wish.choice == "any" else {}
        page = self._submit(page.form_with("choice"), choice=wish.choice, **more)
        if wish.choice == "settlement_parts":
            page = self._plan(page)
        if not page.path.endswith("/method/"):
            self._refused(page)
            return None
        page = self._give(page, wish.way)
        if not page.path.endswith("/review/"):
            self._refused(page)
            return None
        form = page.form_with("idempotency_key")
        told = Told(form["fields"]["idempotency_key"], self.slug, self.reference, wish.cents, wish.press)
        self.book.told.append(told)
        self._press(page.path, form, told)
        self.progress.step()
        return told if told.state or told.press == "leaves" else None

    def _plan(self, page: Page) -> Page:
        """Write down a payment for today and one for each of the next days: none of them owes a notice (PDC-01)."""
        page = self._submit(
            page.form_with("count", "first_on"), action="own", how="number", frequency="monthly", count="2"
        )
        form = page.form_with("date_1", "amount_1")
        typed = {name: "" for name in form["fields"] if re.match(r"(date|amount)_\d", name)}
        typed |= {f"date_{number}": day for number, day in enumerate(self.days, 1)}
        typed |= {f"amount_{number}": f"{PLAN_CENTS / 100:.2f}" for number in range(1, PLAN_PARTS + 1)}
        return self._submit(form, action="continue", **typed)

    def _give(self, page: Page, way: str) -> Page:
        if way in ("card", "bad card"):
            number = CARDS[self.slug] if way == "card" else BAD_CARD
            asked = {"account": f"acct_{self.slug}", "number": number, "exp_month": 12, "exp_year": 2031, "cvc": "123"}
            token = insist(
                lambda: call(self.stack.urls["processor"], "/_sandbox/confirmation_tokens", asked),
                sentence="the card field does not answer",
            )["id"]
            return self._submit(page.form_with("confirmation_token"), confirmation_token=token)
        page = self._get(page.path + "?way=ach")
        return self._submit(
            page.form_with("routing_number", "account_number"),
            holder=f"{self.record['FirstName']} {self.record['LastName']}",
            routing_number="110000000",
            account_number=BAD_BANK if way == "bad bank" else GOOD_BANK,
            account_type="checking",
        )

    def _press(self, path: str, form: dict, told: Told) -> None:
        """Press the button as this person does, and read what became of it."""
        fields = {name: value for name, value in form["fields"].items() if value is not None} | {"agree": "on"}
        if told.press == "twice":
            other = threading.Thread(target=self._press_beside, args=(path, fields), daemon=True)
            other.start()
        elif told.press in ("impatient", "leaves"):
            self._close_before_the_answer(path, fields)
            if told.press == "leaves":
                return
        page = insist(lambda: self.browser._ask("POST", path, fields), sentence=f"{self} gets no answer to the press")
        self._read(page, told)

    def _press_beside(self, path: str, fields: dict) -> None:
        twin = copy.copy(self.browser)
        twin.cookies = dict(self.browser.cookies)
        try:
            twin._ask("POST", path, fields)
        except (OSError, http.client.HTTPException, Broken):
            return

    def _close_before_the_answer(self, path: str, fields: dict) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.port, timeout=10)
        headers = {
            "Host": self.browser.host,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items()),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        try:
            connection.request("POST", path, urlencode(fields), headers)
            time.sleep(self.chance.uniform(0.0, 0.15))
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def _read(self, page: Page, told: Told) -> None:
        """Look at the result until it says what became of the payment."""
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            state = next((said for title, said in STATES.items() if page.text.startswith(title)), "")
            if page.path.startswith("/paid/"):
                told.payment = page.path.split("/")[2]
            if state in DECIDED:
                told.state = state
                return
            if state != "undecided":
                self._refused(page)
                if "attempt_undecided" in self.book.refused[-1]:
                    time.sleep(1.0)
                return
            time.sleep(1.0)
            page = self._get(page.path)
        raise Broken(f"{told.key} stays undecided for {self}")

    def _refused(self, page: Page) -> None:
        codes = re.findall(r'data-code="(\w+)"', page.body.decode(errors="replace"))
        self.book.refused.append(f"{self}: {page.path} {page.status} {','.join(codes) or page.text[:150]}")

    def _get(self, path: str) -> Page:
        return insist(lambda: self.browser.get(path), sentence=f"{self} cannot open {path}")

    def _submit(self, form: dict, **values: str) -> Page:
        return insist(lambda: self.browser.submit(form, **values), sentence=f"{self} cannot send {form['action']}")


def alike(stack: Stack) -> dict[str, dict]:
    """Give an account of each agency that others can be made after."""
    return {slug: call(stack.urls[f"host-{slug}"], "/_sandbox/accounts")["accounts"][0] for slug in AGENCIES}


def people(stack: Stack, book: Book, progress: Progress, *, payments: int, name: str, days: int, seed: str):
    """Make up the people of a load of so many payments, for each day those who come on it.

    Three in eight payments belong to plans that were signed on the first day: one of them now, the others by the due
    run or by the host, a day apart. The others are paid at once, some in one visit.
    """
    chance = random.Random(seed)
    plans = max(2, round(payments * 3 / 8 / PLAN_PARTS))
    come: list[list[Person]] = [[] for _day in range(days)]
    like = alike(stack)
    number = 0

    def person(day: int, wishes: list[Wish]) -> None:
        nonlocal number
        number += 1
        slug = AGENCIES[number % 2]
        mail = any(wish.needs_code for wish in wishes) or chance.random() < MAIL_SHARE
        record = record_of(like[slug], f"{name}{number:05d}", mail=mail)
        who = Person(stack, book, progress, record=record, slug=slug, wishes=wishes, seed=f"{seed} {number}")
        come[day].append(who)

    for _plan in range(plans):
        person(0, [Wish("settlement_parts", PLAN_CENTS, press=_press(chance, last=False))])
    left = payments - plans * PLAN_PARTS
    while left > 0:
        count = min(left, chance.choice((1, 2, 3, 4, 5, 6)))
        left -= count
        person(chance.randrange(days), _wishes(chance, count))
    for today in come:
        chance.shuffle(today)
    return come


def _wishes(chance: random.Random, count: int) -> list[Wish]:
    if count == 1 and chance.random() < 0.3:
        return [Wish("settlement", 0, press=_press(chance, last=True))]
    by_bank = chance.random() < 0.25
    found = []
    for place in range(count):
        way = "card"
        if by_bank and chance.random() < 0.7:
            way = "bank" if chance.random() < 0.85 else "bad bank"
        elif chance.random() < 0.08:
            way = "bad card"
        # An amount of a host's own bank debit that ends like this comes back (R01).
        cents = chance.randrange(5_00, 60_00)
        found.append(Wish("any", cents, way, _press(chance, last=place == count - 1)))
    return found


def _press(chance: random.Random, *, last: bool) -> str:
    return chance.choices(("once", "twice", "impatient", "leaves"), (70, 15, 10, 15 if last else 0))[0]


def record_of(like: dict, reference: str, *, mail: bool) -> dict:
    """Give an account of its own to a person of their own."""
    run, number = divmod(int(re.sub(r"\D", "", reference)), 100_000)
    made = like | {
        "FileNumber": reference,
        "ConsumerID": reference,
        "SSN": f"{900 + run % 100}-99-{number % 10_000:04d}",
        "CurrentBalance": "400.00",
        "AssignedBalance": "400.00",
        "Emails": [like["Emails"][0] | {"Address": f"{reference.lower()}@example.com"}] if mail else [],
        "Itemization": {"Balance": "400.00", "Interest": "0.00", "Fees": "0.00", "Payments": "0.00", "Credits": "0.00"},
    }
    return {key: value for key, value in made.items() if key not in ("AsOf", "Version", "Payments", "PostDates")}
