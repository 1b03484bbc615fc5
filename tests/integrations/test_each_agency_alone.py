"""What one agency's record, mapping, site or ledger has of nonsense stops no other agency's files, visits and pulls."""

import datetime as dt
import json

import pytest

from accounts import clock
from accounts.models import Account
from accounts.tenancy import acting_for
from integrations import hosts
from integrations.models import FileFormat, HostConnection, HostFile, PastDueCustomer
from integrations.models import HostSite as SiteRow
from integrations.services import extract, pull, sites
from tests.conftest import NOW
from tests.integrations.file_cast import FileHost, ndjson, record
from tests.integrations.test_sftp import row, their_site
from tests.integrations.webhook_program import Hook

__all__ = ["row", "their_site"]
pytestmark = pytest.mark.django_db
BEYOND = "9999-12-31T23:59:59-05:00"
PAID = {"HostID": "1", "Date": "2026-11-01", "Amount": "1.00", "Status": "POSTED"}
CSV = {"shape": "csv", "fields": [{"to": "FileNumber", "from": "Ref"}]}


@pytest.fixture(autouse=True)
def own_vault(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "vault"


@pytest.fixture
def host(agency, client) -> FileHost:
    return FileHost(agency, client)


@pytest.fixture
def other_host(other_agency, client) -> FileHost:
    return FileHost(other_agency, client)


def push(host: FileHost, body: bytes) -> dict:
    path = f"/api/v1/hosts/{host.connection.pk}/accounts"
    answer = host.client.post(path, data=body, content_type="application/json", headers=host.headers())
    assert answer.status_code == 200, answer.content
    return answer.json()


def states(host: FileHost) -> list[tuple[str, str]]:
    with acting_for(host.agency):
        return list(HostFile.objects.order_by("made_at", "pk").values_list("state", "broken_code"))


# Records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [BEYOND, "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59Z"])
def test_a_moment_beyond_the_calendar_refuses_its_record_and_no_other(host, acting, moment):
    said = push(host, json.dumps([record("1", Payments=[PAID | {"UpdatedAt": moment}]), record("2")]).encode())
    assert (said["accepted"], said["refused"]) == (1, 1)
    assert [(one["index"], one["pointer"], one["code"]) for one in said["errors"]] == [
        (0, "/Payments/0/UpdatedAt", "invalid_time")
    ]
    assert Account.objects.get().reference == "2"


@pytest.mark.parametrize("percent", ["1e999999999", "1e999990", "-1e400", '"1e999999999"', '"NaN"', '"Infinity"'])
def test_a_percent_without_end_offers_nothing_and_holds_no_balance_back(host, acting, percent):
    body = json.dumps([record("1", Settlement={"Percent": "HERE"})]).encode().replace(b'"HERE"', percent.encode())
    said = push(host, body)
    assert (said["accepted"], said["refused"]) == (1, 0)
    assert [(one["pointer"], one["code"]) for one in said["errors"]] == [("/Settlement/Percent", "invalid_percent")]


def test_a_file_tells_such_a_line_and_the_next_agencys_file_lands(host, other_host, agency, other_agency):
    host.post(ndjson(record("1", Payments=[PAID | {"UpdatedAt": BEYOND}]), record("2")))
    other_host.post(ndjson(record("1")))
    assert host.work() == 2
    assert states(host) == states(other_host) == [("applied", "")]
    with acting_for(agency):
        file = HostFile.objects.get()
        assert (file.counts["accepted"], file.counts["refused"]) == (1, 1)
    assert host.errors(file) == [(1, "1", "/Payments/0/UpdatedAt", "invalid_time")]


# Files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mapping",
    [
        CSV | {"skip_lines": "x"},
        CSV | {"skip_when": ["x"]},
        CSV | {"fields": [*CSV["fields"], {"to": "DOB", "from": "Day", "as": "date", "format": 5}]},
        CSV | {"fields": [*CSV["fields"], {"to": "DOB", "from": "Day", "as": "date", "format": "%Y %Y"}]},
        CSV | {"fields": [*CSV["fields"], {"to": "Address", "from": "Day"}, {"to": "Address/Zip", "from": "Day"}]},
    ],
)
def test_a_mapping_that_cannot_be_used_breaks_its_file_and_the_next_ones_land(
    host, other_host, agency, other_agency, mapping
):
    with acting_for(agency):
        format_ = FileFormat.objects.create(connection=host.connection, name="Old", mapping=mapping)
    host.post(b"Ref,Day\n1,2026-01-01\n")
    other_host.post(ndjson(record("1")))
    assert host.work() == 2
    assert states(host) == [("broken", "unexpected")]
    assert states(other_host) == [("applied", "")]
    with acting_for(agency):
        format_.delete()
    host.send(record("2"))
    assert states(host) == [("broken", "unexpected"), ("applied", "")]
    assert host.get().json()["files"][-1]["broken"]["code"] == "unexpected"


# Sites ------------------------------------------------------------------------------------------------------------


def test_a_site_that_cannot_even_be_asked_is_put_off_and_the_next_agencys_is_visited(
    host, row, their_site, other_host, other_agency, agency
):
    began = clock.now()
    with acting_for(other_agency):
        keys = {"private_key": row.private_key, "host_key": row.host_key}
        at = {"host": "127.0.0.1", "port": 99_999, "next_at": began - dt.timedelta(hours=1)}
        before = SiteRow.objects.create(connection=other_host.connection, **keys, **at)
    their_site.put("out/p.ndjson", ndjson(record("1")))
    assert sites.visit_due(clock=clock.now) == 1
    assert their_site.names("out/archive") == ["p.ndjson"]
    with acting_for(other_agency):
        before.refresh_from_db()
    assert (before.failures, before.trouble) == (1, "unexpected: OverflowError")
    assert before.next_at > began + dt.timedelta(minutes=14)


