"""A consumer's browser as a program: cookies, forms with hidden fields, redirects. It knows nothing of the inside."""

import contextlib
import functools
import http.client
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from .stack import Stack

KEPT_SECONDS = 1.0  # the server itself closes a connection that rests for two
PATIENCE = 20.0  # seconds for something that takes milliseconds, on a loaded machine


class Broken(Exception):
    """A promise of the product did not hold; the sentence says which."""


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

    @functools.cached_property
    def _parsed(self) -> _Forms:
        # Only when asked for: a load reads few of the pages that it fetches.
        parsed = _Forms()
        with contextlib.suppress(UnicodeDecodeError):
            parsed.feed(self.body.decode())
        return parsed

    @property
    def forms(self) -> list[dict]:
        """Give the page's forms with their fields."""
        return self._parsed.forms

    @functools.cached_property
    def text(self) -> str:
        """Give what a person reads, the title first."""
        return re.sub(r"\s+", " ", " ".join(self._parsed.words)).strip()

    def form_with(self, *names: str) -> dict:
        """Return the first form that has all these fields."""
        for form in self.forms:
            if set(names) <= form["fields"].keys():
                return form
        raise Broken(f"{self.path} ({self.status}) has no form with {', '.join(names)}: {self.text[:300]}")


class Browser:
    """A consumer's browser at one agency: connects to 127.0.0.1 and names the agency in the Host header.

    :param keeps: use a connection again, as browsers do; not where servers are killed, which would lose answers by it.
    """

    def __init__(self, stack: Stack, slug: str, *, keeps: bool = False) -> None:
        self.keeps, self.used_at = keeps, 0.0
        self.connection: http.client.HTTPConnection | None = None
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

    @contextlib.contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        mine, self.connection = self.connection, None
        if mine is not None and time.monotonic() - self.used_at > KEPT_SECONDS:
            mine.close()
            mine = None
        mine = mine or http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            yield mine
            if self.keeps:
                self.connection, self.used_at = mine, time.monotonic()
        finally:
            if self.connection is not mine:
                mine.close()

    def _ask(self, method: str, path: str, fields: dict | None) -> Page:
        began = time.perf_counter()
        for _hop in range(8):
            with self._connected() as connection:
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
