"""How soon a STOP is written down while a batch of texts goes out, and what leaves for its number afterwards."""

import json
import threading
import time
from datetime import timedelta

from tests.benchmarks.crowd import crowd

TEXTS, STOPS = 200, 40
"""Texts of the batch, and people among them who say STOP while it goes out."""
PHONES = """
INSERT INTO accounts_contactpoint (id, agency_id, consumer_id, kind, value, value_key, label, host_status, textable,
  position, route, evidence, source, created_at)
SELECT gen_random_uuid(), agency_id, id, 'phone', number, number, '', '', true, 1, 'consumer', %(evidence)s::jsonb,
  'host', now() FROM (SELECT *, '+1215555' || lpad(substr(host_consumer_id, 2), 4, '0') AS number FROM accounts_consumer
  WHERE host_consumer_id LIKE 'B%%') AS consumer
"""


def stopped(stage, agency, *, now) -> tuple[list[float], int]:
    """Text everybody of a new agency and hear STOP from some meanwhile; give seconds of each, and how many were early.

    What reaches the carrier for a number after its STOP has committed is an error.
    """
    from django.db import connection

    from accounts.tenancy import acting_for
    from campaigns.channels.texts import Reply
    from campaigns.models import Message
    from campaigns.services import hear, launch

    with acting_for(agency):
        provider, campaign = furnish(stage, agency, now=now)
    stage.received()

    def go() -> None:
        try:
            with acting_for(agency):
                launch.send_batch(campaign, now=now)
        finally:
            connection.close()

    worker = threading.Thread(target=go)
    worker.start()
    with acting_for(agency):
        deadline = time.monotonic() + 60
        while not Message.objects.exclude(sent_at=None).exists():
            assert time.monotonic() < deadline, "no text left"
            time.sleep(0.01)
        took, committed = [], {}
        for at in range(1, TEXTS + 1, TEXTS // STOPS):
            said = Reply(f"SM-in-{agency.pk}-{at}", f"+1215555{at:04}", provider.number, "STOP", now)
            began = time.perf_counter()
            assert hear.hear(provider=provider, said=said, now=now)
            took.append(time.perf_counter() - began)
            committed[said.sender] = time.monotonic_ns()
        worker.join()
    came = stage.received()
    late = {number for number, at in committed.items() if came.get(number, 0) > at}
    assert not late, f"texted after their STOP had committed: {late}"
    kept = sum(number not in came for number in committed)
    assert len(came) == TEXTS - kept, (len(came), kept)
    return took, kept


def furnish(stage, agency, *, now):
    """Make people with phones, a carrier that takes everything, and a campaign by text that is about to be sent."""
    from django.db import connection

    from accounts.models import Account, Client, Consumer
    from campaigns.models import Campaign, TextProvider
    from campaigns.services import audience, campaigns, templates
    from settlements.models import GlobalOffer

    GlobalOffer.objects.create()
    provider = TextProvider.objects.create(
        name="Sink",
        account=f"AC{agency.pk.hex[-12:]}",
        token="bench",
        signing_key="bench",
        number="+15185560100",
        api_url=stage.sink_url,
        per_second=500,
        keywords="portal",
        permit="letter of 2026-05-02",
        registration="CM0001",
        approved_on=now.date() - timedelta(days=90),
    )
    first = Account.objects.create(
        client=Client.objects.create(number="B1", name="Bench Hospital"),
        consumer=Consumer.objects.create(last_name="First", last_name_key="FIRST"),
        reference="first",
        reference_key="FIRST",
        status="recalled",
        balance_cents=1_000_00,
        as_of=now,
        body_hash="",
    )
    crowd(agency, first, TEXTS)
    evidence = {"consent_on": now.date().isoformat(), "AccountConsent": "yes", "NotEmployer": "yes"}
    with connection.cursor() as cursor:
        cursor.execute(PHONES, {"evidence": json.dumps(evidence)})
        assert cursor.rowcount == TEXTS, cursor.rowcount
    version = templates.from_library(key="reminder_text", name="Bench", client=None, by="staff:a", now=now)
    assert templates.publish(version=version, by="staff:a", now=now) == []
    made = campaigns.draft(
        name="Bench",
        channel="text",
        by="staff:a",
        now=now,
        version_a=version,
        audience={"statuses": ["open"]},
        offer={},
    )
    refused = campaigns.submit(campaign=made, by="staff:a", now=now)
    assert refused == [], refused
    assert campaigns.approve(campaign=made, by="staff:b", now=now) == []
    assert campaigns.start(campaign=made, now=now)
    while audience.freeze(made, now=now):
        pass
    campaigns.frozen(campaign=made, now=now)
    return provider, Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=made.pk)
