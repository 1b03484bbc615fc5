"""Draw the mailbox pages; every text from a mail is escaped here."""

import html
import json
import re
from datetime import UTC, datetime
from urllib.parse import urlencode

from .store import iso

PAGE_SIZE = 50
LIMIT_ADDRESSES = 200
LIMIT_SNIPPET = 160
CHIPS = {  # state or event: (label, kind of colour)
    "accepted": ("On its way", "wait"),
    "deferred": ("Deferred", "wait"),
    "delivered": ("Delivered", "good"),
    "bounced": ("Bounced", "bad"),
    "suppressed": ("Suppressed", "bad"),
    "opened": ("Opened", "info"),
    "clicked": ("Clicked", "info"),
    "complained": ("Spam report", "bad"),
    "unsubscribed": ("Unsubscribed", "wait"),
}
ACTIONS = {
    "open": "Open",
    "click": "Click first link",
    "bounce": "Bounce",
    "complain": "Report as spam",
    "unsubscribe": "Unsubscribe",
}
STYLE = """
:root { color-scheme: light dark; --desk: #f1eee7; --paper: #fffdf8; --ink: #24211c; --soft: #635d52;
  --line: #ddd6c8; --brand: #1d5c4d; --brand-soft: #e0ece6; --good: #1d5c4d; --good-soft: #dcebe4;
  --bad: #97271d; --bad-soft: #f7e1dc; --wait: #6d4d07; --wait-soft: #f5e9c9; --info: #244f86;
  --info-soft: #dfe9f6; }
@media (prefers-color-scheme: dark) { :root { --desk: #171614; --paper: #211f1c; --ink: #ece7dd;
  --soft: #aca495; --line: #3a362f; --brand: #8fd0bb; --brand-soft: #24342e; --good: #9fd8c3;
  --good-soft: #1f3029; --bad: #f2aca2; --bad-soft: #40241f; --wait: #e6c877; --wait-soft: #383016;
  --info: #a9c8ef; --info-soft: #20303f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--desk); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
a { color: var(--brand); text-underline-offset: .2em; }
:focus-visible { outline: 3px solid var(--brand); outline-offset: 2px; border-radius: 4px; }
header.top { padding: 1rem clamp(1rem, 4vw, 2.5rem); display: flex; flex-wrap: wrap; gap: .25rem 1.5rem;
  align-items: baseline; }
header.top a { color: inherit; text-decoration: none; font-weight: 650; font-size: 1.15rem; }
header.top p { margin: 0; color: var(--soft); font-size: .9rem; }
main { padding: 0 clamp(1rem, 4vw, 2.5rem) 3rem; max-width: 90rem; display: grid; gap: 1.25rem;
  align-items: start; }
.addresses { max-height: 15rem; overflow-y: auto; }
@media (min-width: 60rem) { .addresses { max-height: 80vh; }
main.two { grid-template-columns: 18rem minmax(0, 1fr); }
  main.mail { grid-template-columns: minmax(0, 1fr) 20rem; } }
.paper { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; overflow: hidden;
  min-width: 0; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; text-wrap: balance; }
h2 { font-size: .95rem; margin: 0; padding: .9rem 1.1rem; border-bottom: 1px solid var(--line); }
ul { list-style: none; margin: 0; padding: 0; }
.addresses a { display: flex; justify-content: space-between; gap: 1rem; padding: .65rem 1.1rem;
  min-height: 44px;
  align-items: center; text-decoration: none; color: inherit; overflow-wrap: anywhere; }
.addresses a:hover, .rows a:hover { background: var(--brand-soft); }
.addresses a[aria-current] { background: var(--brand-soft); box-shadow: inset 3px 0 var(--brand);
  font-weight: 600; }
.addresses span, time, .soft { color: var(--soft); font-variant-numeric: tabular-nums; }
summary { padding: .8rem 1.1rem; min-height: 44px; cursor: pointer; font-weight: 600; font-size: .95rem; }
.rows li + li { border-top: 1px solid var(--line); }
.rows a { display: grid; gap: .1rem 1rem; grid-template-columns: minmax(0, 1fr) auto; padding: .8rem 1.1rem;
  text-decoration: none; color: inherit; }
.rows strong { overflow-wrap: anywhere; }
.rows .snippet { color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.rows .who, time { font-size: .88rem; }
.rows .who { color: var(--soft); overflow-wrap: anywhere; }
.rows time { justify-self: end; }
.rows .chips { justify-self: end; align-self: start; }
.rows .snippet { grid-column: 1 / -1; }
.chips { display: flex; flex-wrap: wrap; gap: .3rem; justify-content: end; }
.chip { font-size: .78rem; font-weight: 600; line-height: 1; padding: .3rem .55rem; border-radius: 99px;
  white-space: nowrap; }
.good { color: var(--good); background: var(--good-soft); } .bad { color: var(--bad);
  background: var(--bad-soft); }
.wait { color: var(--wait); background: var(--wait-soft); } .info { color: var(--info);
  background: var(--info-soft); }
.empty { padding: 3rem 1.25rem; text-align: center; color: var(--soft); }
.pages { display: flex; justify-content: space-between; padding: .5rem 1.1rem;
  border-top: 1px solid var(--line); }
.pages a, nav.parts a { display: inline-flex; align-items: center; min-height: 44px; }
.head { padding: 1.1rem; display: grid; gap: .75rem; }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .15rem .9rem; margin: 0;
  font-size: .93rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
nav.parts { display: flex; gap: 1.4rem; padding: 0 1.1rem; border-block: 1px solid var(--line);
  overflow-x: auto; }
nav.parts a { text-decoration: none; color: var(--soft); border-bottom: 3px solid transparent;
  border-top: 3px solid transparent; white-space: nowrap; }
nav.parts a[aria-current] { color: var(--ink); font-weight: 600; border-bottom-color: var(--brand); }
iframe { display: block; width: 100%; height: 75vh; min-height: 30rem; border: 0; background: #fff; }
pre { margin: 0; padding: 1.1rem; white-space: pre-wrap; overflow-wrap: anywhere; font: inherit;
  max-width: 75ch; }
table { width: 100%; border-collapse: collapse; font-size: .93rem; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .5rem 1.1rem; overflow-wrap: anywhere; }
th { font-weight: 600; width: 11rem; } tr + tr { border-top: 1px solid var(--line); }
@media (max-width: 30rem) { th { width: 8rem; padding-right: 0; } nav.parts { gap: 1.1rem; }
  .rows a > * { grid-column: 1 / -1; } .rows .who { grid-column: 1; } .rows time { grid-column: 2; }
  .rows time { justify-self: end; }
.rows .chips { justify-self: start; order: 1; margin-top: .25rem; } }
.side { display: grid; gap: 1.25rem; }
.events li { padding: .7rem 1.1rem; } .events li + li { border-top: 1px solid var(--line); }
.events p { margin: .15rem 0 0; font-size: .88rem; color: var(--soft); }
.acts { display: grid; gap: .5rem; padding: 1.1rem; }
button { font: inherit; font-weight: 550; width: 100%; min-height: 44px; text-align: left;
  padding: .4rem .9rem;
  color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 8px;
  cursor: pointer; }
button:hover { background: var(--brand-soft); border-color: var(--brand); }
.note { margin: 0; padding: .8rem 1.1rem; background: var(--info-soft); color: var(--info);
  font-weight: 550; }
"""


