"""The SCollect host's page: what came in and how fast, the accounts and their items, and the buttons."""

import json
from datetime import datetime

from ..clock import moment
from ..page import (
    Html,
    badge,
    bars,
    button,
    choice,
    code,
    details,
    frame,
    group,
    markup,
    section,
    table,
    tiles,
)
from .ledger import SCRIPTED
from .records import dollars

EVENTS_SHOWN = 12
ACCOUNTS_SHOWN = 40
PUSHES_SHOWN = 8
LATENCY_STEPS = (5, 10, 25, 50, 100, 250, 1000)

TONES = {
    "POSTED": "good",
    "PENDING": "wait",
    "PROCESSED": "wait",
    "DECLINED": "bad",
    "CHARGEBACK": "bad",
    "ACH REVERSAL": "bad",
    "REFUND": "bad",
    "accepted": "good",
    "refused": "bad",
}


def render(host) -> str:
    parts = (summary(host), controls(host), *host.sections(), events(host), accounts(host), pushes(host))
    body = "".join(parts)
    return frame(
        title=f"{host.setting('name')}: {host.title} sandbox host",
        kind=f"{host.title} style sandbox host",
        heading=host.setting("name"),
        clock=host.clock.now().strftime("%a %d %b %Y, %H:%M:%S"),
        body=body,
    )


def summary(host) -> Html:
    counts, latency, order = host.inbox.counts(), host.inbox.latency(), host.inbox.order()
    out_of_order = len(order["gaps"]) + len(order["out_of_order"])
    waiting, faults = host.pushes.waiting(), host.faults.listed()
    return section(
        "summary",
        "Received from the portal",
        tiles(
            ("Events", counts["received"], ""),
            ("Came twice", counts["duplicates"], ""),
            ("Refused", counts["refused"], "bad" if counts["refused"] else ""),
            ("Order broken", out_of_order, "bad" if out_of_order else ""),
            ("p50 after commit", milliseconds(latency["p50_ms"]), "good"),
            ("p99 after commit", milliseconds(latency["p99_ms"]), "good"),
            ("Pushes waiting", len(waiting), "bad" if any(push["tries"] for push in waiting) else ""),
            ("Faults scripted", len(faults), "bad" if faults else ""),
        ),
    )


def controls(host) -> Html:
    set_up = [
        badge("portal connected", "good") if host.pushes.configured() else badge("portal not configured", "wait"),
        badge("processor key set", "good")
        if host.setting("processor_key")
        else badge("processor not configured", "wait"),
    ]
    faults = [
        [fault["mode"], fault["path"], "until cleared" if fault["remaining"] is None else fault["remaining"]]
        for fault in host.faults.listed()
    ]
    refusing = bool(host.setting("refuse_cancels"))
    return section(
        "controls",
        "Controls",
        last_command(host),
        Html(f'<p class="note">{" ".join(set_up)}</p>'),
        Html('<div class="groups">'),
        group(
            "Move the clock",
            button("One day", "advance", tone="main", days=1),
            button("One week", "advance", days=7),
            button("One month", "advance", months=1),
        ),
        group(
            "Push accounts to the portal",
            button("All", "push", tone="main", FileNumbers="all"),
            button("All, twice", "push", FileNumbers="all", times=2),
            button("A stale version", "push", FileNumbers="all", stale=1),
            button("Seed Acme", "seed", agency="acme"),
            button("Seed Birch", "seed", agency="birch"),
        ),
        group(
            "Bad days, as the portal sees them",
            button("Outage", "faults", tone="danger", mode="outage"),
            button("500, three times", "faults", tone="danger", status=500, times=3),
            button("Slow, three times", "faults", tone="danger", mode="slow", seconds=2, times=3),
            button("Answer lost", "faults", tone="danger", mode="drop_after_effect", times=1),
            button("Wrong body", "faults", tone="danger", mode="wrong_body", times=1),
            button("All well again", "faults", clear=1),
        ),
        group(
            "Cancel requests",
            button("Allow them", "configure", refuse_cancels="")
            if refusing
            else button("Refuse them", "configure", tone="danger", refuse_cancels=1),
        ),
        Html("</div>"),
        table(["Fault", "Path", "Times left"], faults, empty="") if faults else "",
    )


def last_command(host) -> Html:
    last = host.store.setting("last_command")
    if not last:
        return Html("")
    result = last["result"]
    if "done" in result:
        lines = result["done"] + result.get("held", [])
        said = f"The clock moved to {at(result['now'])}. " + ("What was due:" if lines else "Nothing was due.")
        listed = "".join(
            f"<li>{markup(line['FileNumber'])}: {markup(line['Method'])} {markup(line['Amount'])} "
            f"{badge(line['Outcome'], TONES.get(line['Outcome'], 'wait'))} {markup(line['Code'])}</li>"
            for line in lines[:20]
        )
        return Html(f'<div class="said">{markup(said)}<ul>{listed}</ul></div>')
    if "answers" in result:
        replies = "; ".join(f"{answer['status']} {json.dumps(answer['answer'])}" for answer in result["answers"])
        return Html(f'<div class="said">{result["pushed"]} records pushed. {markup(replies[:600])}</div>')
    return Html(f'<div class="said">Done: {markup(last["name"])} at {markup(at(last["at"]))}.</div>')


