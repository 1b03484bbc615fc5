"""How many accounts a second are replaced one by one over the public API, beside a plain DRF view of the same rows."""

import itertools
import json

from tests.benchmarks import posts
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import Stage, percentile

ACCOUNTS = 200
CLIENTS = 8


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Replace every account by a record with another balance, by one client and by eight; then the peer's."""
    from django.utils import timezone

    from accounts.models import Account
    from accounts.tenancy import acting_for
    from integrations import keys

    records = stage.records(ACCOUNTS)
    found: dict[str, list[float]] = {}
    versions = itertools.count(100)
    with stage.web() as web:
        from tests.benchmarks.push import push

        push(stage, web, [records], "accepted")
        with acting_for(stage.agency):
            _key, text = keys.make(name="bench", scopes=["accounts:write"], by="bench", now=timezone.now())
            ids = dict(Account.objects.values_list("reference", "pk"))
        named = [(record, ids[record["FileNumber"]]) for record in records]
        headers = (
            f"Host: {stage.stack.environment['PORTAL_DOMAIN']}",
            f"Authorization: Bearer {text}",
            "Content-Type: application/json",
        )

        def product(record: dict, key) -> posts.Ask:
            body = {"record": record | {"Version": next(versions), "CurrentBalance": f"{next(versions)}.00"}}
            return posts.Ask(f"{web}/api/v1/accounts/{key}", headers, json.dumps(body).encode(), "PUT")

        def plain(record: dict, key) -> posts.Ask:
            url = f"{web}/api/bench/plain/{stage.agency.pk}/{key}/"
            return posts.Ask(url, headers, json.dumps(said_plainly(record, next(versions))).encode(), "PUT")

        for _round in range(rounds):
            for name, ask in (("product", product), ("plain", plain)):
                alone = posts.one_by_one([ask(*one) for one in named])
                crowd = posts.many([ask(*one) for one in named * 2], clients=CLIENTS)
                assert set(alone.statuses) | set(crowd.statuses) == {200}, (name, alone.statuses, crowd.statuses)
                found.setdefault(name, []).append(crowd.rate)
                found.setdefault(f"{name} p50", []).append(percentile(alone.each, 0.5) * 1000)
    return Section("puts", "3c. Accounts replaced one by one", TOLD, lines(found))


TOLD = (
    f"PUT of a full record with another balance, one account in a request, {CLIENTS} clients. Beside it a plain"
    " DRF view in the same server: a serializer with its nested ones, the account locked, account, consumer and contact"
    " points saved, no key, rate, scope, version, hash or event."
)


def said_plainly(record: dict, balance: int) -> dict:
    """Write a record as the plain view reads it."""
    return {
        "balance_cents": balance * 100,
        "as_of": record["AsOf"],
        "original_creditor": "Harbor Medical Group",
        "description": "Emergency room visit",
        "consumer": {
            "first_name": record["FirstName"],
            "last_name": record["LastName"],
            "street1": "1 Main Street",
            "city": "Albany",
            "state": "NY",
            "zip": "12207",
            "contact_points": [
                {"kind": "phone", "value": record["Phones"][0]["Number"]},
                {"kind": "email", "value": record["Emails"][0]["Address"]},
            ],
        },
    }


def lines(found: dict[str, list[float]]) -> list[Line]:
    """Make the table."""
    unit = "accounts/s"
    return [
        Line("one account in a request", unit, found["product"], found["plain"], "a plain DRF view", 2),
        Line("one account in a request, 1 client, p50", "ms", found["product p50"]),
        Line("a plain DRF view", unit, found["plain"]),
        Line("a plain DRF view, 1 client, p50", "ms", found["plain p50"]),
    ]
