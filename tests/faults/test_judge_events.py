"""The judge of events can say no: books that agree have no findings, and each loss, doubling and disorder has one."""

import pytest

from tests.faults import judge_events as judge

HOST_OF = {"E1": "host-a", "E2": "host-b"}


def event(number, reference, place, payment="", cents=0):
    return {
        "id": f"event-{number}",
        "reference": reference,
        "account_seq": place,
        "kind": "payment.succeeded" if payment else "page.viewed",
        "payment": payment,
        "cents": cents,
    }


def heard(one, **more):
    told = {"EventID": one["id"], "FileNumber": one["reference"], "AccountSequence": one["account_seq"]}
    return told | {"Outcome": "accepted", "Duplicates": 0, "LatencyMs": 10.0} | more


def posted(payment, amount, reference="E1", status="POSTED"):
    return {"PortalID": payment, "Amount": amount, "Status": status, "reference": reference}


@pytest.fixture
def books():
    """Two accounts at two hosts, four events, one of them a payment."""
    events = [event(1, "E1", 1), event(2, "E1", 2, "p1", 4_05), event(3, "E2", 7), event(4, "E1", 3)]
    return judge.Books(
        committed=[dict(one) for one in events[1:]],
        events=events,
        told={
            "host-a": [heard(events[0]), heard(events[1]), heard(events[3], LatencyMs=30.0)],
            "host-b": [heard(events[2])],
        },
        posted={"host-a": [posted("p1", "4.05")], "host-b": []},
        host_of=HOST_OF,
    )


def test_books_that_agree_have_no_findings(books):
    assert judge.compare(books) == []


def test_an_event_that_came_again_and_was_known_is_no_finding(books):
    books.told["host-a"][0]["Duplicates"] = 3
    assert judge.compare(books) == []


def turn(host, one, other):
    def tamper(books):
        told = books.told[host]
        told[one], told[other] = told[other], told[one]

    return tamper


POSTING = "effect: wrong posting of payment p1"
WRONGS = {
    "a commit that is gone": (lambda books: books.events.pop(3), "lost: a committed event of E1"),
    "a host that was not told": (lambda books: books.told["host-b"].pop(), "lost: host-b never took"),
    "a host that refused": (lambda books: books.told["host-a"][1].update(Outcome="refused"), "lost: host-a never took"),
    "told under another id": (
        lambda books: books.told["host-a"].append(heard(event(9, "E1", 4))),
        "that we do not have: event-9",
    ),
    "told to the other host": (lambda books: books.told["host-b"].append(heard(event(1, "E1", 1))), "is about E1"),
    "the same place twice": (
        lambda books: books.told["host-a"].append(heard(event(9, "E1", 3))),
        "took place 3 of E1 2 times",
    ),
    "the second before the first": (turn("host-a", 0, 1), "disordered: host-a heard 1 of E1 after 2"),
    "one left out": (lambda books: books.told["host-a"].pop(1), "disordered: host-a heard 3 of E1 after 1"),
    "posted twice": (
        lambda books: books.posted["host-a"].append(posted("p1", "4.05")),
        POSTING,
    ),
    "not posted": (lambda books: books.posted["host-a"].clear(), POSTING),
    "a cent more": (
        lambda books: books.posted["host-a"][0].update(Amount="4.06"),
        POSTING,
    ),
    "posted to another account": (
        lambda books: books.posted["host-a"][0].update(reference="E2"),
        POSTING,
    ),
    "posted out of nothing": (lambda books: books.posted["host-b"].append(posted("p9", "1.00")), "do not have: p9"),
}


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda name: name.replace(" ", "_"))
def test_each_wrong_is_found(books, wrong):
    tamper, sentence = WRONGS[wrong]
    tamper(books)
    found = judge.compare(books)
    assert any(sentence in one for one in found), found


def test_latency_counts_what_was_committed_by_the_load(books):
    books.told["host-a"][0]["LatencyMs"] = 900.0
    assert judge.latency(books, "host-a") == {"p50": 10.0, "p90": 30.0, "p99": 30.0, "longest": 30.0}
    assert judge.latency(books, "host-b") == dict.fromkeys(("p50", "p90", "p99", "longest"), 10.0)
