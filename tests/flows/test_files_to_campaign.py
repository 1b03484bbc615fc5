"""A host lives by files: a record names a campaign, its account gets that message, the activity goes back."""

import json

import pytest
import time_machine

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from campaigns.models import Campaign, Message, Recipient
from campaigns.services import campaigns, fulfil, launch
from tests.campaigns import campaign_cast as cast
from tests.campaigns.conftest import make_provider, sandbox  # noqa: F401 - fixture
from tests.conftest import NOW
from tests.integrations.file_cast import FileHost, change, record

pytestmark = pytest.mark.django_db(transaction=True)
PHILADELPHIA = {"Street1": "1 Elm", "City": "Philadelphia", "State": "PA", "Zip": "19103"}


@pytest.fixture(autouse=True)
def clock(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "vault"
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def hosts(agency, other_agency, client, sandbox) -> list[FileHost]:  # noqa: F811
    """Two agencies, each with a standing campaign of the same name that another person approved."""
    found = []
    for one in (agency, other_agency):
        make_provider(one, sandbox)
        with acting_for(one):
            cast.approved(name="Welcome", version=cast.template("welcome"), offer={}, audience={"joined": True})
            assert launch.run(now=NOW) == 0
        found.append(FileHost(one, client))
    return found


def named(number: str, **values) -> dict:
    return record(number, Address=PHILADELPHIA, ValidationSentOn="2026-06-01", SolStatus="live") | values


def work() -> None:
    """Do what the message worker does."""
    for _round in range(4):
        fulfil.read(now=NOW)
        launch.run(now=NOW)


def written_to(host) -> list[str]:
    with acting_for(host.agency):
        rows = Message.objects.filter(stream="campaigns", status="sent")
        return sorted(rows.values_list("account__reference", flat=True))


def test_a_placement_names_a_campaign_its_accounts_are_written_to_and_the_host_reads_of_it(hosts):
    host, other = hosts
    file = host.send(named("1", Campaign="Welcome"), named("2"), named("3", Campaign="Welcome"))
    assert (file.state, host.errors(file)) == ("applied", [])
    work()
    assert (written_to(host), written_to(other)) == (["1", "3"], [])
    with acting_for(host.agency):
        campaign = Campaign.objects.get()
        assert campaign.status == "sending"
        asked = Event.objects.filter(kind="message.requested")
        assert [one.data["campaign"] for one in asked] == ["Welcome", "Welcome"]
    # An update names it too; whoever was written to is not written to again.
    host.send(change("2", Campaign="Welcome"), change("1", Campaign="Welcome"), kind="update")
    work()
    assert written_to(host) == ["1", "2", "3"]
    answer = host.client.post(
        host.path.removesuffix("/files") + "/extractions",
        data="{}",
        content_type="application/json",
        headers=host.headers(),
    )
    claimed = host.client.post(f"{host.path}/{answer.json()['id']}/claim", headers=host.headers())
    told = [json.loads(line) for line in b"".join(claimed.streaming_content).splitlines()]
    sent = sorted(line["FileNumber"] for line in told if line["Event"] == "message.sent")
    assert sent == ["1", "2", "3"]
    # Once it is stopped nobody joins it any more.
    with acting_for(host.agency):
        assert campaigns.stop(campaign=campaign, reason="over", now=NOW) == []
    late = host.send(named("4", Campaign="Welcome"))
    assert host.errors(late) == [(1, "4", "/Campaign", "campaign_unknown")]
    work()
    assert written_to(host) == ["1", "2", "3"]


def test_a_campaign_that_is_not_there_is_a_line_error_and_the_account_is_placed(hosts):
    host, other = hosts
    with acting_for(other.agency):
        cast.approved(name="Theirs", version=cast.template("welcome", name="w2"), offer={}, audience={"joined": True})
    with acting_for(host.agency):
        cast.draft(name="Plain", version=cast.template("welcome", name="w2"), offer={})
    file = host.send(named("1", Campaign="Theirs"), named("2", Campaign="Plain"), named("3", Campaign="Welcome"))
    codes = [(1, "1", "/Campaign", "campaign_unknown"), (2, "2", "/Campaign", "campaign_unknown")]
    assert (file.state, host.errors(file)) == ("applied", codes)
    work()
    assert written_to(host) == ["3"]
    with acting_for(host.agency):
        assert Account.objects.count() == 3
        told = Event.objects.filter(kind="incident.opened", data__what="campaign_unknown")
        assert sorted(one.data["campaign"] for one in told) == ["Plain", "Theirs"]


def test_who_joins_is_judged_like_everybody_and_waits_for_the_approval(hosts):
    host, _other = hosts
    with acting_for(host.agency):
        version = cast.template("welcome", name="w3")
        waiting = cast.draft(name="Later", version=version, offer={}, audience={"joined": True})
        assert campaigns.submit(campaign=waiting, by=cast.AUTHOR, now=NOW) == []
    host.send(named("1", Campaign="Later"), named("2", Campaign="Later", ValidationSentOn=None))
    work()
    assert written_to(host) == []
    with acting_for(host.agency):
        assert campaigns.approve(campaign=waiting, by=cast.APPROVER, now=NOW) == []
    work()
    assert written_to(host) == ["1"]
    with acting_for(host.agency):
        left = Recipient.objects.get(status="left_out")
        assert (left.account.reference, left.reason) == ("2", "validation_missing")


def test_smartcollect_names_it_with_its_own_word(hosts):
    host, _other = hosts
    with acting_for(host.agency):
        type(host.connection).objects.update(style="smartcollect", status_map={"OPEN": "open"})
    account = {"accountNumber": "1", "status": "OPEN", "client": {"code": "C1"}, "balance": "100.00"}
    account |= {"validationSentOn": "2026-06-01", "asOf": "2026-12-01T14:00:00Z", "messaging": "Welcome"}
    customer = {"customerId": "P1", "lastName": "Doe", "address": {"state": "PA", "postcode": "19103"}}
    customer |= {"emails": [{"address": "p1@example.com", "route": "RF-13"}], "accounts": [account]}
    file = host.send(customer)
    assert (file.state, host.errors(file)) == ("applied", [])
    work()
    assert written_to(host) == ["1"]
