"""Campaigns and conversations in lists by API: each as it is told alone, as many statements for two as for twenty."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from accounts.tenancy import ManyRows, Row, acting_for, uuid7
from campaigns.models import Campaign, Conversation, InboundMessage, Message, Recipient
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller
from tests.staff import furnish

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(account, others_account) -> dict[type[Row], Row]:
    """Furnish both agencies; give ours."""
    furnish(others_account.agency, NOW)
    return furnish(account.agency, NOW)


@pytest.fixture
def caller(account, cast) -> Caller:
    made = Caller(account.agency)
    made.get("campaigns")  # the first use of a key is written down
    return made


def more(row: Row | ManyRows, **values) -> Row:
    """Make another row like this one."""
    said = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row).objects.create(**said | {"id": uuid7()} | values)


def listed(caller, path: str) -> tuple[list[dict], int]:
    with CaptureQueriesContext(connection) as ran:
        answer = caller.get(path)
    return answer.json()["items"], len(ran)


def begun(cast, account: Account, number: int) -> None:
    """Begin a campaign with one account that was sent to and `number` that are left out."""
    row = more(cast[Campaign], name=f"Campaign {number}", status="sending", started_at=NOW)
    message = more(cast[Message], cause=f"campaign {number}", sent_at=NOW, status="sent")
    Recipient.objects.create(campaign=row, account=account, message=message, status="leaving")
    for one in range(number % 3):
        other = make_account(account.agency, reference=f"{number}-{one}", consumer=account.consumer)
        Recipient.objects.create(campaign=row, account=other, status="left_out", reason="opted_out")


def test_campaigns_are_counted_page_by_page_and_not_one_by_one(caller, cast, account):
    with acting_for(account.agency):
        Campaign.objects.exclude(pk=cast[Campaign].pk).update(status="draft")
        for number in range(1, 3):
            begun(cast, account, number)
    few, asked = listed(caller, "campaigns?status=sending")
    assert [(one["progress"], one["left_out"], one["results"]["sent"]) for one in few] == [
        ({"waiting": 0, "left_out": number, "leaving": 1}, {"opted_out": number}, 1) for number in (1, 2)
    ]
    assert few == [caller.get(f"campaigns/{one['id']}").json() for one in few]
    with acting_for(account.agency):
        for number in range(3, 21):
            begun(cast, account, number)
    many, asked_then = listed(caller, "campaigns?status=sending")
    assert (len(many), asked_then) == (20, asked)


def talked(account: Account, cast, number: int) -> None:
    """Let somebody write `number` texts, the last two about an account each, and answer once."""
    person = more(account.consumer, host_consumer_id=f"K-{number}")
    theirs = make_account(account.agency, reference=f"T{number}", consumer=person)
    talk = more(cast[Conversation], consumer_id=person.pk, number=f"+1518555{number:04}", status="open")
    for one in range(number):
        at = NOW + dt.timedelta(minutes=one)
        about = {"account_id": theirs.pk if one else account.pk, "received_at": at, "text": f"{number}.{one}"}
        more(cast[InboundMessage], conversation_id=talk.pk, external_id=f"{number}-{one}", **about)
    said = {"channel": "text", "stream": "replies", "consumer_id": person.pk, "queued_at": NOW, "sent_at": NOW}
    more(cast[Message], cause=f"reply {number}", text=f"answer {number}", **said)


def test_conversations_are_read_page_by_page_and_not_one_by_one(caller, cast, account):
    with acting_for(account.agency):
        Conversation.objects.update(status="closed")
        for number in range(1, 3):
            talked(account, cast, number)
    few, asked = listed(caller, "conversations?status=open")
    assert [[text["text"] for text in one["texts"]] for one in few] == [["1.0", "answer 1"], ["2.0", "answer 2", "2.1"]]
    assert few[0]["account"] == str(account.pk) != few[1]["account"]
    alone = [caller.get(f"conversations/{one['id']}").json() for one in few]
    assert few == [{name: said for name, said in one.items() if name != "answers"} for one in alone]
    with acting_for(account.agency):
        for number in range(3, 21):
            talked(account, cast, number)
    many, asked_then = listed(caller, "conversations?status=open")
    assert (len(many), asked_then) == (20, asked)
