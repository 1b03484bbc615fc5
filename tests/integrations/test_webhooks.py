"""Webhook endpoints: signed, in order per account, tried for three days, never lost, never into our own network."""

import datetime as dt
import ipaddress
import json

import pytest
from django.db import transaction
from standardwebhooks import WebhookVerificationError

from accounts import events
from accounts.models import Agency, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import http
from integrations.hosts import Request
from integrations.models import Delivery, DeliveryAttempt, HostConnection, Redelivery, WebhookEndpoint
from integrations.services import endpoints, judge, parcels, redeliver
from integrations.services.drain import Drain
from integrations.services.route import LANES, route
from payments.models import Method
from tests.conftest import make_account
from tests.integrations.test_drain import PAYMENT, Clock, bank_method, tell
from tests.integrations.webhook_program import Hook

pytestmark = pytest.mark.django_db
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def our_own_network(settings):
    settings.WEBHOOK_NETWORKS = LOOPBACK


@pytest.fixture
def clock(now) -> Clock:
    return Clock(now)


@pytest.fixture
def hook():
    program = Hook()
    yield program
    program.close()


@pytest.fixture
def other_hook():
    program = Hook()
    yield program
    program.close()


@pytest.fixture
def no_hosts(agency, other_agency):
    """Leave only webhook endpoints to be told."""
    with acting_for(ALL_AGENCIES):
        HostConnection.objects.update(is_active=False)


def listen(agency, url: str, now, **values) -> WebhookEndpoint:
    said = {"name": "Warehouse", "url": url, "kinds": [], "most": 1} | values
    with acting_for(agency):
        made = endpoints.make(**said, by="staff:1", now=now)
    assert not isinstance(made, list), made
    made[0].secret_text = made[1]
    return made[0]


def drain(clock: Clock) -> int:
    return Drain(clock=clock).run()


def statuses(endpoint) -> list[str]:
    with acting_for(ALL_AGENCIES):
        return list(endpoint.deliveries.order_by("sequence").values_list("status", flat=True))


def fresh(endpoint) -> WebhookEndpoint:
    with acting_for(endpoint.agency_id):
        return WebhookEndpoint.objects.get(pk=endpoint.pk)


def kinds(hook: Hook) -> list[tuple[str, int]]:
    return [(one["type"], one["data"]["account_sequence"]) for one in hook.events()]


def test_an_endpoint_hears_its_agencys_events_signed_and_nobody_elses(
    hook, other_hook, account, others_account, no_hosts, clock
):
    ours = listen(account.agency, hook.url + "/in", clock.now)
    theirs = listen(others_account.agency, other_hook.url, clock.now)
    event = tell("payment.succeeded", account=account, now=clock.now, **PAYMENT)
    tell("page.viewed", account=others_account, now=clock.now, page="theirs")
    assert account.reference == others_account.reference
    drain(clock)
    ((path, headers, _body),) = hook.requests
    said = hook.verified(ours.secret_text)
    assert (path, headers["webhook-id"], headers["content-type"]) == ("/in", str(event.pk), "application/json")
    assert said == {
        "type": "payment.succeeded",
        "timestamp": "2026-12-01T15:00:00Z",
        "data": {
            "id": str(event.pk),
            "sequence": 1,
            "kind": "payment.succeeded",
            "occurred_at": "2026-12-01T15:00:00Z",
            "account": str(account.pk),
            "reference": "100234",
            "account_sequence": 1,
            "consumer": str(account.consumer_id),
            "actor": "system",
            "request_id": "",
            "data": {"v": 1, **PAYMENT},
        },
    }
    assert [one["data"]["data"]["page"] for one in other_hook.events()] == ["theirs"]
    with pytest.raises(WebhookVerificationError):
        hook.verified(theirs.secret_text)


