"""How fast consumer pages come, beside a view that says "ok" behind the same middleware and server."""

import http.client
from urllib.parse import urlsplit

from tests.benchmarks import posts
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import Stage, percentile

ALONE, CROWD = 300, 600
"""Requests of the one client, and of all sixteen together; per page and round."""
CLIENTS = 16
MOST_QUERIES = 12


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Ask for each page alone and by sixteen signed-in consumers at once, in turns."""
    from django.utils import timezone

    accounts = stage.place(CLIENTS)
    cookies = [cookie for cookie, _visit in stage.sign_in(accounts, now=timezone.now())]
    found: dict[str, list[float]] = {}
    queries: dict[str, float] = {}
    with stage.web() as web:
        pages = {
            "ok": ["/bench/ok/"] * CLIENTS,
            "home": ["/home/"] * CLIENTS,
            "account": [f"/accounts/{account.pk}/" for account in accounts],
        }
        for name, paths in pages.items():
            pairs = list(zip(paths, cookies, strict=True))
            queries[f"{name} first"] = max(count(stage, web, *pair) for pair in pairs)
            queries[name] = max(count(stage, web, *pair) for pair in pairs)
        for _round in range(rounds):
            for name, paths in pages.items():
                asks = [
                    posts.Ask(web + path, (stage.consumer_host, cookie))
                    for path, cookie in zip(paths, cookies, strict=True)
                ]
                alone = posts.one_by_one(asks[:1] * ALONE)
                crowd = posts.many(asks * (CROWD // CLIENTS), clients=CLIENTS)
                assert set(alone.statuses) | set(crowd.statuses) == {200}, (name, alone.statuses, crowd.statuses)
                for label, value in (
                    ("p50", percentile(alone.each, 0.5) * 1000),
                    ("p99", percentile(alone.each, 0.99) * 1000),
                    ("rate", crowd.rate),
                ):
                    found.setdefault(f"{name} {label}", []).append(value)
    return Section("pages", "4. Consumer pages", TOLD, lines(found, queries))


TOLD = (
    "gunicorn, two workers of four threads, as the product starts it; a signed-in consumer with one account. One"
    f" client asks again and again; then {CLIENTS} at once, each a consumer of their own. Beside it a view that says"
    ' "ok" to the same consumers, behind the same middleware, session and visit, in the same server.'
)


def lines(found: dict[str, list[float]], queries: dict[str, float]) -> list[Line]:
    """Make the table."""
    made = []
    for name in ("home", "account"):
        made += [
            Line(f"{name}, 1 client, p50", "ms", found[f"{name} p50"], target=12, at_most=True),
            Line(f"{name}, 1 client, p99", "ms", found[f"{name} p99"], target=60, at_most=True),
            Line(
                f"{name}, 16 clients", "requests/s", found[f"{name} rate"], found["ok rate"], '"ok", 16 clients', 0.15
            ),
            Line(
                f"{name}, queries of the first look", "", [queries[f"{name} first"]], target=MOST_QUERIES, at_most=True
            ),
            Line(f"{name}, queries of the next ones", "", [queries[name]], target=MOST_QUERIES, at_most=True),
        ]
    return [
        *made,
        Line('"ok", 1 client, p50', "ms", found["ok p50"]),
        Line('"ok", 16 clients', "requests/s", found["ok rate"]),
        Line('"ok", queries (middleware)', "", [queries["ok"]]),
    ]


def count(stage: Stage, web: str, path: str, cookie: str) -> int:
    """Ask the server how many queries a page takes."""
    connection = http.client.HTTPConnection(urlsplit(web).netloc, timeout=30)
    host, value = stage.consumer_host.partition(": ")[2], cookie.partition(": ")[2]
    connection.request("GET", path, headers={"Host": host, "Cookie": value, "X-Count": "1"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, (path, answer.status, body[:300])
    return int(answer.headers["X-Count"])
