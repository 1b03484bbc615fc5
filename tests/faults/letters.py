"""What the messages load asks of the product's own services: people, campaigns that begin, facts that bring a letter.

`python -m tests.faults.letters furnish|place|tell` reads what to do on standard input. `tell` goes through its
steps at a steady pace whatever dies, and writes down each whose commit it was told of, one line each.
"""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

PER_SECOND_TEXTS = 500
"""The pace of the carrier is another test's subject."""
OFFER = {"percent_bps": 80_00, "max_payments": 3, "max_days": 90}
OFFER_DAYS = 60
TEMPLATES = {"offer": "settlement_offer", "reminder": "reminder"}
AUTHOR, APPROVER = "staff:kills-author", "staff:kills-approver"
AGAIN_SECONDS = 0.1
LATE_SECONDS = 2.0
NOTICE_SENT_DAYS = 120
"""So long ago everybody got the validation notice (RF-28)."""

CONSUMERS = """
INSERT INTO accounts_consumer (id, agency_id, connection_id, host_consumer_id, first_name, last_name, last_name_key,
    ssn, ssn_index, ssn4_index, dob, dob_index, street1, street2, city, state, zip, zip_index, time_zone, language,
    created_at)
SELECT gen_random_uuid(), a.agency_id, a.connection_id, given.reference, 'Pat', 'Doe', 'DOE', '', '', '', '', '', '',
    '', '', 'PA', '19103', '', 'America/New_York', given.language, now()
FROM accounts_account a, unnest(%(references)s::text[], %(languages)s::text[]) AS given(reference, language)
WHERE a.id = %(like)s
"""
POINTS = """
INSERT INTO accounts_contactpoint (id, agency_id, consumer_id, kind, value, value_key, label, host_status, textable,
    position, route, evidence, source, created_at)
SELECT gen_random_uuid(), c.agency_id, c.id, %(kind)s, given.value, lower(given.value), '', '', %(kind)s = 'phone', 0,
    'consumer', %(evidence)s::jsonb, 'host', now()
FROM accounts_consumer c
JOIN unnest(%(references)s::text[], %(values)s::text[]) AS given(reference, value)
    ON given.reference = c.host_consumer_id
WHERE c.agency_id = %(agency)s
"""


def main() -> None:
    """Do what is asked for."""
    import django

    django.setup()
    asked = json.load(sys.stdin)
    print(json.dumps({"furnish": furnish, "place": place, "tell": tell}[sys.argv[1]](**asked)))


def furnish() -> None:
    """Publish the templates of each agency, and let its carrier take texts as fast as they come."""
    from accounts import clock
    from accounts.models import Agency
    from accounts.tenancy import acting_for
    from campaigns.models import MessageTemplate, TextProvider
    from campaigns.services import templates

    for agency in Agency.objects.all():
        with acting_for(agency):
            TextProvider.objects.update(per_second=PER_SECOND_TEXTS)
            for name, key in TEMPLATES.items():
                if MessageTemplate.objects.filter(name=f"Kills: {name}").exists():
                    continue
                version = templates.from_library(
                    key=key, name=f"Kills: {name}", client=None, by=AUTHOR, now=clock.now()
                )
                assert templates.publish(version=version, by=AUTHOR, now=clock.now()) == []


def place(people: dict[str, list[dict]], like: dict[str, str]) -> int:
    """Make people of each agency ({"reference", "kind", "value", "language"}), with an account and one address each.

    :param like: the reference of the account that theirs are like, by agency.
    """
    from accounts.models import Account, Agency
    from accounts.tenancy import acting_for

    count = 0
    for slug, given in people.items():
        agency = Agency.objects.get(slug=slug)
        with acting_for(agency):
            count += _place(agency, Account.objects.get(reference=like[slug]), given)
    return count


