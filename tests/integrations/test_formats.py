"""A connection's own files: CSV, fixed width and other JSON become the canonical record and back, by data."""

import io

import pytest

from integrations import formats
from integrations.formats import Format, disarmed, preview
from integrations.formats.check import check
from integrations.formats.ready import READY, SIMPLICITY, TAKEWEBPAYMENT
from integrations.lines import Broken, Limits

LIMITS = Limits(record=10_000, unpacked=10**8, ratio=200)


def read(mapping, body) -> list[tuple]:
    body = body if isinstance(body, bytes) else body.encode()
    form = Format(mapping)
    rows = form.rows(io.BufferedReader(io.BytesIO(body)), LIMITS)
    return [(row.line, *form.record(row)) for row in rows]


def one(mapping, body) -> dict:
    ((_line, record, errors),) = read(mapping, body)
    assert errors == []
    return record


def csv(*fields, **more) -> dict:
    return {"shape": "csv", "fields": [{"to": "FileNumber", "from": "Ref"}, *fields], **more}


@pytest.mark.parametrize("name", READY)
def test_ready_made_mappings_have_nothing_wrong(name):
    assert check(READY[name]) == []


def test_cells_with_commas_quotes_and_line_ends_stay_whole():
    mapping = csv({"to": "AccountDescription", "from": "Text"})
    found = read(mapping, 'Ref,Text\r\n1,"a, ""b""\r\nc"\r\n\r\n2,d\r\n')
    assert [(line, record["AccountDescription"]) for line, record, _errors in found] == [(2, 'a, "b"\r\nc'), (5, "d")]


VALUES = [
    ({"as": "amount"}, "$1,250.00", "1250.00"),
    ({"as": "amount"}, "(12.5)", "-12.50"),
    ({"as": "amount"}, "12.50-", "-12.50"),
    ({"as": "amount", "format": ","}, "1.250,75", "1250.75"),
    ({"as": "cents"}, "0000125075", "1250.75"),
    ({"as": "date", "format": "%m/%d/%Y"}, "02/28/2026", "2026-02-28"),
    ({"as": "whole"}, "007", 7),
    ({"as": "percent"}, "62.5 %", "62.50"),
    ({"as": "flag"}, "Y", True),
    ({"as": "upper"}, "ny", "NY"),
    ({"as": "ssn"}, "900-99-1234", "900991234"),
    ({"as": "ssn"}, "1234", None),
    ({"split": ",", "part": 1}, "Doe, Jane", "Jane"),
    ({"split": ",", "part": 7}, "Doe, Jane", None),
    ({"map": {"A": "ACTIVE"}}, "A", "ACTIVE"),
    ({"map": {"A": "ACTIVE"}, "else": "CLOSE"}, "Q", "CLOSE"),
    ({"default": "EN"}, "", "EN"),
]


@pytest.mark.parametrize(("spec", "text", "wanted"), VALUES)
def test_values_are_read_as_the_mapping_says(spec, text, wanted):
    mapping = csv({"to": "X", "from": "V", **spec})
    assert one(mapping, f'Ref,V\n1,"{text}"\n').get("X") == wanted


BAD = [
    ({"as": "amount"}, "12.345", "invalid_amount"),
    ({"as": "amount"}, "1e9", "invalid_amount"),
    ({"as": "cents"}, "12.50", "invalid_amount"),
    ({"as": "date"}, "2026-02-30", "invalid_date"),
    ({"as": "whole"}, "1.0", "invalid_number"),
    ({"as": "flag"}, "maybe", "invalid_flag"),
    ({"as": "percent"}, "much", "invalid_percent"),
    ({"as": "percent"}, "1e999999999", "invalid_percent"),
    ({"map": {"A": "ACTIVE"}}, "Q", "unknown_word"),
    ({"required": True}, "", "required"),
]


@pytest.mark.parametrize(("spec", "text", "code"), BAD)
def test_a_value_that_cannot_be_read_is_told_at_its_column(spec, text, code):
    ((line, _record, errors),) = read(csv({"to": "X", "from": "V", **spec}), f"Ref,V\n1,{text}\n")
    assert line == 2
    assert [(error.pointer, error.code) for error in errors] == [("/V", code)]


