"""The Collect! form comes in and goes out as it is; a bad file is refused whole, with line, field and code."""

import csv
import io
import json
from random import Random
from unicodedata import category

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Agency, Client, Event
from accounts.tenancy import acting_for
from settlements.models import RuleSet
from settlements.rules import bands as rules
from settlements.rules import collect as layout
from settlements.rules.collect_csv import TITLES
from settlements.services import collect, rulesets
from tests.conftest import NOW

pytestmark = pytest.mark.usefixtures("acting")
HEADER = ",".join(TITLES.values())
AGENCY = ",Y,,ARR,FIN"
TOP = 999_999_999_00
SIX = [
    "0.00,1000.00,25.00,5.00,12,0,0,80.00,6,N,N",
    "1000.01,2500.00,50.00,5.00,24,0,0,75.00,12,N,N",
    "2500.01,5000.00,75.00,4.00,24,1,36,70.00,12,N,N",
    "5000.01,10000.00,100.00,3.00,36,3,36,65.00,12,Y,N",
    '"10,000.01","25,000.00",200.00,2.00,36,3,36,60.00,12,Y,N',
    "25000.01,999999999.00,500.00,1.00,48,6,36,0.00,0,Y,Y",
]


def file(*rows):
    return "\r\n".join([HEADER, *rows]) + "\r\n"


def global_form(bands=SIX, form=AGENCY):
    return [f"{form},{number},{band}" for number, band in enumerate(bands, start=1)]


def take(text, format="csv", **values):
    return collect.import_forms(text=text, format=format, by="staff:1", now=NOW, **values)


def errors(text, format="csv"):
    found = take(text, format)
    assert found.rule_sets == ()
    assert not RuleSet.objects.exists(), "nothing is written"
    return [(one.row, one.field, one.code) for one in found.errors]


def in_force(account, balance_cents):
    return rulesets.in_force(clients=[account.client_id], now=NOW)[account.client_id].at(balance_cents)


def test_every_field_of_the_form_arrives_by_its_name(account):
    assert list(TITLES.values()) == [
        "Client Number", "Enable Rules", "Enable Overwrite", "SIF Plan: Arrangement", "SIF Plan: Full or Final", "Band",
        "Owing From", "Owing To", "Minimum Payment Dollar", "Minimum Payment Percentage", "Maximum Months Unsettled",
        "Minimum Months Before Offering Settlement", "Maximum Months To Offer Settlement",
        "Minimum Settlement Percentage", "Maximum Months Settled", "Disable CC", "Disable ACH",
    ]  # fmt: skip
    (made,) = take(file(*global_form()), publish=True).rule_sets
    assert (made.status, made.is_master, made.enabled, made.version) == ("published", True, True, 1)
    assert (made.sif_plan_arrangement, made.sif_plan_final, len(made.bands)) == ("ARR", "FIN", 6)
    assert made.bands[4] == {
        "owing_from_cents": 10_000_01,
        "owing_to_cents": 25_000_00,
        "minimum_cents": 200_00,
        "minimum_bps": 2_00,
        "max_months_unsettled": 36,
        "months_before_settlement": 3,
        "months_until_settlement": 36,
        "minimum_settlement_bps": 60_00,
        "max_months_settled": 12,
        "card_disabled": True,
        "ach_disabled": False,
    }
    assert in_force(account, 999_999_999_00)["minimum_settlement_bps"] == 0
    assert in_force(account, 1_000_00).origins["minimum_settlement_bps"][1:] == (
        "agency", 1, "minimum_settlement_bps", 80_00,
    )  # fmt: skip


def test_without_publishing_every_form_is_a_draft(account):
    (draft,) = take(file(*global_form())).rule_sets
    assert (draft.status, draft.made_by, draft.published_at) == ("draft", "staff:1", None)
    assert not Event.objects.filter(kind="rule_set.published").exists()


def test_a_clients_form_with_overwrite_replaces_everything_zeros_included(account):
    rows = [*global_form(), "C1,Y,Y,,,1,0.00,999999999.00,0.00,0.00,0,0,0,90.00,0,N,N"]
    assert len(take(file(*rows), publish=True).rule_sets) == 2
    at = in_force(account, 30_000_00)
    assert at["minimum_cents"] == 0, "not the agency's 500.00"
    assert (at["minimum_settlement_bps"], at["sif_plan_arrangement"], at["ach_disabled"]) == (90_00, "", False)


