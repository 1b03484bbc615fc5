"""How fast a campaign's accounts are chosen, judged and written (targets: 50,000/s and 5,000/s on an idle machine).

`MESSAGES_COUNT=1000000 pytest -m slow tests/campaigns/test_speed.py -s` prints what was measured. What is asserted is
the cost in our own processor time, which other processes on the machine do not change; the target is not reached yet.
"""

import os
import time

import pytest
from django.db import transaction

from campaigns.models import Campaign, Message, Recipient
from campaigns.services import audience, campaigns, launch
from tests.benchmarks.crowd import crowd
from tests.campaigns.campaign_cast import approved, template
from tests.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
COUNT = int(os.environ.get("MESSAGES_COUNT", "20000"))


@pytest.mark.parametrize("offer", [False, True], ids=["without an offer", "with an offer"])
def test_accounts_are_chosen_judged_and_written_by_sets(acting, agency, account, provider, capsys, offer):
    crowd(agency, account, COUNT)
    more = {} if offer else {"offer": {}, "version": template("reminder")}
    campaign = approved(**more)
    campaigns.start(campaign=campaign, now=NOW)
    began = time.perf_counter()
    while audience.freeze(campaign, now=NOW):
        pass
    froze = time.perf_counter() - began
    campaigns.frozen(campaign=campaign, now=NOW)
    campaign = Campaign.objects.select_related("version_a__template", "version_b__template").get()
    some = min(COUNT, 10_000)
    began, used, written = time.perf_counter(), time.process_time(), 0
    while written < some:
        with transaction.atomic():
            touched, leaving = launch._prepare(campaign, now=NOW, limit=launch.BATCH)
        assert len(leaving) == touched
        written += touched
    took, used = time.perf_counter() - began, time.process_time() - used
    assert Recipient.objects.filter(status="leaving").count() == Message.objects.count() == written
    assert Recipient.objects.count() == COUNT + 1
    with capsys.disabled():
        print(
            f"\nchosen {COUNT / froze:,.0f}/s; judged and written {written / took:,.0f}/s"
            f" ({written / used:,.0f}/s of our own processor time); offer: {offer}; load {os.getloadavg()[0]:.0f}"
        )
    assert written / used > 500