def _esc(value):
    return html.escape(str(value))


def _time(timestamp, now):
    moment, today = (datetime.fromtimestamp(timestamp, UTC), datetime.fromtimestamp(now, UTC))
    shown = f"{moment:%H:%M:%S}" if moment.date() == today.date() else f"{moment.day} {moment:%b %Y, %H:%M}"
    return f'<time datetime="{iso(timestamp)}" title="{iso(timestamp)}">{shown}</time>'


def _chip(name):
    label, colour = CHIPS[name]
    return f'<span class="chip {colour}">{label}</span>'


def _page(title, store, body, *, refresh=False):
    clock = f"<p>Sandbox time {datetime.fromtimestamp(store.now(), UTC):%Y-%m-%d %H:%M} UTC</p>" if store else ""
    again = '<meta http-equiv="refresh" content="15">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_esc(title)}</title>{again}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style></head><body>'
        f'<header class="top"><a href="/">Mail sandbox</a>'
        f"<p>No mail leaves this machine.</p>{clock}</header>{body}</body></html>"
    )


def notice(title, text):
    """Return a page that says one thing."""
    body = f'<main><div class="paper head"><h1>{_esc(title)}</h1><p>{_esc(text)}</p></div></main>'
    return _page(title, None, body)


def _list_of(address):
    return "/?" + urlencode({"to": address}) if address else "/"


