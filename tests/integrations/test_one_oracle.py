"""However an account is told - by PUT, in a bulk POST, by a push of the host or by a file - the rows are the same."""

import json

import pytest

from accounts.models import Account, AccountPast, Consumer, ContactPoint, Event
from integrations.models import HostConnection
from integrations.services.receive import make_inbound_key
from payments.models import HostItem
from settlements.models import IndividualOffer
from tests.integrations.api_caller import Caller
from tests.integrations.file_cast import FileHost, record

pytestmark = pytest.mark.django_db

OURS = {
    "id",
    "agency_id",
    "connection_id",
    "account_id",
    "consumer_id",
    "client_id",
    "line_hash",
    "sequence",
    "said_at",
}
OURS |= {
    "actor",
    "request_id",
    "occurred_at",
    "created_at",
    "updated_at",
    "made_at",
    "said_until",
    "decided_at",
    "until",
}
TOLD = (
    {"Settlement": {"Percent": 60, "MaxPayments": 3}, "PaymentOptions": {"CanPay": True}, "DebtType": "MEDICAL"},
    {"Version": 8, "CurrentBalance": "900.00", "Emails": [], "LastName": "Núñez", "Language": "es", "Status": "RECALL"},
    {
        "Version": 9,
        "CurrentBalance": "-3.50",
        "ClientNumber": "C-777",
        "ClientName": 'O\\\'Neil, "Sons" {and} 100%',
        "Address": {"Street1": "9 New Street", "City": "El Paso", "State": "TX", "Zip": "79901"},
        "Payments": [{"HostID": "H1", "Date": "2026-11-01", "Amount": "20.00", "Status": "POSTED"}],
    },
)


@pytest.fixture(autouse=True)
def own_vault(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "vault"


def rows_of(connection) -> dict[str, list[dict]]:
    """Give every row of a connection's accounts without what is its own: ids, times of writing, who told it."""
    accounts = Account.objects.filter(connection_id=connection.pk)
    people = Consumer.objects.filter(connection_id=connection.pk)
    found = {
        "accounts": accounts.order_by("reference"),
        "clients": accounts.order_by("reference").values("client__number", "client__name"),
        "people": people.order_by("last_name"),
        "contacts": ContactPoint.objects.filter(consumer__in=people).order_by("value"),
        "events": Event.objects.filter(account__in=accounts).order_by("account__reference", "account_seq"),
        "past": AccountPast.objects.filter(account__in=accounts).order_by("until", "balance_cents"),
        "offers": IndividualOffer.objects.filter(account__in=accounts).order_by("made_at", "percent_bps"),
        "items": HostItem.objects.filter(account__in=accounts).order_by("host_id"),
    }
    ids = {str(account.pk): account.reference for account in accounts}
    rows = {}
    for name, query in found.items():
        values = query if name == "clients" else query.values()
        plain = [{key: value for key, value in row.items() if key not in OURS} for row in values]
        for row in plain:
            if "evidence" in row:
                row["evidence"] = row["evidence"] | {"accounts": [ids[one] for one in row["evidence"]["accounts"]]}
            if "data" in row:
                row["data"] = {key: value for key, value in row["data"].items() if key not in ("offer", "item")}
        rows[name] = plain
    return rows


def test_one_record_writes_the_same_rows_by_put_by_bulk_post_by_push_and_by_file(agency, client, acting):
    host = FileHost(agency, client)
    values = {name: getattr(host.connection, name) for name in ("style", "base_url", "outbound_key", "status_map")}
    others = [HostConnection.objects.create(name=name, **values) for name in ("bulk", "put", "push")]
    bulk, put, push = others
    key, caller = make_inbound_key(push), Caller(agency)
    for told in TOLD:
        one = record("100234", **told)
        assert host.send(one).counts["accepted"] == 1
        answers = [caller.post("accounts", {"connection": str(bulk.pk), "records": [one]})]
        known = Account.objects.filter(connection_id=put.pk).first()
        if known is None:
            answers.append(caller.post("accounts", {"connection": str(put.pk), "records": [one]}))
        else:
            answers.append(caller.put(f"accounts/{known.pk}", {"record": one}))
        path = f"/api/v1/hosts/{push.pk}/accounts"
        answers.append(client.post(path, json.dumps(one), content_type="application/json", headers=host.headers(key)))
        assert [answer.json()["accepted"] for answer in answers] == [1, 1, 1]
    by_file = rows_of(host.connection)
    assert [row["kind"] for row in by_file["events"]][:2] == ["account.placed", "offer.made"]
    assert (by_file["accounts"][0]["balance_cents"], len(by_file["past"])) == (0, 2)
    assert by_file["people"][0]["time_zone"] == "America/Denver"
    for other in others:
        assert rows_of(other) == by_file, other.name