def test_a_hosts_and_an_endpoints_deliveries_are_told_side_by_side_and_a_consumers_fact_once(
    hook, account, acting, clock, no_hosts
):
    endpoint = listen(acting, hook.url, clock.now)
    HostConnection.objects.update(is_active=True)
    make_account(acting, consumer=account.consumer, reference="X1")
    with transaction.atomic():
        events.record("consumer.contact_changed", consumer=account.consumer, now=clock.now)
    drain(clock)
    assert [(one["type"], one["data"]["account"]) for one in hook.events()] == [("consumer.contact_changed", None)]
    assert statuses(endpoint) == ["delivered"]
    assert Delivery.objects.filter(connection__isnull=False).count() == 2


def test_only_the_kinds_that_were_asked_for_come(hook, account, no_hosts, clock):
    listen(account.agency, hook.url, clock.now, kinds=["payment.*", "dispute.opened"])
    for kind in ("payment.succeeded", "page.viewed", "dispute.opened", "dispute.resolved", "payment.returned"):
        tell(kind, account=account, now=clock.now)
    drain(clock)
    assert [kind for kind, _seq in kinds(hook)] == ["payment.succeeded", "dispute.opened", "payment.returned"]


def test_several_events_come_in_one_list_and_an_accounts_one_after_another(hook, account, acting, no_hosts, clock):
    endpoint = listen(acting, hook.url, clock.now, most=10)
    others = [make_account(acting, consumer=account.consumer, reference=f"X{n}") for n in range(14)]
    for one in [account, *others]:
        tell("page.viewed", account=one, now=clock.now)
        tell("offer.viewed", account=one, now=clock.now)
    assert drain(clock) == 30
    sizes = [len(json.loads(body)["data"]) for _path, _headers, body in hook.requests]
    assert (len(sizes) <= 6, max(sizes), sum(sizes)) == (True, 10, 30)
    assert hook.verified(endpoint.secret_text)["type"] == "events"
    by_account: dict[str, list[int]] = {}
    for one in hook.events():
        by_account.setdefault(one["data"]["account"], []).append(one["data"]["account_sequence"])
    assert list(by_account.values()) == [[1, 2]] * 15


def test_a_message_keeps_its_id_over_every_try_and_each_try_is_written_down(hook, account, no_hosts, clock):
    endpoint = listen(account.agency, hook.url, clock.now)
    hook.answers = [500, 302, 503]
    tell("page.viewed", account=account, now=clock.now)
    for _ in range(4):
        drain(clock)
        clock.pass_(800)
    assert len({headers["webhook-id"] for _path, headers, _body in hook.requests}) == 1
    assert len({headers["webhook-timestamp"] for _path, headers, _body in hook.requests}) == 4
    assert [path for path, _headers, _body in hook.requests] == ["/"] * 4, "no redirect is followed"
    with acting_for(account.agency):
        log = list(DeliveryAttempt.objects.order_by("id"))
    assert [attempt.status for attempt in log] == [500, 302, 503, 204]
    assert {attempt.request["type"] for attempt in log} == {"page.viewed"}
    assert statuses(endpoint) == ["delivered"]


def test_after_a_rotation_both_secrets_sign_until_the_old_one_ends(hook, account, no_hosts, clock):
    endpoint = listen(account.agency, hook.url, clock.now)
    with acting_for(account.agency):
        newer = endpoints.rotate(endpoint=endpoint, keep_old=DAY, now=clock.now)
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    assert hook.verified(endpoint.secret_text) == hook.verified(newer)
    clock.pass_(86_401)
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    assert hook.verified(newer)["data"]["sequence"] == 2
    with pytest.raises(WebhookVerificationError):
        hook.verified(endpoint.secret_text)


