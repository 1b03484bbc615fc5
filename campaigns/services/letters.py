"""Compile a template once for a language and an agency; write it for thousands of readers by joining strings."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from accounts.calendars import local_date
from accounts.models import Account, Agency
from campaigns.models import TemplateVersion
from campaigns.rules import fields, linter, markup
from campaigns.rules.segments import measure
from campaigns.services.compose import (
    NOTHING_TO_SEE,
    SHOWN_BY_MAILBOXES,
    STYLE,
    TooTelling,
    around,
    inliner,
    plain_text,
    site_url,
)
from settlements.rules import old_debts

TOKEN = re.compile(r"qqf-([a-z_]+)-qqf")
"""How a field stands in a compiled message until a reader's value takes its place: safe in text, HTML and addresses."""

LINKS = ("link", "stop_url")
"""Fields that are secrets: left out of what is kept and hashed."""

LICENCE = "licence"
"""The value of a reader that is printed in the foot of mails: the agency's licences where they live."""

PRINTED = ("slug", "name", "legal_name", "address", "phone", "hours", "hours_es", "licences", "brand", "accent")
"""What a message says of its agency, of which it is compiled anew when one changes."""

AGE_NOTICE = gettext_noop(
    "Because of its age we will not sue you for it. A payment or a promise to pay can start the time for a suit again."
)
"""The notice of an old debt as a text says it (SOL-01): the whole one stands on the page that the link opens."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Hold a message in pieces: literal, field, literal, field ..."""

    subject: tuple[str, ...]
    text: tuple[str, ...]
    html: tuple[str, ...]

    def write(self, values: Mapping[str, str]) -> tuple[str, str, str]:
        """Give subject, text and HTML with a reader's values."""
        return self.title(values), self.plain(values), self.page(values)

    def title(self, values: Mapping[str, str]) -> str:
        """Give the subject with a reader's values."""
        return _join(self.subject, [values.get(name, "") for name in self.subject[1::2]])

    def plain(self, values: Mapping[str, str]) -> str:
        """Give the text with a reader's values."""
        return _join(self.text, [values.get(name, "") for name in self.text[1::2]])

    def page(self, values: Mapping[str, str]) -> str:
        """Give the HTML with a reader's values, which are escaped."""
        return _join(self.html, [html.escape(values.get(name, "")) for name in self.html[1::2]])


def _join(pieces: tuple[str, ...], said: list[str]) -> str:
    whole = list(pieces)
    whole[1::2] = said
    return "".join(whole)


def compile_mail(
    *, version: TemplateVersion, agency: Agency, language: str, first: bool, barred: bool, licensed: bool = False
) -> Compiled:
    """Make a version ready to be written.

    :param first: nothing was said about the debt before: the long sentence of the law is in it (RF-20).
    :param barred: the debt may be too old to sue for, which is said (SOL-01, SOL-03).
    :param licensed: each reader has the licence line of their state (`LICENCE`), empty where there is none (ST-09).
    :raises TooTelling: what shows outside would tell a stranger.
    """
    printed = tuple(getattr(agency, name) for name in PRINTED)
    stamp = (version.pk, version.made_at, agency.pk, printed, STYLE.stat().st_mtime_ns)
    return _compiled(stamp, _Source(version, agency), language, first, barred, licensed)


class _Source:
    """Carry the rows past the cache, whose key is the stamp."""

    def __init__(self, version: TemplateVersion, agency: Agency) -> None:
        self.version, self.agency = version, agency

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Source)


@lru_cache(maxsize=512)
def _compiled(stamp: tuple, source: _Source, language: str, first: bool, barred: bool, licensed: bool) -> Compiled:
    version, agency = source.version, source.agency
    said = version.words.get(language) or version.words["en"]
    with override(language):
        shown_name = agency.name if not linter.lint(agency.name) else _("us")
        subject = " ".join(said["subject"].replace("{agency}", shown_name).split())
        preheader = " ".join(said["preheader"].replace("{agency}", shown_name).split())
        if found := linter.lint(fields.FIELD.sub(" ", f"{subject} {preheader}")):
            raise TooTelling(f"{version}: {', '.join(found)}")
        context = {
            "agency": agency,
            "hours": agency.hours_in(language),
            "brand": agency.brand if re.fullmatch(r"#[0-9a-fA-F]{6}", agency.brand) else "#1f4e5f",
            "subject": mark_safe(_slots(escape(subject))),
            "preheader": mark_safe(_slots(escape(preheader))),
            "padding": NOTHING_TO_SEE * SHOWN_BY_MAILBOXES,
            "language": language,
            "says_collector": True,
            "first_contact": first,
            "barred": barred,
            "blocks": [
                (block.kind, [mark_safe(_inline(line)) for line in block.lines]) for block in markup.read(said["body"])
            ],
            "link": _slot("link"),
            "stop_url": _slot("stop_url"),
            "check_code": _slot("check_code"),
            "verify_url": site_url(agency, "/verify/"),
            "state_licences": _slot(LICENCE) if licensed else "",
        }
        page = render_to_string("campaigns/mail/campaign.html", context).lstrip()
        above, below = around(fields.FIELD.sub("", preheader), agency, language)
        text = _slots(preheader) + above + plain_text(page) + below
        page = inliner().inline(page)
    return Compiled(_pieces(_slots(subject)), _pieces(text), _pieces(page))


def _slot(name: str) -> str:
    return f"qqf-{name}-qqf"


def _slots(text: str) -> str:
    return fields.FIELD.sub(lambda match: _slot(match[1]) if match[1] in fields.FIELDS else "", text)


def _inline(line: str) -> str:
    return _slots(markup.BOLD.sub(r"<strong>\1</strong>", escape(line)))


def _pieces(text: str) -> tuple[str, ...]:
    return tuple(TOKEN.split(text))


def compile_text(
    *, version: TemplateVersion, agency: Agency, language: str, first: bool, barred: bool = False
) -> Compiled:
    """Make a text message ready; the sentences of the law stand at its end (RF-20, SMS-09).

    :param barred: the debt may be too old to sue for, which is said in the same medium (SOL-01, SOL-02).
    """
    said = version.words.get(language) or version.words["en"]
    with override(language):
        sentence = (
            _("This is an attempt to collect a debt. Any information obtained will be used for that purpose.")
            if first
            else linter.COLLECTOR[language]
        )
        if barred:
            sentence = f"{sentence} {_(AGE_NOTICE)}"
    return Compiled(("",), _pieces(_slots(f"{said['body']} {sentence}")), ("",))


def has_room(text: str) -> bool:
    """Tell whether a text that is written makes no more segments than templates may."""
    return measure(text).segments <= linter.MOST_SEGMENTS


def too_old(account: Account, *, now: datetime) -> bool:
    """Tell whether a debt is, or may be, too old to sue for (SOL-01): where that must be said, unknown is too old."""
    today = local_date(now, account.consumer.time_zone)
    status, on = account.sol_status, account.sol_on
    needed = old_debts.notice_needed(account.consumer.state, status or "unknown", on, today)
    return bool(needed or old_debts.too_old(status, on, today))
