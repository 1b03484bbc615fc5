"""What a host's answer means: silence is no delivery, and nothing is parked that was not alone."""

import datetime as dt
import json

import pytest

from integrations.hosts import Words, adapter
from integrations.http import Heard
from integrations.services.judge import WEBHOOKS, Fate, again_at, asked_to_wait, judge, probe_at
from integrations.services.parcels import without_numbers

NOW = dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC)
SCOLLECT = adapter("scollect", Words("http://host", "key", {}, "Cell Phone", "Good Number"))


def heard(status: int, body: object = "", retry_after: str = "") -> Heard:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Heard(status, raw, retry_after, "" if status else "timed out", 1.0)


def fates(answer: Heard, *ids: str) -> list[Fate]:
    return [verdict.fate for verdict in judge(answer, list(ids), SCOLLECT).verdicts]


def results(**outcomes: str) -> dict:
    return {"results": [{"EventID": event_id, "Outcome": outcome} for event_id, outcome in outcomes.items()]}


def test_each_event_has_its_own_result_and_one_left_out_goes_again():
    answer = heard(200, results(a="accepted", b="duplicate", c="refused", e="perhaps"))
    expected = [Fate.DELIVERED, Fate.DELIVERED, Fate.PARKED, Fate.AGAIN, Fate.AGAIN]
    assert fates(answer, "a", "b", "c", "d", "e") == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"results": 1}', b"[" * 5_000])
def test_a_200_that_is_not_the_hosts_own_answer_is_no_delivery(body):
    judged = judge(heard(200, body), ["a"], SCOLLECT)
    assert judged.host_failed
    assert judged.verdicts[0].fate is Fate.AGAIN


@pytest.mark.parametrize("status", [0, 302, 408, 425, 429, 500, 502, 503, 504])
def test_silence_and_passing_troubles_go_again_a_list_in_smaller_ones(status):
    assert fates(heard(status), "a") == [Fate.AGAIN]
    assert fates(heard(status), "a", "b") == [Fate.SPLIT] * 2
    assert judge(heard(status), ["a"], SCOLLECT).host_failed


@pytest.mark.parametrize("status", [400, 404, 410, 413, 422])
def test_a_permanent_refusal_parks_an_event_only_when_it_was_alone(status):
    assert fates(heard(status), "a") == [Fate.PARKED]
    assert fates(heard(status), "a", "b") == [Fate.SPLIT] * 2
    assert not judge(heard(status), ["a"], SCOLLECT).host_failed


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_the_hosts_affair_and_parks_nothing(status):
    judged = judge(heard(status), ["a", "b"], SCOLLECT)
    assert judged.locked_out
    assert {verdict.fate for verdict in judged.verdicts} == {Fate.AGAIN}


def test_a_conflict_is_delivery_only_if_the_host_names_our_event():
    assert fates(heard(409, {"known": "a-1"}), "a-1") == [Fate.DELIVERED]
    assert fates(heard(409, {"known": "b-1"}), "a-1") == [Fate.PARKED]


@pytest.mark.parametrize(("known", "fate"), [("a-1", Fate.DELIVERED), ("b-1", Fate.PARKED)])
def test_an_endpoints_conflict_is_judged_alike(known, fate):
    (verdict,) = judge(heard(409, {"known": known}), ["a-1"], SCOLLECT, WEBHOOKS).verdicts
    assert verdict.fate is fate


def test_a_hosts_answer_to_a_cancel_request_is_read():
    answer = {"EventID": "a", "Outcome": "accepted", "Answer": {"Cancelled": False, "Reason": "already_charged"}}
    (verdict,) = judge(heard(200, {"results": [answer]}), ["a"], SCOLLECT).verdicts
    assert (verdict.result.granted, verdict.result.reason) == (False, "already_charged")


def test_a_bank_number_that_a_host_quotes_is_masked():
    assert without_numbers("bad account 000123456789 of 2026") == "bad account •••• of 2026"


def test_waits_grow_with_jitter_and_an_hour_is_the_longest():
    for tries, seconds in ((1, 1), (2, 5), (3, 30), (7, 3_600), (50, 3_600)):
        wait = (again_at(NOW, tries=tries) - NOW).total_seconds()
        assert 0.8 * seconds <= wait <= 1.2 * seconds
    assert (probe_at(NOW, failures=99) - NOW).total_seconds() <= 72


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("90", 90),
        ("999999999", 3_600),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("Tue, 01 Dec 2026 15:02:00 GMT", 120),
        ("Tue, 01 Dec 2020 15:02:00 GMT", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_bounded(said, seconds):
    assert asked_to_wait(said, NOW) == seconds