def test_constants_joins_conditions_and_nesting():
    mapping = csv(
        {"to": "Status", "constant": "ACTIVE"},
        {"to": "Status", "constant": "RECALL", "when": {"Gone": ["y", "yes"]}},
        {"to": "LastName", "from": ["Last", "Suffix"], "with": " "},
        {"to": "Address/City", "from": "City"},
        skip_when={"Ref": ["TOTAL"]},
    )
    body = "Ref,Last,Suffix,City,Gone\n1,Doe,Jr,Albany,\n2,Roe,,,YES\nTOTAL,2,,,\n"
    found = [record for _line, record, _errors in read(mapping, body)]
    assert found == [
        {"FileNumber": "1", "Status": "ACTIVE", "LastName": "Doe Jr", "Address": {"City": "Albany"}},
        {"FileNumber": "2", "Status": "RECALL", "LastName": "Roe"},
    ]


def test_the_first_matching_phone_is_the_one_to_text():
    cell = {"type": "Cell Phone", "status": "Good Number", "first": True}
    mapping = csv(
        phones=[
            {"from": "P1", "when": {"S1": "OK"}, **cell},
            {"from": "P2", "when": {"S2": "OK"}, **cell},
            {"from": "P3", **cell},
            {"from": "P3", "type": "Home Phone"},
        ]
    )
    record = one(mapping, "Ref,P1,S1,P2,S2,P3\n1,111,BAD,222,ok,333\n")
    assert record["Phones"] == [
        {"Number": "222", "Type": "Cell Phone", "Status": "Good Number"},
        {"Number": "333", "Type": "Home Phone"},
    ]


def test_fixed_width_is_cut_by_position_in_the_files_own_encoding():
    mapping = {
        "shape": "fixed",
        "encoding": "cp1252",
        "columns": [
            {"name": "kind", "at": 1, "to": 1},
            {"name": "ref", "at": 2, "to": 7},
            {"name": "name", "at": 8, "to": 17},
            {"name": "cents", "at": 18, "to": 26},
        ],
        "skip_when": {"kind": ["H", "T"]},
        "fields": [
            {"to": "FileNumber", "from": "ref"},
            {"to": "LastName", "from": "name"},
            {"to": "CurrentBalance", "from": "cents", "as": "cents"},
        ],
    }
    assert check(mapping) == []
    body = "HEADER\r\nDA-0001Muñoz     000125000\r\nT000001\r\n".encode("cp1252")
    assert one(mapping, body) == {"FileNumber": "A-0001", "LastName": "Muñoz", "CurrentBalance": "1250.00"}


def test_any_shape_of_json_is_read_by_paths():
    mapping = {
        "shape": "json",
        "list": "debts",
        "fields": [
            {"to": "FileNumber", "from": "id"},
            {"to": "CurrentBalance", "from": "sum/open", "as": "amount"},
            {"to": "LastName", "from": "people/0/name"},
        ],
    }
    body = '{"debts": [{"id": 7, "sum": {"open": 12.5}, "people": [{"name": "Doe"}]}]}'
    assert one(mapping, body) == {"FileNumber": "7", "CurrentBalance": "12.50", "LastName": "Doe"}


def test_the_takewebpayment_field_list_is_read():
    header = (
        "UniqueID,PrimaryFirstName,PrimaryLastName,AllowConsumerToAccess,Address,City,State,Zip,Email,SSN,DOB,"
        "AssignedBalance,CurrentBalance,CanMakePayment,AcceptRecurringCreditCard,MinimumSinglePayment,"
        "Settlement Offered,Settlement Amount,Max Settlement Payments,ClientID,Cell phone,OwnField\n"
    )
    row = (
        "T-1,Jane,Núñez,true,1 Main St,Albany,NY,12207,j@example.com,1234,1980-02-03,500.00,450.50,true,false,25,"
        "yes,300.00,3,C9,5185550101,kept out\n"
    )
    record = one(TAKEWEBPAYMENT, header + row)
    assert record == {
        "FileNumber": "T-1",
        "FirstName": "Jane",
        "LastName": "Núñez",
        "Status": "ACTIVE",
        "ClientNumber": "C9",
        "Address": {"Street1": "1 Main St", "City": "Albany", "State": "NY", "Zip": "12207"},
        "DOB": "1980-02-03",
        "AssignedBalance": "500.00",
        "CurrentBalance": "450.50",
        "PaymentOptions": {"CanPay": True, "RecurringCard": False, "MinimumSingle": "25.00"},
        "Settlement": {"Amount": "300.00", "MaxPayments": 3},
        "Phones": [{"Number": "5185550101", "Type": "Cell Phone", "Status": "Good Number"}],
        "Emails": [{"Address": "j@example.com"}],
    }
    assert one(TAKEWEBPAYMENT, (header + row).replace(",true,1 Main", ",false,1 Main"))["Status"] == "FLAGGED"