def test_a_clients_form_without_overwrite_inherits_what_is_blank(account):
    rows = [*global_form(), "C1,Y,N,,MINE,1,0.00,999999999.00,,,,,,90.00,,,"]
    take(file(*rows), publish=True)
    at = in_force(account, 30_000_00)
    assert (at["minimum_settlement_bps"], at["minimum_cents"], at["ach_disabled"]) == (90_00, 500_00, True)
    assert (at["sif_plan_arrangement"], at["sif_plan_final"]) == ("ARR", "MINE")


def test_the_master_switch_off_means_no_clients_form_is_read(account):
    of_client = "C1,Y,Y,,,1,0.00,999999999.00,0.00,0.00,0,0,0,90.00,0,N,N"
    take(file(",N,,,,,,,,,,,,,,,", of_client), publish=True)
    assert rulesets.in_force(clients=[account.client_id], now=NOW) == {account.client_id: None}
    take(file(",Y,,,,,,,,,,,,,,,", of_client), publish=True)
    assert in_force(account, 1_00)["minimum_settlement_bps"] == 90_00, "on with empty bands: clients' forms apply"


def test_bands_that_nobody_filled_in_are_none():
    unused = ["0.00,0.00,0.00,0.00,0,0,0,0.00,0,N,N", ",,,,,,,,,,"]
    found = take(file(*global_form([SIX[0], *unused, SIX[1]])))
    (made,) = found.rule_sets
    assert [band["owing_to_cents"] for band in made.bands] == [1_000_00, 2_500_00]
    assert found.unused_bands == 2, "and they are counted"


def test_bands_of_json_that_nobody_filled_in_are_counted_in_every_form(account):
    blank = {"owing_from": "0.00", "owing_to": "0.00", "maximum_months_settled": 0, "disable_cc": False}
    band = {"owing_from": "0.00", "owing_to": "1000.00", "minimum_settlement_percentage": "80.00"}
    forms = [
        {"client_number": None, "enable_rules": True, "bands": [{}, band, blank]},
        {"client_number": "C1", "enable_rules": True, "bands": [{"owing_from": None}]},
    ]
    text = json.dumps({"forms": forms})
    found = take(text, "json", publish=True)
    assert sorted(len(made.bands) for made in found.rule_sets) == [0, 1]
    assert (found.unchanged, found.unused_bands) == (0, 3)
    assert take(text, "json") == collect.Imported((), 2, (), 3), "when nothing changes too"


def test_what_comes_out_goes_in_again_and_changes_nothing(account):
    rows = [*global_form(), "C1,Y,Y,O'Hara,,1,0.00,999999999.00,,5.50,12,,,90.00,,Y,"]
    take(file(*rows), publish=True)
    before = list(RuleSet.objects.order_by("pk").values())
    text = collect.export_csv(client=None, all_clients=True, now=NOW)
    assert text.splitlines()[1] == ",Y,N,ARR,FIN,1," + SIX[0]
    assert text.splitlines()[-1] == "C1,Y,Y,O'Hara,,1,0.00,999999999.00,,5.50,12,,,90.00,,Y,"
    body = collect.export_json(client=None, all_clients=True, now=NOW)
    for sent, format in ((text, "csv"), ("\ufeff" + text.replace("\r\n", "\n"), "csv"), (json.dumps(body), "json")):
        for publish in (False, True):
            assert take(sent, format, publish=publish) == collect.Imported((), 2, ())
    assert list(RuleSet.objects.order_by("pk").values()) == before


def test_one_level_is_exported_alone(account):
    take(file(*global_form(), "C1,Y,N,,,,,,,,,,,,,,"), publish=True)
    assert [form["client_number"] for form in collect.export_json(client=None, now=NOW)["forms"]] == [None]
    assert collect.export_json(client=account.client, now=NOW) == {
        "forms": [
            {
                "client_number": "C1",
                "enable_rules": True,
                "enable_overwrite": False,
                "sif_plan_arrangement": "",
                "sif_plan_full_or_final": "",
                "bands": [],
            }
        ]
    }


