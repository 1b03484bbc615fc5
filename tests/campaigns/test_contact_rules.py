"""The rules of contact, one line a promise: facts in, yes or no out, with every rule's id (compliance 1, 7, 12)."""

import datetime as dt

import pytest

from campaigns.rules import contact, packs, zones
from campaigns.rules.facts import COUNTED, PURPOSES, Facts, Past, Point, Policy, Quiet

UTC = dt.UTC
NOON = dt.datetime(2026, 12, 1, 17, 0, tzinfo=UTC)
"""Tuesday, noon in New York."""
NEW_YORK = ("America/New_York",)
GOOD = Point(value="jane@gmail.com", route="RF-13", evidence={"ConsentOn": "2026-10-01"})
MOBILE = Point(value="+12125550100", route="RF-16", evidence={"ConsentOn": "2026-11-20"})
TEXTS = Policy(texts="ready")


def asked(channel="email", purpose="campaign", **more) -> contact.Judgement:
    point = {"email": GOOD, "text": MOBILE, "call": None}[channel]
    base = {"channel": channel, "purpose": purpose, "now": NOON, "zones": NEW_YORK, "state": "PA", "point": point}
    return contact.judge(Facts(**base | {"policy": TEXTS} | more))


def codes(judgement: contact.Judgement) -> list[str]:
    return [denial.code for denial in judgement.denials]


def at(hour, minute=0, second=0, day=1) -> dt.datetime:
    """A moment in New York in December (five hours behind UTC)."""
    return dt.datetime(2026, 12, day, hour, minute, second, tzinfo=dt.timezone(dt.timedelta(hours=-5)))


def past(count, channel="email", ago=dt.timedelta(days=1), conversation=False):
    return tuple(Past(channel, NOON - ago, conversation) for _number in range(count))


def test_a_message_about_which_nothing_is_known_against_may_leave_and_every_rule_that_was_asked_is_named():
    judgement = asked()
    assert (judgement.allowed, judgement.reason, judgement.until) == (True, "", None)
    for rule in ("RF-01", "RF-03", "RF-04", "RF-05", "RF-06", "RF-07", "RF-09", "RF-10", "RF-12", "RF-13", "RF-14"):
        assert rule in judgement.checked
    for rule in ("RF-15", "RF-28", "RF-31", "RF-32", "EML-05", "STS-01", "ST-05", "ST-06", "ST-07", "ST-08"):
        assert rule in judgement.checked
    assert {"RF-16", "SMS-06", "SMS-07", "SMS-11"} <= set(asked("text").checked)


@pytest.mark.parametrize(
    ("moment", "allowed", "until"),
    [
        pytest.param(at(7, 59, 59), False, at(8), id="RF-01 a second before eight"),
        pytest.param(at(8), True, None, id="RF-01 at eight"),
        pytest.param(at(20, 59, 59), True, None, id="RF-01 a second before nine"),
        pytest.param(at(21), False, at(8, day=2), id="RF-01 at nine"),
        pytest.param(at(21, 1), False, at(8, day=2), id="RF-01 queued at 20:59, dispatched at 21:01"),
    ],
)
def test_the_hours_are_those_where_the_consumer_lives_at_the_moment_of_leaving(moment, allowed, until):
    judgement = asked(now=moment)
    assert (judgement.allowed, judgement.until) == (allowed, until)