def test_the_simplicity_export_is_read():
    body = (
        "case_number,debtor_first_name,debtor_last_name,debtor_address_one,debtor_city,debtor_state,debtor_zip,"
        "debtor_email,current_balance_due,creditor,client_name,last_four_ssn,debtor_payment_id\n"
        'S-1,Ann,Roe,1 Elm,Troy,NY,12180,a@example.com,"1,200.00",City Bank,City,9876,P1\n'
    )
    record = one(SIMPLICITY, body)
    assert (record["FileNumber"], record["CurrentBalance"], record["OriginalCreditor"]) == (
        "S-1",
        "1200.00",
        "City Bank",
    )
    assert "SSN" not in record


BROKEN = [
    ("Ref,V\n1,2,3\n", "malformed_csv", 2),
    ('Ref,V\n1,"2\n', "truncated", 2),
    ('Ref,V\n1,"2"x\n', "malformed_csv", 2),
    ("Ref,Ref,V\n", "duplicate_column", 1),
    ("Ref\n1\n", "missing_column", 1),
    ("", "empty", 0),
    (b"Ref,V\n1,\xff\n", "wrong_encoding", 2),
    ('Ref,V\n1,"' + "x\n" * 9_000, "record_too_long", 5000),
    ("x" * 20_000, "record_too_long", 1),
]


@pytest.mark.parametrize(("body", "code", "line"), BROKEN)
def test_what_is_no_such_file_breaks_with_its_line(body, code, line):
    with pytest.raises(Broken) as told:
        read(csv({"to": "X", "from": "V"}), body)
    assert (told.value.code, told.value.line) == (code, line)


OUT = {
    "shape": "csv",
    "columns": [
        {"name": "Account", "from": "FileNumber"},
        {"name": "What", "from": "Event", "map": {"payment.succeeded": "PAID"}},
        {"name": "Amount", "from": "Payment/Amount"},
        {"name": "Cents", "from": "Payment/Amount", "as": "cents"},
        {"name": "Day", "from": "OccurredAt", "as": "date", "format": "%m/%d/%Y"},
    ],
}
MESSAGE = {
    "FileNumber": '=HYPERLINK("x")',
    "Event": "payment.succeeded",
    "OccurredAt": "2026-12-01T15:00:00+00:00",
    "Payment": {"Amount": "-12.50"},
}


def test_activity_is_written_as_the_mapping_says_and_formulas_are_disarmed():
    assert check(OUT, outgoing=True) == []
    form = Format(OUT)
    assert form.head() == b"Account,What,Amount,Cents,Day\r\n"
    assert form.written(MESSAGE) == b'"\'=HYPERLINK(""x"")",PAID,-12.50,-1250,12/01/2026\r\n'
    fixed = OUT | {
        "shape": "fixed",
        "columns": [
            {"name": "a", "from": "Event", "at": 1, "to": 6},
            {"name": "b", "from": "Payment/Amount", "at": 7, "to": 14, "right": True, "fill": "0"},
        ],
    }
    assert Format(fixed).written(MESSAGE) == b"paymen00-12.50\r\n"
    assert Format(OUT | {"shape": "json"}).written({"Event": "x"}).startswith(b'{"Account":"","What":"x"')