def test_activity_that_cannot_be_extracted_is_told_and_holds_up_no_other_site(host, other_host, agency, other_agency):
    for one in (host, other_host):
        one.send(record("1"))
        with acting_for(one.agency):
            SiteRow.objects.create(connection=one.connection, extract_minutes=5)
    with acting_for(agency):
        mapping = {"columns": [{"name": "Account", "from": 5}]}
        FileFormat.objects.create(connection=host.connection, name="Old", kind="activity", mapping=mapping)
        SiteRow.objects.update(next_at=NOW)
    began = clock.now()
    sites.visit_due(clock=clock.now)
    with acting_for(agency):
        site = SiteRow.objects.get()
        assert site.trouble == "no activity could be extracted: AttributeError"
        assert site.extract_at > began
        assert not HostFile.objects.filter(outgoing=True).exists()
    with acting_for(other_agency):
        assert HostFile.objects.get(outgoing=True).counts == {"events": 1}
        assert SiteRow.objects.get().trouble == ""


def test_what_could_not_be_extracted_is_told_until_it_can_be_whatever_the_visits_between_bring(
    host, row, their_site, acting
):
    host.send(record("1"))
    mapping = {"columns": [{"name": "Account", "from": 5}]}
    broken = FileFormat.objects.create(connection=host.connection, name="Old", kind="activity", mapping=mapping)
    SiteRow.objects.update(extract_minutes=60)
    told = []
    for minutes, port in ((0, row.port), (5, row.port), (10, 9), (15, row.port), (61, row.port)):
        SiteRow.objects.update(next_at=None, port=port)
        if minutes == 61:
            broken.delete()
        sites.visit_due(clock=lambda: clock.now() + dt.timedelta(minutes=minutes))  # noqa: B023 - used at once
        told.append(SiteRow.objects.get().trouble)
    untold = "no activity could be extracted: AttributeError"
    assert (told[0], told[1], told[3], told[4]) == (untold, untold, untold, "")
    assert told[2].startswith(f"{untold}; ")


def test_a_text_in_a_column_of_cents_goes_out_as_it_was_said(host, acting):
    host.send(record("1"))
    columns = [{"name": "Cents", "from": "FileNumber", "as": "cents"}, {"name": "On", "from": "Event", "as": "date"}]
    FileFormat.objects.create(connection=host.connection, name="Old", kind="activity", mapping={"columns": columns})
    file = extract.extract(connection=host.connection, by="test", now=clock.now())
    assert file.counts == {"events": 1}


# Ledgers ----------------------------------------------------------------------------------------------------------


CUSTOMER = {"Customer": "W-1", "Name": "Vera Billable", "PastDue": "75.00", "OldestDue": "2026-08-01", "Invoices": 2}


@pytest.fixture
def ledgers(agency, other_agency):
    """Give each agency a ledger that lists one customer."""
    made = {}
    for one in (agency, other_agency):
        hook = made[one] = Hook()
        hook.pages = {
            "/v1/settings": {"CreditAllocation": True, "CollectionsPackage": True},
            "/v1/customers/past-due": {"Customers": [CUSTOMER]},
        }
        with acting_for(one):
            HostConnection.objects.update(style="ledger", base_url=hook.url, **hosts.defaults("ledger"))
    yield made
    for hook in made.values():
        hook.close()


def customers(agency) -> list[tuple[str, int, int]]:
    with acting_for(agency):
        return list(PastDueCustomer.objects.values_list("reference", "open_cents", "invoices"))


def test_a_customer_who_is_listed_twice_is_one_as_told_last(ledgers, agency, other_agency):
    twice = [CUSTOMER, CUSTOMER | {"PastDue": "80.00"}]
    ledgers[agency].pages["/v1/customers/past-due"] = {"Customers": twice}
    assert pull.pull_due(now=NOW) == 2
    assert customers(agency) == [("W-1", 80_00, 2)]
    assert customers(other_agency) == [("W-1", 75_00, 2)]


@pytest.mark.parametrize("count", [2**31, -1, 10**17])
def test_a_list_with_a_number_that_is_none_is_no_answer_and_the_other_ledger_is_pulled(
    ledgers, agency, other_agency, count
):
    ledgers[agency].pages["/v1/customers/past-due"] = {"Customers": [CUSTOMER | {"Invoices": count}]}
    assert pull.pull_due(now=NOW) == 1
    assert (customers(agency), customers(other_agency)) == ([], [("W-1", 75_00, 2)])


def test_terms_that_make_no_sense_stop_only_their_own_ledger(ledgers, agency, other_agency):
    for one, other in ((agency, other_agency), (other_agency, agency)):
        for each, minutes in ((one, "often"), (other, "15")):
            with acting_for(each):
                terms = hosts.defaults("ledger")["terms"] | {"pull_minutes": minutes}
                HostConnection.objects.update(terms=terms, pulled_at=None)
        assert pull.pull_due(now=NOW) == 1
        assert customers(other) == [("W-1", 75_00, 2)]