def test_the_json_layout_has_amounts_as_texts_and_null_for_nothing():
    take(file(*global_form(["0.00,1000.00,25.00,,12,,,80.00,6,N,"])), publish=True)
    (form,) = collect.export_json(client=None, now=NOW)["forms"]
    assert form["bands"] == [
        {
            "owing_from": "0.00",
            "owing_to": "1000.00",
            "minimum_payment_dollar": "25.00",
            "minimum_payment_percentage": None,
            "maximum_months_unsettled": 12,
            "minimum_months_before_offering_settlement": None,
            "maximum_months_to_offer_settlement": None,
            "minimum_settlement_percentage": "80.00",
            "maximum_months_settled": 6,
            "disable_cc": False,
            "disable_ach": None,
        }
    ]


def test_what_the_form_does_not_know_stays(account):
    draft = rulesets.draft(client=None, by="staff:1", now=NOW)
    first = {"owing_from_cents": 0, "owing_to_cents": 1_000_00, "minimum_settlement_bps": 50_00}
    bands = [first | {"offered_settlement_bps": 60_00, "grace_days": 5}]
    values = {"conversion": "half_month", "promise_days": 7}
    assert rulesets.save_draft(rule_set=draft, values=values, bands=bands, by="staff:1", now=NOW) == []
    rulesets.publish(rule_set=draft, by="staff:1", now=NOW)
    exported = collect.export_csv(client=None, now=NOW)
    assert take(exported).unchanged == 1, "the form says nothing else than what is in force"
    (made,) = take(exported.replace(",50.00,", ",55.00,"), publish=True).rule_sets
    assert (made.conversion, made.promise_days, made.is_master) == ("half_month", 7, True)
    assert (made.bands[0]["offered_settlement_bps"], made.bands[0]["grace_days"]) == (60_00, 5)
    raised = exported.replace(",50.00,", ",65.00,")
    refused = take(raised, publish=True)
    assert (refused.rule_sets, [one.code for one in refused.errors]) == (
        (), ["publish_would_drop", "offered_below_minimum"],
    )  # fmt: skip
    assert RuleSet.objects.filter(status="published").count() == 2, "nothing is written"
    taken = take(raised)
    (made,), dropped = taken.rule_sets, taken.dropped
    assert "offered_settlement_bps" not in made.bands[0], "an offer below the new minimum is none"
    assert (made.status, made.bands[0]["grace_days"]) == ("draft", 5)
    assert [(one.row, one.sentence) for one in dropped] == [
        (2, "The band of $0.00 to $1,000.00 has offered settlement percent 60.00; the file's minimum is higher.")
    ]


@pytest.fixture
def beyond(account):
    """Two bands, each with something that the form does not know, as a file."""
    draft = rulesets.draft(client=None, by="staff:1", now=NOW)
    low = {"owing_from_cents": 0, "owing_to_cents": 1_000_00, "minimum_settlement_bps": 50_00, "grace_days": 5}
    high = {"owing_from_cents": 1_000_01, "owing_to_cents": TOP, "minimum_settlement_bps": 40_00}
    bands = [low | {"offered_settlement_bps": 60_00}, high | {"max_payments": 6, "down_payment_cents": 25_00}]
    assert rulesets.save_draft(rule_set=draft, values={}, bands=bands, by="staff:1", now=NOW) == []
    rulesets.publish(rule_set=draft, by="staff:1", now=NOW)
    return collect.export_csv(client=None, now=NOW)


@pytest.mark.parametrize(("ends", "begins"), [("1500.00", "1500.01"), ("500.00", "500.01"), ("90000.00", "90000.01")])
def test_what_the_form_does_not_know_stays_with_bands_whose_bounds_move(beyond, ends, begins):
    moved = beyond.replace(",1000.00,", f",{ends},").replace(",1000.01,", f",{begins},")
    found = take(moved, publish=True)
    assert (len(found.rule_sets), found.errors, found.dropped) == (1, (), ())
    low, high = found.rule_sets[0].bands
    assert (low["offered_settlement_bps"], low["grace_days"], low.get("max_payments")) == (60_00, 5, None)
    assert (high["max_payments"], high["down_payment_cents"], high.get("grace_days")) == (6, 25_00, None)


