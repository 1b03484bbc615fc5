"""A small body may unfold to much: what a record, an entry and a push may be is bounded, and what is said of them."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Account
from integrations import hosts
from integrations.services import receive
from tests.integrations.file_cast import FileHost
from tests.integrations.test_receive import Host, record

pytestmark = pytest.mark.django_db
MB = 2**20
MOST_MEMORY = 96 * MB
"""Of a request or a file, whatever it unfolds to."""
ENTRY = {"customerId": "K-1", "lastName": "Doe", "asOf": "2026-12-01T14:00:00Z"}


@pytest.fixture(autouse=True)
def own_vault(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "vault"


@pytest.fixture
def host(agency, client) -> Host:
    return Host(agency, client)


@pytest.fixture
def smart(agency, client) -> FileHost:
    return FileHost(agency, client, style="smartcollect", **hosts.defaults("smartcollect"))


def measured(do: Callable[[], Any]) -> Any:
    """Do something and see that it takes no more than MOST_MEMORY."""
    tracemalloc.start()
    try:
        done = do()
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MOST_MEMORY, f"{most / MB:.0f} MB"
    return done


def packed(host, body: bytes):
    path = f"/api/v1/hosts/{host.connection.pk}/accounts"
    headers = {"Authorization": f"Bearer {host.key}", "Host": "localhost", "Content-Encoding": "gzip"}
    return host.client.post(path, data=gzip.compress(body), content_type="application/json", headers=headers)


def empty(count: int) -> bytes:
    return b"[" + b",".join([b"{}"] * count) + b"]"


def test_five_thousand_records_of_a_thousand_empty_items_are_refused_unread(host, acting):
    items = empty(500)
    body = b"[" + b",".join([b'{"Payments":' + items + b',"PostDates":' + items + b"}"] * 5_000) + b"]"
    answer = measured(lambda: packed(host, body))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_of_a_record_fifty_errors_are_told_and_of_a_push_a_thousand(host, acting):
    body = b"[" + b",".join([b'{"FileNumber":"1","Payments":' + empty(500) + b"}"] * 700) + b"]"
    answer = measured(lambda: packed(host, body)).json()
    assert (answer["received"], answer["refused"], len(answer["errors"])) == (700, 700, 1_000)
    assert answer["unlisted_errors"] == 700 * 51 - 1_000
    first = [error for error in answer["errors"] if error["index"] == 0]
    assert len(first) == 51
    assert (first[0]["pointer"], first[0]["code"]) == ("/Status", "required")
    assert (first[50]["pointer"], first[50]["code"]) == ("", "too_many_errors")


def test_a_push_with_few_errors_lists_them_all(host, acting):
    answer = host.push(record(LastName=""), record(FileNumber="2"))
    assert (len(answer["errors"]), answer["unlisted_errors"]) == (1, 0)


def test_an_entry_has_at_most_500_accounts_and_the_entry_beside_it_lands(smart, acting):
    account = {"status": "OPEN", "client": {"code": "C1"}, "balance": "1.00"}
    many = ENTRY | {"accounts": [account | {"accountNumber": str(n)} for n in range(501)]}
    one = ENTRY | {"accounts": [account | {"accountNumber": "A"}]}
    answer = packed(smart, json.dumps([many, one]).encode()).json()
    assert [(error["index"], error["pointer"], error["code"]) for error in answer["errors"]] == [
        (0, "/accounts", "invalid_list")
    ]
    assert Account.objects.get().reference == "A"


def test_the_limit_of_a_push_counts_the_accounts_of_its_entries(smart, acting, settings):
    settings.PUSH_LIMIT = 3
    entry = ENTRY | {"accounts": [{"accountNumber": "1"}, {"accountNumber": "2"}]}
    answer = packed(smart, json.dumps([entry, entry]).encode())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert packed(smart, json.dumps([entry]).encode()).json()["received"] == 2
    with pytest.raises(receive.TooMany):
        receive.take(connection=smart.connection, records=[entry, entry], now=None)


def test_an_entry_of_six_million_empty_accounts_is_refused_unread(smart, acting):
    body = json.dumps(ENTRY)[:-1].encode() + b',"accounts":' + empty(6_000_000) + b"}"
    answer = measured(lambda: packed(smart, body))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("count", "field", "code"), [(40_000, "/accounts", "invalid_list"), (500, "", "unfolds_too_far")]
)
def test_an_entry_of_a_file_does_not_unfold_to_gigabytes(smart, acting, count, field, code):
    body = json.dumps(ENTRY | {"note": "x" * 120_000})[:-1].encode() + b',"accounts":' + empty(count) + b"}\n"
    good = json.dumps(
        ENTRY | {"accounts": [{"accountNumber": "A", "status": "OPEN", "client": {"code": "C1"}, "balance": 1}]}
    )
    file = measured(lambda: smart.send(body + good.encode()))
    assert (file.state, file.counts["accepted"], file.counts["refused"]) == ("applied", 1, 1)
    assert smart.errors(file) == [(1, "", field, code)]
