"""What a host pushes: SCollect's words read exactly, good rows landing beside refused ones, behind a key."""

import copy
import datetime as dt
import gzip
import json

import pytest
import time_machine

from accounts.models import Account, Consumer, ContactPoint, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.api.hosts import RECORD
from integrations.models import HostConnection
from integrations.services.receive import make_inbound_key
from settlements.models import IndividualOffer
from settlements.services import offers
from tests.conftest import NOW

pytestmark = pytest.mark.django_db


class Host:
    """A connection with its key, pushing through the real endpoint."""

    def __init__(self, agency, client) -> None:
        self.client = client
        with acting_for(agency):
            self.connection = HostConnection.objects.get()
            self.key = make_inbound_key(self.connection)

    def post(self, body, *, key=None, packed=False, to=None, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        if packed:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        return self.client.post(
            f"/api/v1/hosts/{to or self.connection.pk}/accounts",
            data=body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {key or self.key}", "Host": "localhost", **headers},
        )

    def push(self, *records) -> dict:
        answer = self.post(list(records))
        assert answer.status_code == 200, answer.content
        return answer.json()


def record(**values) -> dict:
    made = copy.deepcopy(RECORD) | values
    return {name: value for name, value in made.items() if value is not None}


def errors(answer: dict) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in answer["errors"]]


@pytest.fixture
def host(agency, client) -> Host:
    return Host(agency, client)


@pytest.fixture
def other_host(other_agency, client) -> Host:
    return Host(other_agency, client)


def test_one_account_and_a_list_land_alike(host, acting):
    assert host.post(record()).json()["accepted"] == 1
    assert host.push(record(), record(FileNumber="100235"))["unchanged"] == 1
    assert Account.objects.count() == 2


def test_a_gzip_body_is_read(host, acting):
    assert host.post([record()], packed=True).json()["accepted"] == 1


def test_every_field_lands_where_it_belongs(host, acting):
    host.push(
        record(
            CurrentBalance="530.00",
            AssignedBalance=500,
            DebtType="CONSUMER",
            Language="Spanish",
            ItemizationDate="2026-06-24",
            ItemizationBasis="Charge-Off",
            Itemization={"Balance": "500.00", "Interest": "42.00", "Fees": 18, "Payments": "20.00", "Credits": 10.0},
            ValidationSentOn="2026-09-22",
            SolStatus="live",
            SolDate="2029-05-19",
            PaymentOptions={"CanPay": True, "RecurringCard": False, "MinimumSingle": "25.00"},
        )
    )
    account = Account.objects.select_related("client").get()
    assert (account.balance_cents, account.assigned_cents) == (530_00, 500_00)
    assert (str(account.assigned_on), str(account.listed_on)) == ("2026-09-01", "2026-09-01")
    assert (account.original_creditor, account.description) == ("Northwind Family Dental", "Account ending 0234")
    assert (str(account.contract_on), account.debt_type) == ("2024-12-20", "CONSUMER")
    assert (str(account.itemization_on), account.itemization_basis) == ("2026-06-24", "charge_off")
    assert account.itemization == {
        "balance_cents": 500_00,
        "interest_cents": 42_00,
        "fees_cents": 18_00,
        "payments_cents": 20_00,
        "credits_cents": 10_00,
    }
    assert (str(account.validation_sent_on), account.sol_status, str(account.sol_on)) == (
        "2026-09-22",
        "live",
        "2029-05-19",
    )
    assert account.payment_options == {"can_pay": True, "recurring_card": False, "minimum_single_cents": 25_00}
    assert (account.as_of.isoformat(), account.host_version) == ("2026-12-01T14:00:00+00:00", 7)
    consumer = Consumer.objects.get()
    assert (consumer.host_consumer_id, consumer.ssn, consumer.dob) == ("A-0001", "900990001", "1961-02-03")
    assert (consumer.street1, consumer.city, consumer.zip, consumer.language) == (
        "18 Placeholder Lane",
        "Albany",
        "12207",
        "es",
    )
    email = ContactPoint.objects.get(kind="email")
    assert (email.value, email.route, email.evidence["Source"]) == ("ada@example.com", "RF-13", "agency call")