def test_what_no_band_of_a_file_keeps_is_named_and_nothing_is_published_at_once(beyond, others_account):
    header, _low, high = beyond.splitlines()
    one = "\r\n".join([header, high.replace(",1000.01,", ",0.00,")])
    refused = take(one, publish=True)
    assert [fault.code for fault in refused.errors] == ["publish_would_drop", *["beyond_form_dropped"] * 2]
    assert RuleSet.objects.count() == 1
    found = take(one)
    assert [(fault.row, fault.field, fault.sentence) for fault in found.dropped] == [
        (2, "Client Number", f"The band of $0.00 to $1,000.00 has {what}; no band of the file keeps that.")
        for what in ("offered settlement percent 60.00", "grace days 5")
    ]
    assert [(made.status, made.bands[0]["max_payments"]) for made in found.rule_sets] == [("draft", 6)]
    with acting_for(others_account.agency):
        assert take(one).dropped == (), "another agency's bands have nothing to lose here"


def test_only_what_changes_becomes_a_version(account):
    take(file(*global_form(), "C1,Y,N,,,,,,,,,,,,,,"), publish=True)
    found = take(file(*global_form(), "C1,Y,Y,,,,,,,,,,,,,,"), publish=True)
    assert ([(one.client_id, one.version) for one in found.rule_sets], found.unchanged) == ([(account.client_id, 2)], 1)


def test_a_disabled_form_that_was_no_master_becomes_one():
    draft = rulesets.draft(client=None, by="staff:1", now=NOW)
    rulesets.save_draft(rule_set=draft, values={"enabled": False}, bands=[], by="staff:1", now=NOW)
    rulesets.publish(rule_set=draft, by="staff:1", now=NOW)
    (made,) = take(collect.export_csv(client=None, now=NOW), publish=True).rule_sets
    assert (made.is_master, made.version) == (True, 2)


def cell(column, value, band=SIX[0], form=AGENCY):
    """Make a file of one row with one cell replaced."""
    cells = dict(zip(TITLES, next(csv.reader([f"{form},1,{band}"])), strict=True)) | {column: value}
    text = io.StringIO()
    csv.writer(text).writerow(cells[name] for name in TITLES)
    return file(text.getvalue().strip("\r\n"))


BAD_CELLS = [
    ("owing_from", "abc", "amount_unreadable"),
    ("owing_from", "NaN", "amount_unreadable"),
    ("owing_from", "1e3", "amount_unreadable"),
    ("owing_from", "$5.00", "amount_unreadable"),
    ("owing_from", "0.001", "amount_unreadable"),
    ("owing_from", "1,00.00", "amount_unreadable"),
    ("owing_from", "٣", "amount_unreadable"),
    ("owing_from", "=1+1", "amount_unreadable"),
    ("owing_from", "", "field_missing"),
    ("owing_from", "-0.01", "amount_negative"),
    ("owing_to", "1000000000.00", "amount_too_large"),
    ("owing_to", "999999999999999.00", "amount_too_large"),
    ("owing_to", "", "field_missing"),
    ("minimum_payment_dollar", "25.0.0", "amount_unreadable"),
    ("minimum_payment_dollar", "-1", "amount_negative"),
    ("minimum_payment_percentage", "100.01", "percent_out_of_range"),
    ("minimum_payment_percentage", "five", "percent_unreadable"),
    ("minimum_settlement_percentage", "-1.00", "percent_out_of_range"),
    ("minimum_settlement_percentage", "80.001", "percent_unreadable"),
    ("maximum_months_unsettled", "12.5", "number_unreadable"),
    ("maximum_months_unsettled", "1201", "number_out_of_range"),
    ("maximum_months_settled", "-1", "number_out_of_range"),
    ("maximum_months_settled", "9999999999", "number_unreadable"),
    ("minimum_months_before_offering_settlement", "x", "number_unreadable"),
    ("maximum_months_to_offer_settlement", "1 2", "number_unreadable"),
    ("disable_cc", "maybe", "flag_unreadable"),
    ("disable_ach", "2", "flag_unreadable"),
    ("enable_rules", "", "field_missing"),
    ("enable_rules", "ok", "flag_unreadable"),
    ("enable_overwrite", "Y", "replace_all_at_agency"),
    ("sif_plan_arrangement", "=HYPERLINK(1)", "code_looks_like_formula"),
    ("sif_plan_arrangement", "+A", "code_looks_like_formula"),
    ("sif_plan_full_or_final", "-A", "code_looks_like_formula"),
    ("sif_plan_full_or_final", "@A", "code_looks_like_formula"),
    ("sif_plan_full_or_final", "'=A", "code_looks_like_formula"),
    ("sif_plan_full_or_final", "X" * 21, "text_too_long"),
    ("client_number", "=C1", "code_looks_like_formula"),
    ("client_number", "X" * 41, "text_too_long"),
    ("client_number", "C\x071", "text_unprintable"),
    ("client_number", "C9", "client_unknown"),
]