def test_an_event_is_tried_thirteen_times_over_three_days_and_then_parked(hook, account, acting, no_hosts, clock):
    endpoint = listen(acting, hook.url, clock.now)
    other = make_account(acting, consumer=account.consumer, reference="X1")
    hook.refuse = lambda body: 500 if b"poison" in body else None
    tell("page.viewed", account=account, now=clock.now, page="poison")
    tell("offer.viewed", account=account, now=clock.now)
    began = clock.now
    drain(clock)
    while statuses(endpoint)[0] == "waiting":
        tell("page.viewed", account=other, now=clock.now)
        drain(clock)
        with acting_for(acting):
            clock.now = max(clock.now, endpoint.deliveries.order_by("sequence").first().next_at) + dt.timedelta(
                seconds=1
            )
    tries = [body for _path, _headers, body in hook.requests if b"poison" in body]
    assert len(tries) == 13
    assert 2.3 * DAY < clock.now - began < 3.6 * DAY
    parked = endpoint.deliveries.order_by("sequence").first()
    assert (parked.status, parked.reason) == ("parked", "given up after 13 tries: HTTP 500")
    assert statuses(endpoint)[:2] == ["parked", "waiting"], "the account's next event waits for staff"
    assert set(statuses(endpoint)[2:]) == {"delivered"}, "other accounts go on"
    assert fresh(endpoint).unreachable_since is None
    hook.refuse = lambda body: None
    redeliver.replay_all(redeliver.dead_letters(endpoint), now=clock.now)
    drain(clock)
    assert set(statuses(endpoint)) == {"delivered"}


def test_one_event_that_always_fails_does_not_keep_the_circuit_open_for_the_others(
    hook, account, acting, no_hosts, clock
):
    endpoint = listen(acting, hook.url, clock.now)
    hook.refuse = lambda body: 500 if b"poison" in body else None
    tell("page.viewed", account=account, now=clock.now, page="poison")
    for _ in range(5):
        drain(clock)
        clock.pass_(4_000)
    assert fresh(endpoint).unreachable_since is not None
    other = make_account(acting, consumer=account.consumer, reference="X1")
    tell("page.viewed", account=other, now=clock.now, page="fine")
    drain(clock)
    drain(clock)
    assert statuses(endpoint)[1] == "delivered"
    assert fresh(endpoint).unreachable_since is None


def test_a_dead_endpoint_is_suspended_after_three_days_holds_nobody_up_and_loses_nothing(
    hook, other_hook, account, others_account, no_hosts, clock
):
    dead = listen(account.agency, "http://127.0.0.1:9/", clock.now)
    alive = listen(account.agency, other_hook.url, clock.now, name="Alive")
    began = clock.now
    for _ in range(90):
        tell("page.viewed", account=account, now=clock.now)
        drain(clock)
        clock.pass_(3_700)
    assert clock.now - began > 3 * DAY
    assert len(other_hook.requests) >= 90
    assert "parked" not in statuses(dead) + statuses(alive)
    row = fresh(dead)
    assert row.suspended_at is not None
    assert row.suspended_at - row.unreachable_since >= 3 * DAY
    with acting_for(account.agency):
        told = list(Event.objects.filter(kind__startswith="webhook.").values_list("kind", flat=True))
        assert sorted(told) == ["webhook.suspended", "webhook.unreachable"]
        tries = DeliveryAttempt.objects.filter(delivery__endpoint=dead).count()
        assert endpoints.change(endpoint=row, name="Dead", url=hook.url, kinds=[], most=1, is_active=True) == []
        drain(clock)
        assert DeliveryAttempt.objects.filter(delivery__endpoint=dead).count() == tries, "told nothing meanwhile"
        assert endpoints.resume(endpoint=row, now=clock.now)
        assert not endpoints.resume(endpoint=row, now=clock.now)
    drain(clock)
    assert [seq for kind, seq in kinds(hook) if kind == "page.viewed"] == list(range(1, 91))
    assert set(statuses(dead)) == {"delivered"}


def test_an_endpoint_that_says_gone_is_suspended_at_once_and_nothing_is_parked(hook, account, no_hosts, clock):
    endpoint = listen(account.agency, hook.url, clock.now)
    hook.always = 410
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    row = fresh(endpoint)
    assert (row.suspended_at, row.suspended_why) == (clock.now, "HTTP 410")
    assert statuses(endpoint)[0] == "waiting"


