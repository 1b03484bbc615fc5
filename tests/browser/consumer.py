"""A consumer before a real browser: finds fields by their names, so that it can do the same in every language."""

import datetime as dt
import itertools
import re
import time
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from psycopg2 import sql

from portal.local.stack import AGENCIES, Stack, call
from portal.local.walk import Walk, download, read_code, received_at, until
from tests.postgresql.creation import digest

VISA_DEBIT = "4000056655665556"
VISA_CREDIT = "4242424242424242"
MASTERCARD = "5555555555554444"
MASTERCARD_DEBIT = "5200828282828210"
MASTERCARD_DECLINED = "5200828282829994"  # ours: a Visa credit number would be refused before it can be declined
OURS = re.compile(r"(^|\.)localhost$|^127\.0\.0\.1$")
BANK_SAYS_NO = ("/challenge/answer", "/v1/confirmation_tokens")
HEARD = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy ${event.violatedDirective} blocks ${event.blockedURI || event.sourceFile}`));"""


numbers = itertools.count(1)


class Product(Stack):
    """The running product, and what its hosts said of each account at first."""

    records: dict[tuple[str, str], dict]

    def _empty_database(self) -> None:
        """Copy what the test databases are copied from, if it is there: to migrate is to look, then."""
        with self.server() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname ~ %s", [f"^model_of_.*_{digest()}$"])
            model = cursor.fetchone()
            if model is None:
                return super()._empty_database()
            name = sql.Identifier(self.database)
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(*model)))
        return None

    def push_all(self) -> None:
        """Let every host push its accounts, and remember them: payments change a host's own record."""
        self.records = {}
        for slug in AGENCIES:
            host = self.urls[f"host-{slug}"]
            rows = call(host, "/_sandbox/accounts")["accounts"]
            self.records |= {(slug, row["FileNumber"]): row for row in rows}
            call(host, "/_sandbox/push", {"FileNumbers": "all"}, timeout=60.0)


def place(stack: Product, slug: str, like: str, **changes) -> dict:
    """Let a host push an account like another one for somebody new; return the host's record."""
    number = next(numbers)
    record = stack.records[slug, like]
    record = {name: value for name, value in record.items() if name not in ("AsOf", "Version")} | {
        "FileNumber": f"W{number:05d}",
        "ConsumerID": f"W{number:05d}",
        "SSN": f"900-98-{number:04d}",
        "FirstName": "Wanda",
        "LastName": "Windowtest",
        "Emails": [
            record["Emails"][0] | {"Address": f"{changes.get('FirstName', 'wanda').lower()}.{number}@example.org"}
        ],
    }
    # A host's lines are its own: two accounts never share one.
    for kind in ("Payments", "PostDates"):
        lines = record.get(kind, [])
        record[kind] = [line | {"HostID": f"W{number:05d}-{kind}-{at}"} for at, line in enumerate(lines)]
    record |= changes
    host = stack.urls[f"host-{slug}"]
    call(host, "/_sandbox/accounts", record)
    call(host, "/_sandbox/push", {"FileNumbers": [record["FileNumber"]]})
    return record


def today_of(consumer: "Consumer") -> dt.date:
    """Return the consumer's own date, as the portal reads it from the ZIP code."""
    zones = {"NY": "America/New_York", "TX": "America/Chicago", "WA": "America/Los_Angeles", "NM": "America/Denver"}
    return dt.datetime.now(ZoneInfo(zones[consumer.record["Address"]["State"]])).date()


class Watch:
    """Collect what must never happen in a window: errors on the console, refused content, calls to strangers."""

    def __init__(self, context) -> None:
        self.context = context
        self.complaints: list[str] = []
        context.add_init_script(HEARD)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("request", self._asked)

    def take(self) -> list[str]:
        """Return what was complained of since the last time."""
        self.complaints, taken = [], self.complaints
        return taken

    def _said(self, message) -> None:
        if message.type not in ("error", "warning"):
            return
        # Chromium reports every answer of 400 or more: a page of ours that says 403, 404 or 422 is a page like
        # others, and the processor answers its own frame 400 or 402 when a bank says no.
        page = message.page
        where = urlsplit(message.location["url"])
        expected = page and (message.location["url"] == page.url or where.path in BANK_SAYS_NO)
        if message.text.startswith("Failed to load resource") and expected:
            return
        self.complaints.append(f"{message.type} on {urlsplit(page.url).path if page else '?'}: {message.text}")

    def _asked(self, request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws") and not OURS.search(address.hostname or ""):
            self.complaints.append(f"a stranger was asked: {request.url}")


class Consumer:
    """One person with one record at one agency, in one window."""

    def __init__(self, stack: Product, slug: str, record: dict, context) -> None:
        self.stack, self.slug, self.record, self.context = stack, slug, record, context
        self.reference = record["FileNumber"]
        self.address = record["Emails"][0]["Address"]
        self.walk = Walk(stack, lambda line: None)
        self.page = context.new_page()
        self.account = ""
        self.language = "en"

    def url(self, path: str) -> str:
        """Address a page on the agency's own host."""
        return f"http://{self.slug}.localhost:{self.stack.port}{path}"

    @property
    def path(self) -> str:
        """Say where we are."""
        return urlsplit(self.page.url).path

    def go(self, path: str):
        """Open a page of the agency."""
        return self.page.goto(self.url(path))

    def text(self) -> str:
        """Read the page as a person does, in one line."""
        return " ".join(self.page.locator("main").inner_text().split())

    def reload_until(self, path: str, selector: str, count: int) -> None:
        """Open a page again and again until it shows what another program must do first."""

        def shown() -> bool:
            self.go(path)
            return self.page.locator(selector).count() == count

        until(shown, f"{path} never showed {count} x {selector}")

    def press(self, selector: str) -> None:
        """Press a button and wait for the page it leads to."""
        with self.page.expect_navigation():
            self.page.locator(selector).click()

    def type_facts(self, **facts: str) -> None:
        """Fill in the three facts of the start page, the right ones where none are given."""
        right = {"reference": self.reference, "last_name": self.record["LastName"], "factor": self.third_fact}
        for name, value in (right | facts).items():
            self.page.fill(f"[name={name}]", value)

    @property
    def third_fact(self) -> str:
        """Give the fact that the agency asks for beside reference and name."""
        return self.record["SSN"][-4:] if self.slug == "acme" else self.record["Address"]["Zip"]

    def log_in(self) -> "Consumer":
        """Identify by three facts and learn which account it is."""
        self.go("/")
        self.type_facts()
        self.press("main button[type=submit]")
        assert self.path == "/home/", self.text()
        links = self.page.locator("main a[href^='/accounts/']").evaluate_all("all => all.map(a => a.pathname)")
        self.account = next(path for path in links if self._is_mine(path) or len(links) == 1)
        return self

    def _is_mine(self, path: str) -> bool:
        slip = self.page.locator("article", has=self.page.locator(f"a[href='{path}']"))
        return self.reference in slip.inner_text()

    def mail_code(self, tag: str, after: float) -> str:
        """Read six digits as the person does: in the mail, or in the document that came with it."""
        mail = self.walk.mail(self.address, tag=tag, after=after)
        if tag == "esign_code":
            return read_code(download(self.stack.urls["mail"], mail["attachments"][0]["url"]))
        return re.search(r"\b(\d{6})\b", mail["text"])[1]

    def step_up(self, onward: str = "/home/") -> "Consumer":
        """Confirm by the code from the mailbox."""
        asked = time.time()
        self.go(f"/code/?next={onward}")
        self.page.locator("[name=contact]").first.check()
        self.press("button[value=send]")
        self.page.fill("[name=code]", self.mail_code("code", asked))
        self.press("button[value=verify]")
        return self

    def choose(self, choice: str, amount: str = "") -> None:
        """Choose what to pay."""
        self.go(f"{self.account}pay/")
        self.page.check(f"[name=choice][value={choice}]")
        if amount:
            self.page.fill("[name=amount]", amount)
        self.press("main form button[type=submit]")

    def agree_to_mail(self) -> None:
        """Consent to electronic documents with the code that only the mailed PDF shows."""
        asked = time.time()
        self.press("button[value=send]")
        self.page.fill("[name=code]", self.mail_code("esign_code", asked))
        self.page.check("[name=agree]")
        self.press("button[value=agree]")

    def type_card(self, number: str, expiry: str = "12 / 31", cvc: str = "123") -> None:
        """Type a card into the processor's own frame."""
        frame = self.page.frame_locator("#card-field iframe")
        frame.locator("#number").press_sequentially(number)
        frame.locator("#expiry").press_sequentially(expiry)
        frame.locator("#cvc").press_sequentially(cvc)
        if frame.locator("#postal").is_visible():
            frame.locator("#postal").fill(self.record["Address"]["Zip"])

    def give_card(self, number: str) -> None:
        """Type a card and go on to the review, or to the page that refuses it."""
        self.type_card(number)
        self.press("#card-form button[type=submit]")

    def type_bank(self, routing: str = "110000000", number: str = "000123456789") -> None:
        """Fill in a bank account."""
        self.page.fill("[name=holder]", f"{self.record['FirstName']} {self.record['LastName']}")
        self.page.fill("[name=routing_number]", routing)
        self.page.fill("[name=account_number]", number)
        self.page.check("[name=account_type][value=checking]")

    def confirm(self) -> None:
        """Sign and pay."""
        self.page.check("[name=agree]")
        self.press("form:has([name=agree]) button[type=submit]")

    def payment(self) -> str:
        """Read the payment's id from the address of its result page."""
        return self.path.split("/")[2]

    def charges(self, payment: str) -> list[dict]:
        """Ask the processor's own ledger for every charge of a payment, whatever became of it."""
        rows = call(self.stack.urls["processor"], "/_sandbox/ledger")
        return [row for row in rows if row["kind"] == "charge" and row["metadata"].get("payment") == payment]

    def since(self, mail: dict, began: float) -> float:
        """Say how long after a moment a mail came, in seconds."""
        return received_at(mail) - began