@pytest.mark.parametrize(
    ("where", "day", "opens", "closes"),
    [
        pytest.param(
            ("America/New_York", "America/Los_Angeles"), (2026, 1, 15), "16:00", "02:00", id="TZ-1 11:00-21:00 ET"
        ),
        pytest.param(
            ("America/New_York", "Pacific/Honolulu"), (2026, 1, 15), "18:00", "02:00", id="TZ-2 winter 13:00-21:00 ET"
        ),
        pytest.param(
            ("America/New_York", "Pacific/Honolulu"), (2026, 7, 15), "18:00", "01:00", id="TZ-2 summer 14:00-21:00 ET"
        ),
        pytest.param(
            ("America/Phoenix", "America/Denver"), (2026, 7, 15), "15:00", "03:00", id="TZ-4 08:00-20:00 Phoenix"
        ),
        pytest.param(
            ("America/Indianapolis", "America/Chicago"), (2026, 1, 15), "14:00", "02:00", id="TZ-5 09:00-21:00"
        ),
    ],
)
def test_hours_must_suit_every_zone_the_consumer_may_be_in(where, day, opens, closes):
    start = dt.datetime.combine(dt.date(*day), dt.time.fromisoformat(opens), UTC)
    end = dt.datetime.combine(dt.date(*day) + dt.timedelta(days=1), dt.time.fromisoformat(closes), UTC)
    second = dt.timedelta(seconds=1)
    assert [zones.in_hours(moment, where) for moment in (start - second, start, end - second, end)] == [
        False,
        True,
        True,
        False,
    ]
    assert zones.next_opening(start - dt.timedelta(hours=2), where) == start


def test_tz_3_zones_without_a_common_hour_let_nothing_leave_at_any_time():
    where = ("America/New_York", "Pacific/Guam")
    for hour in range(24):
        judgement = asked(now=NOON + dt.timedelta(hours=hour), zones=where)
        assert (codes(judgement), judgement.until) == (["no_common_hour"], None)


@pytest.mark.parametrize(
    ("zip_code", "state", "phones", "known", "expected"),
    [
        pytest.param("12207", "NY", (), "America/New_York", ["America/New_York"], id="the ZIP says it all"),
        pytest.param(
            "90012",
            "CA",
            ["+12125550100"],
            "America/Los_Angeles",
            ["America/Los_Angeles", "America/New_York"],
            id="TZ-1",
        ),
        pytest.param(
            "",
            "TX",
            (),
            "America/New_York",
            ["America/New_York", "America/Chicago", "America/Denver"],
            id="without a ZIP all zones of the state, and what was guessed",
        ),
        pytest.param(
            "90012",
            "NY",
            (),
            "America/Los_Angeles",
            ["America/Los_Angeles", "America/New_York"],
            id="a ZIP outside its state: both",
        ),
        pytest.param(
            "12207",
            "NY",
            ["+18005550100", "12", "+17345550123"],
            "America/New_York",
            ["America/New_York", "America/Detroit"],
            id="toll-free numbers are nowhere",
        ),
        pytest.param(
            "12207", "NY", ["+16715550100"], "America/New_York", ["America/New_York", "Pacific/Guam"], id="TZ-3"
        ),
    ],
)
def test_zones_come_from_zip_state_and_telephone_numbers(zip_code, state, phones, known, expected):
    found = zones.may_be_in(zip_code=zip_code, state=state, phones=phones, known=known)
    assert [zone for zone in found if zone != "America/Detroit"] == [z for z in expected if z != "America/Detroit"]


OLD_NOTICE = {"NoticeSentOn": "2026-10-01", "OptOutDeadline": "2026-11-05"}