def test_a_yes_with_a_long_body_is_a_yes_and_a_long_no_stays_one(hook, account, acting, no_hosts, clock, settings):
    settings.WEBHOOK_ANSWER_LIMIT = 1_000
    endpoint = listen(acting, hook.url, clock.now)
    hook.say = lambda body: b"x" * 3_000_000
    hook.answers = [200, 201, 422]
    assert endpoints.test(endpoint=endpoint, now=clock.now)[:3] == (True, 200, "")
    for _ in range(2):
        tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    assert statuses(endpoint) == ["delivered", "parked"]
    log = DeliveryAttempt.objects.order_by("id")
    assert [(one.status, one.answer[:5]) for one in log] == [(201, "xxxxx"), (422, "xxxxx")]
    assert fresh(endpoint).failures == 0


@pytest.mark.parametrize(("most", "form"), [(1, "webhook.tested"), (2, "events")])
def test_a_test_has_the_form_that_the_endpoints_events_have(hook, account, acting, clock, most, form):
    endpoint = listen(acting, hook.url, clock.now, most=most)
    assert endpoints.test(endpoint=endpoint, now=clock.now).ok
    assert hook.verified(endpoint.secret_text)["type"] == form
    (said,) = hook.events()
    assert (said["type"], said["data"]) == ("webhook.tested", {"endpoint": str(endpoint.pk)})


def test_what_an_endpoint_refuses_is_parked_with_its_answer(hook, account, no_hosts, clock):
    endpoint = listen(account.agency, hook.url, clock.now)
    hook.answers = [422]
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    with acting_for(account.agency):
        parked = endpoint.deliveries.get()
        assert parked.log.get().status == 422
    assert (parked.status, parked.reason) == ("parked", "HTTP 422")


@pytest.mark.parametrize("down", [True, False])
def test_what_waits_for_its_next_try_goes_at_once_when_it_is_asked_for_again(
    hook, account, acting, no_hosts, clock, down
):
    """With the circuit open and, where the others of the endpoint are fine, closed."""
    endpoint = listen(acting, hook.url, clock.now, kinds=["page.*"])
    other = make_account(acting, consumer=account.consumer, reference="X1")
    hook.refuse = lambda body: 500 if b"poison" in body else None
    tell("page.viewed", account=account, now=clock.now, page="poison")
    while True:
        if not down:
            tell("page.viewed", account=other, now=clock.now)
        drain(clock)
        first, row = endpoint.deliveries.order_by("sequence").first(), fresh(endpoint)
        if first.next_at - clock.now > dt.timedelta(minutes=45):
            break
        clock.now = max(first.next_at, row.probe_at or first.next_at) + dt.timedelta(seconds=1)
    assert ((row.unreachable_since is not None), first.status) == (down, "waiting")
    hook.refuse = lambda body: None
    assert redeliver.replay(first, now=clock.now) == []
    drain(clock)
    assert set(statuses(endpoint)) == {"delivered"}
    assert fresh(endpoint).unreachable_since is None


@pytest.mark.parametrize("status", ["waiting", "parked"])
def test_what_is_asked_for_again_while_it_fails_is_due_again_at_once(account, acting, no_hosts, clock, status):
    endpoint = listen(acting, "http://127.0.0.1:9/", clock.now)
    tell("page.viewed", account=account, now=clock.now)
    route(now=clock.now)
    endpoint.deliveries.update(attempts=6, next_at=clock.now)
    (parcel,) = parcels.claim(range(LANES), known=[], blocked=[], now=clock.now, limit=10)
    redeliver.replay(endpoint.deliveries.get(), now=clock.now)
    tried = parcels.Attempt(parcel, status, clock.now + dt.timedelta(hours=1), "HTTP 500", 500, 1.0, "")
    parcels.settle([tried], now=clock.now)
    row = endpoint.deliveries.get()
    assert (row.status, row.attempts, row.next_at) == ("waiting", 0, clock.now)
    parcels.settle([tried._replace(status="delivered", http_status=200)], now=clock.now)
    assert statuses(endpoint) == ["delivered"]


