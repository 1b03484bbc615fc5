"""A campaign in tests: its template, its accounts, and what the worker does."""

import datetime as dt

from accounts.models import Account, Consumer, ContactPoint
from accounts.tenancy import acting_for
from campaigns.models import Campaign, TemplateVersion
from campaigns.services import campaigns, launch, templates
from tests.conftest import NOW, make_account

OFFER = {"percent_bps": 80_00, "max_payments": 3, "max_days": 90, "expires_on": "2026-12-31"}
AUTHOR, APPROVER = "staff:ann", "staff:bob"


def template(key="settlement_offer", name="") -> TemplateVersion:
    """Give a published template of the library."""
    version = templates.from_library(key=key, name=name or key, client=None, by=AUTHOR, now=NOW)
    assert templates.publish(version=version, by=AUTHOR, now=NOW) == []
    return version


def people(agency, count: int, *, state="PA", zip_code="19103", **values) -> list[Account]:
    """Make consumers with an account and an address each, whom nothing forbids to write to."""
    made = []
    with acting_for(agency):
        for number in range(count):
            consumer = Consumer.objects.create(
                first_name=f"Pat{number}",
                last_name="Doe",
                last_name_key="DOE",
                ssn4_index="",
                state=state,
                zip=zip_code,
                time_zone="America/New_York",
            )
            address = f"pat{number}@{agency.slug}.example.com"
            ContactPoint.objects.create(
                consumer=consumer, kind="email", value=address, value_key=address, route="consumer"
            )
            values = {"validation_sent_on": dt.date(2026, 6, 1), "reference": f"P{number:05}"} | values
            made.append(make_account(agency, **values | {"consumer": consumer, "reference": f"P{number:05}"}))
    return made


def draft(**values) -> Campaign:
    base = {"name": "December", "offer": OFFER, "version_a": values.pop("version", None) or template()}
    return campaigns.draft(by=AUTHOR, now=NOW, **base | values)


def approved(**values) -> Campaign:
    """Give a campaign that another person approved."""
    made = draft(**values)
    assert campaigns.submit(campaign=made, by=AUTHOR, now=NOW) == []
    assert campaigns.approve(campaign=made, by=APPROVER, now=NOW) == []
    return made


def run(campaign, now=NOW, rounds=20) -> Campaign:
    """Do what the worker does until nothing is left."""
    for _round in range(rounds):
        if not launch.run(now=now):
            break
    campaign.refresh_from_db()
    return campaign
