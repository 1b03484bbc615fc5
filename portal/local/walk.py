"""The main job, done over HTTP by a program: push, identify, offer, pay; the host knows, posts, the consumer sees.

It plays a browser (cookies, forms, hidden fields, redirects) against the running site and reads the mailbox and the
hosts' pages for the rest; it knows nothing of the inside. Each step prints what it measured.
"""

import contextlib
import datetime as dt
import http.client
import io
import re
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from .browser import PATIENCE, Broken, Browser, Page
from .stack import AGENCIES, Stack, call

VISA_DEBIT = "4000056655665556"
VISA_CREDIT = "4242424242424242"
DECLINED = "4000056655669996"  # a Visa debit card of the sandbox that is always declined


def expect(holds: object, sentence: str) -> None:
    """Stop the walk at the first broken promise."""
    if not holds:
        raise Broken(sentence)


def until(found: Callable[[], object], sentence: str) -> object:
    """Wait for something that must come; return it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.02)
    raise Broken(sentence)


class Walk:
    """The steps, in order, each printing what it saw and how long it took."""

    def __init__(self, stack: Stack, say: Callable[[str], None]) -> None:
        self.stack, self.say, self.number = stack, say, 0

    def step(self, what: str, took_ms: float | None = None) -> None:
        """Print one step."""
        self.number += 1
        took = f"{took_ms:8.1f} ms" if took_ms is not None else " " * 11
        self.say(f"{self.number:3}. {took}  {what}")

    def received(self, slug: str, event: str, reference: str) -> list[dict]:
        """Return what a host has received of one kind about one account, oldest first."""
        asked = urlencode({"Event": event, "FileNumber": reference})
        return call(self.stack.urls[f"host-{slug}"], f"/_sandbox/received?{asked}")["events"]

    def told(self, slug: str, event: str, reference: str, count: int = 1) -> list[dict]:
        """Wait until the host knows, and print how long after the commit it did."""
        rows = until(
            lambda: len(found := self.received(slug, event, reference)) >= count and found,
            f"the host of {slug} was not told {event} about {reference}",
        )
        slowest = max(row["LatencyMs"] for row in rows[-count:])
        many = f"{count} x " if count > 1 else ""
        self.step(f"the host knows {many}{event} (commit to host)", slowest)
        return rows

    def account(self, slug: str, reference: str) -> dict:
        """Return the host's own record of an account."""
        rows = call(self.stack.urls[f"host-{slug}"], "/_sandbox/accounts")["accounts"]
        return next(row for row in rows if row["FileNumber"] == reference)

    def mail(self, to: str, *, tag: str, after: float) -> dict:
        """Wait for the newest mail to an address with a tag, and return it."""

        def found() -> dict | None:
            rows = call(self.stack.urls["mail"], f"/_sandbox/messages?{urlencode({'to': to, 'tag': tag})}")
            return next((row for row in rows if received_at(row) >= after), None)

        return until(found, f"no mail tagged {tag} came to {to}")

    def token(self, slug: str, number: str) -> str:
        """Make a confirmation token as the card field does in a browser."""
        answer = call(
            self.stack.urls["processor"],
            "/_sandbox/confirmation_tokens",
            {"account": f"acct_{slug}", "number": number, "exp_month": 12, "exp_year": 2031, "cvc": "123"},
        )
        return answer["id"]

    def place(self) -> None:
        """The hosts push their accounts."""
        for slug in AGENCIES:
            host = self.stack.urls[f"host-{slug}"]
            began = time.perf_counter()
            call(host, "/_sandbox/push", {"FileNumbers": "all"}, timeout=60.0)
            took = (time.perf_counter() - began) * 1000
            count = call(host, "/_sandbox/state")["accounts"]
            self.step(f"{slug}'s host pushed its {count} accounts; the portal took them", took)

    def log_in(self, slug: str, reference: str, *, host: str = "", facts: dict | None = None) -> Browser:
        """Identify by reference, last name and the agency's third fact.

        :param host: whose account it is, where it is not the agency's first host.
        :param facts: the person, where no host of that kind tells.
        """
        record = facts or self.account(host or slug, reference)
        browser = Browser(self.stack, slug)
        start = browser.get("/")
        expect(start.status == 200, f"the start page answered {start.status}")
        expect("$" not in start.text and "debt" not in start.text.lower(), "the start page speaks of a debt")
        factor = record["SSN"][-4:] if slug == "acme" else record["Address"]["Zip"]
        page = browser.submit(
            start.form_with("reference", "last_name", "factor"),
            reference=reference,
            last_name=record["LastName"],
            factor=factor,
        )
        expect(page.path.startswith("/home/"), f"{reference} could not log in: {page.text[:300]}")
        return browser

    def confirm_identity(self, browser: Browser, address: str) -> None:
        """Step up to level 2 with the code from the mail."""
        asked = time.time()
        page = browser.get("/code/?next=/home/")
        choice = re.search(rb'name="contact"[^>]*value="([^"]+)"', page.body)
        expect(choice, "no address for a code is offered")
        page = browser.submit(page.form_with("contact"), contact=choice[1].decode(), action="send")
        mail = self.mail(address, tag="code", after=asked)
        self.step("a six-digit code came by mail", (received_at(mail) - asked) * 1000)
        code = re.search(r"\b(\d{6})\b", mail["text"])[1]
        page = browser.submit(page.form_with("code"), code=code, action="verify")
        expect(page.path.startswith("/home/"), f"the code was not taken: {page.text[:300]}")
        self.step("the code was right: level 2", page.took_ms)

    def choose(self, browser: Browser, account: str, choice: str, **values: str) -> Page:
        """Choose what to pay."""
        page = browser.get(f"/accounts/{account}/pay/")
        return browser.submit(page.form_with("choice"), choice=choice, **values)

    def agree_to_mail(self, browser: Browser, address: str) -> Page:
        """Consent to electronic documents, shown to work by the code in the mailed document (ES-02)."""
        asked = time.time()
        page = browser.page
        browser.submit(next(form for form in page.forms if "action" in form["fields"]), action="send")
        mail = self.mail(address, tag="esign_code", after=asked)
        shown = read_code(download(self.stack.urls["mail"], mail["attachments"][0]["url"]))
        page = browser.submit(browser.page.form_with("code"), code=shown, agree="on", action="agree")
        self.step("consent to electronic documents, shown to work by a code in a mailed document", page.took_ms)
        return page

    def pay_by_card(self, browser: Browser, slug: str, number: str) -> Page:
        """Give a card and, if it is taken, review and confirm."""
        page = browser.submit(browser.page.form_with("confirmation_token"), confirmation_token=self.token(slug, number))
        if not any("idempotency_key" in form["fields"] for form in page.forms):
            return page
        return browser.submit(page.form_with("idempotency_key"), agree="on")