def test_a_stretch_is_told_again_from_a_position_also_what_was_never_told(hook, account, no_hosts, clock, monkeypatch):
    monkeypatch.setattr(redeliver.advance, "__kwdefaults__", {"limit": 3})
    for number in range(8):
        tell("page.viewed", account=account, now=clock.now, page=str(number))
    drain(clock)
    endpoint = listen(account.agency, hook.url, clock.now)
    tell("page.viewed", account=account, now=clock.now, page="8")
    drain(clock)
    assert [seq for _kind, seq in kinds(hook)] == [9]
    with acting_for(account.agency):
        (refusal,) = redeliver.redeliver(to=endpoint, first=3, last=10, by="staff:1", now=clock.now)
        assert (refusal.code, refusal.field) == ("stretch_out_of_range", "last")
        asked = redeliver.redeliver(to=endpoint, first=3, last=None, by="staff:1", now=clock.now)
        assert (asked.first, asked.last, asked.position) == (3, 9, 2)
    for _ in range(3):
        clock.pass_(2)
        drain(clock)
    assert [seq for _kind, seq in kinds(hook)[1:]] == [3, 4, 5, 6, 7, 8, 9]
    ids = {}
    for one in hook.events():
        ids.setdefault(one["data"]["sequence"], set()).add(one["data"]["id"])
    assert {len(same) for same in ids.values()} == {1}, "an event has one id, however often it is told"
    with acting_for(account.agency):
        done = Redelivery.objects.get()
        assert (done.position, done.told, done.done_at is not None) == (9, 7, True)
        assert Agency.objects.get(pk=account.agency_id).last_sequence == 9


def test_a_stretch_for_a_host_is_told_again_too(account, acting, clock):
    connection = HostConnection.objects.get()
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    Delivery.objects.update(status="delivered")
    redeliver.redeliver(to=connection, first=1, last=1, by="staff:1", now=clock.now)
    with acting_for(ALL_AGENCIES):
        assert len(redeliver.advance(now=clock.now)) == 1
    assert Delivery.objects.get().status == "waiting"


def test_an_endpoint_never_gets_a_bank_number_and_its_yes_wipes_none(hook, account, acting, no_hosts, clock):
    method = bank_method(account, clock.now)
    listen(acting, hook.url, clock.now)
    data = {**PAYMENT, "kind": "ach", "executor": "host", "method": str(method.pk), "last4": "6789"}
    HostConnection.objects.update(is_active=True)  # but it does not answer
    tell("payment.pending", account=account, now=clock.now, **data)
    drain(clock)
    assert len(hook.requests) == 1
    assert b"000123456789" not in hook.requests[0][2]
    assert Method.objects.get().number == "000123456789"


def test_a_removed_endpoint_has_no_secret_and_what_waited_for_it_is_skipped(hook, account, acting, no_hosts, clock):
    endpoint = listen(acting, "http://127.0.0.1:9/", clock.now)
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    assert endpoints.remove(endpoint=endpoint, by="staff:1", now=clock.now)
    assert not endpoints.remove(endpoint=endpoint, by="staff:1", now=clock.now)
    row = fresh(endpoint)
    assert (row.secret, row.old_secret, row.is_active) == ("", "", False)
    assert statuses(endpoint) == ["skipped"]
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    assert statuses(endpoint) == ["skipped"]


