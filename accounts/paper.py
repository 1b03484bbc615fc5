"""Make papers: tagged PDF (PDF/UA-1 and PDF/A-2a, A11Y-16) from values only.

Every text travels as data and none is ever part of the Typst source, so no field can say anything to the compiler. The
same values give the same bytes. Each floor has its own bodies; the design around them is paper.typ.
"""

import json
import threading
import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from accounts.calendars import format_date

STANDARDS = ["a-2a", "ua-1"]
DESIGN = Path(__file__).with_name("paper.typ").read_bytes()
LIMIT_TEXT = 40_000  # Characters of one field; an authorization has about 3,000, a page about 4,000.

_compiler = None
_one_at_a_time = threading.Lock()  # One compiler keeps its fonts and its compiled template between papers.


def compile_paper(body: bytes, *, data: dict[str, Any], at: datetime | None, file_format: str = "pdf"):
    """Compile one paper.

    :param data: what design and body read: `agency`, `title`, `lead`, `language`, `page`, and what the body asks for.
    :param at: the moment on the paper, aware; the same moment gives the same bytes.
    :raises ValueError: a text is too long.
    """
    global _compiler
    # Imported here: most processes make no papers, and it takes seven megabytes.
    import typst

    options: dict[str, Any] = {
        "input": DESIGN + body,
        "format": file_format,
        "sys_inputs": {"data": json.dumps(clean(data))},
        "timestamp": (at or datetime(2026, 1, 1, tzinfo=UTC)).astimezone(UTC).replace(microsecond=0),
    }
    with _one_at_a_time:
        if _compiler is None:
            _compiler = typst.Compiler(ignore_system_fonts=True)
        if file_format != "pdf":
            return _compiler.compile(**options)
        try:
            return _compiler.compile(**options, pdf_standards=STANDARDS)
        except typst.TypstError:
            # The standards refuse a sign that no embedded font has. A name in another script must not cost
            # a consumer the copy: the paper is then still tagged, but promises no standard.
            return _compiler.compile(**options)


def letterhead(*, name: str, legal_name: str, address: str, phone: str, licences: tuple[str, ...] = ()) -> dict:
    """Give the agency as the design reads it."""
    legal = [legal_name] if legal_name != name else []
    lines = [*legal, *address.splitlines(), phone]
    return {"name": name, "lines": [line for line in lines if line], "licences": licences}


def moment(at: datetime, language: str, *, exact: bool = False) -> str:
    """Write an aware time in its own zone; an exact one to the second, with UTC for whoever must prove it.

    :raises ValueError: the time has no zone.
    """
    if at.tzinfo is None:
        raise ValueError("A time on a document has its zone.")
    gap = "\N{NO-BREAK SPACE}"
    half = {"en": ("AM", "PM"), "es": (f"a.{gap}m.", f"p.{gap}m.")}[language][at.hour >= 12]
    minutes = f"{at:%M:%S}" if exact else f"{at:%M}"
    day = format_date(date(at.year, at.month, at.day), language)
    shown = f"{day}, {at.hour % 12 or 12}:{minutes}{gap}{half}{gap}{at.tzname()}"
    return f"{shown} ({at.astimezone(UTC):%Y-%m-%d{gap}%H:%M:%S}{gap}UTC)" if exact else shown


def clean(value: Any) -> Any:
    """Drop the signs nobody can see, among them those that turn the reading direction around."""
    if isinstance(value, str):
        if len(value) > LIMIT_TEXT:
            raise ValueError(f"A text on a document has at most {LIMIT_TEXT} characters.")
        spaced = "".join(" " if c in "\t\n\r\u2028\u2029" else c for c in value)
        shown = (c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
        return unicodedata.normalize("NFC", "".join(shown))
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value
