"""SmartCollect: a population and its changes by files over real SFTP, REST beside them, all activity back."""

import json

import pytest
from django.db import transaction

from accounts import clock, events
from accounts.models import Account, Consumer, ContactPoint, Event
from accounts.tenancy import acting_for, uuid7
from integrations import hosts
from integrations.hosts import BadRecord, Outgoing, Words
from integrations.hosts.smartcollect import SmartCollect
from integrations.models import HostConnection, HostFile
from integrations.models import HostSite as SiteRow
from integrations.services import intake, sites
from integrations.services.drain import Drain
from integrations.services.receive import fetch, make_inbound_key
from settlements.models import IndividualOffer
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller, codes
from tests.integrations.host_program import HostProgram
from tests.integrations.site_program import new_key
from tests.integrations.styles import until
from tests.integrations.webhook_program import Hook

WORDS = Words("http://host", "key", hosts.defaults("smartcollect")["status_map"], "Cell Phone", "Good Number")
ENTRY = {
    "customerId": "K-1",
    "firstName": "Jane",
    "lastName": "Doe",
    "ssn": "900-99-1234",
    "dateOfBirth": "1980-02-03",
    "address": {"line1": "1 Main Street", "city": "Albany", "state": "NY", "postcode": "12207"},
    "phones": [{"type": "Cell Phone", "status": "Good Number", "number": "518-555-0101"}],
    "emails": [{"address": "jane@example.com", "route": "RF-13"}],
    "asOf": "2026-12-01T14:00:00Z",
    "accounts": [
        {"accountNumber": "1", "status": "OPEN", "client": {"code": "C1", "name": "Bank"}, "balance": "100.00"},
        {
            "accountNumber": "2",
            "status": "RECALLED",
            "client": {"code": "C1", "name": "Bank"},
            "balance": 50,
            "offer": {"percent": 60, "maxPayments": 3},
            "rules": {"canPay": True},
            "version": 4,
        },
    ],
}


def test_a_customer_unfolds_into_accounts_of_one_person():
    adapter = SmartCollect(WORDS)
    one, two = [adapter.read(record) for record in adapter.unfold(ENTRY)]
    assert [told.placement.reference for told in (one, two)] == ["1", "2"]
    assert [told.placement.status for told in (one, two)] == ["open", "recalled"]
    assert {told.placement.person.host_consumer_id for told in (one, two)} == {"K-1"}
    assert (two.settlement.percent_bps, two.settlement.max_payments) == (60_00, 3)
    assert two.placement.payment_options == {"can_pay": True}
    assert one.placement.contacts[0].textable


def test_a_payment_that_came_back_names_its_banks_code():
    paid = {"id": "P1", "date": "2026-11-01", "amount": 25, "method": "ACH", "status": "ACH REVERSAL"}
    record = SmartCollect(WORDS).unfold(ENTRY)[0]
    told = SmartCollect(WORDS).read(record | {"payments": [paid | {"returnCode": "R07"}]})
    assert [line.return_code for line in told.payments] == ["R07"]
    with pytest.raises(BadRecord) as refused:
        SmartCollect(WORDS).read(record | {"payments": [paid | {"returnCode": "C01"}]})
    assert [tuple(one)[:2] for one in refused.value.errors] == [("/payments/0/returnCode", "invalid_return_code")]


def test_errors_point_into_the_hosts_own_words():
    adapter = SmartCollect(WORDS)
    with pytest.raises(BadRecord) as told:
        adapter.read({"accountNumber": "1", "balance": "x", "status": "OPEN", "lastName": "Doe", "phones": [{}]})
    assert {(error.pointer, error.code) for error in told.value.errors} == {
        ("/balance", "invalid_amount"),
        ("/client/code", "required"),
        ("/asOf", "required"),
        ("/phones/0/number", "required"),
    }


def test_an_update_names_its_fields_and_null_takes_away():
    told = SmartCollect(WORDS).read_changes(
        {"accountNumber": "1", "asOf": "2026-12-01T14:00:00Z", "balance": "7.00", "offer": None}
    )
    assert told.placement.part.columns == {"reference", "as_of", "balance_cents"}
    assert told.placement.part.person == told.placement.part.contacts == frozenset()
    assert (told.named, told.settlement) == ({"settlement"}, None)


