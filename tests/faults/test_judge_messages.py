"""The judge of messages can say no: books that agree have no findings, and each broken promise has one."""

import copy

import pytest

from tests.faults import judge_events
from tests.faults import judge_messages as judge

MAIL, GONE, TEXT, LETTER = "pat@example.com", "bounce@example.com", "+12155550100", "sam@example.com"


def message(key, address, status="delivered", channel="email", template="reminder", **more):
    base = {"id": key, "channel": channel, "template": template, "stream": "campaigns", "status": status, "reason": ""}
    return base | {"cause": key, "address": address, "opened": False, "clicked": False} | more


def told(key, message, name, address):
    return {"key": key, "message": message, "name": name, "address": address}


def event(key, message, kind, reference="M1", place=None):
    return {"id": key, "reference": reference, "account_seq": place, "kind": f"message.{kind}", "message": message}


def point(reference, address, **more):
    return {"reference": reference, "address": address, "opted_out": False, "bad": False} | more


def recipient(reference, message, status="leaving", reason=""):
    return {"campaign": "one", "campaign_status": "finished", "reference": reference, "status": status} | {
        "reason": reason,
        "message": message,
    }


@pytest.fixture
def books():
    """Four people: one opened a mail, one mailbox is gone, one said STOP to a text, one was told of a change."""
    mail_events = [event("e1", "m1", "sent", place=1), event("e2", "m1", "opened", place=2)]
    mail_events.append(event("e3", "m1", "delivered", place=3))
    rest = [event("e4", "m2", "sent", "M2", 1), event("e5", "m2", "bounced", "M2", 2)]
    rest += [event("e6", "m3", "sent", "M3", 1), event("e7", "m3", "delivered", "M3", 2)]
    rest += [event("e8", "m4", "sent", "M3", 3), event("e9", "m5", "sent", None), event("e0", "m6", "failed", "M1", 4)]
    ours = [one | {"payment": "", "cents": 0} for one in mail_events + rest if one["reference"]]
    heard = [
        {"EventID": one["id"], "FileNumber": one["reference"], "AccountSequence": one["account_seq"]}
        | {"Outcome": "accepted", "Duplicates": 0}
        for one in ours
    ]
    said = [
        told("p1", "m1", "accepted", MAIL),
        told("p2", "m1", "opened", MAIL),
        told("p3", "m1", "delivered", MAIL),
        told("p4", "m2", "accepted", GONE),
        told("p5", "m2", "failed permanent bounce", GONE),
        told("p6", "m3", "sent", TEXT),
        told("p7", "m3", "delivered", TEXT),
        told("p8", "", "received", TEXT),
        told("p9", "m4", "sent", TEXT),
        told("p0", "m5", "accepted", LETTER),
    ]
    return judge.Books(
        messages=[
            message("m1", MAIL, opened=True),
            message("m2", GONE, "bounced"),
            message("m3", TEXT, channel="text"),
            message("m4", TEXT, "sent", channel="text", template="text_stopped"),
            message("m5", LETTER, "sent", template="contact_changed"),
            message("m6", MAIL, "failed", reason="no_answer"),
        ],
        taken=[
            {"message": "m1", "address": MAIL, "at": 100.0},
            {"message": "m2", "address": GONE, "at": 100.0},
            {"message": "m3", "address": TEXT, "at": 100.0},
            {"message": "m4", "address": TEXT, "at": 120.0},
            {"message": "m5", "address": LETTER, "at": 101.0},
        ],
        told=said,
        heard=[{"key": one["key"], "applied": True, "outcome": "delivered"} for one in said],
        events=mail_events + rest,
        opt_outs=[{"address": TEXT, "at": 110.0}],
        points=[
            point("M1", MAIL),
            point("M2", GONE, bad=True),
            point("M3", TEXT, opted_out=True),
            point("M4", LETTER),
        ],
        recipients=[
            recipient("M1", "m1"),
            recipient("M2", "m2"),
            recipient("M3", "m3"),
            recipient("M4", None, "left_out", "opted_out"),
        ],
        asked=[("one", "M1"), ("one", "M2"), ("one", "M3")],
        changes=[{"id": "c1", "reference": "M4", "messages": 1}],
        committed=["c1"],
        feeds=[{"slug": "acme", "count": 10, "placed": 10, "last": 10}],
        at_hosts=judge_events.Books(
            events=ours,
            told={"host-a": heard},
            posted={"host-a": []},
            host_of=dict.fromkeys(("M1", "M2", "M3"), "host-a"),
        ),
    )


@pytest.fixture(autouse=True)
def nobody_is_left_out(books):
    books.recipients.pop()


def test_books_that_agree_have_no_findings(books):
    assert judge.compare(books) == []


def again(rows, number=0, **more):
    rows.append(copy.deepcopy(rows[number]) | more)


