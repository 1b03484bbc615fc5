"""Let a host's file name a campaign for its accounts: a standing one, which a person approved as one that files join.

A standing campaign (`{"joined": true}` in its audience) begins with nobody and goes on until it is stopped. Whoever
joins is looked at as every audience is: filters, guards, and the gate when the message leaves.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.models import Account, Event
from campaigns.models import AudienceLine, Campaign

Status = Campaign.Status
OVER = (Status.STOPPED, Status.FINISHED)


def names() -> set[str]:
    """Name the campaigns that a file may name now, those included that wait for their approval."""
    return set(_standing().values_list("name", flat=True))


def _standing() -> QuerySet[Campaign]:
    return Campaign.objects.filter(audience__joined=True).exclude(status__in=OVER)


def requested(event: Event, now: datetime) -> None:
    """A host asked for messages: the account joins the campaign that it named; one that is not there is told."""
    name = event.data.get("campaign", "")
    if not name or event.account is None:
        return
    if not join(account=event.account, name=name):
        about = {"campaign": name, "file": event.data.get("file", "")}
        events.record("incident.opened", account=event.account, now=now, data={"what": "campaign_unknown"} | about)


@transaction.atomic
def join(*, account: Account, name: str) -> bool:
    """Put an account on the list of the standing campaign of this name; False when there is none."""
    held = _standing().select_for_update().filter(name=name).order_by("-made_at").first()
    if held is None:
        return False
    _line, new = AudienceLine.objects.get_or_create(campaign=held, reference_key=account.reference_key)
    if not new:
        return True
    # Its accounts are chosen once more, and nobody twice: who was chosen before stays as they are.
    held.frozen_to = held.frozen_at = None
    if held.status == Status.SENDING:
        held.status = Status.FREEZING
    held.save(update_fields=["frozen_to", "frozen_at", "status"])
    return True
