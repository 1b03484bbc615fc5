"""Files of a host: taken once, applied by the rules of the push, chunk by chunk, resumed after a kill."""

import datetime as dt
import json

import pytest
import time_machine

from accounts import clock
from accounts.models import Account, Consumer, ContactPoint, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import vault
from integrations.formats.ready import TAKEWEBPAYMENT
from integrations.models import FileFormat, HostConnection, HostFile
from integrations.services import extract, files, intake, receive
from payments.models import HostItem
from settlements.models import IndividualOffer
from tests.contracts.documented import differences
from tests.integrations.file_cast import FileHost, change, ndjson, record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_vault(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "vault"


@pytest.fixture
def host(agency, client) -> FileHost:
    return FileHost(agency, client)


@pytest.fixture
def other_host(other_agency, client) -> FileHost:
    return FileHost(other_agency, client)


def counts(file) -> tuple:
    names = ("received", "accepted", "unchanged", "stale", "refused")
    return tuple(file.counts[name] for name in names)


FORMS = {
    "ndjson": (lambda some: ndjson(*some), False),
    "an array": (lambda some: json.dumps(some).encode(), False),
    "an indented array": (lambda some: json.dumps(some, indent=2).encode(), False),
    "packed": (lambda some: ndjson(*some), True),
    "without a last newline": (lambda some: ndjson(*some)[:-1], False),
    "with a byte order mark": (lambda some: b"\xef\xbb\xbf" + ndjson(*some), False),
    "with Windows line ends": (lambda some: ndjson(*some).replace(b"\n", b"\r\n"), False),
    "with empty lines": (lambda some: ndjson(*some).replace(b"\n", b"\n\n \n"), False),
}


def test_a_record_without_a_state_has_that_of_its_zip_code_st_02_sol_01(host, acting):
    host.send(record("1", Address={"Zip": "12207"}), record("2", Address={"Zip": "12207", "State": "NJ"}))
    states = Consumer.objects.order_by("host_consumer_id").values_list("state", flat=True)
    assert list(states) == ["NY", "NJ"]
    host.send(change("1", Address={"Zip": "02108"}), change("2", Address={"Zip": "02108"}), kind="update")
    assert list(states.all()) == ["MA", "NJ"]


@pytest.mark.parametrize("form", FORMS)
def test_a_placement_file_lands_in_every_form(host, acting, form):
    write, packed = FORMS[form]
    file = host.send(write([record("1"), record("2")]), packed=packed)
    assert (file.state, counts(file)) == ("applied", (2, 2, 0, 0, 0))
    assert set(Account.objects.values_list("reference", flat=True)) == {"1", "2"}
    assert Event.objects.filter(kind="account.placed").count() == 2


def test_a_file_tells_the_same_events_as_a_push(host, other_host, agency, other_agency):
    whole = [record(), record(CurrentBalance="900.00", Status="RECALL", Version=8, Emails=[])]
    for one in whole:
        host.send(one)
        answer = other_host.client.post(
            f"/api/v1/hosts/{other_host.connection.pk}/accounts",
            data=json.dumps(one),
            content_type="application/json",
            headers=other_host.headers(),
        )
        assert answer.json()["accepted"] == 1
    told = []
    for one in (agency, other_agency):
        with acting_for(one):
            rows = Event.objects.order_by("account_seq").values_list("account_seq", "kind", "data")
            told.append(list(rows))
    assert [row[1] for row in told[0]] == [
        "account.placed",
        "balance.changed",
        "account.status_changed",
        "account.recalled",
        "account.updated",
    ]
    assert told[0] == told[1]


def test_an_update_changes_only_the_fields_it_names(host, acting):
    host.send(record(DebtType="MEDICAL", Settlement={"Percent": 60}, PaymentOptions={"CanPay": True}))
    before = Account.objects.values().get()
    file = host.send(change(CurrentBalance="750.00"), kind="update")
    assert counts(file) == (1, 1, 0, 0, 0)
    after = Account.objects.values().get()
    moved = {name for name, value in after.items() if before[name] != value}
    assert moved == {"balance_cents", "as_of", "host_version", "body_hash", "line_hash", "updated_at", "event_seq"}
    assert after["balance_cents"] == 750_00
    assert Consumer.objects.get().last_name == "Examplova"
    assert ContactPoint.objects.filter(removed_at=None).count() == 2
    assert IndividualOffer.objects.get().status == "made"
    kinds = list(Event.objects.order_by("account_seq").values_list("kind", flat=True))
    assert kinds == ["account.placed", "offer.made", "balance.changed"]


def test_an_update_of_a_status_has_its_consequences(host, acting):
    host.send(record())
    host.send(change(Status="RECALL"), kind="update")
    assert Account.objects.get().status == "recalled"
    assert Event.objects.filter(kind="account.recalled").count() == 1


def test_an_update_of_one_part_of_the_person_keeps_the_rest(host, acting):
    host.send(record())
    host.send(change(Address={"Street1": "9 New Street"}, Language="es"), kind="update")
    person = Consumer.objects.get()
    assert (person.street1, person.city, person.language) == ("9 New Street", "Albany", "es")
    assert (person.last_name, person.dob) == ("Examplova", "1961-02-03")
    assert Event.objects.get(kind="account.updated").data["changed"] == ["person"]


def test_an_update_of_the_phones_leaves_the_addresses(host, acting):
    host.send(record())
    phones = [{"Type": "Cell Phone", "Status": "Good Number", "Number": "+15185550199"}]
    host.send(change(Phones=phones), kind="update")
    live = ContactPoint.objects.filter(removed_at=None)
    assert set(live.values_list("value", flat=True)) == {"+15185550199", "p100234@example.com"}


@pytest.mark.parametrize("order", [("1", "2"), ("2", "1")])
def test_updates_of_one_person_in_one_file_undo_nothing_of_each_other(host, other_host, agency, other_agency, order):
    for one in (host, other_host):
        one.send(*(record(number, ConsumerID="P") for number in "123"))
    first, second = order
    street = {"Street1": "9 New Street"}
    bad = [{"Type": "Cell Phone", "Status": "Bad Number", "Number": "+12125550101"}]
    mails = [{"Address": "new@example.com", "Route": "RF-13"}]
    file = host.send(
        change("3", ConsumerID="Q", FirstName="Eve"),
        change(first, Address=street, SSN="900-99-0077", Phones=bad),
        change(second, Emails=mails),
        kind="update",
    )
    assert counts(file) == (3, 3, 0, 0, 0)
    with acting_for(agency):
        person, stranger = (Consumer.objects.get(host_consumer_id=name) for name in "PQ")
        said = (person.first_name, person.street1, person.city, person.ssn)
        assert said == ("Ada", "9 New Street", "Albany", "900990077")
        phone = person.contact_points.get(kind="phone")
        assert (phone.host_status, phone.textable, phone.removed_at) == ("Bad Number", False, None)
        live = person.contact_points.filter(kind="email", removed_at=None).values_list("value", flat=True)
        assert set(live) == {f"p{first}@example.com", "new@example.com"}
        assert (stranger.first_name, stranger.street1, stranger.ssn) == ("Eve", "18 Placeholder Lane", "")
        assert stranger.contact_points.get(kind="phone").textable, "whoever left with a line is somebody else"
        of = dict(Account.objects.values_list("reference", "consumer_id"))
        assert of == {"1": person.pk, "2": person.pk, "3": stranger.pk}
    with acting_for(other_agency):
        theirs = Consumer.objects.get()
        assert (theirs.street1, theirs.contact_points.get(kind="phone").textable) == ("18 Placeholder Lane", True)


def test_an_update_that_names_a_settlement_replaces_or_removes_it(host, acting):
    host.send(record(Settlement={"Percent": 60}))
    host.send(change(Settlement={"Percent": 50}), kind="update")
    assert IndividualOffer.objects.get(status="made").percent_bps == 50_00
    host.send(change(version=9, Settlement=None), kind="update")
    assert not IndividualOffer.objects.filter(status="made").exists()


def test_an_update_merges_payment_options_and_keeps_the_hosts_lists(host, acting):
    line = {"HostID": "H1", "Date": "2026-11-01", "Amount": "20.00", "Status": "POSTED"}
    host.send(record(PaymentOptions={"CanPay": True, "SingleCard": True}, Payments=[line]))
    host.send(change(PaymentOptions={"SingleCard": False}), kind="update")
    account = Account.objects.get()
    assert account.payment_options == {"can_pay": True, "single_card": False}
    host.send(change(version=9, PostDates=[{**line, "HostID": "H2", "Status": "PENDING"}]), kind="update")
    assert set(HostItem.objects.values_list("host_id", flat=True)) == {"H1", "H2"}


def test_an_update_takes_payment_options_away_one_by_one_or_all(host, acting):
    host.send(record(PaymentOptions={"CanPay": True, "SingleCard": True, "MinimumSingle": "25.00"}))
    host.send(change(PaymentOptions={"SingleCard": False, "MinimumSingle": None}), kind="update")
    assert Account.objects.get().payment_options == {"can_pay": True, "single_card": False}
    host.send(change(version=9, PaymentOptions=None), kind="update")
    assert Account.objects.get().payment_options == {}


def test_an_update_of_an_unknown_account_or_client_is_refused_and_makes_nothing(host, acting):
    host.send(record())
    file = host.send(change("404"), change(ClientNumber="C-NEW"), kind="update")
    assert counts(file) == (2, 0, 0, 0, 2)
    assert host.errors(file) == [
        (1, "404", "", "unknown_account"),
        (2, "100234", "/ClientNumber", "unknown_client"),
    ]
    assert Account.objects.count() == 1


def test_an_update_cannot_blank_what_must_be_there(host, acting):
    host.send(record())
    file = host.send(change(CurrentBalance=None, LastName=""), kind="update")
    assert host.errors(file) == [(1, "100234", "/CurrentBalance", "required"), (1, "100234", "/LastName", "required")]
    assert Account.objects.get().balance_cents == 1_000_00


def test_the_same_file_twice_does_nothing(host, acting):
    body = ndjson(record("1"), record("2"))
    first = host.send(body)
    again = host.post(body)
    assert (again.status_code, again.json()["duplicate"], again.json()["id"]) == (200, True, str(first.pk))
    assert host.work() == 0
    assert Event.objects.count() == 2


def test_lines_known_again_are_skipped_without_a_word(host, acting):
    host.send(record("1"), record("2"))
    file = host.send(record("1"), record("2"), record("3"))
    assert counts(file) == (3, 1, 2, 0, 0)
    assert Event.objects.count() == 3


def test_a_line_known_again_is_read_when_the_status_map_changed(host, acting):
    host.send(record("1"))
    HostConnection.objects.update(status_map={"ACTIVE": "disputed"})
    file = host.send(record("1"), record("2"))
    # The same version told again is the same word of the host: it is the map that an update must follow.
    assert counts(file) == (2, 1, 1, 0, 0)


def test_older_never_overwrites_newer(host, acting):
    host.send(record(Version=8, CurrentBalance="800.00"))
    file = host.send(record(), record(Version=8, CurrentBalance="700.00"))
    assert counts(file) == (2, 0, 0, 1, 1)
    assert host.errors(file) == [(2, "100234", "/Version", "conflicting_version")]
    assert Account.objects.get().balance_cents == 800_00
    host.connection.refresh_from_db()
    assert host.connection.stale_pushes == 1


def test_an_account_that_comes_twice_is_placed_in_order(host, acting):
    file = host.send(record(), record(Version=8, CurrentBalance="10.00"), record("2"))
    assert counts(file) == (3, 3, 0, 0, 0)
    assert Account.objects.get(reference="100234").balance_cents == 10_00


def test_bad_lines_are_given_back_as_a_file_while_good_ones_land(host, acting):
    body = ndjson(record("1")) + b"{oops}\n" + ndjson(record("2", CurrentBalance="12.345"), record("3"))
    file = host.send(body)
    assert (file.state, counts(file)) == ("applied", (4, 2, 0, 0, 2))
    answer = host.get(file.pk, "errors")
    told = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert [(line["line"], line["reference"], line["field"], line["code"]) for line in told] == [
        (2, "", "", "malformed_json"),
        (3, "2", "/CurrentBalance", "invalid_amount"),
    ]


def test_a_file_that_breaks_off_changes_nothing_of_its_chunk_and_says_where(host, acting, settings):
    settings.FILE_READ_AHEAD = settings.FILE_CHUNK = 2
    body = json.dumps([record(str(number)) for number in range(1, 7)]).encode()
    file = host.send(body[:-40])
    assert (file.state, file.broken_code, file.broken_line) == ("broken", "truncated", 6)
    assert file.done_line == 4
    assert counts(file) == (4, 4, 0, 0, 0)
    assert Account.objects.count() == 4
    assert counts(host.send(body)) == (6, 2, 4, 0, 0)


def test_a_dry_run_shows_errors_and_changes_and_applies_nothing(host, acting):
    host.send(record("1"))
    body = ndjson(record("1", CurrentBalance="640.00", Version=8), record("2"), record("3", AsOf="soon"))
    file = host.send(body, dry_run=True)
    assert (file.state, counts(file)) == ("checked", (3, 2, 0, 0, 1))
    assert file.preview[0] == {
        "line": 1,
        "reference": "1",
        "verdict": "updated",
        "changes": {"balance_cents": [1_000_00, 640_00]},
    }
    assert file.preview[1]["verdict"] == "placed"
    assert host.errors(file) == [(3, "3", "/AsOf", "invalid_time")]
    assert Account.objects.get().balance_cents == 1_000_00
    assert Event.objects.count() == 1
    files.apply_checked(file=file, by="staff:1", now=file.made_at)
    host.work()
    file.refresh_from_db()
    assert (file.state, counts(file)) == ("applied", (3, 2, 0, 0, 1))
    assert Account.objects.get(reference="1").balance_cents == 640_00
    with pytest.raises(files.Busy):
        files.apply_checked(file=file, by="staff:1", now=file.made_at)


def test_a_run_that_ends_early_goes_on_where_it_stopped(host, acting, settings):
    settings.FILE_READ_AHEAD = settings.FILE_CHUNK = 2
    answer = host.post(ndjson(*(record(str(number)) for number in range(1, 8))))
    assert intake.work(clock=clock.now, longest=0.0001) == 0
    file = HostFile.objects.get(pk=answer.json()["id"])
    assert (file.state, file.done_line) == ("working", 2)
    assert Account.objects.count() == 2
    assert host.work() == 1
    file.refresh_from_db()
    assert (file.state, counts(file)) == ("applied", (7, 7, 0, 0, 0))
    assert Event.objects.count() == 7


def test_a_stopped_file_stays_where_it_is(host, acting, settings):
    settings.FILE_READ_AHEAD = settings.FILE_CHUNK = 2
    answer = host.post(ndjson(*(record(str(number)) for number in range(1, 8))))
    intake.work(clock=clock.now, longest=0.0001)
    file = HostFile.objects.get(pk=answer.json()["id"])
    files.stop(file=file)
    assert host.work() == 0
    assert Account.objects.count() == 2
    with pytest.raises(files.Busy):
        files.stop(file=file)


def test_an_update_waits_for_the_placement_before_it(host, acting):
    host.post(ndjson(record()))
    update = host.post(ndjson(change(CurrentBalance="5.00")), "update")
    host.work()
    assert HostFile.objects.get(pk=update.json()["id"]).counts["accepted"] == 1
    assert Account.objects.get().balance_cents == 5_00


def test_an_upload_that_is_not_what_was_said_keeps_nothing(host, acting, settings):
    wrong = host.post(ndjson(record()), **{"X-Content-SHA256": "0" * 64})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "checksum_mismatch")
    for query, code in (("?kind=other", "invalid_parameter"), ("?kind=update&dry_run=yes", "invalid_parameter")):
        answer = host.client.post(host.path + query, data=b"{}", content_type="x/y", headers=host.headers())
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    settings.FILE_LIMIT = 10
    assert host.post(ndjson(record())).json()["code"] == "too_large"
    settings.FILE_LIMIT, settings.FILE_ROOM = 10**9, 2**62
    assert host.post(ndjson(record())).json()["code"] == "no_room"
    assert HostFile.objects.count() == 0
    assert not list(settings.FILES_DIR.rglob("*.part"))
    assert not [path for path in settings.FILES_DIR.rglob("*") if path.is_file()]


