"""The cast: two agencies in the room, with the same references."""

import datetime as dt
import gc
import secrets
import sys
import time
import uuid
from contextlib import nullcontext

import pytest
import time_machine
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation

from accounts import events
from accounts.crypto import blind_index
from accounts.models import Account, Agency, Client, Consumer, ContactPoint
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostConnection
from payments.models import ProcessorAccount
from settlements.models import GlobalOffer
from tests.contracts import event_page
from tests.postgresql.flush import empty

NOW = dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC)
"""Tuesday, ten in the morning in New York."""

PRODUCT = ("accounts", "settlements", "payments", "integrations", "campaigns", "portal")
ONE_STACK_AT_A_TIME = ("tests/browser/", "tests/portal/test_demonstration.py")

TransactionTestCase._fixture_teardown = lambda _test: empty()


def pytest_collection_finish() -> None:
    """Have the collector pass by what thousands of tests and all of Django made: none of it ever goes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # as the site's processes


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give the tests that start the whole product to one worker, every other test to whoever is free.

    xdist's own mark for it (`xdist_group`, 3.8) renames tests by an attribute that pytest 9.2 no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "whole product" if nodeid.startswith(ONE_STACK_AT_A_TIME) else nodeid

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """Let no test wait for the disk: that a commit survives is shown where servers are killed (`make faults`)."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            f"ALTER DATABASE {connection.ops.quote_name(connection.settings_dict['NAME'])} SET synchronous_commit = off"
        )
        connection.close()


@pytest.fixture(autouse=True)
def no_earlier_than_the_cast():
    """Let a machine whose clock is behind run the tests too: what hosts say of the future is refused."""
    with time_machine.travel(NOW) if dt.datetime.now(dt.UTC) < NOW - dt.timedelta(hours=12) else nullcontext():
        yield


@pytest.fixture(autouse=True)
def nobody_speaks_spanish_yet():
    """Begin each test in English: whoever asked for a Spanish page leaves the thread in Spanish."""
    translation.deactivate()


@pytest.fixture(scope="session", autouse=True)
def events_hold_what_their_page_says():
    """Find out whoever of the product writes into an event what docs/events.md does not say."""
    known, record, prepare = event_page.kinds(), events.record, events.prepare
    free = event_page.open_ended()

    def check(kind: str, data: dict | None) -> None:
        if kind not in free and (more := sorted(set(data or ()) - known.get(kind, set()))):
            writer = sys._getframe(2)
            while (module := writer.f_globals["__name__"]) == events.__name__:
                writer = writer.f_back
            assert module.partition(".")[0] not in PRODUCT, f"docs/events.md: {kind} holds no {', '.join(more)}"

    def checked_record(kind, **more):
        check(kind, more.get("data"))
        return record(kind, **more)

    def checked_prepare(facts, *, now):
        for kind, _account, data in facts:
            check(kind, data)
        return prepare(facts, now=now)

    events.record, events.prepare = checked_record, checked_prepare
    yield
    events.record, events.prepare = record, prepare


@pytest.fixture
def now() -> dt.datetime:
    return NOW


def id_made(seconds_ago: float) -> uuid.UUID:
    """Make an id of so many seconds ago; `uuid7` never goes back behind a test that travelled."""
    return uuid.UUID(int=int((time.time() - seconds_ago) * 1000) << 80 | 7 << 76 | 2 << 62 | secrets.randbits(62))


def make_agency(slug: str, **values) -> Agency:
    """Make an agency with its global default offer, a host connection and a processor account."""
    name = slug.title()
    agency = Agency.objects.create(
        **{
            "slug": slug,
            "name": f"{name} Recovery",
            "legal_name": f"{name} Recovery LLC",
            "address": "10 Main Street\nAlbany, NY 12207",
            "phone": "518-555-0100",
            "hours": "Mon to Fri, 8 am to 6 pm ET",
            "licences": "NYC DCWP licence 0000000",
        }
        | values
    )
    with acting_for(agency):
        GlobalOffer.objects.create()
        HostConnection.objects.create(
            name="SCollect",
            base_url="http://127.0.0.1:9",
            outbound_key="out-" + slug,
            status_map={"ACTIVE": "open", "RECALL": "recalled", "CLOSE": "closed"},
            payment_statuses=["POSTED", "DECLINED", "CHARGEBACK", "ACH REVERSAL", "REFUND"],
            postdate_statuses=["PENDING"],
            fetch_at_login=False,
        )
        ProcessorAccount.objects.create(
            name="Cards",
            account_ref=f"acct_{slug}",
            publishable_key=f"pk_test_{slug}",
            secret_key=f"sk_test_{slug}_portal",
            webhook_secret=f"whsec_{slug}",
            api_base="http://127.0.0.1:9",
        )
    return agency


def make_account(agency: Agency, **values) -> Account:
    """Make an open account of $1,000.00 with its client, consumer and one e-mail address."""
    with acting_for(agency):
        connection_id = HostConnection.objects.values_list("pk", flat=True).first()
        client, _ = Client.objects.get_or_create(
            connection_id=connection_id, number="C1", defaults={"name": "Harbor Medical"}
        )
        consumer = values.pop("consumer", None) or Consumer.objects.create(
            connection_id=connection_id,
            first_name="Jane",
            last_name="Doe",
            last_name_key="DOE",
            ssn="900991234",
            ssn_index=blind_index("900991234", agency_id=agency.pk, field="ssn"),
            ssn4_index=blind_index("1234", agency_id=agency.pk, field="ssn4"),
            zip="12207",
            zip_index=blind_index("12207", agency_id=agency.pk, field="zip"),
            state="NY",
            time_zone="America/New_York",
        )
        if not consumer.contact_points.exists():
            ContactPoint.objects.create(
                consumer=consumer,
                kind="email",
                value=f"jane@{agency.slug}.example.com",
                value_key=f"jane@{agency.slug}.example.com",
                route="consumer",
            )
        reference = values.pop("reference", "100234")
        return Account.objects.create(
            **{
                "connection_id": connection_id,
                "client": client,
                "consumer": consumer,
                "reference": reference,
                "reference_key": reference.upper(),
                "status": Account.Status.OPEN,
                "host_status": "ACTIVE",
                "balance_cents": 1_000_00,
                "assigned_cents": 1_000_00,
                "original_creditor": "Harbor Medical Group",
                "description": "Emergency room visit",
                "contract_on": dt.date(2025, 3, 14),
                # Where it must be said that a debt may be too old, one of unknown age has no parts (SOL-01).
                "sol_status": "live",
                "as_of": NOW - dt.timedelta(hours=1),
                "body_hash": "",
            }
            | values
        )


@pytest.fixture
def agency(db) -> Agency:
    return make_agency("acme")


@pytest.fixture
def other_agency(db) -> Agency:
    return make_agency("birch")


@pytest.fixture
def account(agency) -> Account:
    return make_account(agency)


@pytest.fixture
def others_account(other_agency) -> Account:
    return make_account(other_agency)


@pytest.fixture
def acting(agency):
    """Act for the agency during the test."""
    with acting_for(agency):
        yield agency


@pytest.fixture
def everywhere(db):
    """Act for all agencies, as a router or sweep does."""
    with acting_for(ALL_AGENCIES):
        yield