def _name(sender):
    return sender.partition("<")[0].strip(' "') or sender


def _snippet(message):
    text = message["text"] or html.unescape(
        re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", message["html"], flags=re.DOTALL)
    )
    return " ".join(text.split())[:LIMIT_SNIPPET]


def _states(message, names):
    shown = [message["state"]] + [n for n in ("opened", "clicked", "unsubscribed", "complained") if n in names]
    return "".join(map(_chip, shown))


def mailbox(store, *, to, page):
    """Return the list of mails, of all or of one address."""
    now = store.now()
    addresses = store.addresses(limit=LIMIT_ADDRESSES)
    total = sum(row["mails"] for row in addresses)
    entries = [("", "All mail", total)] + [(r["recipient"], r["recipient"], r["mails"]) for r in addresses]
    items = "".join(
        f'<li><a href="{_list_of(key)}"{" aria-current=page" if key == to else ""}>'
        f"{_esc(label)}<span>{count}</span></a></li>"
        for key, label, count in entries
    )
    found = store.messages(to=to, limit=PAGE_SIZE + 1, offset=(page - 1) * PAGE_SIZE)
    shown, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    names = store.event_names([message["id"] for message in shown])
    rows = "".join(
        f'<li><a href="/messages/{m["id"]}"><span class="who">{_esc(_name(m["sender"]))}'
        f"{'' if to else ' → ' + _esc(m['recipient'])}</span>{_time(m['accepted_at'], now)}"
        f'<strong>{_esc(m["subject"])}</strong><span class="chips">{_states(m, names[m["id"]])}</span>'
        f'<span class="snippet">{_esc(_snippet(m))}</span></a></li>'
        for m in shown
    )
    empty = '<p class="empty">No mail yet. What the portal sends appears here.</p>'
    steps = [("Newer", page - 1)] if page > 1 else []
    steps += [("Older", page + 1)] if more else []
    turn = "".join(f'<a href="/?{urlencode({"to": to, "page": n})}">{label}</a>' for label, n in steps)
    title = to or "All mail"
    body = (
        f'<main class="two"><details class="paper" {"" if to else "open"}><summary>Mailboxes</summary>'
        f'<ul class="addresses">{items}</ul></details>'
        f'<section class="paper"><div class="head"><h1>{_esc(title)}</h1></div>'
        f"{f'<ul class=rows>{rows}</ul>' if rows else empty}"
        f"{f'<nav class=pages>{turn}</nav>' if turn else ''}</section></main>"
    )
    return _page(f"{title} · Mail sandbox", store, body, refresh=page == 1)


