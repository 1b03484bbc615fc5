"""Webhook endpoints and deliveries by API, as an integrator uses them."""

import ipaddress

import pytest
import time_machine
from django.db import connection

from accounts.tenancy import acting_for
from integrations.models import Delivery, WebhookEndpoint
from integrations.services.drain import Drain
from tests.conftest import make_agency
from tests.integrations.api_caller import Caller, codes, counts, refusal
from tests.integrations.test_drain import Clock, tell
from tests.integrations.webhook_program import Hook

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def our_own_network(settings, now):
    settings.WEBHOOK_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    with time_machine.travel(now, tick=False):
        yield


@pytest.fixture
def hook():
    program = Hook()
    yield program
    program.close()


@pytest.fixture
def caller(account, others_account) -> Caller:
    return Caller(account.agency)


def test_an_endpoint_is_made_heard_changed_rotated_and_removed(hook, caller, account, now):
    clock = Clock(now)
    asked = caller.post("webhook-endpoints", {"name": "IVR", "url": hook.url}, Idempotency_Key="make")
    assert asked.status_code == 201
    assert caller.post("webhook-endpoints", {"name": "IVR", "url": hook.url}, Idempotency_Key="make").content == (
        asked.content
    )
    made, secret = asked.json()["endpoint"], asked.json()["secret"]
    assert asked["Location"] == f"/api/v1/webhook-endpoints/{made['id']}"
    assert secret.startswith("whsec_")
    assert secret not in caller.get("webhook-endpoints").content.decode()
    assert [one["id"] for one in caller.get("webhook-endpoints").json()["items"]] == [made["id"]]
    at = f"webhook-endpoints/{made['id']}"
    assert caller.post(f"{at}/test").json()["status"] == 204
    assert hook.events()[-1]["type"] == "webhook.tested"
    newer = caller.post(f"{at}/rotate", {"keep_old_hours": 1}).json()["secret"]
    tell("page.viewed", account=account, now=now)
    Drain(clock=clock).run()
    assert hook.verified(newer) == hook.verified(secret)
    changed = caller.put(at, {"name": "IVR", "url": hook.url, "kinds": ["dispute.*"], "most": 7, "is_active": False})
    assert (changed.json()["kinds"], changed.json()["most"], changed.json()["is_active"]) == (["dispute.*"], 7, False)
    assert refusal(caller.post(f"{at}/resume")) == (409, "not_suspended")
    assert caller.ask("DELETE", at).json()["removed_at"] is not None
    assert caller.ask("DELETE", at).status_code == 200
    assert refusal(caller.post(f"{at}/rotate")) == (409, "endpoint_removed")
    assert refusal(caller.post(f"{at}/test")) == (409, "endpoint_removed")
    assert caller.get("webhook-endpoints").json()["items"] == []


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_an_endpoint_is_tested(hook):
    caller = Caller(make_agency("acme"))
    made = caller.post("webhook-endpoints", {"name": "IVR", "url": hook.url}).json()["endpoint"]
    states = []

    def say(body: bytes) -> bytes:
        with connection.cursor() as cursor:
            cursor.execute("SELECT state FROM pg_stat_activity WHERE datname = current_database()")
            states.extend(state for (state,) in cursor.fetchall())
        connection.close()
        return b""

    hook.say = say
    assert caller.post(f"webhook-endpoints/{made['id']}/test").json()["ok"]
    assert "idle" in states
    assert "idle in transaction" not in states


def test_everything_that_is_wrong_with_an_endpoint_is_said_at_once_and_nothing_is_made(caller, settings):
    settings.WEBHOOK_PLAIN_HTTP = False
    asked = caller.post("webhook-endpoints", {"name": "x", "url": "http://example.com/", "kinds": ["payment.invented"]})
    assert refusal(asked) == (422, "refused")
    assert codes(asked) == [("/url", "url_not_https"), ("/kinds", "kind_unknown")]
    asked = caller.post("webhook-endpoints", {"name": "x", "url": "https://example.com/", "most": 101, "colour": 1})
    assert sorted(codes(asked)) == [("/colour", "unknown_field"), ("/most", "max_value")]
    with acting_for(caller.agency):
        assert not WebhookEndpoint.objects.exists()