def test_a_shorter_upload_than_announced_keeps_nothing(host, acting, now):
    with pytest.raises(files.Incomplete) as told:
        files.receive(
            connection=host.connection,
            kind="placement",
            name="x",
            blocks=[b"{}"],
            source="api",
            by="host:x",
            now=now,
            length=3,
        )
    assert told.value.code == "upload_incomplete"
    assert HostFile.objects.count() == 0


def test_files_lie_sealed_on_the_disk_and_open_only_whole(host, acting, settings):
    file = host.send(record(LastName="Unmistakable"))
    path = vault.path_of(file.agency_id, file.pk)
    assert b"Unmistakable" not in path.read_bytes()
    assert b"Unmistakable" in b"".join(files.content(file))
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:40], whole[:-20] + b"\x00" + whole[-19:], b"", b"QVF1"):
        path.write_bytes(damaged)
        with pytest.raises(vault.Unreadable):
            b"".join(files.content(file))


def test_another_hosts_file_key_and_account_are_out_of_reach(host, other_host, agency, other_agency):
    mine, theirs = host.send(record()), other_host.send(record(CurrentBalance="77.00"))
    for answer in (
        host.get(theirs.pk),
        host.get(theirs.pk, "errors"),
        host.client.post(f"{host.path}/{theirs.pk}/claim", headers=host.headers()),
    ):
        assert answer.status_code == 404
    assert host.post(ndjson(record()), key=other_host.key).status_code == 401
    assert [file["id"] for file in host.get().json()["files"]] == [str(mine.pk)]
    file = host.send(change(CurrentBalance="1.00"), kind="update")
    assert file.counts["accepted"] == 1
    with acting_for(other_agency):
        assert Account.objects.get().balance_cents == 77_00