def test_a_removed_endpoint_is_told_nothing_again(hook, other_hook, account, acting, no_hosts, clock):
    gone, other = listen(acting, hook.url, clock.now), listen(acting, other_hook.url, clock.now, name="Other")
    for _ in range(3):
        tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    stretches = [redeliver.redeliver(to=to, first=1, last=None, by="staff:1", now=clock.now) for to in (gone, other)]
    assert endpoints.remove(endpoint=gone, by="staff:1", now=clock.now)
    clock.pass_(2)
    drain(clock)
    assert [row.done_at for row in Redelivery.objects.order_by("pk")] == [clock.now, clock.now]
    assert [row.told for row in Redelivery.objects.filter(pk__in=[one.pk for one in stretches]).order_by("pk")] == [
        0,
        3,
    ]
    assert redeliver.replay_all(Delivery.objects.all(), now=clock.now) == 3
    (refusal,) = redeliver.replay(fresh(gone).deliveries.first(), now=clock.now)
    assert refusal.code == "endpoint_removed"
    (refusal,) = redeliver.redeliver(to=fresh(gone), first=1, last=None, by="staff:1", now=clock.now)
    assert refusal.code == "endpoint_removed"
    drain(clock)
    assert statuses(gone) == ["delivered"] * 3
    assert (len(hook.requests), len(other_hook.requests)) == (3, 9)


# Where an address may lead --------------------------------------------------------------------------------------

OUTSIDE = ["8.8.8.8", "2606:4700::1111"]
INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1", "nonsense",
]  # fmt: skip


def test_only_addresses_of_the_open_internet_are_outside(settings):
    settings.WEBHOOK_NETWORKS = []
    assert [address for address in OUTSIDE if not http.outside(address)] == []
    assert [address for address in INSIDE if http.outside(address)] == []
    settings.WEBHOOK_NETWORKS = [ipaddress.ip_network("10.1.0.0/16")]
    assert [address for address in INSIDE if http.outside(address)] == ["10.1.2.3"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_a_name_that_leads_into_our_network_is_refused_when_it_is_connected_to(hook, account, clock, settings, host):
    settings.WEBHOOK_NETWORKS = []
    port = hook.url.rpartition(":")[2]
    endpoint = listen(account.agency, f"http://{host}:{port}/", clock.now)
    with acting_for(account.agency):
        tested = endpoints.test(endpoint=endpoint, now=clock.now)
    assert (tested.ok, tested.status) == (False, 0)
    assert hook.requests == []


def test_a_kept_connection_into_our_network_is_not_used_for_an_endpoint(hook, settings):
    settings.WEBHOOK_NETWORKS = []
    wire = http.Wire()
    heard = []
    for guarded in (False, True):
        wire.send("one", Request(hook.url, (), b"{}", guarded=guarded), timeout=5, answer_limit=100)
        while wire.calls:
            heard += [answer.status for _key, answer in wire.wait(1.0)]
    wire.close()
    assert heard == [204, 0]
    assert len(hook.requests) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/", "url_not_https"),
        ("ftp://example.com/", "url_invalid"),
        ("https://", "url_invalid"),
        ("https://example.com:99999/", "url_invalid"),
        ("https://example.com/#part", "url_invalid"),
        ("https://example.com/a b", "url_invalid"),
        ("https://kim:secret@example.com/", "url_has_password"),
        ("https://exämple.com/", "url_not_ascii"),
        ("https://example.com/ü", "url_not_ascii"),
    ],
)
def test_an_address_that_is_none_is_refused_and_nothing_is_written(acting, now, settings, url, code):
    settings.WEBHOOK_PLAIN_HTTP = False
    made = endpoints.make(name="x", url=url, kinds=["nothing.happened"], most=0, by="staff:1", now=now)
    assert [refusal.code for refusal in made] == [code, "kind_unknown", "most_out_of_range"]
    assert not WebhookEndpoint.objects.exists()


def test_the_tries_of_a_webhook_reach_over_three_days():
    assert dt.timedelta(seconds=sum(judge.WEBHOOKS.again_after)) > dt.timedelta(hours=71)
