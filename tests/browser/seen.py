"""Look at a page as different people do, and write down what is wrong with it (A11Y-04, A11Y-09, A11Y-12, A11Y-13)."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT

from portal.local import HOME

LOOK = Path(__file__).with_name("look.js").read_text()
SETTLED = """async () => {
  const height = () => document.documentElement.scrollHeight;
  for (let before = -1, same = 0; same < 6; before = height()) {
    await new Promise((next) => setTimeout(next, 25));
    same = height() === before ? same + 1 : 0;
  }
}"""
"""Wait until nothing has moved for a moment."""
VIOLATIONS = """async (options) => (await axe.run(options)).violations.flatMap(({ id, nodes }) =>
  nodes.map((node) => `${id}: ${node.target.join(" ")}: ${(node.failureSummary ?? "").slice(0, 160)}`))"""
"""Give no more than what is wrong: all that axe says takes longer to bring over than to find."""
SCREENSHOTS = HOME / "screenshots"
PHONE, SMALL, DESK = (390, 844), (320, 640), (1280, 900)
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
ONLY_CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}


@dataclass
class Seen:
    """What one page showed to one visitor; every list is empty on a good page but `exempt` and `texts`."""

    path: str
    lang: str
    axe: list[str] = field(default_factory=list)
    small: list[str] = field(default_factory=list)
    exempt: list[str] = field(default_factory=list)
    sideways: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def look(page, name: str, language: str) -> Seen:
    """Measure a page at 390, 320 and (on wish) 1280 px, and leave it as it was.

    200 % zoom of a window of 640 px is a window of 320 px; on top of it the letters are doubled.
    """
    seen = Seen(path=urlsplit(page.url).path, lang=page.evaluate("document.documentElement.lang"))
    seen.axe = _axe(page, dark=language == "en")
    found = page.evaluate(LOOK, {"small": True, "texts": True})
    seen.small, seen.exempt, seen.texts = found["small"], found["exempt"], found["texts"]
    if os.environ.get("SCREENSHOTS"):
        _photograph(page, name, language)
    _resize(page, SMALL)
    seen.sideways = page.evaluate(LOOK, {"cut": True})["cut"]
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    seen.cut = page.evaluate(LOOK, {"cut": True})["cut"]
    page.evaluate("document.documentElement.style.fontSize = ''")
    _resize(page, PHONE)
    if len(page.frames) > 1:
        # The card frame asks for its new height by message: a click before it moves the button away would miss it.
        page.evaluate(SETTLED)
    return seen


def _axe(page, *, dark: bool) -> list[str]:
    """Run every rule on the whole page; on the processor's card frame, which is no page, those of WCAG.

    A frame of another origin is looked at from within: axe cannot reach into it from the page.
    """
    every = {"iframes": False, "resultTypes": ["violations"]}
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate(VIOLATIONS, every)
    if dark:  # colours are the same in every language
        page.emulate_media(color_scheme="dark")
        found += [f"in the dark: {line}" for line in page.evaluate(VIOLATIONS, {"iframes": False} | ONLY_CONTRAST)]
        page.emulate_media(color_scheme="light")
    for frame in page.frames[1:]:
        if frame.url.startswith("http") and not frame.is_detached():
            frame.evaluate(AXE_SCRIPT)
            found += [f"in the card frame: {line}" for line in frame.evaluate(VIOLATIONS, WCAG)]
    return found


def _resize(page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


def _photograph(page, name: str, language: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for size in (DESK, PHONE):
        _resize(page, size)
        page.screenshot(path=SCREENSHOTS / f"{name}-{language}-{size[0]}.png", full_page=True)


def letters(text: str) -> bool:
    """Tell whether a text has words at all."""
    return bool(re.search(r"[^\W\d_]{2,}", text))