def test_activity_is_extracted_once_and_claimed_for_a_day(host, other_host, acting):
    host.send(record("1"), record("2"))
    other_host.send(record("1"))

    def extract(**body):
        address = host.path.removesuffix("/files") + "/extractions"
        answer = host.client.post(address, json.dumps(body), content_type="application/json", headers=host.headers())
        assert answer.status_code == 201, answer.content
        file = answer.json()
        claimed = host.client.post(f"{host.path}/{file['id']}/claim", headers=host.headers())
        return file, [json.loads(line) for line in b"".join(claimed.streaming_content).splitlines()]

    file, told = extract()
    said = sorted((line["FileNumber"], line["Event"]) for line in told)
    assert said == [("1", "account.placed"), ("2", "account.placed")]
    claim = f"{host.path}/{file['id']}/claim"
    again = host.client.post(claim, headers=host.headers())
    assert [json.loads(line) for line in b"".join(again.streaming_content).splitlines()] == told
    assert other_host.client.post(claim, headers=other_host.headers()).status_code == 401
    HostFile.objects.filter(pk=file["id"]).update(claimed_at=clock.now() - dt.timedelta(hours=24))
    late = host.client.post(claim, headers=host.headers())
    assert (late.status_code, late.json()["code"]) == (409, "already_claimed")
    assert extract()[1] == []
    host.send(change("2", CurrentBalance="7.00"), kind="update")
    assert [(line["FileNumber"], line["Event"]) for line in extract()[1]] == [("2", "balance.changed")]
    ranged = extract(since="2020-01-01T00:00:00Z", until="2099-01-01T00:00:00Z")[1]
    assert len(ranged) == 3
    assert extract()[1] == []


