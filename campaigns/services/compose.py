"""Write a message: neutral outside, complete inside, the same in HTML and in text, in the consumer's language.

What a lock screen shows (subject, preheader) says nothing about any debt (RF-11); every message says who writes, how
to stop it without a login (RF-17), and, unless it is a code, that it is from a debt collector (RF-20, RF-21, AUTH-07).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from accounts.models import Agency, ContactPoint
from accounts.services import consent
from campaigns.rules import markup
from campaigns.rules.fields import FIELD
from campaigns.rules.linter import Words, lint
from campaigns.rules.notice_words import NOTICES, block_of

if TYPE_CHECKING:
    import css_inline

HIDDEN_DIGITS = "••••••"
"""Stands for a code in the stored message; the digits take its place on the way to the provider."""

SHOWN_BY_MAILBOXES = 150
"""Characters: no mailbox shows more of a message beside its subject."""

NOTHING_TO_SEE = "\N{FIGURE SPACE}\N{COMBINING GRAPHEME JOINER}\N{ZERO WIDTH NON-JOINER}"
"""Fills the preview behind the preheader, so that a mailbox does not go on into the message itself."""

HEAD_ENDS = "-" * 40
"""In the text part: above it stands what anybody may see, below it what is said."""

STYLE = Path(settings.BASE_DIR, "templates/campaigns/mail/mail.css")


@dataclass(frozen=True, slots=True)
class Template:
    """Say which stream a message belongs to and what shows before it is opened."""

    stream: str
    subject: str
    preheader: str


TEMPLATES = {
    "code": Template("security", gettext_noop("Your code from %(agency)s"), gettext_noop("It works for 10 minutes.")),
    "esign_code": Template(
        "security",
        gettext_noop("A short document from %(agency)s"),
        gettext_noop("Open it to see your code. It works for 10 minutes."),
    ),
    "receipt": Template(
        "receipts",
        gettext_noop("Your receipt from %(agency)s"),
        gettext_noop("Please keep it with your records."),
    ),
    "authorization_copy": Template(
        "receipts",
        gettext_noop("Your copy from %(agency)s"),
        gettext_noop("The document that you agreed to is attached. Please keep it."),
    ),
    "plan_confirmed": Template(
        "receipts",
        gettext_noop("Your dates and your receipt from %(agency)s"),
        gettext_noop("Please keep them with your records."),
    ),
    "ach_handed_over": Template(
        "receipts",
        gettext_noop("We have your instruction: %(agency)s"),
        gettext_noop("Here is what happens next."),
    ),
    "predebit": Template(
        "notices",
        gettext_noop("A date to remember, from %(agency)s"),
        gettext_noop("Here is what you asked us to tell you before that day."),
    ),
    "change_notice": Template(
        "notices",
        gettext_noop("A change to note, from %(agency)s"),
        gettext_noop("A day or a detail that you agreed to has changed. Here is what and when."),
    ),
    "accounting": Template(
        "notices",
        gettext_noop("Your statement from %(agency)s"),
        gettext_noop("Please keep it with your records."),
    ),
    "satisfaction": Template(
        "notices",
        gettext_noop("A letter to keep, from %(agency)s"),
        gettext_noop("Please keep it with your records."),
    ),
    "method_updated": Template(
        "notices",
        gettext_noop("A detail that you keep with %(agency)s has changed"),
        gettext_noop("You need not do anything if it is right."),
    ),
    "refund_failed": Template(
        "notices",
        gettext_noop("Please read this message from %(agency)s"),
        gettext_noop("Something did not go as planned. Here is what happens next."),
    ),
    "payment_failed": Template(
        "notices",
        gettext_noop("Please read this message from %(agency)s"),
        gettext_noop("Something did not go as planned. Here is what you can do."),
    ),
    "payment_prepared": Template(
        "notices",
        gettext_noop("As we discussed: a message from %(agency)s"),
        gettext_noop("Something waits for you behind the log-in."),
    ),
    "email_stopped": Template(
        "answers",
        gettext_noop("It is done: a message from %(agency)s"),
        gettext_noop("You asked for something. Here is our answer."),
    ),
    "contact_changed": Template(
        "notices",
        gettext_noop("A change of your details with %(agency)s"),
        gettext_noop("If it was you, you need not do anything."),
    ),
}


class TooTelling(ValueError):
    """Reword the outside of the message: somebody else may read it."""


@dataclass(frozen=True, slots=True)
class Mail:
    """Hold a composed message; `html` has its styles inline."""

    subject: str
    preheader: str
    text: str
    html: str


def compose(
    *,
    template: str,
    agency: Agency,
    contact_point: ContactPoint,
    language: str,
    facts: dict[str, Any],
    names: tuple[str, ...] = (),
    words: Words | None = None,
    licences: Sequence[str] = (),
) -> Mail:
    """Compose a message from ready texts.

    :param facts: what the template says, formatted for the language.
    :param names: creditors and references that must not show outside.
    :param words: the agency's own, published; what the law wants stands in our blocks among them.
    :param licences: the licence lines of the state where the consumer lives (ST-09).
    :raises TooTelling: subject or preheader would tell a stranger.
    """
    kind = TEMPLATES[template]
    with override(language):
        # An agency may be called "Acme Collections": then its name stays inside.
        shown_name = agency.name if not lint(agency.name, names=names) else _("us")
        subject = " ".join((_(kind.subject) % {"agency": shown_name}).split())[:200]
        preheader = _(kind.preheader)
        said = {"first_name": facts.get("name", ""), "agency": shown_name}
        if words is not None and not lint(f"{words.subject} {words.preheader}", names=names):
            subject = _filled(words.subject, said)[:200]
            preheader = _filled(words.preheader, said)
        elif found := lint(f"{subject} {preheader}"):
            raise TooTelling(f"{template}: {', '.join(found)}")
        context = facts | {
            "agency": agency,
            "hours": agency.hours_in(language),
            "brand": agency.brand if re.fullmatch(r"#[0-9a-fA-F]{6}", agency.brand) else "#1f4e5f",
            "subject": subject,
            "preheader": preheader,
            "padding": NOTHING_TO_SEE * SHOWN_BY_MAILBOXES,
            "language": language,
            "says_collector": kind.stream != "security",
            "digits": HIDDEN_DIGITS,
            "minutes": settings.CODE_SECONDS // 60,
            "portal_url": site_url(agency),
            "stop_url": stop_url(agency, contact_point),
            "state_licences": "; ".join(licences),
        }
        page = template
        if words is not None:
            inside = said | {"agency": agency.name, "agency_phone": agency.phone, "agency_hours": context["hours"]}
            inside |= {name: str(facts.get(name, "")) for name in NOTICES[template].fields}
            context["blocks"], page = _blocks(template, words.body, inside), "notice"
        html = render_to_string(f"campaigns/mail/{page}.html", context).lstrip()
        above, below = around(preheader, agency, language, names=names)
        text = preheader + above + plain_text(html) + below
    return Mail(subject, preheader, text, inliner().inline(html))


def around(preheader: str, agency: Agency, language: str, *, names: Sequence[str] = ()) -> tuple[str, str]:
    """Give what stands in a text part between its preheader and what is said, and what stands below that.

    Who writes stands above, unless that tells a stranger or is too short to keep what is said out of sight (RF-11).
    """
    who = "\n".join([agency.legal_name, *agency.address_lines, agency.phone, agency.hours_in(language)])
    above = f"\n\n{who}\n\n{HEAD_ENDS}\n\n"
    if len(preheader + above) >= SHOWN_BY_MAILBOXES and not lint(who, names=names):
        return above, ""
    instead = _(
        "This message is meant for you alone. Please read it where nobody else can see it: what it is about and who "
        "sends it stands below this line."
    )
    return f"\n\n{instead}\n\n{HEAD_ENDS}\n\n", f"\n{who}\n"


def _filled(text: str, values: dict[str, str]) -> str:
    return " ".join(FIELD.sub(lambda match: values.get(match[1], ""), text).split())


def _blocks(template: str, body: str, values: dict[str, str]) -> list[tuple[str, Any]]:
    """Read the agency's own words into blocks, ours by the name of their piece; Django escapes what is filled in."""
    found: list[tuple[str, Any]] = []
    for block in markup.read(body):
        if piece := block_of(template, block):
            found.append(("piece", f"campaigns/mail/parts/{piece}.html"))
        else:
            lines = [_filled(line, values) for line in block.lines]
            found.append(
                (block.kind, [mark_safe(markup.BOLD.sub(r"<strong>\1</strong>", escape(line))) for line in lines])
            )
    return found