@pytest.mark.parametrize("cell", ["=1+1", "+1-2x", "-cmd", "@SUM(A1)", "\tx", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_run_is_disarmed(cell):
    assert disarmed(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["-12.50", "12", "plain", "a=b", ""])
def test_other_cells_are_as_they_are(cell):
    assert disarmed(cell) == cell


def field(*more) -> dict:
    return {"fields": [{"to": "FileNumber", "from": "a"}, *more]}


WRONG = [
    ([], "", "invalid_mapping"),
    ({"shape": "xml", "fields": [{"to": "FileNumber", "from": "a"}]}, "/shape", "invalid_choice"),
    ({"fields": []}, "/fields", "required"),
    ({"fields": [{"to": "LastName", "from": "a"}]}, "/fields", "required"),
    ({"fields": [{"from": "a"}, {"to": "FileNumber", "from": "a"}]}, "/fields/0", "required"),
    ({"fields": [{"to": "FileNumber"}]}, "/fields/0/from", "required"),
    ({"fields": [{"to": "FileNumber", "from": "a", "as": "blob"}]}, "/fields/0/as", "invalid_choice"),
    ({"fields": [{"to": "FileNumber", "from": "a", "eval": "x"}]}, "/fields/0/eval", "unknown_name"),
    ({"shape": "fixed", "fields": [{"to": "FileNumber", "from": "a"}]}, "/columns", "required"),
    ({"delimiter": "ab", "fields": [{"to": "FileNumber", "from": "a"}]}, "/delimiter", "invalid_choice"),
    ({"encoding": "utf-7", "fields": [{"to": "FileNumber", "from": "a"}]}, "/encoding", "invalid_choice"),
    ({"phones": [{}], "fields": [{"to": "FileNumber", "from": "a"}]}, "/phones/0", "required"),
    ({"__import__": 1, "fields": [{"to": "FileNumber", "from": "a"}]}, "/__import__", "unknown_name"),
    (field() | {"delimiter": '"'}, "/delimiter", "invalid_choice"),
    (field() | {"skip_lines": "x"}, "/skip_lines", "invalid_number"),
    (field() | {"skip_lines": True}, "/skip_lines", "invalid_number"),
    (field() | {"skip_when": ["T"]}, "/skip_when", "invalid_map"),
    (field() | {"list": ["debts"]}, "/list", "invalid_text"),
    (field() | {"phones": {"from": "a"}}, "/phones", "invalid_list"),
    (field() | {"emails": [{"from": "a", "when": "Y"}]}, "/emails/0/when", "invalid_map"),
    (field({"to": ["X"], "from": "a"}), "/fields/1", "required"),
    (field({"to": "X", "from": "a", "as": ["date"]}), "/fields/1/as", "invalid_choice"),
    (field({"to": "X", "from": ["a", "b"], "with": 5}), "/fields/1/with", "invalid_text"),
    (field({"to": "X", "from": "a", "as": "date", "format": 5}), "/fields/1/format", "invalid_format"),
    (field({"to": "X", "from": "a", "as": "date", "format": "%Y %Y"}), "/fields/1/format", "invalid_format"),
    (field({"to": "X", "from": "a", "as": "date", "format": "%Q"}), "/fields/1/format", "invalid_format"),
    (
        field({"to": "Address", "from": "a"}, {"to": "Address/Zip", "from": "b"}),
        "/fields/2/to",
        "target_conflict",
    ),
]
WRONG_OUT = [
    ({"name": "A", "from": 5}, "/columns/0/from", "required"),
    ({"name": "A", "from": "Event", "as": "amount"}, "/columns/0/as", "invalid_choice"),
    ({"name": "A", "from": "Event", "map": ["x"]}, "/columns/0/map", "invalid_map"),
    ({"name": "A", "from": "Event", "fill": ""}, "/columns/0/fill", "invalid_choice"),
    ({"name": "A", "from": "OccurredAt", "as": "date", "format": 5}, "/columns/0/format", "invalid_format"),
]


@pytest.mark.parametrize(("mapping", "pointer", "code"), WRONG)
def test_a_wrong_mapping_is_told_before_it_reads_anything(mapping, pointer, code):
    assert [(error.pointer, error.code) for error in check(mapping)] == [(pointer, code)]


@pytest.mark.parametrize(("column", "pointer", "code"), WRONG_OUT)
def test_a_wrong_column_is_told_before_it_writes_anything(column, pointer, code):
    assert [(error.pointer, error.code) for error in check({"columns": [column]}, outgoing=True)] == [(pointer, code)]


def test_a_column_of_cents_leaves_a_text_as_it_was_said():
    columns = [{"name": "Cents", "from": "Event", "as": "cents"}, {"name": "On", "from": "Event", "as": "date"}]
    assert Format({"columns": columns}).written(MESSAGE) == b"payment.succeeded,payment.succeeded\r\n"


def test_a_preview_shows_records_and_errors_of_a_sample():
    mapping = csv({"to": "CurrentBalance", "from": "B", "as": "amount"})
    shown = preview(mapping, b"Ref,B\n1,10\n2,ten\n", limits=LIMITS)
    assert shown[0] == {"line": 2, "record": {"FileNumber": "1", "CurrentBalance": "10.00"}, "errors": []}
    assert shown[1]["errors"][0]["code"] == "invalid_amount"
    assert preview(mapping, b"Nope\n", limits=LIMITS)[0]["errors"][0]["code"] == "missing_column"


def test_formats_know_no_framework():
    for module in (formats, formats.lines):
        assert not {"django", "settings"} & set(vars(module))