def accounts(host) -> Html:
    rows = host.store.rows("SELECT * FROM accounts ORDER BY as_of DESC, rowid LIMIT ?", ACCOUNTS_SHOWN)
    shown = [account(host, row) for row in rows] or [
        table([], [], empty="No accounts yet: seed an agency, or POST /_sandbox/accounts.")
    ]
    total = host.store.scalar("SELECT count(*) FROM accounts")
    return section("accounts", "Accounts", *shown, note=f"{total} in the store, the latest change first")


def account(host, row) -> Html:
    body = json.loads(row["body"])
    items = host.store.rows(
        "SELECT * FROM items WHERE file_number = ? ORDER BY part DESC, date, rowid", row["file_number"]
    )
    name = f"{body.get('FirstName', '')} {body.get('LastName', '')}".strip()
    status = body.get("Status", "")
    offer = body.get("Settlement")
    meta = [
        f"version {row['version']}",
        f"as of {at(row['as_of'])}",
        body.get("ClientName", ""),
        "Settlement " + ", ".join(f"{key} {value}" for key, value in offer.items() if key != "Text") if offer else "",
    ]
    # What the portal touched is open; the rest of the portfolio stays folded.
    opened = " open" if any(item["portal_id"] for item in items) else ""
    head = (
        f"<summary><b>{markup(row['file_number'])}</b><span>{markup(name)}</span>"
        f"{badge(status, '' if status == 'ACTIVE' else 'bad')}"
        f'<span class="sum">${markup(dollars(row["balance_cents"]))}</span></summary>'
        f'<p class="meta">{markup(" · ".join(part for part in meta if part))}</p>'
    )
    lines = [
        [
            "Post-date" if item["part"] == "postdate" else "Payment",
            item["date"],
            dollars(item["amount_cents"]),
            f"{item['method']} {item['last4']}".strip(),
            Html(badge(item["status"], TONES.get(item["status"], "")) + held(item)),
            code(item["portal_id"][:13]) if item["portal_id"] else "born here",
            choice("Set", "outcome", name="Status", options=SCRIPTED, HostID=item["host_id"]),
        ]
        for item in items
    ]
    heads = ["Kind", "Date", "Amount", "Method", "Status", "Portal's id", "Script"]
    ledger = table(heads, lines, empty="", numeric=(2,)) if lines else ""
    key = markup(f"a{row['file_number']}")
    return Html(f'<details class="account" id="{key}"{opened}>{head}{ledger}</details>')


def held(item) -> str:
    note = f" {markup(item['note'])}" if item["note"] else ""
    return (" " + badge("held", "bad") if item["held"] else "") + note


def events(host) -> Html:
    rows = host.store.rows("SELECT * FROM events ORDER BY number DESC LIMIT ?", EVENTS_SHOWN)
    lines = [
        [
            at(row["received_at"]),
            milliseconds(row["latency_ms"]),
            event(row),
            row["file_number"] or "",
            "" if row["account_sequence"] is None else row["account_sequence"],
            Html(
                badge(row["outcome"], TONES[row["outcome"]])
                + (f" {markup(row['reason'])}" if row["reason"] else "")
                + (f" came {row['duplicates'] + 1} times" if row["duplicates"] else "")
            ),
        ]
        for row in rows
    ]
    heads = ["Received", "After commit", "Event", "Account", "Number", "Outcome"]
    return section(
        "events",
        "Events",
        bars(histogram(host)) if rows else "",
        table(heads, lines, empty="Nothing has come from the portal yet.", numeric=(1, 4)),
        note="How long after the portal's commit each one arrived, latest first",
    )


def event(row) -> Html:
    told = json.loads(row["body"]) | ({"Answer": json.loads(row["answer"])} if row["answer"] else {})
    folded = details("e" + row["event_id"], row["type"], told)
    return Html(f"<strong>{markup(row['event'])}</strong> {folded}")


def histogram(host) -> list[tuple[str, int]]:
    found = [
        row[0]
        for row in host.store.rows(
            "SELECT latency_ms FROM events WHERE latency_ms IS NOT NULL ORDER BY number DESC LIMIT 1000"
        )
    ]
    edges = [float("-inf"), *LATENCY_STEPS, float("inf")]
    names = [f"to {step} ms" for step in LATENCY_STEPS] + [f"over {LATENCY_STEPS[-1]} ms"]
    return [
        (name, sum(low < value <= high for value in found))
        for name, low, high in zip(names, edges, edges[1:], strict=False)
    ]


def pushes(host) -> Html:
    lines = [
        [
            at(push["at"]),
            push["why"],
            f"{push['first']}" + (f" and {push['records'] - 1} more" if push["records"] > 1 else ""),
            badge(str(push["status"]), "good")
            if push["status"] == 200
            else badge(str(push["status"] or "no answer"), "bad"),
            milliseconds(push["took_ms"]),
            code(push["answer"][:160]),
        ]
        for push in host.pushes.log(PUSHES_SHOWN)
    ]
    heads = ["At", "Why", "Accounts", "Answer", "Took", "The portal said"]
    return section("pushes", "Pushes to the portal", table(heads, lines, empty="Nothing pushed yet.", numeric=(4,)))


def milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} ms" if value < 1000 else f"{value / 1000:,.1f} s"


def at(text: str) -> str:
    read: datetime = moment(text)
    return read.strftime("%d %b %H:%M:%S.") + f"{read.microsecond // 1000:03d}"