def received_at(mail: dict) -> float:
    """Read when the mailbox took a mail, in seconds."""
    return dt.datetime.fromisoformat(mail["accepted_at"]).timestamp()


def download(url: str, path: str) -> bytes:
    """Fetch a file."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


def read_code(pdf: bytes) -> str:
    """Read the six digits in the sample document, as a person would."""
    import pypdf

    text = pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    return re.search(r"\b\d{6}\b", text)[0]


def account_id(browser: Browser, reference: str) -> str:
    """Find the account of a reference among those on the home page."""
    links = dict.fromkeys(re.findall(r"/accounts/([0-9a-f-]{36})/", browser.page.body.decode()))
    for link in links:
        if len(links) == 1 or reference in browser.get(f"/accounts/{link}/").text:
            return link
    raise Broken(f"the home page does not lead to {reference}: {browser.page.text[:300]}")


def walk(stack: Stack, say: Callable[[str], None]) -> None:
    """Do the main job once and print each step.

    :raises Broken: a promise did not hold.
    """
    it = Walk(stack, say)
    it.place()
    consumer = settle_in_parts(it)
    pay_by_bank(it)
    be_declined(it)
    be_refused(it)
    ledger = call(stack.urls["processor"], "/_sandbox/ledger")
    charges = [row for row in ledger if row["kind"] == "charge" and row["status"] == "succeeded"]
    expect(len(charges) == 1, f"the processor shows {len(charges)} successful charges instead of 1")
    it.step("the processor's own ledger shows exactly one successful charge")
    charge_a_postdate(it, *consumer)
    text(it)
    if "host-acme-intelec" in stack.urls:
        from .further import walk_on

        walk_on(it)
    say("\nEvery step held.")


def settle_in_parts(it: Walk) -> tuple[Browser, str]:
    """$1,000.00 settled for $750.00 as 6 x $125.00: one today by Visa debit, five post-dates."""
    slug, reference = "acme", "100234"
    address = it.account(slug, reference)["Emails"][0]["Address"]
    browser = it.log_in(slug, reference)
    it.step("the consumer is identified by three facts: level 1", browser.page.took_ms)
    it.told(slug, "consumer.identified", reference)
    account = account_id(browser, reference)
    page = browser.get(f"/accounts/{account}/")
    expect("$1,000.00" in page.text, f"the account page lacks the balance: {page.text[:400]}")
    expect("$750.00" in page.text, f"the account page lacks the offer: {page.text[:400]}")
    it.step("balance $1,000.00; offered: $750.00 as 6 x $125.00", page.took_ms)
    page = browser.get(f"/accounts/{account}/payments/")
    expect(page.status == 403, f"the Payments tab answered {page.status} at level 1 instead of 403")
    it.confirm_identity(browser, address)
    page = it.choose(browser, account, "settlement_parts")
    page = browser.submit(page.form_with("count", "first_on"), action="continue", how="number", frequency="monthly")
    it.step("the schedule: first payment today, the rest post-dated", page.took_ms)
    it.agree_to_mail(browser, address)
    began = time.time()
    page = it.pay_by_card(browser, slug, VISA_DEBIT)
    expect("$125.00" in page.text and page.status == 200, f"the payment did not succeed: {page.text[:400]}")
    it.step("reviewed and paid $125.00 by Visa debit; the result page", page.took_ms)
    it.told(slug, "payment.succeeded", reference)
    it.told(slug, "postdate.scheduled", reference, count=5)
    it.told(slug, "notice.due", reference, count=5)
    page = until(
        lambda: "Posted" in browser.get(f"/accounts/{account}/payments/").text and browser.page,
        "the host posted the payment, but the consumer does not see it",
    )
    it.step("the host posted it and the consumer sees POSTED", (time.time() - began) * 1000)
    page = until(
        lambda: browser.get(f"/accounts/{account}/post-dates/").text.count("$125.00") >= 5 and browser.page,
        "the Post Dates tab lacks the five payments",
    )
    it.step("five post-dates of $125.00 are in the Post Dates tab", page.took_ms)
    mail = it.mail(address, tag="plan_confirmed", after=began - 1)
    it.step(f"receipt and plan by mail: {mail['subject']!r}", (received_at(mail) - began) * 1000)
    mail = it.mail(address, tag="authorization_copy", after=began - 1)
    it.step(f"copy of the authorization by mail: {mail['subject']!r}", (received_at(mail) - began) * 1000)
    it.told(slug, "message.delivered", reference)
    return browser, account


def pay_by_bank(it: Walk) -> None:
    """Pay in full from a bank account; the host submits it."""
    slug, reference = "acme", "100241"
    address = it.account(slug, reference)["Emails"][0]["Address"]
    browser = it.log_in(slug, reference)
    account = account_id(browser, reference)
    it.confirm_identity(browser, address)
    it.choose(browser, account, "any", amount="50.00")
    page = browser.get(browser.page.path + "?way=ach")
    page = browser.submit(
        page.form_with("routing_number", "account_number"),
        holder="Gwen Notreal",
        routing_number="110000000",
        account_number="000123456789",
        account_type="checking",
    )
    page = browser.submit(page.form_with("idempotency_key"), agree="on")
    expect(page.status == 200 and "$50.00" in page.text, f"the bank payment was not taken: {page.text[:400]}")
    it.step("$50.00 from a bank account, validated and handed to the host", page.took_ms)
    rows = it.told(slug, "payment.pending", reference)
    expect(rows[-1]["Payment"]["Status"] == "SUBMIT", "the host was not asked to submit the bank payment")


def be_declined(it: Walk) -> None:
    """A declined card leaves no payment and says what to do next."""
    slug, reference = "birch", "100234"
    browser = it.log_in(slug, reference)
    account = account_id(browser, reference)
    it.choose(browser, account, "any", amount="40.00")
    page = it.pay_by_card(browser, slug, DECLINED)
    expect("declined" in page.text.lower() or "not paid" in page.text.lower(), f"no decline: {page.text[:400]}")
    it.step("a declined card is said in plain words", page.took_ms)
    it.told(slug, "payment.declined", reference)


def be_refused(it: Walk) -> None:
    """A Visa credit card is refused before any charge, the alternatives named (CARD-01)."""
    slug, reference = "birch", "100235"
    browser = it.log_in(slug, reference)
    account = account_id(browser, reference)
    it.choose(browser, account, "any", amount="40.00")
    page = it.pay_by_card(browser, slug, VISA_CREDIT)
    expect("Visa" in page.text and "debit" in page.text.lower(), f"no refusal: {page.text[:400]}")
    it.step("a Visa credit card is refused with the alternatives named", page.took_ms)


def text(it: Walk) -> None:
    """A consumer texts PAY and gets a link of their own, texts STOP and gets one confirmation and then silence."""
    slug, reference = "acme", "100235"
    number = it.account(slug, reference)["Phones"][0]["Number"]

    def say(words: str, count: int) -> str:
        began = time.time()
        reply = {"from": number, "to": it.stack.keys[slug]["carrier_number"], "body": words}
        call(it.stack.urls["carrier"], "/_sandbox/reply", reply)
        asked = f"/_sandbox/texts?{urlencode({'to': number})}"
        rows = until(
            lambda: len(found := call(it.stack.urls["carrier"], asked)["texts"]) >= count and found,
            f"no text answered {words}",
        )
        it.step(f"the consumer texted {words}; the answer came", (time.time() - began) * 1000)
        return rows[0]["body"]

    link = re.search(r"https?://[^/\s]+(/m/\S+)", say("PAY", 1))
    expect(link, "the answer to PAY has no link")
    it.told(slug, "message.replied", reference)
    page = Browser(it.stack, slug).get(link[1])
    expect(page.status == 200, f"the link in the text answered {page.status}")
    expect("stop" in say("Stop, please!", 2).lower(), "the answer to STOP does not confirm it")
    it.told(slug, "optout.address", reference)


def charge_a_postdate(it: Walk, browser: Browser, account: str) -> None:
    """A month later on the host's clock: the host charges the first post-date itself and posts it back."""
    began = time.time()
    call(it.stack.urls["host-acme"], "/_sandbox/advance", {"months": 1, "days": 1}, timeout=60.0)
    ledger = call(it.stack.urls["processor"], "/_sandbox/ledger")
    charges = [row["credential"] for row in ledger if row["kind"] == "charge" and row["status"] == "succeeded"]
    expect(sorted(charges) == ["host", "portal"], f"after a month the processor shows charges by {charges}")
    until(
        lambda: browser.get(f"/accounts/{account}/payments/").text.count("$125.00") >= 2,
        "the host charged a post-date, but the consumer does not see it among the payments",
    )
    waiting = browser.get(f"/accounts/{account}/post-dates/").text
    expect(waiting.count("$125.00") >= 4, f"four post-dates should be left: {waiting[:400]}")
    took = (time.time() - began) * 1000
    it.step("a month on, the host charged the first post-date itself and the consumer sees it", took)
