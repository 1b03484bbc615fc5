"""The page at ``/``: what the processor knows, for people."""

import json
from datetime import UTC, datetime
from html import escape
from typing import Any

from . import banks, cards, control
from .store import Store

NEWEST = 40


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%b %-d, %H:%M:%S")


def _sum(cents: int | None) -> str:
    return f"${(cents or 0) / 100:,.2f}"


def _table(head: list[str], rows: list[list[str]], empty: str) -> str:
    if not rows:
        return f'<p class="empty">{escape(empty)}</p>'
    top = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    name = escape(head[0])
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="Table by {name}">'
    return f"{region}<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _badge(status: str) -> str:
    tone = {"succeeded": "good", "delivered": "good", "won": "good", "failed": "bad", "lost": "bad"}.get(status, "wait")
    return f'<span class="badge {tone}">{escape(status.replace("_", " "))}</span>'


def _movement(entry: dict[str, Any]) -> list[str]:
    by = " ".join(str(entry.get(name) or "") for name in ("brand", "funding")) if entry.get("brand") else "bank"
    return [
        escape(_moment(entry["created"])),
        escape(entry["account"]),
        escape(entry["kind"]),
        f'<span class="sum">{_sum(entry["amount"])}</span>',
        _badge(entry["status"]) + (f" <small>{escape(entry['decline_code'])}</small>" if entry["decline_code"] else ""),
        escape(f"{by} {entry['last4']}" if entry.get("last4") else ""),
        escape(entry.get("credential") or ""),
        f"<code>{escape(entry['id'])}</code>",
        f"<code>{escape(json.dumps(entry['metadata']))}</code>" if entry["metadata"] else "",
    ]


def render(store: Store) -> str:
    """Return the page as HTML."""
    entries = control.ledger(store)
    taken = sum(one["amount"] for one in entries if one["kind"] == "charge" and one["status"] == "succeeded")
    given = sum(one["amount"] for one in entries if one["kind"] == "refund" and one["status"] != "failed")
    waiting = [one for one in entries if one["status"] == "pending" and one["kind"] == "charge"]
    hooks = control.webhooks(store)
    movements = _table(
        ["When (UTC)", "Account", "Kind", "Amount", "Status", "From", "Key", "Reference", "Metadata"],
        [_movement(one) for one in reversed(entries[-NEWEST:])],
        "No charges yet.",
    )
    deliveries = _table(
        ["Event", "Account", "Status", "Tries", "Answer"],
        [
            [
                escape(one["type"]),
                escape(one["account"]),
                _badge(one["status"]),
                str(one["attempts"]),
                escape(one["answer"] or ""),
            ]
            for one in hooks["deliveries"][:NEWEST]
        ],
        "No webhooks yet.",
    )
    merchants = _table(
        ["Account", "Publishable key", "Keys", "Webhook"],
        [
            [f"<code>{escape(str(one[name] or ''))}</code>" for name in ("id", "publishable_key")]
            + [escape(", ".join(one["credentials"])), escape(one["webhook_url"] or "none")]
            for one in control.accounts(store)["accounts"]
        ],
        "No merchant account yet: POST /_sandbox/accounts.",
    )
    numbers = _table(
        ["Card number", "Card", "What it does"],
        [
            [f"<code>{escape(number)}</code>", escape(f"{card.brand} {card.funding}"), escape(card.note)]
            for number, card in cards.CARDS.items()
        ],
        "",
    )
    accounts = _table(
        ["Account number", "Return", "What it does"],
        [
            [f"<code>{escape(number)}</code>", escape(bank.return_code or ""), escape(bank.note)]
            for number, bank in banks.BANKS.items()
        ],
        "",
    )
    counts = ", ".join(f"{number} {status}" for status, number in sorted(hooks["counts"].items())) or "none"
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox processor</title><link rel="stylesheet" href="/page.css"></head><body><main>
<header><h1>Sandbox processor</h1>
<p>A stand-in for the card and bank debit processor. No real money moves here.
Its clock says <strong>{escape(control.clock(store)["now"])}</strong>.
<a href="/">Look again</a></p></header>
<dl class="tiles">
<div><dt>Taken</dt><dd>{_sum(taken)}</dd></div>
<div><dt>Given back</dt><dd>{_sum(given)}</dd></div>
<div><dt>Bank debits on their way</dt><dd>{len(waiting)}</dd></div>
<div><dt>Webhooks</dt><dd class="small">{counts}</dd></div></dl>
<section><h2>Money</h2>{movements}</section>
<section><h2>Webhooks</h2>{deliveries}</section>
<section><h2>Merchant accounts</h2>{merchants}</section>
<section><h2>Test cards</h2>
<p>Any future expiry, any security code. Other numbers are declined and never stored.</p>{numbers}</section>
<section><h2>Test bank accounts</h2>
<p>Routing number 110000000. Small deposits are 32 and 45 cents, the code is SM11AA.</p>{accounts}</section>
</main></body></html>"""