@pytest.mark.parametrize(
    ("point", "denied"),
    [
        pytest.param(None, "no_address", id="RF-12 no address"),
        pytest.param(Point(value="j@gmail.com"), "no_route", id="RF-12 nobody knows how it came"),
        pytest.param(Point(value="j@gmail.com", route="bought"), "no_route", id="RF-12 a word that is no route"),
        pytest.param(Point(value="j@gmail.com", proven=True), "", id="RF-13 a code came back from it"),
        pytest.param(
            Point(value="j@gmail.com", route="consumer", typed=True),
            "no_disclosure",
            id="RF-13 typed without the wording",
        ),
        pytest.param(
            Point(value="j@gmail.com", route="consumer", typed=True, evidence={"version": "2026-11"}),
            "",
            id="RF-13 typed beside the wording",
        ),
        pytest.param(Point(value="j@gmail.com", unconfirmed=True), "unconfirmed", id="RF-13 typed, not confirmed"),
        pytest.param(Point(value="j@gmail.com", route="RF-14"), "creditor_notice_invalid", id="RF-14 no dates"),
        pytest.param(
            Point(
                value="j@gmail.com",
                route="RF-14",
                evidence={"NoticeSentOn": "2026-10-01", "OptOutDeadline": "2026-11-04"},
            ),
            "creditor_notice_invalid",
            id="RF-14 34 days",
        ),
        pytest.param(Point(value="j@gmail.com", route="RF-14", evidence=OLD_NOTICE), "", id="RF-14 35 days, over"),
        pytest.param(
            Point(
                value="j@gmail.com",
                route="RF-14",
                evidence={"NoticeSentOn": "2026-10-27", "OptOutDeadline": "2026-12-01"},
            ),
            "creditor_notice_running",
            id="RF-14 the last day runs",
        ),
        pytest.param(Point(value="j@gmail.com", route="RF-15"), "", id="RF-15 a prior collector used it"),
        pytest.param(
            Point(value="j@gmail.com", route="RF-15", evidence={"OptOut": "yes"}),
            "opted_out",
            id="RF-15 opt-outs travel",
        ),
        pytest.param(
            Point(value="j@acme-corp.com", route="RF-15"), "employer_address", id="RF-10 from the creditor's file"
        ),
        pytest.param(
            Point(value="j@acme-corp.com", route="consumer", typed=True, evidence={"version": "1"}),
            "",
            id="RF-10 typed by the consumer",
        ),
        pytest.param(Point(value="j@gmail.com", route="RF-13", opted_out=True), "opted_out", id="RF-07 this address"),
        pytest.param(Point(value="j@gmail.com", route="RF-13", bad=True), "bad_address", id="EML-05"),
    ],
)
def test_an_email_address_needs_a_way_by_which_it_came_to_us(point, denied):
    judgement = asked(point=point)
    assert codes(judgement) == ([denied] if denied else [])


def test_rf_14_the_day_after_the_deadline_is_the_first_one():
    point = Point(
        value="j@gmail.com", route="RF-14", evidence={"NoticeSentOn": "2026-10-27", "OptOutDeadline": "2026-12-01"}
    )
    assert asked(point=point).until == at(8, day=2)
    assert asked(point=point, now=at(8, day=2)).allowed


@pytest.mark.parametrize(
    ("more", "denied"),
    [
        pytest.param({}, "", id="RF-16 consent eleven days old"),
        pytest.param(
            {"point": Point(value="+1", route="RF-16", evidence={"ConsentOn": "2026-10-02"})}, "", id="RF-16 day 60"
        ),
        pytest.param(
            {"point": Point(value="+1", route="RF-16", evidence={"ConsentOn": "2026-10-01"})},
            "text_consent_old",
            id="RF-16 day 61",
        ),
        pytest.param(
            {
                "point": Point(
                    value="+1",
                    route="RF-16",
                    evidence={"ConsentOn": "2026-01-01", "ScrubbedOn": "2026-11-30", "ScrubAnswer": "no"},
                )
            },
            "",
            id="RF-16 scrubbed: not reassigned",
        ),
        pytest.param(
            {
                "point": Point(
                    value="+1",
                    route="RF-16",
                    evidence={"ConsentOn": "2026-01-01", "ScrubbedOn": "2026-11-30", "ScrubAnswer": "no data"},
                )
            },
            "text_consent_old",
            id="RF-16 scrubbed: no data",
        ),
        pytest.param(
            {"point": Point(value="+1", route="RF-16", evidence={"LastTextOn": "2026-11-30"})},
            "",
            id="RF-16 the consumer texted",
        ),
        pytest.param(
            {"point": Point(value="+1", route="RF-14", evidence=OLD_NOTICE)},
            "no_text_consent",
            id="RF-16 a creditor transfers no consent to text",
        ),
        pytest.param({"point": Point(value="+1")}, "no_route", id="RF-12 no way"),
        pytest.param({"point": Point(value="+1", route="RF-16", mobile=False)}, "not_a_mobile", id="SMS-11"),
        pytest.param({"policy": Policy()}, "no_text_sender", id="SMS-06 nobody sends texts"),
        pytest.param({"policy": Policy(texts="forbidden")}, "provider_forbids", id="SMS-06 third-party collection"),
        pytest.param({"policy": Policy(texts="pending")}, "sender_not_registered", id="SMS-07"),
        pytest.param({"medium_stopped": True}, "medium_stopped", id="RF-07 the medium"),
    ],
)
def test_a_number_may_be_texted_only_on_the_consumers_own_fresh_word(more, denied):
    assert codes(asked("text", **more)) == ([denied] if denied else [])