def test_bad_rows_are_refused_with_pointers_while_good_ones_land(host, acting):
    answer = host.push(
        record(),
        record(FileNumber="B", CurrentBalance="12.345", AsOf="2026-12-01T14:00:00", LastName=""),
        record(FileNumber="C", Phones=[{"Number": "12"}], Payments=[{"HostID": "1"}]),
        record(FileNumber="D", Itemization={"Balance": "999.99"}),
        "nonsense",
    )
    assert (answer["received"], answer["accepted"], answer["refused"]) == (5, 1, 4)
    assert errors(answer) == [
        ("/CurrentBalance", "invalid_amount"),
        ("/AsOf", "invalid_time"),
        ("/LastName", "required"),
        ("/Payments/0/Date", "required"),
        ("/Payments/0/Amount", "required"),
        ("/Payments/0/Status", "required"),
        ("/Phones/0/Number", "invalid_phone"),
        ("/Itemization", "itemization_does_not_tie"),
        ("", "invalid_record"),
    ]
    assert [(error["index"], error["FileNumber"]) for error in answer["errors"]][-2:] == [(3, "D"), (4, None)]
    assert Account.objects.get().reference == "100234"


def test_a_stale_push_is_counted_and_ignored_and_a_second_body_refused(host, acting):
    host.push(record(CurrentBalance="900.00", Version=8))
    assert host.push(record())["stale"] == 1
    answer = host.push(record(CurrentBalance="800.00", Version=8))
    assert (answer["refused"], errors(answer)) == (1, [("/Version", "conflicting_version")])
    assert Account.objects.get().balance_cents == 900_00
    host.connection.refresh_from_db()
    assert host.connection.stale_pushes == 1


def test_a_picture_of_the_future_is_refused_at_its_field(host, other_host, agency, other_agency):
    with acting_for(other_agency):
        HostConnection.objects.update(style="smartcollect", status_map={"OPEN": "open"})
    typed = "2062-12-01T14:00:00Z"
    assert errors(host.push(record(AsOf=typed), record(FileNumber="2"))) == [("/AsOf", "as_of_in_future")]
    theirs = {"accountNumber": "100234", "status": "OPEN", "client": {"code": "C"}, "balance": "1", "lastName": "Doe"}
    assert errors(other_host.push(theirs | {"asOf": typed})) == [("/asOf", "as_of_in_future")]
    with acting_for(agency):
        assert [account.reference for account in Account.objects.all()] == ["2"]
    with acting_for(other_agency):
        assert not Account.objects.exists()


@pytest.mark.parametrize(("version", "body"), [(None, {"CurrentBalance": "640.00"}), (7, {})])
def test_an_account_with_an_as_of_of_the_future_is_not_frozen(host, other_host, agency, other_agency, version, body):
    typed = dt.datetime(2062, 12, 1, 14, 0, tzinfo=dt.UTC)
    for one, at in ((host, agency), (other_host, other_agency)):
        one.push(record(Version=version))
        with acting_for(at):
            Account.objects.update(as_of=typed)
    told = host.push(record(Version=version, **body))
    assert (told["accepted"], told["unchanged"], told["stale"]) == (int(bool(body)), int(not body), 0)
    with acting_for(agency):
        account = Account.objects.get()
        assert account.as_of == dt.datetime(2026, 12, 1, 14, 0, tzinfo=dt.UTC)
        assert account.balance_cents == (640_00 if body else 1_000_00)
    with acting_for(other_agency):
        assert Account.objects.get().as_of == typed