def test_what_is_wrong_with_an_asked_extraction_is_said_as_the_document_says(host):
    address = host.path.removesuffix("/files") + "/extractions"
    for body, said in (
        (b'{"since": "yesterday"}', (422, "invalid")),
        (b'{"since": "' + b"x" * 20_000 + b'"}', (413, "too_large")),
    ):
        answer = host.client.post(address, body, content_type="application/json", headers=host.headers())
        assert (answer.status_code, answer.json()["code"]) == said
        assert differences("POST", address, answer) == []


def test_a_file_whose_download_broke_off_is_claimed_again_whole(host, acting, now, settings):
    whole = b'{"EventID":"1"}\n' * 200_000
    given = {"outgoing": True, "kind": "activity", "state": "ready", "source": "extract", "by": "schedule"}
    file = HostFile.objects.create(connection=host.connection, name="a.ndjson", size=len(whole), made_at=now, **given)
    vault.keep([whole], agency_id=acting.pk, file_id=file.pk)
    claim = f"{host.path}/{file.pk}/claim"
    broken = host.client.post(claim, headers=host.headers())
    assert len(next(iter(broken.streaming_content))) < len(whole)
    settings.FILE_KEEP_DAYS = 0
    assert files.forget_old(now=clock.now() + dt.timedelta(hours=23)) == 0
    again = host.client.post(claim, headers=host.headers())
    assert b"".join(again.streaming_content) == whole
    assert files.forget_old(now=clock.now() + dt.timedelta(hours=25)) == 1
    assert host.client.post(claim, headers=host.headers()).json()["code"] == "gone"