@pytest.mark.parametrize(
    "status",
    [
        "open",
        "disputed",
        "cease",
        "attorney",
        "bankruptcy",
        "deceased",
        "recalled",
        "closed",
        "paid",
        "blocked",
        "unmapped",
        "breathing",
        "a new word",
    ],
)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_status_lets_through_what_the_matrix_says(status, purpose):
    """STS-01 to STS-06, RF-05, RF-06: the matrix of compliance section 14."""
    if purpose in ("code", "confirmation"):
        expected = True
    elif purpose in ("campaign", "reminder"):
        expected = status == "open"
    else:
        expected = status not in ("bankruptcy", "deceased")
    assert asked(purpose=purpose, status=status).allowed is expected


@pytest.mark.parametrize("purpose", PURPOSES)
def test_st_09_where_we_are_not_licensed_we_want_nothing_and_the_law_s_notices_and_receipts_still_go(purpose):
    judgement = asked(purpose=purpose, unlicensed=True)
    ours = purpose in ("campaign", "reminder")
    assert (judgement.allowed, judgement.until) == (not ours, None)
    assert [(one.code, one.rules) for one in judgement.denials] == ([("not_licensed", ("ST-09",))] if ours else [])
    assert ("ST-09" in judgement.checked) is ours


def test_rf_32_and_a_hardship_pause_silence_what_we_want_and_not_what_the_consumer_must_have():
    for facts in ({"disputed": True}, {"hardship": True}):
        spoken = [purpose for purpose in PURPOSES if asked(purpose=purpose, **facts).allowed]
        assert spoken == ["notice", "receipt", "code", "confirmation"]


def test_rf_07_a_code_that_the_consumer_asks_for_goes_to_an_address_that_opted_out():
    out = Point(value="j@gmail.com", route="RF-13", opted_out=True)
    assert [purpose for purpose in PURPOSES if asked(purpose=purpose, point=out).allowed] == ["code", "confirmation"]
    gone = Point(value="j@gmail.com", route="RF-13", bad=True)
    assert [purpose for purpose in PURPOSES if asked(purpose=purpose, point=gone).allowed] == []


def test_what_answers_the_consumer_leaves_at_night():
    assert asked(purpose="receipt", now=at(23), answers=True).allowed
    assert codes(asked(purpose="receipt", now=at(23))) == ["outside_hours"]


@pytest.mark.parametrize(
    ("quiet", "moment", "until"),
    [
        pytest.param([Quiet(1, dt.time(12), dt.time(14))], at(13), at(14), id="RF-04 inside"),
        pytest.param([Quiet(1, dt.time(12), dt.time(14))], at(14), None, id="RF-04 over"),
        pytest.param([Quiet(0, dt.time(12), dt.time(14))], at(13), None, id="RF-04 another weekday"),
        pytest.param(
            [Quiet(1, dt.time(12), dt.time(14)), Quiet(1, dt.time(14), dt.time(21))],
            at(13),
            at(8, day=2),
            id="RF-04 one after the other, then the night",
        ),
    ],
)
def test_times_that_do_not_suit_the_consumer_are_kept_free(quiet, moment, until):
    assert asked(quiet=tuple(quiet), now=moment).until == until


