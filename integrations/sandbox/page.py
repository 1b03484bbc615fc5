"""The parts that the pages of all sandbox hosts are built from; every value is escaped here."""

import json
from html import escape

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<header class="top">
  <div>
    <p class="kind">{kind}</p>
    <h1>{heading}</h1>
  </div>
  <p class="clock"><span>Host clock, UTC</span><strong id="clock">{clock}</strong></p>
</header>
<main>
{body}
</main>
<footer>A sandbox: plainly fictional people, no real money. Control calls: <code>/_sandbox/</code></footer>
</body>
</html>
"""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def markup(value) -> str:
    return value if isinstance(value, Html) else escape(str(value))


def frame(*, title: str, kind: str, heading: str, clock: str, body: str) -> str:
    return FRAME.format(title=escape(title), kind=escape(kind), heading=escape(heading), clock=escape(clock), body=body)


def section(key: str, title: str, *parts: str, note: str = "") -> Html:
    """A part of the page that renews itself while it is open."""
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    return Html(f'<section id="{key}" data-live><h2>{escape(title)}</h2>{said}{"".join(parts)}</section>')


def tiles(*pairs: tuple[str, object, str]) -> Html:
    """Figures with their names; the third value is "", "good" or "bad"."""
    made = "".join(
        f'<div class="tile {tone}"><dt>{escape(name)}</dt><dd>{markup(value)}</dd></div>' for name, value, tone in pairs
    )
    return Html(f'<dl class="tiles">{made}</dl>')


def table(heads: list[str], rows: list[list], *, empty: str, numeric: tuple[int, ...] = ()) -> Html:
    """A table that turns into cards on a narrow screen; `numeric` columns are set right."""
    if not rows:
        return Html(f'<p class="empty">{escape(empty)}</p>')
    sides = ["num" if index in numeric else "" for index in range(len(heads))]
    head = "".join(
        f'<th scope="col" class="{side}">{escape(name)}</th>' for name, side in zip(heads, sides, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{side}" data-label="{escape(name)}"><span>{markup(cell)}</span></td>'
            for name, side, cell in zip(heads, sides, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return Html(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def badge(word: str, tone: str = "") -> Html:
    return Html(f'<span class="badge {tone}">{escape(word)}</span>')


def code(value) -> Html:
    return Html(f"<code>{escape(str(value))}</code>")


def button(label: str, action: str, *, tone: str = "", **fields) -> Html:
    """A form with one button, so that the page works without a script."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(str(value))}">' for name, value in fields.items()
    )
    return Html(
        f'<form method="post" action="/_sandbox/{action}">{hidden}'
        f'<button class="{tone}">{escape(label)}</button></form>'
    )


def choice(label: str, action: str, *, name: str, options: tuple[str, ...], **fields) -> Html:
    """A form with one list to choose from and a button."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(key)}" value="{escape(str(value))}">' for key, value in fields.items()
    )
    listed = "".join(f"<option>{escape(option)}</option>" for option in options)
    return Html(
        f'<form method="post" action="/_sandbox/{action}" class="choice">{hidden}'
        f'<select name="{escape(name)}" aria-label="{escape(label)}">{listed}</select>'
        f"<button>{escape(label)}</button></form>"
    )


def group(title: str, *buttons: str) -> Html:
    return Html(f'<div class="group"><h3>{escape(title)}</h3><div class="buttons">{"".join(buttons)}</div></div>')


def details(key: str, summary: str, value) -> Html:
    """A value as indented JSON, folded away; it stays open when the page renews itself."""
    shown = value if isinstance(value, str) else json.dumps(value, indent=2)
    folded = f"<summary>{escape(summary)}</summary><pre>{escape(shown)}</pre>"
    return Html(f'<details id="{escape(key)}">{folded}</details>')


def bars(counts: list[tuple[str, int]]) -> Html:
    """A histogram as a list of meters."""
    most = max((count for _, count in counts), default=0) or 1
    rows = "".join(
        f'<li><span>{escape(name)}</span><meter min="0" max="{most}" value="{count}"></meter><b>{count}</b></li>'
        for name, count in counts
    )
    return Html(f'<ol class="bars">{rows}</ol>')