def test_an_old_files_content_is_removed_and_its_counts_stay(host, acting, settings):
    file = host.send(record())
    settings.FILE_KEEP_DAYS = 0
    assert files.forget_old(now=file.made_at.replace(year=2090)) == 1
    file.refresh_from_db()
    assert file.forgotten_at is not None
    assert file.counts["accepted"] == 1
    with pytest.raises(vault.Unreadable):
        b"".join(files.content(file))


def test_sequences_of_accounts_stay_dense_through_files(host, everywhere):
    host.send(record())
    for version in (8, 9):
        host.send(change(version=version, CurrentBalance=f"{version}.00", Status="CLOSE"), kind="update")
    with acting_for(ALL_AGENCIES):
        account = Account.objects.get()
        seqs = list(Event.objects.filter(account=account).order_by("account_seq").values_list("account_seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))
    assert account.event_seq == len(seqs)


def test_activity_is_extracted_in_the_connections_own_format(host, acting):
    columns = [{"name": "Account", "from": "FileNumber"}, {"name": "What", "from": "Event"}]
    mapping = {"shape": "csv", "columns": columns, "only": ["balance.changed"]}
    FileFormat.objects.create(connection=host.connection, name="Their CSV", kind="activity", mapping=mapping)
    host.send(record("=1"))
    host.send(change("=1", CurrentBalance="7.00"), kind="update")
    file = extract.extract(connection=host.connection, by="test", now=clock.now())
    assert b"".join(files.content(file)) == b"Account,What\r\n'=1,balance.changed\r\n"
    assert (file.counts, file.name.endswith(".csv")) == ({"events": 1}, True)


def test_a_file_in_the_connections_own_format_lands_by_the_same_rules(host, acting):
    FileFormat.objects.create(connection=host.connection, name="TWP", kind="placement", mapping=TAKEWEBPAYMENT)
    body = b"UniqueID,PrimaryFirstName,PrimaryLastName,CurrentBalance,ClientID\r\n"
    rows = b"T-1,Jane,Doe,450.50,C9\r\nT-2,Joe,Roe,much,C9\r\n"
    file = host.send(body + rows)
    assert (file.state, counts(file)) == ("applied", (2, 1, 0, 0, 1))
    assert host.errors(file) == [(3, "T-2", "/CurrentBalance", "invalid_amount")]
    account = Account.objects.get()
    assert (account.reference, account.balance_cents, account.client.number) == ("T-1", 450_50, "C9")
    again = host.send(body + rows + b"T-3,Ann,Poe,1,C9\r\n")
    assert counts(again) == (3, 1, 1, 0, 1)
    without = host.send(body.replace(b",CurrentBalance", b"") + b"T-1,Jane,Doe,C9\r\n")
    assert (without.state, without.broken_code) == ("broken", "missing_column")
    assert Account.objects.get(reference="T-1").balance_cents == 450_50


def takewebpayment(host) -> None:
    with acting_for(host.agency):
        FileFormat.objects.create(connection=host.connection, name="TWP", kind="placement", mapping=TAKEWEBPAYMENT)


def owing(balance: str) -> bytes:
    """Make a file whose rows say no time of their own."""
    return f"UniqueID,PrimaryFirstName,PrimaryLastName,CurrentBalance\r\nT-1,Jane,Doe,{balance}\r\n".encode()


def balance_at(agency) -> int:
    with acting_for(agency):
        return Account.objects.get().balance_cents


def test_a_file_that_says_again_what_an_older_one_said_is_news(host, other_host, agency, other_agency):
    days = [dt.datetime(2026, 12, day, 15, 0, tzinfo=dt.UTC) for day in (1, 2, 3, 4)]
    for one in (host, other_host):
        takewebpayment(one)
    with time_machine.travel(days[0], tick=False):
        other_host.send(owing("450.50"))
    for day, balance in zip(days, ("450.50", "300.00", "450.50", "450.50"), strict=True):
        with time_machine.travel(day, tick=False):
            file = host.send(owing(balance))
        assert (file.as_of, balance_at(agency)) == (min(day, days[2]), round(float(balance) * 100))
    with acting_for(agency):
        assert HostFile.objects.count() == 3, "what the latest file said already does nothing"
    with acting_for(other_agency):
        assert (HostFile.objects.count(), Account.objects.get().as_of) == (1, days[0])


def test_of_two_files_of_one_moment_the_second_is_the_newer_one(host, other_host, agency, other_agency, now):
    for one in (host, other_host):
        takewebpayment(one)
    with time_machine.travel(now, tick=False):
        first = host.send(owing("450.50"))
        second = host.send(owing("300.00"))
        host.send(owing("450.50"))
        other_host.send(owing("7.00"))
    assert (counts(first), counts(second)) == ((1, 1, 0, 0, 0), (1, 1, 0, 0, 0))
    assert (balance_at(agency), balance_at(other_agency)) == (450_50, 7_00)


def test_a_file_is_newer_than_one_from_before_files_had_a_time_of_their_own(
    host, other_host, agency, other_agency, now
):
    for one in (host, other_host):
        takewebpayment(one)
    with time_machine.travel(now, tick=False):
        host.send(owing("300.00"))
    with acting_for(agency):
        HostFile.objects.update(as_of=None)
    written, came = now - dt.timedelta(minutes=5), now + dt.timedelta(minutes=5)
    for one, at in ((host, now + dt.timedelta(microseconds=1)), (other_host, written)):
        with acting_for(one.agency):
            told = {"connection": one.connection, "kind": "placement", "name": "b.csv", "blocks": [owing("90.00")]}
            file, _new = files.receive(**told, source="sftp", by="schedule", now=came, written_at=written)
            assert file.as_of == at


def test_a_dry_run_applied_later_is_as_old_as_when_it_came(host, other_host, agency, other_agency):
    morning = dt.datetime(2026, 12, 1, 10, 0, tzinfo=dt.UTC)
    for one in (host, other_host):
        takewebpayment(one)
        with time_machine.travel(morning, tick=False):
            one.send(owing("450.50"))
            checked = one.send(owing("300.00"), dry_run=True)
        afternoon = {"LastName": "Doe", "ClientNumber": "TWP", "AsOf": "2026-12-01T14:00:00Z", "Version": None}
        if one is host:
            with acting_for(agency):
                told = record("T-1", CurrentBalance="90.00", **afternoon)
                receive.take(connection=host.connection, records=[told], now=morning + dt.timedelta(hours=4))
        with acting_for(one.agency), time_machine.travel(morning + dt.timedelta(hours=5), tick=False):
            files.apply_checked(file=checked, by="staff:1", now=clock.now())
            one.work()
            checked.refresh_from_db()
        assert counts(checked) == ((1, 0, 0, 1, 0) if one is host else (1, 1, 0, 0, 0))
    assert (balance_at(agency), balance_at(other_agency)) == (90_00, 300_00)


def test_a_file_whose_rows_say_when_is_taken_once_for_ever(host, acting):
    host.send(record())
    host.send(record(Version=8, CurrentBalance="7.00"))
    again = host.send(record())
    assert (HostFile.objects.count(), again.as_of, Account.objects.get().balance_cents) == (2, None, 7_00)


def test_an_update_that_names_another_client_moves_the_account_there(host, acting):
    host.send(record("1"), record("2", ClientNumber="C-020", ClientName="Second"))
    host.send(change("1", ClientNumber="C-020"), kind="update")
    assert set(Account.objects.values_list("client__number", flat=True)) == {"C-020"}
    assert Event.objects.filter(kind="account.updated").get().data["changed"] == ["client_id"]


def test_every_sign_that_json_can_say_is_stored_as_it_was_said(host, acting):
    odd = "a\"b\\c,{d}'e%s NULL\t\u2028ñ"
    host.send(record(ClientName=odd, DebtType="NULL", AccountDescription=odd, LastName=odd[:80]))
    account = Account.objects.select_related("client", "consumer").get()
    assert (account.client.name, account.debt_type, account.description) == (odd, "NULL", odd)
    assert account.consumer.last_name == odd