@pytest.mark.parametrize(("column", "value", "code"), BAD_CELLS)
def test_a_wrong_cell_is_named_by_line_column_and_code(account, column, value, code):
    assert errors(cell(column, value)) == [(2, TITLES[column], code)]


def test_what_two_cells_say_together_is_checked_too():
    assert errors(cell("owing_from", "1000.01")) == [(2, "Owing To", "band_reversed")]
    window = cell("maximum_months_to_offer_settlement", "3", SIX[2].replace(",1,36,", ",6,36,"))
    assert errors(window) == [(2, "Maximum Months To Offer Settlement", "window_never_open")]


def test_all_errors_of_all_lines_come_at_once(account):
    rows = global_form([SIX[0], SIX[1].replace("50.00", "x").replace("24", "2000"), SIX[2]])
    rows += ["C9,Y,N,,,,,,,,,,,,,,", "C1,Y,N,,,1,5.00,1.00,,,,,,,,,"]
    assert errors(file(*rows)) == [
        (3, "Minimum Payment Dollar", "amount_unreadable"),
        (3, "Maximum Months Unsettled", "number_out_of_range"),
        (6, "Owing To", "band_reversed"),
    ]
    assert errors(file("C9,Y,N,,,,,,,,,,,,,,", "C8,Y,N,,,,,,,,,,,,,,")) == [
        (2, "Client Number", "client_unknown"),
        (3, "Client Number", "client_unknown"),
    ]


BAD_CSV = [
    ("", [(None, "", "file_empty")]),
    (" \r\n ", [(None, "", "file_empty")]),
    (HEADER, [(None, "", "no_forms")]),
    (b"\xff\xfe" + HEADER.encode("utf-16-le"), [(None, "", "encoding_not_utf8")]),
    (HEADER.replace("Band", "Ba\xf1d").encode("latin-1"), [(None, "", "encoding_not_utf8")]),
    (HEADER + "\ud800", [(None, "", "encoding_not_utf8")]),
    (HEADER + "\r\n,Y,,A\x00", [(2, "", "nul_byte")]),
    ("x" * (layout.MOST_BYTES + 1), [(None, "", "file_too_large")]),
    ("\n" * (layout.MOST_LINES + 1), [(None, "", "too_many_lines")]),
    ("\r" * (layout.MOST_LINES + 1), [(None, "", "too_many_lines")]),
    (HEADER.replace("Owing To,", ""), [(1, "Owing To", "column_missing")]),
    (
        HEADER.replace("Owing To", "Owing Upto"),
        [(1, "Owing Upto", "column_unknown"), (1, "Owing To", "column_missing")],
    ),
    (HEADER + ",Band", [(1, "Band", "column_twice")]),
    (file(",Y"), [(2, "", "cells_missing")]),
    (file(global_form()[0] + ",1"), [(2, "", "cells_too_many")]),
    (file(',Y,,"A'), [(2, "", "csv_unreadable")]),
    (file(',Y,,"A"x,'), [(2, "", "csv_unreadable")]),
    (file(*[f",Y,,{'A' * 200_000},,,,,,,,,,,,,"]), [(2, "", "csv_unreadable")]),
    (file(f"{AGENCY},0,{SIX[0]}"), [(2, "Band", "band_unknown")]),
    (file(f"{AGENCY},61,{SIX[0]}"), [(2, "Band", "band_unknown")]),
    (file(f"{AGENCY},one,{SIX[0]}"), [(2, "Band", "band_unknown")]),
    (file(f"{AGENCY},,{SIX[0]}"), [(2, "Band", "band_missing")]),
    (file(*global_form()[:2], f"{AGENCY},2,{SIX[2]}"), [(4, "Band", "band_twice")]),
    (
        file(global_form()[0], f",N,,ARR,X,2,{SIX[1]}"),
        [(3, "Enable Rules", "form_differs"), (3, "SIF Plan: Full or Final", "form_differs")],
    ),
]


@pytest.mark.parametrize(("text", "said"), BAD_CSV, ids=[said[0][2] for _text, said in BAD_CSV])
def test_a_file_that_is_no_form_is_refused_whole(text, said):
    assert errors(text) == said