def test_when_the_host_was_heard_is_kept_to_the_second_and_what_was_stale_exactly(host, other_host, acting):
    def heard_at(seconds: float, version: int) -> tuple[float, int]:
        clock.move_to(NOW + dt.timedelta(seconds=seconds))
        host.push(record(Version=version))
        host.connection.refresh_from_db()
        return (host.connection.last_push_at - NOW).total_seconds(), host.connection.stale_pushes

    with time_machine.travel(NOW, tick=False) as clock:
        assert heard_at(0, 8) == (0, 0)
        assert heard_at(0.5, 8) == (0, 0)
        assert heard_at(0.6, 7) == (0.6, 1)
        assert heard_at(1.5, 8) == (0.6, 1)
        assert heard_at(2, 8) == (2, 1)
    with acting_for(other_host.connection.agency_id):
        other_host.connection.refresh_from_db()
    assert (other_host.connection.last_push_at, other_host.connection.stale_pushes) == (None, 0)


@pytest.mark.parametrize(
    ("word", "status"), [("ACTIVE", "open"), ("recall", "recalled"), ("CLOSE", "closed"), ("WHATEVER", "unmapped")]
)
def test_statuses_go_through_the_connections_map(host, acting, word, status):
    host.push(record(Status=word))
    account = Account.objects.get()
    assert (account.status, account.host_status) == (status, word)


def test_the_first_good_cell_phone_is_the_one_to_text(host, acting):
    phones = [("Home Phone", "Good Number", "0161"), ("Cell Phone", "Bad Number", "0162")]
    phones += [("cell phone", "GOOD NUMBER", "0163"), ("Cell Phone", "Good Number", "0164")]
    listed = [{"Type": kind, "Status": word, "Number": f"(602) 555-{line}"} for kind, word, line in phones]
    host.push(record(Phones=listed))
    assert ContactPoint.objects.get(textable=True).value == "+16025550163"
    assert ContactPoint.objects.filter(kind="phone").count() == 4
    host.push(record(Phones=listed[:2], Version=8))
    assert not ContactPoint.objects.filter(textable=True, removed_at=None).exists()


def test_the_words_for_a_phone_to_text_are_the_connections_own(host, acting):
    HostConnection.objects.update(cell_phone_type="MOBILE", cell_phone_status="OK")
    host.push(record(Phones=[{"Type": "Mobile", "Status": "ok", "Number": "6025550161"}]))
    assert ContactPoint.objects.get(textable=True).value == "+16025550161"


def test_a_settlement_overrides_as_a_whole_and_its_absence_removes_it(host, acting):
    host.push(record(Settlement={"Amount": "500.00"}))
    offer = IndividualOffer.objects.get(status="made")
    assert (offer.amount_cents, offer.percent_bps, offer.max_payments, offer.max_days, offer.max_on) == (
        500_00,
        None,
        1,
        None,
        None,
    )
    host.push(record(Settlement={"Percent": 62.5, "MaxPayments": 3, "MaxDays": 90}, Version=8))
    offer = IndividualOffer.objects.get(status="made")
    assert (offer.percent_bps, offer.max_payments, offer.max_days) == (62_50, 3, 90)
    host.push(record(Settlement=None, Version=9))
    assert not IndividualOffer.objects.filter(status="made").exists()


def test_an_unusable_settlement_is_told_as_an_error_but_holds_no_balance_back(host, acting):
    host.push(record())
    answer = host.push(record(Settlement={"MaxPayments": 3}, CurrentBalance="900.00", Version=8))
    assert (answer["accepted"], errors(answer)) == (1, [("/Settlement/Amount", "settlement_without_amount")])
    assert Account.objects.get().balance_cents == 900_00
    assert not IndividualOffer.objects.filter(status="made", percent_bps=60_00).exists()