def _place(agency, like, given: list[dict]) -> int:
    from django.db import connection, transaction

    from accounts import clock

    today = clock.now().date()
    asked = {"agency": agency.pk, "like": like.pk, "references": [one["reference"] for one in given]}
    own = {"id": "gen_random_uuid()", "consumer_id": "c.id", "reference": "c.host_consumer_id", "event_seq": "0"}
    own |= {"reference_key": "upper(c.host_consumer_id)", "validation_sent_on": "%(sent_on)s"}
    names = [line.column for line in like._meta.concrete_fields]
    accounts = (
        f"INSERT INTO accounts_account ({', '.join(names)}) SELECT {', '.join(own.get(n, f'a.{n}') for n in names)} "
        "FROM accounts_account a, accounts_consumer c "
        "WHERE a.id = %(like)s AND c.agency_id = a.agency_id AND c.host_consumer_id = ANY(%(references)s)"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CONSUMERS, asked | {"languages": [one["language"] for one in given]})
        for kind in ("email", "phone"):
            mine = [one for one in given if one["kind"] == kind]
            consent = {"consent_on": today.isoformat(), "AccountConsent": "yes", "NotEmployer": "yes"}
            points = {"references": [one["reference"] for one in mine], "values": [one["value"] for one in mine]}
            cursor.execute(POINTS, asked | points | {"kind": kind, "evidence": json.dumps(consent)})
        cursor.execute(accounts, asked | {"sent_on": today - timedelta(days=NOTICE_SENT_DAYS)})
        count = cursor.rowcount
    with connection.cursor() as cursor:
        for table in ("accounts_consumer", "accounts_contactpoint", "accounts_account"):
            cursor.execute(f"ANALYZE {table}")
    return count


def tell(steps: list[dict], output: str, sign: str) -> int:
    """Do each step at its second ({"at", "do": "campaign" or "change", ...}); whatever dies, do it again or go on.

    :param sign: a file; steps that are `late` wait until it is there, and their seconds count from then.
    """
    from django.db import DatabaseError, InterfaceError, connection

    began, done, late = time.monotonic(), 0, False
    with Path(output).open("a", buffering=1) as book:
        for step in steps:
            if step.get("late") and not late:
                late = wait_for(Path(sign))
                began = time.monotonic()
            wait = began + step["at"] - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            elif wait < -LATE_SECONDS:
                began -= wait + LATE_SECONDS
            while True:
                try:
                    line = {"campaign": begin, "change": change}[step["do"]](step)
                    break
                except (DatabaseError, InterfaceError):
                    # Its commit may have been made without an answer: a campaign is found by its name, and of a
                    # change nothing is said, so that another one is told.
                    connection.close()
                    time.sleep(AGAIN_SECONDS)
            book.write(json.dumps(line) + "\n")
            done += 1
    return done


def wait_for(sign: Path) -> bool:
    """Wait until a file is there."""
    while not sign.exists():
        time.sleep(AGAIN_SECONDS)
    return True


def begin(step: dict) -> list[str]:
    """Let one of the staff write a campaign for a list of accounts, and another one approve it."""
    from django.db import transaction

    from accounts import clock
    from accounts.models import Agency
    from accounts.tenancy import acting_for
    from campaigns.models import Campaign
    from campaigns.services import audience, campaigns

    agency = Agency.objects.get(slug=step["slug"])
    with acting_for(agency), transaction.atomic():
        now = clock.now()
        if not Campaign.objects.filter(name=step["name"]).exists():
            made = campaigns.draft(name=step["name"], by=AUTHOR, now=now, **_letter(step, now))
            audience.set_lines(made, step["references"])
            assert (no := campaigns.submit(campaign=made, by=AUTHOR, now=now)) == [], no
            assert (no := campaigns.approve(campaign=made, by=APPROVER, now=now)) == [], no
    return ["campaign", step["name"]]


def _letter(step: dict, now) -> dict:
    from campaigns.library import READY
    from campaigns.models import TemplateVersion

    published = TemplateVersion.objects.filter(status=TemplateVersion.Status.PUBLISHED)
    if step["letter"] == "text":
        return {"channel": "text", "version_a": published.get(template__name=READY["reminder_text"].name)}
    versions = {name: published.get(template__name=f"Kills: {name}") for name in TEMPLATES}
    if step["letter"] == "reminder":
        return {"version_a": versions["reminder"]}
    ends = (now + timedelta(days=OFFER_DAYS)).date().isoformat()
    both = {"version_a": versions["offer"], "version_b": versions["reminder"], "share_b": 50}
    return both | {"offer": OFFER | {"expires_on": ends}}


def change(step: dict) -> list[str]:
    """Record that a consumer added an address: the other one is written to, at once (AUTH-09)."""
    from django.db import transaction

    from accounts import clock, events
    from accounts.models import Agency, Consumer
    from accounts.tenancy import acting_for

    agency = Agency.objects.get(slug=step["slug"])
    with acting_for(agency), transaction.atomic():
        consumer = Consumer.objects.get(host_consumer_id=step["reference"])
        about = {"change": "email_added", "new": "n•••@example.com", "contact_point": str(uuid4())}
        event = events.record("consumer.contact_changed", consumer=consumer, now=clock.now(), data=about)
    return ["change", str(event.pk), step["reference"]]


if __name__ == "__main__":
    main()