def test_null_takes_away_what_stands_within_a_part_too():
    said = {"accountNumber": "1", "asOf": "2026-12-01T14:00:00Z", "address": {"line1": "9 New Street", "line2": None}}
    said |= {"rules": {"canPay": True, "minimumSingle": None}, "itemization": None}
    told = SmartCollect(WORDS).read_changes(said)
    assert told.placement.part.person == {"street1", "street2"}
    assert (told.placement.person.street1, told.placement.person.street2) == ("9 New Street", "")
    assert told.placement.payment_options == {"can_pay": True, "minimum_single_cents": None}
    assert told.placement.part.columns == {"reference", "as_of", "payment_options", "itemization"}
    whole = SmartCollect(WORDS).read_changes(said | {"address": None, "rules": None})
    assert whole.placement.part.person == {"street1", "street2", "city", "state", "zip"}
    assert set(whole.placement.payment_options.values()) == {None}
    with pytest.raises(BadRecord) as told:
        SmartCollect(WORDS).read_changes(said | {"client": {"code": None}})
    assert [(error.pointer, error.code) for error in told.value.errors] == [("/client/code", "required")]


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("message.delivered", "MESSAGE"),
        ("affordability.submitted", "AFFORDABILITY"),
        ("payment.declined", "PAYMENT"),
        ("promise.made", "PROMISE"),
        ("arrangement.created", "PAYMENT_PLAN"),
        ("page.viewed", "PORTAL"),
    ],
)
def test_every_event_has_its_category(kind, category):
    data = {"payment": "p", "amount_cents": 5_00, "kind": "card"}
    event = Outgoing(uuid7(), 7, 3, "1", kind, NOW, NOW, data)
    message = SmartCollect(WORDS).write(event)
    assert (message["category"], message["type"]) == (category, kind.replace(".", "_").upper())
    assert ("payment" in message) == (kind == "payment.declined")


# By an account's own address ----------------------------------------------------------------------------------------

NEWS = ENTRY | {"asOf": "2026-12-01T14:30:00Z"}
ALONE = NEWS | {"accounts": ENTRY["accounts"][:1]}
OTHER = NEWS | {"accountNumber": "1", "accounts": ENTRY["accounts"][1:]}
"""It is called account 1 and tells of account 2."""


@pytest.fixture
def one_and_two(agency, other_agency):
    with acting_for(agency):
        HostConnection.objects.update(style="smartcollect", status_map=WORDS.status_map)
    first = make_account(agency, reference="1")
    return first, make_account(agency, reference="2", consumer=first.consumer)


def balances(one_and_two) -> list[int]:
    for account in one_and_two:
        account.refresh_from_db()
    return [account.balance_cents for account in one_and_two]


@pytest.mark.django_db
def test_an_account_is_put_as_a_customer_with_it_alone_and_never_as_another_one(agency, one_and_two):
    caller, at = Caller(agency), f"accounts/{one_and_two[0].pk}"
    for told in (NEWS, OTHER, NEWS | {"accounts": []}, NEWS | {"accounts": [{}] * 501}):
        assert codes(caller.put(at, {"record": told})) == [("/record/accountNumber", "another_account")]
    with acting_for(agency):
        assert balances(one_and_two) == [1_000_00, 1_000_00]
        said = caller.put(at, {"record": ALONE}).json()
        assert (said["accepted"], said["errors"]) == (1, [])
        flat = {name: value for name, value in ENTRY.items() if name != "accounts"} | ENTRY["accounts"][0]
        later = {"asOf": "2026-12-01T14:40:00Z", "balance": "90.00"}
        assert caller.put(at, {"record": flat | later}).json()["accepted"] == 1
        assert balances(one_and_two) == [90_00, 1_000_00]