@pytest.mark.parametrize(
    ("more", "until"),
    [
        pytest.param({}, at(21), id="RF-01 nine in the evening"),
        pytest.param({"zones": ("America/Los_Angeles", "America/New_York")}, at(21), id="RF-03 where it is nine first"),
        pytest.param({"policy": Policy(closes=dt.time(17))}, at(17), id="RF-01 the agency closes earlier"),
        pytest.param({"policy": Policy(closes=dt.time(23))}, at(21), id="RF-01 the agency closes no later"),
        pytest.param({"quiet": (Quiet(1, dt.time(14), dt.time(15)),)}, at(14), id="RF-04 a time that does not suit"),
        pytest.param({"quiet": (Quiet(1, dt.time(9), dt.time(10)),)}, at(21), id="RF-04 one that is over"),
        pytest.param({"quiet": (Quiet(2, dt.time(14), dt.time(15)),)}, at(21), id="RF-04 another weekday"),
        pytest.param({"purpose": "receipt"}, at(21), id="RF-01 a receipt"),
        pytest.param({"purpose": "receipt", "answers": True}, None, id="RF-01 what answers the consumer"),
        pytest.param({"purpose": "code"}, None, id="AUTH-07 a code"),
    ],
)
def test_what_may_leave_now_knows_until_when(more, until):
    base = {"channel": "email", "purpose": "reminder", "now": NOON, "zones": NEW_YORK, "point": GOOD}
    assert contact.suits_until(Facts(**base | more)) == until


@pytest.mark.parametrize(
    ("channel", "more", "denied"),
    [
        pytest.param("email", {"past": past(2)}, "", id="RF-09 the third in a week"),
        pytest.param("email", {"past": past(3)}, "too_often", id="RF-09 the fourth"),
        pytest.param("email", {"past": past(2) + past(1, "text")}, "too_often", id="RF-09 all channels count"),
        pytest.param("email", {"past": past(3, ago=dt.timedelta(days=7))}, "", id="RF-09 rolling"),
        pytest.param("email", {"past": past(3), "purpose": "receipt"}, "", id="RF-09 not what answers"),
        pytest.param("call", {"past": past(6, "call")}, "", id="RF-09 the seventh call"),
        pytest.param("call", {"past": past(7, "call")}, "too_many_calls", id="RF-09 the eighth call"),
        pytest.param("call", {"past": past(1, "call", conversation=True)}, "talked_this_week", id="RF-09 they spoke"),
        pytest.param("text", {"past": past(2, "call"), "state": "MA"}, "too_often_ma", id="ST-08 third text or call"),
        pytest.param("text", {"past": past(2), "state": "MA"}, "", id="ST-08 e-mail does not count"),
        pytest.param(
            "email",
            {"past": past(5), "state": "DC", "consented": True, "policy": Policy(most_in_week=7)},
            "too_often_dc",
            id="ST-07 the sixth electronic message",
        ),
        pytest.param("email", {"state": "DC"}, "consent_dc", id="ST-07 no consent"),
        pytest.param("email", {"state": "NY"}, "consent_ny", id="ST-05 no consent for this debt"),
        pytest.param("email", {"state": "NY", "consented": True}, "consent_ny", id="ST-05 consent for another debt"),
        pytest.param("email", {"state": "NY", "consented_debt": True}, "", id="ST-05 for this debt, not at work"),
        pytest.param("email", {"state": "NY", "purpose": "receipt"}, "", id="ST-05 receipts answer the consumer"),
        pytest.param(
            "email",
            {
                "zip_code": "10001",
                "state": "NJ",
                "consented_debt": True,
                "past": past(3),
                "policy": Policy(most_in_week=7),
            },
            "too_often_nyc",
            id="ST-06 the fourth in the city",
        ),
        pytest.param("email", {"state": "", "zip_code": "14201"}, "consent_ny", id="ST-05 by its ZIP code alone"),
        pytest.param("email", {"state": "", "zip_code": "20001"}, "consent_dc", id="ST-07 by its ZIP code alone"),
        pytest.param(
            "text",
            {"state": "", "zip_code": "02108", "past": past(2, "text")},
            "too_often_ma",
            id="ST-08 by its ZIP code alone",
        ),
    ],
)
def test_contacts_are_counted_over_all_channels_and_states_may_be_stricter(channel, more, denied):
    assert codes(asked(channel, **more)) == ([denied] if denied else [])