def test_a_dead_letter_is_seen_with_its_attempts_and_delivered_again_or_skipped(hook, caller, account, now):
    clock = Clock(now)
    endpoint = caller.post("webhook-endpoints", {"name": "IVR", "url": hook.url}).json()["endpoint"]["id"]
    hook.answers = [422, 400]
    tell("page.viewed", account=account, now=now)
    tell("offer.viewed", account=account, now=now)
    Drain(clock=clock).run()
    (dead,) = caller.get(f"deliveries?status=parked&endpoint={endpoint}").json()["items"]
    assert (dead["kind"], dead["reason"], dead["attempts"]) == ("page.viewed", "HTTP 422", 1)
    (attempt,) = caller.get(f"deliveries/{dead['id']}").json()["log"]
    assert (attempt["status"], attempt["request"]["type"]) == (422, "page.viewed")
    assert caller.post(f"deliveries/{dead['id']}/again").json()["status"] == "waiting"
    Drain(clock=clock).run()
    assert caller.post(f"webhook-endpoints/{endpoint}/dead-letters/again").json() == {"count": 1}
    hook.answers = [422]
    Drain(clock=clock).run()
    assert caller.post(f"deliveries/{dead['id']}/skip", {"reason": "By hand."}).json()["status"] == "skipped"
    assert refusal(caller.post(f"deliveries/{dead['id']}/skip", {"reason": "x"})) == (409, "delivery_decided")
    Drain(clock=clock).run()
    assert [one["type"] for one in hook.events()][-2:] == ["offer.viewed", "delivery.abandoned"]


def test_nothing_is_told_again_to_an_endpoint_that_was_removed(hook, caller, account, now):
    endpoint = caller.post("webhook-endpoints", {"name": "IVR", "url": hook.url}).json()["endpoint"]["id"]
    tell("page.viewed", account=account, now=now)
    Drain(clock=Clock(now)).run()
    (told,) = caller.get(f"deliveries?endpoint={endpoint}").json()["items"]
    caller.ask("DELETE", f"webhook-endpoints/{endpoint}")
    before = counts()
    for path, body in (
        (f"deliveries/{told['id']}/again", {}),
        (f"webhook-endpoints/{endpoint}/redeliveries", {"first": 1}),
        (f"webhook-endpoints/{endpoint}/dead-letters/again", {}),
    ):
        assert refusal(caller.post(path, body)) == (409, "endpoint_removed")
    assert counts() == before
    assert caller.get(f"deliveries/{told['id']}").json()["status"] == "delivered"


def test_a_stretch_is_asked_for_again_and_its_progress_is_told(hook, caller, account, now):
    clock = Clock(now)
    endpoint = caller.post("webhook-endpoints", {"name": "IVR", "url": hook.url}).json()["endpoint"]["id"]
    at = f"webhook-endpoints/{endpoint}/redeliveries"
    assert codes(caller.post(at, {"first": 1})) == [("/first", "stretch_out_of_range")]
    tell("page.viewed", account=account, now=now)
    Drain(clock=clock).run()
    asked = caller.post(at, {"first": 1})
    assert asked.status_code == 201
    clock.pass_(2)
    Drain(clock=clock).run()
    done = caller.get(asked["Location"].removeprefix("/api/v1/")).json()
    assert (done["position"], done["told"], done["done_at"] is not None) == (1, 1, True)
    assert [one["data"]["sequence"] for one in hook.events()] == [1, 1]
    with acting_for(account.agency):
        assert Delivery.objects.get(endpoint=endpoint).status == "delivered"