@pytest.mark.django_db
def test_what_is_fetched_of_an_account_may_be_a_customer_and_is_of_nobody_else(acting, one_and_two):
    hook = Hook()
    HostConnection.objects.update(base_url=hook.url, fetch_at_login=True)
    hook.pages["/api/v1/accounts/1"] = OTHER
    assert not fetch(one_and_two[0], NOW)
    assert balances(one_and_two) == [1_000_00, 1_000_00]
    hook.pages["/api/v1/accounts/1"] = ALONE
    assert fetch(one_and_two[0], NOW)
    assert balances(one_and_two) == [100_00, 1_000_00]
    hook.close()


# The whole way ------------------------------------------------------------------------------------------------------


class World:
    """An agency with a running SmartCollect host: its site is ours to visit, its REST is ours to call."""

    def __init__(self, agency, folder, live_server, *, transport: str, numbers: list[str]) -> None:
        self.agency, folder = agency, folder / agency.slug
        folder.mkdir()
        self.program = HostProgram(folder / "host", "smartcollect")
        key, public = new_key(folder, "key")
        site = self.program.call("/_sandbox/site")
        with acting_for(agency):
            values = hosts.defaults("smartcollect") | {"transport": transport, "style": "smartcollect"}
            HostConnection.objects.update(base_url=self.program.url, **values)
            self.connection = HostConnection.objects.get()
            inbound = make_inbound_key(self.connection)
            SiteRow.objects.create(
                connection=self.connection,
                host="127.0.0.1",
                port=site["port"],
                username="portal",
                private_key=key.read_text(),
                host_key=site["host_key"],
                extract_minutes=1,
            )
        self.call("/_sandbox/clock", {"now": "2026-12-01T15:00:00Z"})
        said = {"outbound_key": self.connection.outbound_key, "inbound_key": inbound, "portal_key": public}
        said |= {"connection_id": str(self.connection.pk), "portal_url": live_server.url, "push_delay_ms": 0}
        self.call("/_sandbox/configure", said)
        # The host's own offer comes with the placement: each account has more than one event in one transaction.
        records = [
            {
                "Settlement": {"Percent": 60, "MaxPayments": 3, "MaxDays": 90},
                "FileNumber": number,
                "ConsumerID": "K-1",
                "Status": "ACTIVE",
                "ClientNumber": "C1",
                "ClientName": "Harbor Bank",
                "CurrentBalance": f"{100 * int(number)}.00",
                "FirstName": "Jane",
                "LastName": f"Doe of {agency.slug}",
                "Address": {"Zip": "12207", "State": "NY"},
                "Emails": [{"Address": f"jane@{agency.slug}.example.com", "Route": "RF-13"}],
            }
            for number in numbers
        ]
        self.call("/_sandbox/accounts", records)

    def call(self, path, body=None):
        return self.program.call(path, body)

    def files(self) -> dict[str, dict]:
        return {row["name"]: row for row in self.call("/_sandbox/files")["files"]}

    def events(self) -> list[tuple[str, str]]:
        return sorted((event["FileNumber"], event["Event"]) for event in self.program.received())


def turn() -> None:
    """Do what the beat does: visit every site, apply what came, visit again with results and activity."""
    with acting_for("*"):
        SiteRow.objects.update(next_at=None, extract_at=None)
    sites.visit_due(clock=clock.now)
    intake.work(clock=clock.now, longest=60)
    with acting_for("*"):
        SiteRow.objects.update(next_at=None, extract_at=None)
    sites.visit_due(clock=clock.now)


@pytest.fixture
def worlds(agency, other_agency, tmp_path, settings, live_server):
    settings.FILES_DIR = tmp_path / "vault"
    settings.ALLOWED_HOSTS = ["*"]
    made = [
        World(agency, tmp_path, live_server, transport="files", numbers=["1", "2"]),
        World(other_agency, tmp_path, live_server, transport="mixed", numbers=["1"]),
    ]
    yield made
    for world in made:
        world.program.close()