WRONGS = {
    "taken twice": (lambda b: again(b.taken), "twice: reminder m1 to pat@example.com was taken 2 times"),
    "a text taken twice": (lambda b: again(b.taken, 2), "twice: reminder m3"),
    "taken and not ours": (lambda b: again(b.taken, message="m9"), "that we do not have: m9"),
    "to another address": (lambda b: b.taken[0].update(address=LETTER), "m1 went to sam@example.com"),
    "news not heard": (lambda b: b.heard.pop(1), "lost: opened of pat@example.com was told and never heard: p2"),
    "an answer not heard": (lambda b: b.heard.pop(7), "lost: received of +12155550100 was told and never heard"),
    "news in the inbox twice": (lambda b: again(b.heard), "lost: an event is in the inbox 2 times: p1"),
    "news made up": (lambda b: again(b.heard, key="p99"), "that no provider told: p99"),
    "news that waits": (lambda b: b.heard[0].update(applied=False, outcome=""), "was not applied: p1: it waits"),
    "news that failed": (lambda b: b.heard[0].update(outcome="failed: KeyError"), "not applied: p1: failed: KeyError"),
    "sent and nobody has it": (lambda b: b.messages[5].update(status="sent"), "is sent, and no provider has it"),
    "left queued": (lambda b: b.messages[5].update(status="queued"), "is queued, and no provider has it"),
    "failed and it arrived": (lambda b: b.messages[0].update(status="failed"), "its provider says delivered"),
    "a bounce unheeded": (lambda b: b.messages[1].update(status="delivered"), "its provider says bounced"),
    "a complaint unheeded": (lambda b: again(b.told, name="complained", key="p1"), "its provider says complained"),
    "not opened": (lambda b: b.messages[0].update(opened=False), "is not opened"),
    "clicked by nobody": (lambda b: b.messages[0].update(clicked=True), "is clicked"),
    "unsubscribed in vain": (
        lambda b: again(b.told, name="unsubscribed", key="p1"),
        "pat@example.com unsubscribed at its provider and not with us",
    ),
    "an address not given up": (lambda b: b.points[1].update(bad=False), "bounce@example.com was not given up"),
    "sent told twice": (lambda b: again(b.events), "message.sent of reminder m1 (delivered) was told 2 times"),
    "opened not told": (lambda b: b.events.pop(1), "message.opened of reminder m1 (delivered) was told 0 times"),
    "delivered not told": (lambda b: b.events.pop(2), "message.delivered of reminder m1 (delivered) was told 0"),
    "delivered told twice": (lambda b: again(b.events, 2), "message.delivered of reminder m1 (delivered) was told 2"),
    "failed not told": (lambda b: b.events.pop(-1), "message.failed of reminder m6 (failed) was told 0 times"),
    "a text after STOP": (
        lambda b: b.taken[2].update(at=110.5),
        "silence: reminder m3 was taken for +12155550100 0.50 s after",
    ),
    "a mail long after an opt-out": (
        lambda b: b.opt_outs.append({"address": MAIL, "at": 80.0}),
        "silence: reminder m1 was taken for pat@example.com 20.00 s after",
    ),
    "forgotten by a campaign": (lambda b: b.recipients.pop(0), "asked: one knows nothing of M1"),
    "left out without cause": (
        lambda b: b.recipients[0].update(status="left_out", reason="too_often"),
        "asked: one left M1 out without cause: too_often",
    ),
    "no message": (lambda b: b.recipients[0].update(message=None), "asked: one has no message for M1"),
    "somebody else's campaign": (lambda b: again(b.recipients, reference="M4"), "whom it was not asked for"),
    "a change without a letter": (lambda b: b.changes[0].update(messages=0), "change c1 of M4 brought 0 messages"),
    "a change with two letters": (lambda b: b.changes[0].update(messages=2), "change c1 of M4 brought 2 messages"),
    "a change that is gone": (lambda b: b.committed.append("c9"), "asked: a committed change is gone: c9"),
    "a gap in the feed": (lambda b: b.feeds[0].update(last=11), "feed: acme has 10 events, 10 in places up to 11"),
    "an event without a place": (lambda b: b.feeds[0].update(placed=9), "feed: acme has 10 events, 9 in places"),
    "a host that was not told": (lambda b: b.at_hosts.told["host-a"].pop(), "lost: host-a never took"),
    "a host told twice": (
        lambda b: again(b.at_hosts.told["host-a"], EventID="e99"),
        "host-a took an event of M1 that we do not have: e99",
    ),
    "a host told in disorder": (lambda b: b.at_hosts.told["host-a"].reverse(), "disordered: host-a heard"),
}


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda name: name.replace(" ", "_"))
def test_each_wrong_is_found(books, wrong):
    tamper, sentence = WRONGS[wrong]
    tamper(books)
    found = judge.compare(books)
    assert any(sentence in one for one in found), found


def test_a_mail_that_had_begun_when_its_reader_opted_out_and_the_confirmation_of_a_stop_are_no_findings(books):
    books.opt_outs.append({"address": MAIL, "at": 100.0 - judge.MAIL_BEGAN_SECONDS})
    assert books.taken[3] == {"message": "m4", "address": TEXT, "at": 120.0}
    assert judge.compare(books) == []


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"accepted"}, "sent"),
        ({"accepted", "failed temporary generic"}, "sent"),
        ({"accepted", "failed temporary generic", "delivered", "opened"}, "delivered"),
        ({"delivered", "complained"}, "complained"),
        ({"accepted", "failed permanent suppress-complaint"}, "bounced"),
        ({"accepted", "failed permanent suppress-unsubscribe"}, "bounced"),
        ({"sent", "undelivered"}, "bounced"),
        ({"sent", "failed"}, "bounced"),
    ],
)
def test_how_a_message_must_end_is_what_its_provider_told_in_any_order(said, state):
    assert judge.state_of(said) == state