def message(store, message, *, part, note):
    """Return the page of one mail: HTML, text, headers or attachments, and what happened to it."""
    now, own = store.now(), f"/messages/{message['id']}"
    attachments, events = store.attachments(message), store.events(message)
    parts = {"html": "Message"} if message["html"] else {}
    parts |= {"text": "Plain text"} if message["text"] else {}
    parts |= {"headers": "Headers"} | ({"files": f"Attachments ({len(attachments)})"} if attachments else {})
    tabs = "".join(
        f'<a href="{own}?part={key}"{" aria-current=page" if key == part else ""}>{label}</a>'
        for key, label in parts.items()
    )
    if part == "html":
        shown = (
            '<iframe title="The message as HTML" sandbox="allow-popups allow-popups-to-escape-sandbox"'
            f' src="{own}/html"></iframe>'
        )
    elif part == "headers":
        lines = json.loads(message["headers"])
        lines += [[f"Variable {k}", v] for k, v in json.loads(message["variables"]).items()]
        shown = "".join(f"<tr><th>{_esc(k)}</th><td>{_esc(v)}</td></tr>" for k, v in lines)
        shown = f"<table>{shown}</table>"
    elif part == "files":
        shown = "".join(
            f'<tr><th><a href="{own}/attachments/{a["position"]}">{_esc(a["name"])}</a></th>'
            f"<td>{_esc(a['content_type'])}</td><td>{a['size'] / 1024:,.1f} kB</td></tr>"
            for a in attachments
        )
        shown = f"<table>{shown}</table>"
    else:
        linked = re.sub(r"https?://[^\s<>]+[^\s<>.,;:)]", _text_link, message["text"])
        plain = re.split(r"(\x00[^\x00]+\x00)", linked)
        shown = "<pre>" + "".join(_text_piece(piece) for piece in plain) + "</pre>"
    happened = "".join(
        f"<li>{_chip_of_event(e)} {_time(e['at'], now)}<p>{_webhook(e)}</p></li>" for e in reversed(events)
    )
    actions = ACTIONS | (
        {"one-click": "One-click unsubscribe"} if "List-Unsubscribe-Post" in message["headers"] else {}
    )
    buttons = "".join(
        f'<form method="post" action="{own}/{key}"><button>{label}</button></form>' for key, label in actions.items()
    )
    tags = json.loads(message["tags"])
    asked = ["opens"] * bool(message["track_opens"]) + ["clicks"] * (message["track_clicks"] != "no")
    facts = {
        "From": message["sender"],
        "To": message["shown_to"],
        "Sent": f"{datetime.fromtimestamp(message['accepted_at'], UTC):%Y-%m-%d %H:%M:%S} UTC",
        "Tracking": " and ".join(asked) or "none",
    } | ({"Tags": ", ".join(tags)} if tags else {})
    details = "".join(f"<dt>{k}</dt><dd>{_esc(v)}</dd>" for k, v in facts.items())
    shown_note = f'<p class="note" role="status">{_esc(note)}</p>' if note else ""
    body = (
        f'<main class="mail"><article class="paper">{shown_note}'
        f'<div class="head"><h1>{_esc(message["subject"])}</h1><dl>{details}</dl>'
        f'<a href="{_list_of(message["recipient"])}">All mail to {_esc(message["recipient"])}</a></div>'
        f'<nav class="parts" aria-label="Parts">{tabs}</nav>{shown}</article>'
        f'<div class="side"><section class="paper"><h2>What happened</h2><ul class="events">{happened}</ul>'
        f'</section><section class="paper"><h2>Act as the recipient</h2><div class="acts">{buttons}</div>'
        "</section></div></main>"
    )
    return _page(f"{message['subject']} · Mail sandbox", store, body)


def _text_link(found):
    return f"\x00{found[0]}\x00"


def _text_piece(piece):
    if piece.startswith("\x00"):
        url = _esc(piece.strip("\x00"))
        return f'<a href="{url}" target="_blank" rel="noreferrer">{url}</a>'
    return _esc(piece)


def _chip_of_event(event):
    if event["name"] != "failed":
        return _chip(event["name"])
    return _chip("bounced" if json.loads(event["data"])["severity"] == "permanent" else "deferred")


def _webhook(event):
    if not event["webhook"]:
        return "No webhook is configured"
    if event["webhook"] == "sent":
        return f"Webhook answered {_esc(event['answer'])}"
    tried = f", {event['attempts']} tries, last answer {_esc(event['answer'])}" if event["attempts"] else ""
    return f"Webhook {event['webhook']}{tried}"
