"""Alive, ready, counted: what a load balancer, an operator and Prometheus are told, also when something is gone."""

import datetime as dt
import socket
import time

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from accounts import events
from accounts.tenancy import acting_for
from integrations.models import Delivery, DeliveryAttempt, HostConnection
from payments.models import Method, Payment
from tests.conftest import id_made

SITE = {"HTTP_HOST": "localhost"}


@pytest.fixture
def database_gone(db):
    """Be a server that cannot be reached, or that cut the connection."""

    def gone(error: Exception) -> None:
        def cursor(*_args, **_kwargs):
            raise error

        patched.setattr(connection, "cursor", cursor)

    with pytest.MonkeyPatch.context() as patched:
        yield gone


def test_a_live_process_says_so_on_any_host_name_of_ours(client, db):
    assert client.get("/health/live", **SITE).json() == {"status": "alive"}


def test_ready_means_the_database_and_redis_answer(client, db):
    answer = client.get("/health/ready", **SITE)
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "redis": "ok"})


def test_without_redis_the_site_stays_ready_and_says_so(client, db, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health/ready", **SITE)
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "redis": "down"})


def test_a_redis_that_takes_calls_and_never_answers_costs_a_moment_only(client, db, settings):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        answer = client.get("/health/ready", **SITE)
    assert (answer.status_code, answer.json()["redis"]) == (200, "down")
    assert time.monotonic() - began < 3.0


@pytest.mark.parametrize("error", [OperationalError("server gone"), InterfaceError("connection already closed")])
def test_without_the_database_the_site_is_not_ready(client, db, database_gone, error):
    database_gone(error)
    answer = client.get("/health/ready", **SITE)
    assert (answer.status_code, answer.json()) == (503, {"database": "down", "redis": "ok"})


def test_health_asks_for_no_session_and_is_open_without_tls(client, db, settings):
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get("/health/ready", **SITE)
    assert answer.status_code == 200
    assert answer.cookies == {}


def gauges(client: Client) -> dict[str, dict[str, float]]:
    """Read our own gauges as Prometheus does: name -> what -> value."""
    answer = client.get("/metrics", **SITE)
    assert answer.status_code == 200
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        if family.name.startswith("quittance_"):
            found[family.name] = {sample.labels.get("what", ""): sample.value for sample in family.samples}
    return found


def test_metrics_of_a_quiet_house_are_zeros(client, db):
    found = gauges(client)
    assert found["quittance_queues_known"] == {"": 1}
    assert found["quittance_waiting"] == dict.fromkeys(
        [
            "event",
            "delivery",
            "delivery_parked",
            "payment_undecided",
            "message",
            "processor_event",
            "mail_event",
            "text_event",
            "host_unreachable",
        ],
        0,
    )
    assert set(found["quittance_oldest_seconds"].values()) == {0}


def delivery(account, *, status: str, minutes: int) -> Delivery:
    """Write one delivery that was made so long ago."""
    made = timezone.now() - dt.timedelta(minutes=minutes)
    with transaction.atomic():
        event = events.record("page.viewed", account=account, now=made)
    return Delivery.objects.create(
        connection=HostConnection.objects.get(),
        event=event,
        account=account,
        sequence=1,
        lane=0,
        status=status,
        next_at=made,
        created_at=made,
    )


def test_metrics_count_what_waits_in_all_agencies_and_since_when(client, account, others_account):
    with acting_for(account.agency_id):
        delivery(account, status="waiting", minutes=10)
        delivery(account, status="delivered", minutes=90)
        Payment.objects.create(
            account=account,
            consumer_id=account.consumer_id,
            idempotency_key=account.pk,
            kind=Method.Kind.CARD,
            executor="portal",
            amount_cents=40_00,
            intended_at=timezone.now() - dt.timedelta(minutes=5),
        )
    with acting_for(others_account.agency_id):
        delivery(others_account, status="waiting", minutes=1)
        delivery(others_account, status="parked", minutes=20)
        HostConnection.objects.update(unreachable_since=timezone.now() - dt.timedelta(minutes=2))
    found = gauges(client)
    waiting, oldest = found["quittance_waiting"], found["quittance_oldest_seconds"]
    assert (waiting["delivery"], waiting["delivery_parked"], waiting["payment_undecided"]) == (2, 1, 1)
    assert (waiting["event"], waiting["host_unreachable"], waiting["message"]) == (4, 1, 0)
    assert 570 <= oldest["delivery"] < 630  # the test's own transaction began a little before
    assert 1170 <= oldest["delivery_parked"] < 1230
    assert 270 <= oldest["payment_undecided"] < 330
    assert 90 <= oldest["host_unreachable"] < 150


def test_metrics_tell_whether_a_queue_shrinks_in_all_agencies(client, account, others_account):
    for one, statuses in ((account, (200, 503)), (others_account, (200, 204))):
        with acting_for(one.agency_id):
            row = delivery(one, status="waiting", minutes=10)
            for status in statuses:
                DeliveryAttempt.objects.create(
                    delivery=row, at=timezone.now(), duration_ms=1, status=status, request={}, request_sha256=""
                )
            Delivery.objects.create(
                id=id_made(90), connection=row.connection, event=row.event, account=None, sequence=1, lane=0,
                next_at=row.next_at, created_at=row.created_at,
            )  # fmt: skip
    assert gauges(client)["quittance_last_minute"] == {"delivery_told": 3, "delivery_added": 2}


def test_a_scrape_asks_the_database_few_questions(client, db, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):  # savepoint, time-out, the one question, release
        gauges(client)


def test_metrics_are_given_without_the_queues_when_the_database_is_gone(client, db, database_gone):
    database_gone(OperationalError("server gone"))
    assert gauges(client) == {
        "quittance_waiting": {},
        "quittance_oldest_seconds": {},
        "quittance_last_minute": {},
        "quittance_queues_known": {"": 0},
    }


@pytest.mark.parametrize("address", ["10.0.0.9", "", "not an address"])
def test_strangers_get_no_metrics(client, db, address):
    assert client.get("/metrics", REMOTE_ADDR=address, **SITE).status_code == 403


def test_consumers_hosts_have_no_metrics(client, agency):
    assert client.get("/metrics", HTTP_HOST="acme.localhost").status_code == 404


def test_what_waits_never_names_a_consumer_or_an_agency(client, account):
    page = client.get("/metrics", **SITE).content.decode()
    assert "Doe" not in page
    assert account.agency.slug not in page