def test_a_contact_too_many_may_be_made_when_the_oldest_one_is_a_week_old():
    spread = tuple(Past("email", NOON - dt.timedelta(days=days)) for days in (6, 3, 1))
    assert asked(past=spread).until == NOON + dt.timedelta(days=1)


def in_force(state, zip_code, today=dt.date(2026, 12, 1)) -> list[str]:
    return [pack.code for pack in packs.in_force(state=state, zip_code=zip_code, today=today)]


def test_st_01_st_06_a_pack_holds_from_its_date_on():
    assert in_force("NJ", "10001", today=dt.date(2026, 8, 31)) == ["ny"]
    assert in_force("NJ", "10001", today=dt.date(2026, 9, 1)) == ["ny", "nyc"]
    assert in_force("ny", "11201-1234") == ["ny", "nyc"]


@pytest.mark.parametrize(
    ("code", "inside", "outside"),
    [
        pytest.param("ny", ("00501", "06390", "10001", "14201", "14925"), ("06389", "07030", "15001"), id="ny"),
        pytest.param("dc", ("20001", "20010", "20250", "20560"), ("20101", "20601", "22201"), id="dc"),
        pytest.param("ma", ("01001", "02108", "02790", "05501"), ("00901", "02801", "03031", "05401"), id="ma"),
    ],
)
def test_st_01_a_zip_code_alone_says_which_pack_holds(code, inside, outside):
    """A file may leave the state out: it is the ZIP code of the residence that counts."""
    assert [code in in_force("", zip_code) for zip_code in inside] == [True] * len(inside)
    assert [code in in_force("", zip_code) for zip_code in outside] == [False] * len(outside)
    assert in_force("", "") == []


def test_st_01_where_state_and_zip_code_disagree_both_packs_hold():
    assert in_force("MA", "14201") == ["ny", "ma"]
    assert codes(asked("text", state="NJ", zip_code="02108", past=past(2, "text"))) == ["too_often_ma"]
    assert codes(asked(state="MA", zip_code="14201", past=past(2, "text"))) == ["consent_ny"]


def test_rf_28_we_are_not_the_first_to_write_before_the_validation_notice():
    assert codes(asked(first_contact=True, validation_sent=False)) == ["validation_missing"]
    assert asked(first_contact=False, validation_sent=False).allowed
    assert asked(first_contact=True, validation_sent=True).allowed


@pytest.mark.parametrize("purpose", PURPOSES)
def test_rf_28_whatever_we_call_it_what_we_want_waits_for_the_notice_and_what_the_consumer_is_owed_does_not(purpose):
    ours = purpose in ("campaign", "reminder")
    for channel in ("email", "text", "call"):
        judgement = asked(channel, purpose=purpose, first_contact=True, validation_sent=False)
        assert codes(judgement) == (["validation_missing"] if ours else [])
        assert ("RF-28" in judgement.checked) is ours


def test_rf_31_no_offer_ends_within_the_validation_period():
    ends = dt.date(2027, 1, 28)
    assert codes(asked(validation_ends_on=ends, offer_expires_on=dt.date(2027, 1, 27))) == ["offer_overshadows"]
    assert asked(validation_ends_on=ends, offer_expires_on=ends).allowed


def test_an_agency_may_only_narrow_the_hours():
    wide = Policy(opens=dt.time(5), closes=dt.time(23))
    assert codes(asked(now=at(6), policy=wide)) == ["outside_hours"]
    narrow = Policy(opens=dt.time(9, 30), closes=dt.time(17))
    assert asked(now=at(8, 15), policy=narrow).until == at(9, 30)


def test_a_lasting_reason_outweighs_one_that_time_lifts_and_the_latest_moment_counts():
    judgement = asked(now=at(22), status="cease")
    assert (judgement.reason, judgement.until) == ("status_cease", None)
    waiting = asked(now=at(22), past=past(3))
    assert codes(waiting) == ["too_often", "outside_hours"]
    assert waiting.until == NOON + dt.timedelta(days=6)


def test_only_what_we_send_of_our_own_accord_counts():
    assert COUNTED == ("campaign", "reminder", "service", "notice")
