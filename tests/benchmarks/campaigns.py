"""How fast a campaign's accounts are chosen, judged and written, handed over, how soon one stops; webhooks taken in."""

import hashlib
import hmac
import itertools
import json
import threading
import time
from datetime import timedelta

from tests.benchmarks import posts, stops
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import Stage, percentile, quiet

ACCOUNTS, FULL = 100_000, 1_000_000
BATCHES = 4
"""Of a thousand, judged, written and handed over in a round."""
SINGLY, ALONE = 40, 150
"""Messages that are judged and written in a transaction each, and handed over in a request each."""
WEBHOOKS, LISTED, CLIENTS = 1_500, 100, 8
BARE = """
INSERT INTO campaigns_recipient (id, agency_id, campaign_id, account_id, contact_point_id, message_id, variant, status,
    reason, next_at, offer_id, values, body_sha256, link_hash, identified_at)
SELECT {id}, a.agency_id, %(campaign)s, a.id, p.id, NULL, 'a', 'waiting', '', NULL, NULL, '{{}}', '', '', NULL
FROM accounts_account a JOIN accounts_contactpoint p ON p.consumer_id = a.consumer_id AND p.kind = 'email'
WHERE a.agency_id = %(agency)s ORDER BY a.id
"""
"""The same rows in the same table, with no question asked: the floor of what PostgreSQL must do."""


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Send a part of a new campaign to everybody in each round, and stop it; then the webhooks about it."""
    from accounts.tenancy import acting_for

    count = FULL if full else ACCOUNTS
    bench = Bench(stage)
    began = time.monotonic()
    with acting_for(bench.agency), quiet():
        bench.furnish(count)
    staged = time.monotonic() - began
    with stage.web() as web:
        for _round in range(rounds):
            with acting_for(bench.agency), quiet():
                bench.round(web)
    note = (
        f"The agency has {count:,} accounts, staged set-wise in {staged:.0f} s. {bench.stopped} Of {stops.STOPS} people"
        f" who said STOP while {stops.TEXTS} texts left, {bench.kept} got none, the others had theirs before; none left"
        " after the STOP had committed."
    )
    return Section("campaigns", "9. Campaigns", TOLD, lines(bench.found), [note])


TOLD = (
    "A campaign with an offer by e-mail to every account of an agency. Chosen: each account's reason to be left out, or"
    " none, found and written with it, 20,000 in a transaction; beside it the same rows under the same keys, indexes"
    " and row-level security with no question asked. Judged and written: a thousand in a transaction, the gate's every"
    " rule, an offer, a message, a decision and two events each; beside it the same rows, known beforehand, under the"
    " same keys, indexes, triggers and row-level security (tests/benchmarks/messages_floor.py), and one in a"
    " transaction."
    " Handed over: a thousand in one request to a provider that takes everything (tests/benchmarks/sink.py), the answer"
    " written down with an event each; beside it the same changes alone, and a request each. Stopped: from asking until"
    " it is committed, while another thread hands over. STOP: from the carrier's word to the commit, while a batch of"
    " texts goes out to the same people; the sink's clock tells whether one came after it. Webhooks: signed events over"
    " HTTP to the web server, one in a request as Mailgun sends them, and a"
    ' hundred in a request as relays do; beside it a view that says "ok". Applied: from the inbox to the messages.'
)


def lines(found: dict[str, list[float]]) -> list[Line]:
    """Make the table."""
    accounts, messages, unit = "accounts/s", "messages/s", "events/s"
    chosen = found["freeze"]
    return [
        Line("audience counted by reason", accounts, found["count"]),
        Line("audience chosen and written down", accounts, chosen, target=50_000),
        Line("audience chosen and written down", accounts, chosen, found["bare"], "the same rows, no questions"),
        Line("judged and written", messages, found["prepare"], target=5_000),
        Line("judged and written", messages, found["prepare"], found["prepare bare"], "the same rows, no questions"),
        Line("judged and written", messages, found["prepare"], found["singly"], "a message in a transaction"),
        Line("judged and written, by its own processor time", messages, found["prepare own"]),
        Line("handed over", messages, found["give"], target=10_000),
        Line("handed over", messages, found["give"], found["give bare"], "the same rows, no questions"),
        Line("handed over", messages, found["give"], found["alone"], "a request for each message"),
        Line("handed over, by its own processor time", messages, found["give own"]),
        Line("stopped while it hands over", "ms", found["stop"]),
        Line("STOP written down while texts leave, p50", "ms", found["silence p50"]),
        Line("STOP written down while texts leave, slowest", "ms", found["silence most"]),
        Line("webhooks taken in, 100 in a request", unit, found["listed"], target=10_000),
        Line("webhooks taken in, one in a request", unit, found["hooks"], found["ok"], '"ok" by the same server'),
        Line("webhooks applied", unit, found["applied"]),
    ]


class Bench:
    """One agency with its crowd, a provider and a template; a new campaign each round."""

    def __init__(self, stage: Stage) -> None:
        from django.utils import timezone

        from accounts.models import Agency

        self.stage, self.found, self.numbers, self.stopped = stage, {}, itertools.count(1), ""
        self.now = timezone.now().replace(hour=16, minute=0)  # noon in the consumers' zone (RF-01)
        self.agency = Agency.objects.create(
            slug="campaigns", name="Bench Letters", legal_name="Bench Letters LLC", address="1 Main Street\nAlbany, NY"
        )

    def furnish(self, count: int) -> None:
        from accounts.models import Account, Client, Consumer
        from campaigns.models import MailProvider
        from campaigns.services import templates
        from settlements.models import GlobalOffer
        from tests.benchmarks.crowd import crowd

        GlobalOffer.objects.create()
        self.provider = MailProvider.objects.create(
            name="Sink",
            domain="bench.example.com",
            from_name="Bench",
            from_address="no-reply@bench.example.com",
            api_key="bench",
            signing_key="bench",
            api_url=f"{self.stage.sink_url}/v3",
        )
        first = Account.objects.create(
            client=Client.objects.create(number="B1", name="Bench Hospital"),
            consumer=Consumer.objects.create(last_name="First", last_name_key="FIRST"),
            reference="first",
            reference_key="FIRST",
            status="recalled",
            balance_cents=1_000_00,
            as_of=self.now,
            body_hash="",
        )
        crowd(self.agency, first, count)
        self.count = count
        self.template = templates.from_library(
            key="settlement_offer", name="Bench", client=None, by="staff:a", now=self.now
        )
        assert templates.publish(version=self.template, by="staff:a", now=self.now) == []

    def campaign(self, audience: dict | None = None):
        """Make a campaign that is approved and begun."""
        from campaigns.models import Campaign
        from campaigns.services import campaigns

        ends = (self.now + timedelta(days=60)).date().isoformat()
        made = campaigns.draft(
            name=f"Bench {next(self.numbers)}",
            by="staff:a",
            now=self.now,
            version_a=self.template,
            audience=audience or {"statuses": ["open"]},
            offer={"percent_bps": 80_00, "max_payments": 3, "max_days": 90, "expires_on": ends},
        )
        assert campaigns.submit(campaign=made, by="staff:a", now=self.now) == []
        assert campaigns.approve(campaign=made, by="staff:b", now=self.now) == []
        assert campaigns.start(campaign=made, now=self.now)
        return Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=made.pk)

    def note(self, name: str, number: float, began: float) -> None:
        self.found.setdefault(name, []).append(number / (time.perf_counter() - began))

    def round(self, web: str) -> None:
        self.choose()
        self.send()
        self.stop()
        self.silence()
        self.hear(web)

    def choose(self) -> None:
        from django.db import connection, transaction

        from accounts.scope import acting
        from campaigns.services import audience, campaigns

        self.running = self.campaign()
        began = time.perf_counter()
        assert audience.count(self.running, now=self.now)[""] == self.count
        self.note("count", self.count, began)
        began = time.perf_counter()
        while audience.freeze(self.running, now=self.now):
            pass
        self.note("freeze", self.count, began)
        campaigns.frozen(campaign=self.running, now=self.now)
        other = self.campaign()
        with transaction.atomic(), connection.cursor() as cursor:
            began = time.perf_counter()
            cursor.execute(BARE.format(id=audience.TIME_ORDERED), {"campaign": other.pk, "agency": acting()})
            self.note("bare", cursor.rowcount, began)
            transaction.set_rollback(True)
        assert campaigns.stop(campaign=other, reason="bench", now=self.now) == []

    def send(self) -> None:
        from django.db import transaction

        from campaigns import channels
        from campaigns.services import handover, launch
        from tests.benchmarks import messages_floor

        def prepare(limit: int):
            with transaction.atomic():
                return launch._prepare(self.running, now=self.now, limit=limit)[1]

        prepare(10)
        prepared, took, used = [], 0.0, 0.0
        for _batch in range(BATCHES):
            began, own = time.perf_counter(), time.process_time()
            prepared.append(prepare(launch.BATCH))
            took, used = took + time.perf_counter() - began, used + time.process_time() - own
        number = sum(map(len, prepared))
        assert number == BATCHES * launch.BATCH, number
        self.found.setdefault("prepare", []).append(number / took)
        self.found.setdefault("prepare own", []).append(number / used)
        began = time.perf_counter()
        singly = [one for _n in range(SINGLY) for one in prepare(1)]
        self.note("singly", len(singly), began)
        floor = messages_floor.written(self.running.pk, count=number, batch=launch.BATCH)
        self.found.setdefault("prepare bare", []).append(floor)
        keys = [one.message.pk for leaving in prepared for one in leaving]
        self.found.setdefault("give bare", []).append(messages_floor.handed_over(keys, batch=launch.BATCH))
        began, own = time.perf_counter(), time.process_time()
        for leaving in prepared:
            handover.give(self.running, leaving, now=self.now)
        self.note("give", number, began)
        self.found.setdefault("give own", []).append(number / (time.process_time() - own))
        self.sent = [one.message.pk for leaving in prepared for one in leaving]
        leaving, mailgun = prepare(ALONE), channels.provider("mailgun")
        batch, mailgun.batch = mailgun.batch, None
        del mailgun.batch
        try:
            began = time.perf_counter()
            handover.give(self.running, leaving, now=self.now)
            self.note("alone", len(leaving), began)
        finally:
            mailgun.batch = batch

    def stop(self) -> None:
        from django.db import connection

        from accounts.tenancy import acting_for
        from campaigns.services import campaigns, launch, results

        def go() -> None:
            with acting_for(self.agency):
                while launch.send_batch(self.running, now=self.now):
                    self.running.refresh_from_db(fields=["status"])
                    if self.running.status != "sending":
                        break
            connection.close()

        worker = threading.Thread(target=go)
        worker.start()
        time.sleep(2)
        began = time.perf_counter()
        assert campaigns.stop(campaign=self.running, reason="bench", now=self.now) == []
        self.found.setdefault("stop", []).append(1000 * (time.perf_counter() - began))
        asked = results.whereabouts(self.running)
        worker.join()
        after = results.whereabouts(self.running)
        assert after["sent"] == asked["sent"] + asked["with_provider"], (asked, after)
        assert sum(after.values()) == self.count, after
        self.stopped = (
            f"When the last one was stopped, {asked['sent']:,} messages were sent, {asked['with_provider']:,} with the"
            f" provider and {asked['not_sent']:,} not sent; a moment later {after['sent']:,} were sent and none more."
        )

    def silence(self) -> None:
        from accounts.models import Agency

        number = next(self.numbers)
        texting = Agency.objects.create(
            slug=f"texts{number}", name="Bench Texts", legal_name="Bench Texts LLC", address="1 Main Street\nAlbany, NY"
        )
        took, self.kept = stops.stopped(self.stage, texting, now=self.now)
        self.found.setdefault("silence p50", []).append(1000 * percentile(took, 0.5))
        self.found.setdefault("silence most", []).append(1000 * max(took))

    def hear(self, web: str) -> None:
        from campaigns.models import MailEvent
        from campaigns.services import track

        url = f"{web}/hooks/mail/{self.provider.pk}"
        headers = (f"Host: {self.stage.stack.environment['PORTAL_DOMAIN']}", "Content-Type: application/json")
        hooks = [self.webhook(key, "delivered") for key in self.sent[:WEBHOOKS]]
        listed = [self.webhook(key, "opened") for key in self.sent]
        taken = posts.many([posts.Ask(url, headers, hook) for hook in hooks], clients=CLIENTS)
        assert taken.statuses == {200: WEBHOOKS}, taken.statuses
        self.found.setdefault("hooks", []).append(taken.rate)
        oks = posts.many([posts.Ask(f"{web}/bench/ok/", headers[:1])] * WEBHOOKS, clients=CLIENTS)
        self.found.setdefault("ok", []).append(oks.rate)
        bodies = [b"[" + b",".join(listed[at : at + LISTED]) + b"]" for at in range(0, len(listed), LISTED)]
        taken = posts.many([posts.Ask(url, headers, body) for body in bodies], clients=CLIENTS)
        assert taken.statuses == {200: len(bodies)}, taken.statuses
        self.found.setdefault("listed", []).append(LISTED * taken.rate)
        waiting = MailEvent.objects.filter(applied_at=None).count()
        assert waiting == len(hooks) + len(listed), waiting
        began = time.perf_counter()
        while track.apply(now=self.now + timedelta(hours=1)):
            pass
        self.note("applied", waiting, began)

    def webhook(self, message, event: str) -> bytes:
        """Write one signed event as Mailgun does."""
        stamp, token = str(int(time.time())), f"{next(self.numbers):050}"
        signature = hmac.new(b"bench", f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
        said = {
            "id": token[-20:],
            "event": event,
            "timestamp": time.time(),
            "recipient": "pat@example.com",
            "message": {"headers": {"message-id": "bench@example.com"}},
            "user-variables": {"message": str(message)},
        }
        signed = {"timestamp": stamp, "token": token, "signature": signature}
        return json.dumps({"signature": signed, "event-data": said}).encode()
