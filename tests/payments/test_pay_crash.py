"""A process that dies at any line of a payment: sent again it is one charge; left alone we say what was taken."""

import datetime as dt
import os

import pytest
from django.db import connection

from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import LedgerEntry, Payment, Postdate
from payments.processors import connect
from payments.services import ask
from tests.conftest import NOW
from tests.payments.test_pay import kinds

POINTS = ["after_intent_commit", "after_charge", "after_outcome_commit"]
SOON, EXPIRED = NOW + dt.timedelta(minutes=1), NOW + dt.timedelta(minutes=16)


def die_at(point, call):
    """Run the call in a process that ends at the named line as kill -9 would."""
    connection.close()
    child = os.fork()
    if child == 0:
        os.environ["CRASH_AT"] = point
        connect.cache_clear()  # the parent's open connections are not the child's
        try:
            call()
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 137


def sweep(now):
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=now)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_confirmed_again_after_a_crash_it_is_one_charge_and_one_plan(open_shop, point):
    checkout = open_shop.checkout("parts", paper=True)
    die_at(point, lambda: open_shop.confirm(checkout))
    payment = open_shop.confirm_again(Payment.objects.select_related("authorization").get())
    assert payment.status == Payment.Status.SUCCEEDED
    assert len(open_shop.charged()) == 1
    assert (Payment.objects.count(), Postdate.objects.count(), LedgerEntry.objects.count()) == (1, 5, 2)
    told = kinds(open_shop.account)
    assert told.count("payment.succeeded") == told.count("arrangement.created") == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("point", "charges", "status"),
    [
        ("after_intent_commit", 0, Payment.Status.VOIDED),
        ("after_charge", 1, Payment.Status.SUCCEEDED),
        ("after_outcome_commit", 1, Payment.Status.SUCCEEDED),
    ],
)
def test_left_alone_after_a_crash_what_we_say_is_what_was_taken(open_shop, point, charges, status):
    checkout = open_shop.checkout()
    die_at(point, lambda: open_shop.confirm(checkout))
    sweep(SOON)
    sweep(EXPIRED)
    assert len(open_shop.charged()) == charges
    assert Payment.objects.get().status == status


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["after_look", "after_void"])
def test_a_sweep_that_dies_is_finished_by_the_next(open_shop, point):
    checkout = open_shop.checkout()
    die_at("after_intent_commit", lambda: open_shop.confirm(checkout))
    die_at(point, lambda: sweep(EXPIRED))
    sweep(EXPIRED)
    assert Payment.objects.get().status == Payment.Status.VOIDED
    assert open_shop.merchant.ledger() == []
