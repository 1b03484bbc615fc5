"""Whatever is killed between confirm and the host's receipt: one charge, one payment, one effect - or none, said so.

A script holds each gap open, kills one part of the product with SIGKILL, starts it again, and does what a consumer
would: tries again with the same key. COUNT (FAULTS_COUNT) says how often each pair of gap and victim is done.
"""

import contextlib
import itertools
import os

import pytest

from portal.local.browser import PATIENCE, Browser
from portal.local.stack import call
from portal.local.walk import Walk, account_id, until
from tests.faults.conftest import Later

pytestmark = pytest.mark.faults

CARD = "5200828282828210"  # Mastercard debit
WEB_GAPS = ("after_intent_commit", "after_charge", "after_outcome_commit")
DELIVERY_GAPS = ("after_claim", "after_host_answer")
VICTIMS = ("web", "deliver", "redis", "postgres")
COUNT = int(os.environ.get("FAULTS_COUNT", "1"))
numbers = itertools.count(1)


class Consumer:
    """One account of its own, placed by the host, whose consumer stands before the button that pays."""

    def __init__(self, world, cents: int = 40_00) -> None:
        self.world, self.stack = world, world.stack
        self.reference = f"F{next(numbers):05d}"
        self.walk = Walk(self.stack, lambda line: None)
        host = self.stack.urls["host-acme"]
        like = self.walk.account("acme", "100234")
        record = like | {
            "FileNumber": self.reference,
            "ConsumerID": self.reference,
            "SSN": "900-99-7777",
            "Payments": [],
            "PostDates": [],
        }
        for name in ("AsOf", "Version"):
            record.pop(name, None)
        call(host, "/_sandbox/accounts", record)
        call(host, "/_sandbox/push", {"FileNumbers": [self.reference]})
        self.browser = self.walk.log_in("acme", self.reference)
        self.account = account_id(self.browser, self.reference)
        self.walk.choose(self.browser, self.account, "any", amount=f"{cents / 100:.2f}")
        page = self.browser.page
        page = self.browser.submit(
            page.form_with("confirmation_token"), confirmation_token=self.walk.token("acme", CARD)
        )
        self.path, self.form = page.path, page.form_with("idempotency_key")

    def confirm(self):
        """Press the button: the same form with the same key every time."""
        again = Browser(self.stack, "acme")
        again.cookies = dict(self.browser.cookies)
        again.page = self.browser.page
        return again._ask("POST", self.path, self._fields())

    def _fields(self) -> dict:
        return {name: value for name, value in self.form["fields"].items() if value is not None} | {"agree": "on"}

    def confirm_until_decided(self):
        """Try again, as a person would, until the page says what became of it."""

        def decided():
            with contextlib.suppress(OSError):
                page = self.confirm()
                if page.status == 200 and "$40.00" in page.text:
                    return page
            return None

        return until(decided, f"no result page for {self.reference}")

    def charges(self) -> list[dict]:
        """What the processor's own ledger shows for this account's payments."""
        rows = call(self.stack.urls["processor"], "/_sandbox/ledger")
        mine = {row["Payment"]["PortalID"] for row in self.walk.received("acme", "payment.intended", self.reference)}
        charged = [row for row in rows if row["kind"] == "charge" and row["status"] == "succeeded"]
        return [row for row in charged if row["metadata"].get("payment") in mine]

    def told(self) -> list[dict]:
        return self.walk.received("acme", "payment.succeeded", self.reference)

    def posted(self) -> list[dict]:
        """The host's own list of payments of this account."""
        return self.walk.account("acme", self.reference)["Payments"]


def assert_paid_once(consumer: Consumer) -> None:
    """One charge at the processor, one payment told, one effect at the host."""
    until(consumer.told, f"the host was never told about {consumer.reference}")
    until(consumer.posted, f"the host never posted {consumer.reference}")
    assert len(consumer.charges()) == 1
    assert len({row["Payment"]["PortalID"] for row in consumer.told()}) == 1
    assert [item["Status"] for item in consumer.posted()] == ["POSTED"]
    assert [item["Amount"] for item in consumer.posted()] == ["40.00"]


@pytest.mark.parametrize("turn", range(COUNT))
@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("gap", [*WEB_GAPS, *DELIVERY_GAPS])
def test_a_kill_between_confirm_and_the_hosts_receipt_ends_in_one_charge_and_one_effect(world, gap, victim, turn):
    consumer = Consumer(world)
    world.hold(gap)
    first = Later(consumer.confirm)
    world.wait_in(gap)
    world.kill(victim)
    world.release(gap)
    world.revive(victim)
    first.join(PATIENCE)
    consumer.confirm_until_decided()
    assert_paid_once(consumer)


@pytest.mark.parametrize("victim", ["web", "postgres"])
def test_an_intent_that_never_committed_charges_nothing_and_nothing_says_paid(world, victim):
    consumer = Consumer(world)
    world.hold("before_intent_commit")
    first = Later(consumer.confirm)
    world.wait_in("before_intent_commit")
    world.kill(victim)
    world.release("before_intent_commit")
    world.revive(victim)
    first.join(PATIENCE)
    assert first.result is None or first.result.status == 500
    page = until(
        lambda: (page := consumer.browser.get(f"/accounts/{consumer.account}/")).status == 200 and page,
        "the account page did not come back",
    )
    assert "Received" not in page.text
    assert "$1,000.00" in page.text
    assert consumer.charges() == []
    assert consumer.told() == []
    assert consumer.posted() == []


def test_the_books_balance_after_all_of_it(world):
    """The invariants of the money, as queries over everything that happened above: no rows, no harm."""
    assert world.stack.manage("reconcile").strip().endswith("0 findings")