def site_url(agency: Agency, path: str = "/") -> str:
    """Give an address on the agency's own site."""
    return f"{'https' if settings.TLS else 'http'}://{agency.slug}.{settings.PORTAL_DOMAIN}{path}"


def stop_url(agency: Agency, contact_point: ContactPoint) -> str:
    """Give the address that stops messages to a contact point without a login (RF-17, EML-02)."""
    return site_url(agency, reverse("accounts:opt_out", args=[consent.stop_token(contact_point)]))


def inliner() -> "css_inline.CSSInliner":
    """Give the inliner of the style sheet as it stands."""
    return _inliner(STYLE.stat().st_mtime_ns)


@cache
def _inliner(_version: int) -> "css_inline.CSSInliner":
    """Make the inliner once per style sheet; what cannot be inlined (dark mode, phones) stays in the head."""
    import css_inline  # only who writes messages needs it

    return css_inline.CSSInliner(
        extra_css=STYLE.read_text(), keep_style_tags=True, load_remote_stylesheets=False, apply_width_attributes=False
    )


BLOCKS = {"p", "h1", "h2", "li", "table", "div", "tr"}


class _Plain(HTMLParser):
    """Read the text of a message: rows as `label: value`, links with their address, nothing hidden."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.line = ""
        self.hidden = 0
        self.stack: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        css = known.get("class") or ""
        if tag in ("meta", "br", "link", "img", "hr"):
            if tag == "br":
                self._end_line()
            return
        self.stack.append((tag, css, known.get("href") or ""))
        if tag in ("style", "title") or "html-only" in css:
            self.hidden += 1
        if tag in BLOCKS:
            self._end_line()

    def handle_endtag(self, tag: str) -> None:
        while self.stack:
            name, css, href = self.stack.pop()
            if name in ("style", "title") or "html-only" in css:
                self.hidden -= 1
            elif name == "a" and href and not self.hidden and href not in self.line:
                self.line += f": {href}" if not href.startswith("tel:") else ""
            elif name == "td" and ("label" in css or "cell" in css):
                self.line = self.line.rstrip() + (": " if "label" in css else "  ")
            if name in BLOCKS:
                self._end_line(gap=name != "tr" and name != "div")
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        if not self.hidden and (text := " ".join(data.split())):
            joined = data[:1].isspace() and self.line and not self.line.endswith(" ")
            self.line += (" " if joined else "") + text + (" " if data[-1:].isspace() else "")

    def _end_line(self, *, gap: bool = False) -> None:
        if line := self.line.strip():
            self.lines.append(line)
        self.line = ""
        if gap and self.lines and self.lines[-1]:
            self.lines.append("")


def plain_text(html: str) -> str:
    """Read the text of a message from its HTML."""
    parser = _Plain()
    parser.feed(html)
    parser.close()
    return "\n".join(parser.lines).strip() + "\n"
