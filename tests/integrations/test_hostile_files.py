"""Sixty and more files that nobody should send: each has a clear end, nothing is half applied, memory stays bounded."""

import gzip
import io
import json
import tracemalloc

import pytest

from accounts.models import Account, Client, Consumer, Event
from accounts.tenancy import acting_for
from integrations import lines
from integrations.models import HostFile
from integrations.services import files
from tests.integrations.file_cast import FileHost, change, ndjson, record

pytestmark = pytest.mark.django_db

GOOD = record("GOOD")
LINE = ndjson(GOOD)
ARRAY = json.dumps([GOOD]).encode()
LONG = 300 * 2**10


@pytest.fixture(autouse=True)
def own_vault(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "vault"


@pytest.fixture
def host(agency, client) -> FileHost:
    return FileHost(agency, client)


def raw(name: str, value: str) -> bytes:
    """Write a record whose one value is this very text of JSON."""
    return LINE.replace(json.dumps(GOOD[name]).encode(), value.encode(), 1)


def beside(bad: bytes) -> bytes:
    """Put a bad line beside a good one."""
    return LINE + bad.rstrip(b"\n") + b"\n"


BROKEN = {
    "empty": (b"", "empty"),
    "spaces only": (b" \n\t \r\n" * 50, "empty"),
    "a text": (b"Dear host, please find attached", "not_json"),
    "a page of HTML": (b"<html><body>502 Bad Gateway</body></html>", "not_json"),
    "XML": (b"<?xml version='1.0'?><accounts/>", "not_json"),
    "CSV where JSON is agreed": (b"FileNumber,Status\n1,ACTIVE\n", "not_json"),
    "a number": (b"42", "not_json"),
    "null bytes only": (b"\x00" * 4096, "not_json"),
    "UTF-16": (LINE.decode().encode("utf-16"), "wrong_encoding"),
    "UTF-16 big endian": (b"\xfe\xff" + LINE.decode().encode("utf-16-be"), "wrong_encoding"),
    "UTF-32": (LINE.decode().encode("utf-32"), "wrong_encoding"),
    "Latin-1 in an array": (
        json.dumps([record(LastName="Muñoz")], ensure_ascii=False).encode("latin-1"),
        "wrong_encoding",
    ),
    "a zip archive": (b"PK\x03\x04" + b"\x00" * 60, "unsupported_archive"),
    "a bzip2 archive": (b"BZh91AY" + b"\x00" * 60, "unsupported_archive"),
    "a zstd archive": (b"\x28\xb5\x2f\xfd" + b"\x00" * 60, "unsupported_archive"),
    "gzip in name only": (b"\x1f\x8b" + b"nothing of it", "malformed_gzip"),
    "gzip cut short": (gzip.compress(LINE * 50)[:-30], "truncated"),
    "gzip with a wrong sum": (gzip.compress(LINE)[:-8] + b"\x00" * 8, "malformed_gzip"),
    "gzip of nothing": (gzip.compress(b""), "empty"),
    "gzip in gzip": (gzip.compress(gzip.compress(LINE)), "not_json"),
    "gzip bomb of zeros": (gzip.compress(b"0" * 2**25), "not_json"),
    "gzip bomb of empty lines": (gzip.compress(LINE + b"\n" * 2**25), "unpacks_too_far"),
    "gzip bomb in a text": (gzip.compress(b'[{"FileNumber":"' + b"A" * 2**25), "record_too_long"),
    "gzip bomb of brackets": (gzip.compress(b"[" * 2**22), "nested_too_deeply"),
    "an array cut short": (ARRAY[:-30], "truncated"),
    "an array without its end": (ARRAY[:-1], "truncated"),
    "an array and then more": (ARRAY + b" trailing", "not_json"),
    "two arrays": (ARRAY + ARRAY, "not_json"),
    "a comma too much": (b"[" + LINE.strip() + b",]", "not_json"),
    "NaN in an array": (b"[NaN]", "not_json"),
    "single quotes": (b"[{'FileNumber': '1'}]", "not_json"),
    "comments": (b"[/* all */]", "not_json"),
    "lines cut short": (LINE + LINE[:-40], "truncated"),
    "one line that goes on": (b'{"FileNumber":"' + b"A" * LONG, "record_too_long"),
    "one line that goes on after a good one": (LINE + b'{"FileNumber":"' + b"A" * LONG, "record_too_long"),
    "one record that goes on": (b'[{"FileNumber":"' + b"A" * (LONG * 2), "record_too_long"),
    "nested without end": (b"[" + b'{"a":' * 60_000, "nested_too_deeply"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_file_of_records_is_broken_and_applies_nothing_of_its_chunk(host, acting, case):
    body, code = BROKEN[case]
    file = host.send(body)
    assert (file.state, file.broken_code) == ("broken", code)
    assert file.broken_text
    assert Account.objects.count() == Event.objects.count() == 0


def bad(**values) -> bytes:
    return beside(ndjson(record("BAD", **values)))


REFUSED = {
    "no JSON": (beside(b"{oops"), "malformed_json"),
    "NaN": (beside(b'{"FileNumber":"BAD","CurrentBalance":NaN}'), "malformed_json"),
    "a list": (beside(b"[1]"), "invalid_record"),
    "a text": (beside(b'"BAD"'), "invalid_record"),
    "null": (beside(b"null"), "invalid_record"),
    "an empty object": (beside(b"{}"), "required"),
    "wrong encoding": (beside(LINE.replace(b"Examplova", b"Mu\xf1oz")), "malformed_json"),
    "a raw null byte": (beside(LINE.replace(b"Examplova", b"Ex\x00a")), "malformed_json"),
    "a null byte as an escape": (bad(LastName="Do\x00e"), "too_long"),
    "half a character": (beside(raw("LastName", '"\\ud800"')), "malformed_json"),
    "nested deeply": (beside(b'{"FileNumber":' + b"[" * 5000 + b"]" * 5000 + b"}"), "malformed_json"),
    "no reference": (bad(FileNumber=""), "required"),
    "a reference that is a list": (bad(FileNumber=["A"]), "invalid_text"),
    "a reference that is true": (bad(FileNumber=True), "invalid_text"),
    "a reference without end": (bad(FileNumber="A" * 61), "too_long"),
    "no client": (bad(ClientNumber=""), "required"),
    "no last name": (bad(LastName=""), "required"),
    "no time": (bad(AsOf=""), "required"),
    "a time without its zone": (bad(AsOf="2026-12-01T14:00:00"), "invalid_time"),
    "a time that is none": (bad(AsOf="yesterday"), "invalid_time"),
    "three decimals": (bad(CurrentBalance="12.345"), "invalid_amount"),
    "an exponent": (bad(CurrentBalance="1e9"), "invalid_amount"),
    "an amount of infinity": (bad(CurrentBalance="Infinity"), "invalid_amount"),
    "an absurd amount": (bad(CurrentBalance="99999999999.00"), "invalid_amount"),
    "an amount with a comma": (bad(CurrentBalance="1,000.00"), "invalid_amount"),
    "an amount in words": (bad(CurrentBalance="a lot"), "invalid_amount"),
    "an amount that is true": (bad(CurrentBalance=True), "invalid_amount"),
    "an amount that is a formula": (bad(CurrentBalance="=1+1"), "invalid_amount"),
    "a negative minimum": (bad(PaymentOptions={"MinimumSingle": "-5.00"}), "invalid_amount"),
    "a flag that is a word": (bad(PaymentOptions={"CanPay": "yes"}), "invalid_flag"),
    "a day that does not exist": (bad(AssignedDate="2026-02-30"), "invalid_date"),
    "a date of another form": (bad(AssignedDate="02/28/2026"), "invalid_date"),
    "an absurd version": (bad(Version=10**20), "invalid_number"),
    "a version that is none": (bad(Version="latest"), "invalid_number"),
    "an SSN too short": (bad(SSN="123"), "invalid_ssn"),
    "phones that are no list": (bad(Phones="518"), "invalid_list"),
    "a phone that is a text": (bad(Phones=["518"]), "invalid_list"),
    "more phones than anybody has": (bad(Phones=[{"Number": "5185550101"}] * 51), "invalid_list"),
    "an address that is none": (bad(Emails=[{"Address": "not an address"}]), "invalid_email"),
    "an itemization that does not tie": (bad(Itemization={"Balance": "1.00"}), "itemization_does_not_tie"),
    "a payment that comes twice": (
        bad(Payments=[{"HostID": "1", "Date": "2026-11-01", "Amount": "1.00", "Status": "POSTED"}] * 2),
        "duplicate",
    ),
    "a payment without a date": (bad(Payments=[{"HostID": "1", "Amount": "1.00", "Status": "POSTED"}]), "required"),
    "the same version with another body": (
        beside(ndjson(record("GOOD", CurrentBalance="1.00"))),
        "conflicting_version",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_line_is_told_and_the_good_one_beside_it_lands(host, acting, case):
    body, code = REFUSED[case]
    file = host.send(body)
    assert file.state == "applied", file.broken_text
    assert (file.counts["received"], file.counts["accepted"], file.counts["refused"]) == (2, 1, 1)
    told = host.errors(file)
    assert {line for line, *_rest in told} == {2}
    assert code in {error for *_rest, error in told}
    account = Account.objects.get()
    assert (account.reference, account.balance_cents) == ("GOOD", 1_000_00)
    assert Consumer.objects.count() == Client.objects.count() == 1
    assert Event.objects.count() == 1


ODD = {
    "a balance below zero": ({"CurrentBalance": "-12.00"}, "balance_cents", 0),
    "a status nobody mapped": ({"Status": "=cmd|' /C calc'!A0"}, "status", "unmapped"),
    "a formula in a text": ({"AccountDescription": "=1+1"}, "description", "=1+1"),
    "right to left": ({"AccountDescription": "חשבון \u202e123"}, "description", "חשבון \u202e123"),
    "an emoji": ({"AccountDescription": "🧾" * 20}, "description", "🧾" * 20),
    "a script": ({"AccountDescription": "<script>alert(1)</script>"}, "description", "<script>alert(1)</script>"),
    "a quote of SQL": ({"DebtType": "'; DROP TABLE x; --"}, "debt_type", "'; DROP TABLE x; --"),
    "tabs and backslashes": ({"AccountDescription": "a\tb\\N\\.c"}, "description", "a\tb\\N\\.c"),
    "names that nobody knows": ({"__proto__": {"x": 1}, "constructor": "x"}, "reference", "GOOD"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_values_are_only_values(host, acting, case):
    values, name, wanted = ODD[case]
    file = host.send(record("GOOD", **values))
    assert file.counts["accepted"] == 1, host.errors(file)
    assert getattr(Account.objects.get(), name) == wanted


def test_an_unusable_settlement_is_told_and_holds_no_balance_back(host, acting):
    for number, said in enumerate(
        ({"MaxPayments": 3}, {"Amount": "-5.00"}, {"Percent": 60, "MaxPayments": 10**15}, "x")
    ):
        file = host.send(record(f"S{number}", Settlement=said))
        assert file.counts["accepted"] + file.counts["refused"] == 1
        assert file.counts["errors"] >= 1, said
    assert Account.objects.filter(balance_cents=1_000_00).count() >= 3


def test_a_reference_of_another_agency_names_an_own_account_or_none(host, other_agency, client, agency):
    other_host = FileHost(other_agency, client)
    other_host.send(record("THEIRS", CurrentBalance="77.00"))
    file = host.send(change("THEIRS", CurrentBalance="1.00"), kind="update")
    assert host.errors(file) == [(1, "THEIRS", "", "unknown_account")]
    host.send(record("THEIRS", CurrentBalance="5.00"))
    with acting_for(agency):
        assert Account.objects.get().balance_cents == 5_00
    with acting_for(other_agency):
        assert Account.objects.get().balance_cents == 77_00


def test_a_name_that_climbs_out_of_the_folder_is_only_a_name(host, acting, settings):
    file = host.send(LINE, name="../../etc/passwd%00.json")
    assert file.name == "passwd.json"
    assert files.clean_name("..\\..\\x\r\ny") == "xy"
    assert files.clean_name("...") == "unnamed"
    kept = [path for path in settings.FILES_DIR.rglob("*") if path.is_file()]
    assert [path.name for path in kept] == [str(file.pk)]


def test_a_file_that_changes_while_it_is_read_is_not_taken(host, acting, now):
    def growing():
        yield LINE
        raise OSError("the file changed")

    with pytest.raises(OSError, match="changed"):
        files.receive(
            connection=host.connection, kind="placement", name="x", blocks=growing(), source="sftp", by="x", now=now
        )
    assert HostFile.objects.count() == 0


def test_errors_beyond_the_limit_are_counted_and_not_kept(host, acting, settings):
    settings.FILE_ERRORS_KEPT = 5
    file = host.send(LINE + b"{oops}\n" * 20)
    assert (file.counts["refused"], file.counts["errors"], len(host.errors(file))) == (20, 20, 5)


def peak(source: io.RawIOBase, **how) -> int:
    """Read a file to its end or its break and give the most memory that took."""
    limits = lines.Limits(record=256 * 2**10, unpacked=2**36, ratio=10**9)
    tracemalloc.start()
    try:
        for _cut in lines.records(io.BufferedReader(source, 2**16), limits, **how):
            pass
    except lines.Broken:
        pass
    finally:
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


class Endless(io.RawIOBase):
    """Give a beginning and then the same byte, as often as asked, without holding it."""

    def __init__(self, begun: bytes, byte: bytes, size: int) -> None:
        self.begun, self.byte, self.left = begun, byte, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if self.begun:
            count = min(len(buffer), len(self.begun))
            buffer[:count], self.begun = self.begun[:count], self.begun[count:]
            return count
        count = min(len(buffer), self.left)
        buffer[:count] = self.byte * count
        self.left -= count
        return count


@pytest.mark.parametrize(
    "begun", [b'{"FileNumber":"', b'[{"FileNumber":"', b'{"a":1}\n{"b":"', b"[", b"[[", b'[{"a":1},"']
)
def test_64_megabytes_without_an_end_take_two_megabytes_of_memory(begun):
    byte = b"[" if begun == b"[" else b"A"
    assert peak(Endless(begun, byte, 64 * 2**20)) < 4 * 2**20


def test_64_megabytes_of_empty_lines_take_two_megabytes_of_memory():
    assert peak(Endless(b'{"a":1}\n', b"\n", 64 * 2**20)) < 2 * 2**20


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("empty", [1, 999, 1000, 1001, 70_000])
def test_a_line_keeps_its_number_after_however_many_empty_ones(empty, end):
    text = b'{"a":1}' + end + end * empty + b'{"a":2}' + end + end * empty + b' {"a":3}'
    found = lines.records(io.BufferedReader(io.BytesIO(text), 100), lines.Limits(2**10, 2**20, 10**9))
    assert [(cut.line, cut.text) for cut in found] == [
        (1, b'{"a":1}'),
        (2 + empty, b'{"a":2}'),
        (3 + 2 * empty, b'{"a":3}'),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("begun", [b'{"FileNumber":"', b'[{"FileNumber":"'])
def test_two_gigabytes_without_an_end_take_two_megabytes_of_memory(begun):
    assert peak(Endless(begun, b"A", 2 * 2**30)) < 4 * 2**20
