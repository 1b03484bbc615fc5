"""Staff keep webhook endpoints, watch the stream and the health of receivers, and see nothing of another agency."""

import ipaddress

import pytest
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import events
from accounts.tenancy import acting_for
from integrations.models import Delivery, DeliveryAttempt, HostConnection, WebhookEndpoint
from integrations.services import redeliver
from integrations.services.drain import Drain
from tests.conftest import id_made
from tests.integrations.test_drain import Clock, tell
from tests.integrations.webhook_program import Hook
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db


def page(name: str, *args) -> str:
    return reverse(f"admin:integrations_{name}", args=args)


@pytest.fixture
def hook(settings):
    settings.WEBHOOK_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    program = Hook()
    yield program
    program.close()


@pytest.fixture
def desk(agency):
    return signed_in(member(agency))


def made(desk, url: str) -> str:
    """Make an endpoint on its page; give the secret that the page shows once."""
    sent = {"name": "Warehouse", "url": url, "kinds": "payment.*\npage.viewed", "most": "1", "is_active": "on"}
    sent |= {"redeliveries-TOTAL_FORMS": "0", "redeliveries-INITIAL_FORMS": "0"}
    answer = desk.post(page("webhookendpoint_add"), sent)
    assert answer.status_code == 200, answer.content[:500]
    return answer.context["key"]


def test_an_endpoint_is_made_its_secret_shown_once_and_a_dead_letter_delivered_again(desk, hook, account, now):
    secret = made(desk, hook.url)
    assert secret.startswith("whsec_")
    with acting_for(account.agency):
        endpoint = WebhookEndpoint.objects.get()
    assert endpoint.kinds == ["page.viewed", "payment.*"]
    shown = desk.get(page("webhookendpoint_change", endpoint.pk)).content.decode()
    assert secret not in shown
    hook.answers = [422]
    tell("page.viewed", account=account, now=now)
    clock = Clock(now)
    Drain(clock=clock).run()
    address = reverse("admin:integrations_webhookendpoint_dead_letters_again", args=[endpoint.pk])
    assert "1 events were refused" in desk.get(address).content.decode()
    assert desk.post(address).status_code == 302
    Drain(clock=clock).run()
    with acting_for(account.agency):
        assert Delivery.objects.get(endpoint=endpoint).status == "delivered"
    assert desk.post(page("webhookendpoint_tell_again", endpoint.pk), {"first": "1", "last": "1"}).status_code == 302
    told = LogEntry.objects.filter(object_id=str(endpoint.pk), change_message__startswith="Asked").order_by("pk")
    assert [one.change_message for one in told] == [
        "Asked to deliver 1 dead letters again.",
        "Asked to deliver 1 to 1 again.",
    ]
    for action in ("test", "resume", "tell_again", "rotate", "remove"):
        assert desk.get(reverse(f"admin:integrations_webhookendpoint_{action}", args=[endpoint.pk])).status_code == 200


def test_a_wrong_address_is_said_beside_its_field_and_nothing_is_made(desk, agency, settings):
    settings.WEBHOOK_PLAIN_HTTP = False
    sent = {"name": "x", "url": "http://example.com/", "kinds": "payment.invented", "most": "1", "is_active": "on"}
    answer = desk.post(page("webhookendpoint_add"), sent)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "The address must be https." in text
    assert "There is no event payment.invented." in text
    with acting_for(agency):
        assert not WebhookEndpoint.objects.exists()


def test_the_stream_and_the_health_show_ones_own_agency_only(desk, account, others_account, hook, now):
    made(desk, hook.url)
    tell("page.viewed", account=account, now=now, page="home")
    tell("dispute.opened", account=others_account, now=now)
    Drain(clock=Clock(now)).run()
    stream = desk.get(reverse("admin:integrations_delivery_stream"))
    assert [line["kind"] for line in stream.context["lines"]] == ["page.viewed"]
    assert str(others_account.pk) not in stream.content.decode()
    none = desk.get(reverse("admin:integrations_delivery_stream") + "?kinds=dispute.*")
    assert none.context["lines"] == []
    health = desk.get(reverse("admin:integrations_delivery_health"))
    rows = {str(row["one"].receiver): row["one"] for row in health.context["rows"]}
    assert set(rows) == {"SCollect", "Warehouse"}
    assert (rows["Warehouse"].answers, rows["Warehouse"].failures, rows["Warehouse"].waiting) == (1, 0, 0)
    assert rows["Warehouse"].p50_ms > 0
    assert rows["SCollect"].waiting == 1
    with acting_for(account.agency):
        assert redeliver.dead_letters(HostConnection.objects.get()).count() == 0


def backlog(account, *, waiting: int, told: int) -> None:
    """Let deliveries to the host wait that were made a while ago, and one that is new; tell so many just now."""
    with acting_for(account.agency):
        host = HostConnection.objects.get()
        for number in range(waiting + told + 1):
            with transaction.atomic():
                event = events.record("page.viewed", account=account, now=timezone.now())
            is_old, is_told = number < waiting + told, waiting <= number < waiting + told
            row = Delivery.objects.create(
                id=id_made(90 if is_old else 0),
                connection=host, event=event, account=account, sequence=number, lane=0,
                status="delivered" if is_told else "waiting", next_at=timezone.now(), created_at=timezone.now(),
            )  # fmt: skip
            for status in (503, 200) if is_told else (503,):
                DeliveryAttempt.objects.create(
                    delivery=row, at=timezone.now(), duration_ms=1, status=status, request={}, request_sha256=""
                )


def test_the_health_says_when_a_queue_will_be_empty_that_is_told_faster_than_it_grows(desk, account, others_account):
    backlog(account, waiting=6, told=3)
    backlog(others_account, waiting=20, told=9)
    answer = desk.get(reverse("admin:integrations_delivery_health"))
    (row,) = (row["one"] for row in answer.context["rows"])
    assert (row.waiting, row.taken, row.added, row.minutes_left) == (7, 3, 1, 4)
    assert "empty in about 4 min" in answer.content.decode()


def test_a_queue_that_does_not_shrink_has_no_end_in_sight(desk, account):
    backlog(account, waiting=6, told=1)
    answer = desk.get(reverse("admin:integrations_delivery_health"))
    (row,) = (row["one"] for row in answer.context["rows"])
    assert (row.waiting, row.taken, row.added, row.minutes_left) == (7, 1, 1, None)
    assert "empty in about" not in answer.content.decode()


def test_who_may_not_see_deliveries_sees_neither_page(agency):
    collector = signed_in(member(agency, "collector"))
    for name in ("stream", "health"):
        assert collector.get(reverse(f"admin:integrations_delivery_{name}")).status_code in (302, 403)