def test_rf_31_a_settlement_that_ends_in_the_validation_period_is_told_as_an_error_and_not_offered(host, acting):
    # Sent on Tuesday, 2026-12-01: assumed to have arrived on 12-08, so the period ends on 2027-01-07.
    said = {"Amount": "500.00", "MaxDate": "2027-01-06"}
    host.push(record(Settlement=said, ValidationSentOn=None))
    assert IndividualOffer.objects.get(status="made").amount_cents == 500_00
    answer = host.push(record(Settlement=said, ValidationSentOn="2026-12-01", CurrentBalance="900.00", Version=8))
    assert (answer["accepted"], errors(answer)) == (1, [("/Settlement/MaxDate", "settlement_ends_in_validation")])
    account = Account.objects.get()
    assert account.balance_cents == 900_00
    assert offers.terms_for(account=account, owed_cents=900_00, today=dt.date(2026, 12, 2), now=NOW) is None
    later = host.push(record(Settlement=said | {"MaxDate": "2027-01-07"}, ValidationSentOn="2026-12-01", Version=9))
    assert errors(later) == []
    found = offers.terms_for(account=account, owed_cents=900_00, today=dt.date(2026, 12, 2), now=NOW)
    assert (found.amount_cents, found.last_date) == (500_00, dt.date(2027, 1, 7))
    for number, day in enumerate(("0001-01-01", "9999-12-31"), 10):
        assert host.push(record(Settlement=said, ValidationSentOn=day, Version=number))["accepted"] == 1


def test_blanks_that_disable_cards_are_told_to_the_host(host, acting):
    host.push(record(OriginalCreditor=None, ContractDate=None))
    assert Event.objects.get(kind="account.card_disabled").data["missing"] == ["original_creditor", "contract_on"]


def test_a_credit_balance_is_nothing_owed(host, acting):
    host.push(record(CurrentBalance="-12.00", Itemization={"Balance": "100.00", "Payments": "112.00"}))
    assert Account.objects.get().balance_cents == 0


def test_a_row_of_one_digit_is_no_ssn_and_links_nobody(host, acting):
    blank = {"ConsumerID": None, "SSN": "000-00-0000"}
    host.push(record(**blank), record(FileNumber="2", **blank))
    assert Consumer.objects.count() == 2


def test_two_agencies_with_the_same_file_number_never_meet(host, other_host, agency, other_agency):
    host.push(record())
    other_host.push(record(CurrentBalance="77.00", LastName="Other"))
    with acting_for(agency):
        assert Account.objects.get().balance_cents == 1_000_00
    with acting_for(other_agency):
        assert Account.objects.get().balance_cents == 77_00
        assert Consumer.objects.get().last_name == "Other"


def test_a_wrong_or_foreign_key_is_refused_and_writes_nothing(host, other_host):
    for key in ("wrong", other_host.key, " "):
        answer = host.post([record()], key=key)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
        assert answer["WWW-Authenticate"] == "Bearer"
        assert answer["Content-Type"].startswith("application/problem+json")
    unknown = host.post([record()], to="0190c0de-0000-7000-8000-000000000000")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    with acting_for(ALL_AGENCIES):
        assert Account.objects.count() == 0


def test_a_connection_without_a_key_takes_no_key_at_all(host, acting):
    HostConnection.objects.update(inbound_key_hash="")
    assert host.post([record()]).status_code == 401


def test_an_address_off_the_list_is_refused(host, acting):
    HostConnection.objects.update(ip_allow=["10.0.0.0/8"])
    assert host.post([record()]).json()["code"] == "address_not_allowed"
    HostConnection.objects.update(ip_allow=["10.0.0.0/8", "127.0.0.1"])
    assert host.post([record()]).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b'"text"', b"\xff", b"[" * 5000])
def test_what_is_not_json_of_accounts_is_refused(host, body):
    answer = host.post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_too_much_is_refused_packed_or_not(host, settings):
    settings.PUSH_LIMIT = 1
    assert host.post([record(), record()]).json()["code"] == "too_large"
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    assert host.post([{"FileNumber": "1" * 2_000}]).status_code == 413
    assert host.post([{"FileNumber": "1" * 9_000}], packed=True).status_code == 413


def test_a_body_that_only_says_it_is_gzip_is_refused(host):
    answer = host.post([record()], **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