@pytest.mark.django_db(transaction=True)
def test_a_population_lives_by_files_at_one_agency_and_by_both_at_the_other(worlds):
    batch, mixed = worlds
    # The placement creates the population, at each agency its own.
    for world in worlds:
        assert world.call("/_sandbox/placement", {"messaging": True})["entries"] == 1
    turn()
    for world, balances in ((batch, [100_00, 200_00]), (mixed, [100_00])):
        with acting_for(world.agency):
            found = Account.objects.order_by("reference")
            assert [account.balance_cents for account in found] == balances
            assert Consumer.objects.get().last_name == f"Doe of {world.agency.slug}"
            file = HostFile.objects.get(outgoing=False)
            assert (file.state, file.kind, file.source) == ("applied", "placement", "sftp")
            assert Event.objects.filter(kind="message.requested").count() == len(balances)
    # Its result went back, and the activity of the batch agency as a file.
    until(lambda: len(batch.files()) == 3, 20)
    (result,) = [row["result"] for row in batch.files().values() if row["result"]]
    assert (result["state"], result["accepted"], result["refused"]) == ("applied", 2, 0)
    placed = [("1", "account.placed"), ("2", "account.placed")]
    until(lambda: [pair for pair in batch.events() if pair[1] == "account.placed"] == placed, 20)
    # The mixed agency is told at once as well; the same event by both ways has one effect.
    Drain(clock=clock.now).run()
    until(lambda: ("1", "account.placed") in mixed.events(), 20)
    assert mixed.events().count(("1", "account.placed")) == 1
    # An update changes only what it names.
    batch.call("/_sandbox/accounts/2", {"CurrentBalance": "150.00", "LastName": "Not told"})
    batch.call("/_sandbox/update", {"FileNumbers": ["2"], "fields": ["balance"]})
    turn()
    with acting_for(batch.agency):
        assert Account.objects.get(reference="2").balance_cents == 150_00
        assert Consumer.objects.get().last_name == "Doe of acme"
        assert ContactPoint.objects.get().removed_at is None
    with acting_for(mixed.agency):
        assert Account.objects.get().balance_cents == 100_00
    until(lambda: ("2", "balance.changed") in batch.events(), 20)
    # Messages, portal use, affordability and payments are activity, successful or not.
    with acting_for(batch.agency):
        account = Account.objects.get(reference="1")
        with transaction.atomic():
            for kind in (
                "message.sent",
                "message.bounced",
                "page.viewed",
                "affordability.submitted",
                "payment.declined",
            ):
                events.record(kind, account=account, now=clock.now(), data={"amount_cents": 5_00})
    turn()
    wanted = {"message.sent", "message.bounced", "page.viewed", "affordability.submitted", "payment.declined"}
    until(lambda: wanted <= {kind for number, kind in batch.events() if number == "1"}, 20)
    # Every event had its effect once, in order, and nothing of the one agency reached the other.
    assert batch.call("/_sandbox/state")["order"] == {"gaps": [], "out_of_order": []}
    ids = [event["EventID"] for event in batch.program.received()]
    assert len(ids) == len(set(ids))
    assert {number for number, _kind in mixed.events()} == {"1"}


@pytest.mark.django_db(transaction=True)
def test_rest_takes_what_a_file_takes_and_answers_for_one_account(worlds, client):
    _batch, mixed = worlds
    mixed.call("/_sandbox/push", {"FileNumbers": "all"})

    def placed() -> bool:
        with acting_for(mixed.agency):
            return Account.objects.exists()

    until(placed, 20)
    with acting_for(mixed.agency):
        key = make_inbound_key(mixed.connection)
        said = client.post(
            f"/api/v1/hosts/{mixed.connection.pk}/accounts",
            data=json.dumps(ENTRY | {"asOf": "2026-12-01T16:00:00Z"}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}", "Host": "localhost"},
        ).json()
        assert (said["received"], said["accepted"], said["errors"]) == (2, 2, [])
        assert Account.objects.get(reference="2").status == "recalled"
        assert IndividualOffer.objects.get(account__reference="2").percent_bps == 60_00
    wrong = client.post(
        f"/api/v1/hosts/{mixed.connection.pk}/accounts",
        data="{}",
        content_type="application/json",
        headers={"Authorization": "Bearer wrong", "Host": "localhost"},
    )
    assert wrong.status_code == 401