def test_a_line_is_counted_where_its_row_begins():
    rows = global_form()
    rows[1] = rows[1].replace(",2500.00,", ',"\r\n\r\n2500.00",')
    rows[2] = rows[2].replace("70.00", "seventy")
    assert errors("\r\n\r\n" + file(*rows)) == [(8, "Minimum Settlement Percentage", "percent_unreadable")]


def test_the_number_of_errors_is_bounded():
    rows = [f"C{number},Y,N,,,1,a,b,c,d,e,f,g,h,i,j,k" for number in range(200)]
    found = take(file(*rows)).errors
    assert (len(found), found[-1].code) == (layout.MOST_FAULTS + 1, "too_many_errors")


BAND = {"owing_from": "0.00", "owing_to": "10.00"}


def one(**form):
    return {"forms": [{"enable_rules": True} | form]}


def band(**values):
    return one(bands=[BAND | values])


BAD_JSON = [
    ("{", [("", "json_unreadable")]),
    ("[" * 100_000, [("", "json_unreadable")]),
    ("9" * 5_000, [("", "json_unreadable")]),
    ('{"forms": NaN}', [("", "json_unreadable")]),
    ('{"forms": [], "forms": []}', [("", "json_key_twice")]),
    ("[]", [("", "not_an_object")]),
    ("null", [("", "not_an_object")]),
    ({}, [("/forms", "not_a_list")]),
    ({"forms": []}, [("", "no_forms")]),
    ({"forms": [], "a/b": 1}, [("/a~1b", "field_unknown")]),
    ({"forms": [3]}, [("/forms/0", "not_an_object")]),
    (one(bands={}), [("/forms/0/bands", "not_a_list")]),
    (one(bands=["x"]), [("/forms/0/bands/0", "not_an_object")]),
    ({"forms": [{}]}, [("/forms/0/enable_rules", "field_missing")]),
    ({"forms": [{"enable_rules": "Y"}]}, [("/forms/0/enable_rules", "flag_unreadable")]),
    ({"forms": [{"enable_rules": True}] * 2}, [("/forms/1/client_number", "form_twice")]),
    (one(client_number=5), [("/forms/0/client_number", "text_unreadable")]),
    (one(client_number="C\x00"), [("/forms/0/client_number", "text_unprintable")]),
    (one(client_number="\ud800"), [("/forms/0/client_number", "text_unprintable")]),
    (one(client_number="C7"), [("/forms/0/client_number", "client_unknown")]),
    (one(sif_plan_arrangement="\x00"), [("/forms/0/sif_plan_arrangement", "text_unprintable")]),
    (one(sif_plan_full_or_final="=1"), [("/forms/0/sif_plan_full_or_final", "code_looks_like_formula")]),
    (one(bands=[BAND] * 61), [("/forms/0/bands", "too_many_bands")]),
    (one(bands=[BAND, BAND | {"owing_to": 10.0}]), [("/forms/0/bands/1/owing_to", "amount_unreadable")]),
    (one(bands=[{}, {}, BAND | {"owing_from": "11.00"}]), [("/forms/0/bands/2/owing_to", "band_reversed")]),
    (band(maximum_months_settled="6"), [("/forms/0/bands/0/maximum_months_settled", "number_unreadable")]),
    (band(maximum_months_settled=True), [("/forms/0/bands/0/maximum_months_settled", "number_unreadable")]),
    (band(disable_cc=1), [("/forms/0/bands/0/disable_cc", "flag_unreadable")]),
    (band(grace_days=1), [("/forms/0/bands/0/grace_days", "field_unknown")]),
]


@pytest.mark.parametrize(("body", "said"), BAD_JSON)
def test_bad_json_is_named_by_pointer_and_code(body, said):
    text = body if isinstance(body, str) else json.dumps(body)
    assert errors(text, "json") == [(None, field, code) for field, code in said]


def test_another_format_is_refused():
    assert [one.code for one in take("x", "xlsx").errors] == ["format_unknown"]


def test_a_level_with_an_open_draft_refuses_the_file_and_keeps_the_draft(account):
    draft = rulesets.draft(client=account.client, by="staff:7", now=NOW)
    found = take(file(*global_form(), "C1,Y,N,,,,,,,,,,,,,,"), publish=True)
    assert [(one.row, one.field, one.code) for one in found.errors] == [(8, "Client Number", "draft_open")]
    assert (RuleSet.objects.get().pk, RuleSet.objects.get().made_by) == (draft.pk, "staff:7")


