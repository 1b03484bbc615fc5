"""The main job, done over HTTP by a program: push, identify, offer, pay, the host told, the host posts, the consumer sees.

It plays a browser (cookies, forms, hidden fields, redirects) against the running site and reads the mailbox and the
hosts' pages for the rest; it knows nothing of the inside. Each step prints what it measured.
"""

import base64
import contextlib
import http.client
import io
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from .stack import AGENCIES, Stack, call

PATIENCE = 20.0  # seconds for something that takes milliseconds, on a loaded machine
VISA_DEBIT = "4000056655665556"
VISA_CREDIT = "4242424242424242"
DECLINED = "4000000000000002"


class Broken(Exception):
    """A promise of the product did not hold; the sentence says which."""


def expect(holds: object, sentence: str) -> None:
    """Stop the walk at the first broken promise."""
    if not holds:
        raise Broken(sentence)


class _Forms(HTMLParser):
    """Collect forms with their fields, and the page's visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict] = []
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        values = dict(attrs)
        if tag in ("script", "style"):
            self._hidden += 1
        if tag == "form":
            self.forms.append({"action": values.get("action"), "id": values.get("id"), "fields": {}})
        if tag in ("input", "button", "select", "textarea") and values.get("name"):
            owner = next((form for form in self.forms if form["id"] and form["id"] == values.get("form")), None)
            form = owner or (self.forms[-1] if self.forms else None)
            if form is not None and values.get("type") not in ("radio", "checkbox", "submit") and tag != "button":
                form["fields"][values["name"]] = values.get("value", "")
            elif form is not None:
                form["fields"].setdefault(values["name"], None)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


class Page:
    """One answer: where we are, its status, its text and its forms."""

    def __init__(self, path: str, status: int, body: bytes, took_ms: float) -> None:
        self.path, self.status, self.body, self.took_ms = path, status, body, took_ms
        parsed = _Forms()
        with contextlib.suppress(UnicodeDecodeError):
            parsed.feed(body.decode())
        self.forms = parsed.forms
        self.text = re.sub(r"\s+", " ", " ".join(parsed.words))

    def form_with(self, *names: str) -> dict:
        """Return the first form that has all these fields."""
        for form in self.forms:
            if set(names) <= form["fields"].keys():
                return form
        raise Broken(f"{self.path} ({self.status}) has no form with {', '.join(names)}: {self.text[:300]}")


class Browser:
    """A consumer's browser at one agency: connects to 127.0.0.1 and names the agency in the Host header."""

    def __init__(self, stack: Stack, slug: str) -> None:
        self.port = stack.port
        self.host = f"{slug}.localhost:{stack.port}"
        self.cookies: dict[str, str] = {}
        self.page: Page | None = None

    def get(self, path: str) -> Page:
        """Open a page, following redirects."""
        return self._ask("GET", path, None)

    def submit(self, form: dict, **values: str) -> Page:
        """Send a form of the current page with what a person would have typed, hidden fields kept."""
        fields = {name: value for name, value in form["fields"].items() if value is not None} | values
        return self._ask("POST", urljoin(self.page.path, form["action"] or self.page.path), fields)

    def _ask(self, method: str, path: str, fields: dict | None) -> Page:
        began = time.perf_counter()
        for _hop in range(8):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            with contextlib.closing(connection):
                headers = {
                    "Host": self.host,
                    "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
                    "Accept": "text/html",
                    "User-Agent": "Quittance walk",
                }
                body = None
                if fields is not None:
                    body = urlencode(fields)
                    headers["Content-Type"] = "application/x-www-form-urlencoded"
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                for line in answer.headers.get_all("Set-Cookie") or []:
                    name, _equals, rest = line.partition("=")
                    self.cookies[name] = rest.partition(";")[0]
            if answer.status in (301, 302, 303, 307):
                path = urljoin(path, answer.headers["Location"])
                parts = urlsplit(path)
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                method, fields = "GET", None
                continue
            self.page = Page(path, answer.status, content, (time.perf_counter() - began) * 1000)
            return self.page
        raise Broken(f"{path} redirects for ever")


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

    def received(self, slug: str, event: str, **wanted: object) -> list[dict]:
        """Return what a host has received of one kind, oldest first."""
        answer = call(self.stack.urls[f"host-{slug}"], "/_sandbox/received")
        rows = answer["events"] if isinstance(answer, dict) else answer
        return [row for row in rows if row.get("Event") == event and all(row.get(k) == v for k, v in wanted.items())]

    def mail(self, to: str, *, tag: str, after: float) -> dict:
        """Wait for the newest mail to an address with a tag, and return it."""

        def found() -> dict | None:
            rows = call(self.stack.urls["mail"], f"/_sandbox/messages?{urlencode({'to': to, 'tag': tag})}")
            rows = rows["messages"] if isinstance(rows, dict) else rows
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
            began = time.perf_counter()
            call(self.stack.urls[f"host-{slug}"], "/_sandbox/push", {"FileNumbers": "all"}, timeout=60.0)
            took = (time.perf_counter() - began) * 1000
            state = call(self.stack.urls[f"host-{slug}"], "/_sandbox/state")
            self.step(f"{slug}'s host pushed its {len(state['accounts'])} accounts; the portal took them", took)

    def log_in(self, slug: str, reference: str) -> Browser:
        """Identify by reference, last name and the agency's third fact."""
        record = call(self.stack.urls[f"host-{slug}"], f"/_sandbox/accounts/{reference}")
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
        import pypdf

        asked = time.time()
        page = browser.page
        browser.submit(next(form for form in page.forms if "action" in form["fields"]), action="send")
        mail = self.mail(address, tag="esign_code", after=asked)
        message = call(self.stack.urls["mail"], f"/_sandbox/messages/{mail['id']}")
        document = pypdf.PdfReader(io.BytesIO(base64.b64decode(message["attachments"][0]["content"])))
        code = re.search(r"(\d{3})\s?(\d{3})", document.pages[0].extract_text())
        page = browser.submit(browser.page.form_with("code"), code=code[1] + code[2], agree="on", action="agree")
        self.step("consent to electronic documents, shown to work by a code in a mailed document", page.took_ms)
        return page

    def pay_by_card(self, browser: Browser, slug: str, number: str) -> Page:
        """Give a card and, if it is taken, review and confirm."""
        page = browser.submit(
            browser.page.form_with("confirmation_token"), confirmation_token=self.token(slug, number)
        )
        if not any("idempotency_key" in form["fields"] for form in page.forms):
            return page
        return browser.submit(page.form_with("idempotency_key"), agree="on")


def received_at(mail: dict) -> float:
    """Read when the mailbox got a mail, in seconds."""
    import datetime as dt

    value = mail.get("received_at") or mail.get("timestamp")
    return dt.datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)
