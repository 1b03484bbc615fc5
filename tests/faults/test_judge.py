"""The judge can say no: books that agree have no findings, and each thing that can go wrong with money has one."""

import copy

import pytest

from tests.faults import judge
from tests.faults.consumers import Told

CARD = {"slug": "acme", "reference": "K1", "kind": "card", "executor": "portal", "postdate": None}
STATE = {"order": {"gaps": [], "out_of_order": []}, "events": {"refused": 0}}


def payment(name, cents, status="succeeded", **more):
    booked = cents if status == "succeeded" else 0
    told = {"id": name, "key": f"key-{name}", "amount_cents": cents, "status": status, "processor_ref": ""}
    return CARD | told | {"booked_cents": booked, "given_back_cents": 0} | more


def charge(name, cents, slug="acme", credential="portal", about="payment", **more):
    made = {"id": f"ch-{name}", "kind": "charge", "status": "succeeded", "amount": cents, "charge": None}
    return made | {"slug": slug, "credential": credential, "metadata": {about: name}} | more


def item(name, amount, status="POSTED", slug="acme", **more):
    shown = {"PortalID": name, "HostID": f"SC-{slug}-{name}-{status}", "Amount": amount, "Status": status}
    return shown | {"slug": slug, "reference": "K1"} | more


def given_back(name, cents):
    return {"id": "re-1", "kind": "refund", "status": "succeeded", "amount": cents, "slug": "acme", "charge": name}


@pytest.fixture
def books():
    """A card, a decline, a bank debit of the host, a post-date that the host charged, a part that went back."""
    return judge.Books(
        charges=[
            charge("p1", 40_00),
            charge("d1", 50_00, credential="host", about="portal_id"),
            charge("p5", 30_00),
            given_back("ch-p5", 10_00),
            charge("p6", 70_01, slug="birch"),
        ],
        payments=[
            payment("p1", 40_00),
            payment("p2", 25_00, "declined"),
            payment("p3", 33_33, kind="ach", executor="host"),
            payment("p4", 50_00, executor="host", postdate="d1"),
            payment("p5", 30_00, booked_cents=20_00, given_back_cents=10_00),
            payment("p6", 70_01, slug="birch"),
        ],
        items=[
            item("p1", "40.00"),
            item("p3", "33.33"),
            item("d1", "50.00"),
            item("p5", "30.00"),
            item("event-1", "10.00", "REFUND"),
            item("p6", "70.01", slug="birch"),
        ],
        host={"acme": copy.deepcopy(STATE), "birch": copy.deepcopy(STATE)},
    )


def test_books_that_agree_have_no_findings(books):
    assert judge.compare(books) == []
    assert judge.figures(books)["acme"] == {
        "payments": 5,
        "charges": 3,
        "processor_cents": 60_00,
        "ledger_cents": 60_00,
        "given_back_cents": 10_00,
        "booked_cents": 143_33,
        "posted_cents": 143_33,
    }


def change(place, number, **values):
    return lambda books: getattr(books, place)[number].update(values)


def remove(place, number):
    return lambda books: getattr(books, place).pop(number)


def add(place, row):
    return lambda books: getattr(books, place).append(row)


WRONGS = {
    "charged twice": (add("charges", charge("p1", 40_00, id="ch-again")), "processor: 2 charges"),
    "charged and not recorded": (add("charges", charge("p9", 5_00)), "we know nothing of: p9"),
    "recorded and not charged": (remove("charges", 0), "processor: 0 charges"),
    "a decline that was charged": (add("charges", charge("p2", 25_00)), "processor: 1 charges"),
    "a cent too much": (change("charges", 0, amount=40_01), "took 4001 cents"),
    "charged for the other agency": (change("charges", 0, slug="birch"), "by portal of birch"),
    "given back twice": (add("charges", given_back("ch-p5", 10_00) | {"id": "re-2"}), "gave back 2000 cents"),
    "booked twice": (change("payments", 0, booked_cents=80_00), "sums: the processor moved"),
    "the host charged twice": (
        add("charges", charge("d1", 50_00, credential="host", about="portal_id", id="ch-two")),
        "processor: 2 charges",
    ),
    "posted twice": (add("items", item("p1", "40.00", HostID="SC-two")), "host: 2 posted items"),
    "not posted": (remove("items", 0), "host: 0 posted items"),
    "posted with another amount": (change("items", 0, Amount="40.01"), "host: posted 40.01"),
    "posted and not recorded": (add("items", item("p9", "5.00")), "we know nothing of: p9"),
    "a part that went back told as the whole": (change("items", 3, Status="REFUND"), "host: 0 posted items"),
    "a part that went back told twice": (
        add("items", item("event-2", "10.00", "REFUND", HostID="SC-back")),
        "sums: acme's host posted",
    ),
    "an event that never came": (
        lambda books: books.host["acme"]["order"]["gaps"].append({"file_number": "K1"}),
        "host: gaps at acme",
    ),
    "an event that was refused": (lambda books: books.host["birch"]["events"].update(refused=1), "birch refused 1"),
}


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda name: name.replace(" ", "_"))
def test_each_wrong_is_found(books, wrong):
    tamper, sentence = WRONGS[wrong]
    tamper(books)
    found = judge.compare(books)
    assert any(sentence in one for one in found), found


@pytest.mark.parametrize(
    ("state", "status", "found"),
    [
        ("succeeded", "succeeded", 0),
        ("succeeded", "refunded", 0),
        ("succeeded", "declined", 1),
        ("succeeded", "voided", 1),
        ("declined", "succeeded", 1),
        ("voided", "succeeded", 1),
        ("processing", "returned", 0),
        ("handed_over", "voided", 1),
        ("", "voided", 0),
    ],
)
def test_what_a_page_said_must_be_what_became_of_it(books, state, status, found):
    books.payments[0]["status"] = status
    said = Told(key="key-p1", slug="acme", reference="K1", cents=40_00, press="once", state=state)
    assert len(judge.told(books, [said])) == found


def test_what_was_told_of_a_payment_that_is_nowhere_is_found_and_who_left_early_may_have_made_none(books):
    said = Told(key="key-nowhere", slug="acme", reference="K1", cents=40_00, press="leaves", state="succeeded")
    assert len(judge.told(books, [said])) == 1
    said.state = ""
    assert judge.told(books, [said]) == []


def test_another_amount_than_was_meant_and_another_account_are_found(books):
    other = Told(key="key-p1", slug="birch", reference="K1", cents=41_00, press="once", state="succeeded")
    assert len(judge.told(books, [other])) == 2