def test_where_two_people_are_needed_an_import_makes_drafts_and_publishes_nothing(acting, account):
    Agency.objects.filter(pk=acting.pk).update(rules_need_two_people=True)
    assert [one.code for one in take(file(*global_form()), publish=True).errors] == ["needs_second_person"]
    assert not RuleSet.objects.exists()
    assert [one.status for one in take(file(*global_form())).rule_sets] == ["draft"]


def test_a_number_that_two_clients_have_is_refused(account):
    Client.objects.create(number="C1", name="Another one, of another host")
    assert errors(file("C1,Y,N,,,,,,,,,,,,,,")) == [(2, "Client Number", "client_ambiguous")]


def test_the_other_agencys_clients_and_rules_stay_theirs(account, others_account, other_agency):
    with acting_for(other_agency):
        Client.objects.create(number="THEIRS", name="Theirs")
        take(file(*global_form(), "C1,Y,N,,,,,,,,,,,,,,"), publish=True)
        before = list(RuleSet.objects.order_by("pk").values())
    assert errors(file("THEIRS,Y,N,,,,,,,,,,,,,,")) == [(2, "Client Number", "client_unknown")]
    assert collect.forms(client=None, all_clients=True, now=NOW) == []
    assert collect.forms(client=others_account.client, now=NOW) == []
    take(file("C1,N,N,,,,,,,,,,,,,,"), publish=True)
    assert RuleSet.objects.get().client_id == account.client_id
    with acting_for(other_agency):
        assert list(RuleSet.objects.order_by("pk").values()) == before


def written_forms(dice: Random) -> list[layout.Form]:
    """Make an agency's form and up to two clients', every field of them set or blank; a draw for each would be slow."""

    def maybe(top: int) -> int | None:
        return dice.choice((None, 0, top, dice.randint(0, top)))

    def code() -> str:
        points = dice.choice((range(ord("!"), ord("A")), range(ord("!"), 0x2FFF)))
        letters = map(chr, dice.choices(points, k=dice.randint(0, 20)))
        return "".join(one for one in letters if category(one)[0] not in "CZ").lstrip("=+-@")

    def band() -> rules.Band:
        low, high = sorted((dice.randint(0, TOP), dice.randint(0, TOP)))
        before, until = maybe(1_200), maybe(1_200)
        if until and before and until <= before:
            before = 0
        return rules.Band(
            low,
            high,
            minimum_cents=maybe(TOP),
            minimum_bps=maybe(100_00),
            max_months_unsettled=maybe(1_200),
            max_months_settled=maybe(1_200),
            months_before_settlement=before,
            months_until_settlement=until,
            minimum_settlement_bps=maybe(100_00),
            card_disabled=dice.choice((None, True, False)),
            ach_disabled=dice.choice((None, True, False)),
        )

    numbers = {code() for _number in range(dice.randint(0, 2))} - {""}
    return [
        layout.form_of_rules(
            number,
            rules.RuleSet(
                "client" if number else "agency",
                1,
                tuple(band() for _band in range(dice.randint(0, 3))),
                enabled=dice.random() < 0.5,
                replace_all=bool(number) and dice.random() < 0.5,
                sif_plan_arrangement=code(),
                sif_plan_final=code(),
            ),
        )
        for number in ["", *sorted(numbers)]
    ]


@settings(max_examples=2_000, deadline=None)
@given(st.integers(0, 2**64))
def test_any_forms_are_read_as_they_were_written(seed):
    forms = written_forms(Random(seed))
    said = sorted(form.says for form in forms)
    by_csv = collect.read_csv(collect.write_csv(forms).encode())
    by_json = collect.read_json(json.dumps(collect.write_json(forms)))
    assert (by_csv.faults, by_json.faults) == ((), ())
    assert [form.says for form in by_csv.forms] == [form.says for form in by_json.forms]
    assert sorted((form.says for form in by_csv.forms), key=str) == sorted(said, key=str)


@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.binary() | st.text(st.sampled_from(',"\r\n=@YN01.5')).map(lambda text: HEADER + "\n" + text))
def test_any_text_is_forms_or_errors(text):
    for read in (collect.read_csv, collect.read_json):
        found = read(text)
        assert bool(found.forms) != bool(found.faults)
