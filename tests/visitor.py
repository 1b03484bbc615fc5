"""A consumer's browser in tests: the agency's own host name, and short words for signing in."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from unittest import mock

from django.conf import settings
from django.test import Client, TestCase

from accounts.models import Account, Agency, Code, ContactPoint, Visit
from accounts.services import codes
from accounts.tenancy import acting_for


def text(page) -> str:
    """Give what a page says, its tags left out: a token in an attribute may spell any short word by chance."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def without_tokens(page, *known: str) -> str:
    """Give a whole page, attributes too, without its CSRF token and the texts that are known to stand there."""
    html = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", page.content.decode())
    for text in known:
        html = html.replace(text, "")
    return html


class Forms(HTMLParser):
    """Read the forms of a page: where each is sent, its fields with their values, its buttons and ticks without."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.named: dict[str, dict[str, str | None]] = {}

    @classmethod
    def of(cls, page) -> list[tuple[str, dict[str, str | None]]]:
        parser = cls()
        parser.feed(page.content.decode())
        return parser.found

    def handle_starttag(self, tag: str, attrs: list) -> None:
        values = dict(attrs)
        if tag == "form":
            self.found.append((values.get("action", ""), {}))
            self.named[values.get("id", "")] = self.found[-1][1]
        elif tag in ("input", "button", "select") and values.get("name") and self.found:
            fields = self.named.get(values.get("form", "-"), self.found[-1][1])
            typed = tag == "input" and values.get("type") not in ("radio", "checkbox")
            fields.setdefault(values["name"], values.get("value", "") if typed else None)


class Visitor(Client):
    """Visit one agency's pages; `enforce_csrf_checks` as a real browser would meet them."""

    def __init__(self, agency: Agency, **options) -> None:
        super().__init__(SERVER_NAME=f"{agency.slug}.{settings.PORTAL_DOMAIN.split(':')[0]}", **options)
        self.agency = agency
        self.mail: list[tuple[Code, str]] = []

    def identify(self, account: Account, **facts):
        """Send the three facts of the cast's consumer."""
        last4_or_zip = "1234" if self.agency.factor == Agency.Factor.SSN4 else "12207"
        given = {"reference": account.reference, "last_name": "Doe", "factor": last4_or_zip} | facts
        return self.post("/", given)

    def sign_in(self, account: Account, *, level: int = 1) -> "Visitor":
        """Arrive on the home page, by code too for level 2."""
        answer = self.identify(account)
        assert answer.status_code == 302, answer.content
        if level == 2:
            self.step_up(account)
        return self

    def step_up(self, account: Account) -> None:
        """Ask for a code, read it, type it in."""
        with acting_for(self.agency):
            contact = ContactPoint.objects.filter(consumer_id=account.consumer_id, kind="email").first()
        self.ask_for_code(contact)
        answer = self.post("/code/", {"action": "verify", "code": self.mail[-1][1], "next": "/home/"})
        assert answer.status_code == 302, answer.content

    def ask_for_code(self, contact: ContactPoint):
        """Have the code written into `self.mail` instead of sent."""
        with self.catching_mail():
            return self.post("/code/", {"action": "send", "contact": str(contact.pk), "next": "/home/"})

    @contextmanager
    def catching_mail(self) -> Iterator[None]:
        """Be the provider for a while: the edge of the house where a fake may stand."""
        with (
            mock.patch.object(codes, "sender", lambda code, text: self.mail.append((code, text))),
            TestCase.captureOnCommitCallbacks(execute=True),
        ):
            yield

    def submit(self, page, *, having: str, **values):
        """Send the form of a page that has this field or button, hidden fields kept, as a person would."""
        forms = Forms.of(page)
        action, fields = next(form for form in forms if having in form[1])
        sent = {name: value for name, value in fields.items() if value is not None} | values
        return self.post(action or page.request["PATH_INFO"], sent)

    def follow(self, answer):
        """Go where a redirect leads."""
        assert answer.status_code == 302, answer.content.decode()
        return self.get(answer["Location"])

    def visit(self) -> Visit:
        """Return the row behind this browser's session."""
        with acting_for(self.agency):
            return Visit.objects.get(pk=self.session["visit"])
