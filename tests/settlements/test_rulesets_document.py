"""docs/rules.md says what the rules do: its table, its file and its example are taken from the page."""

import datetime as dt
import json
import re

import pytest
from django.conf import settings

from accounts.money import to_cents
from settlements.rules.offers import PERIODS, per_period
from settlements.services import collect, offers
from tests.conftest import NOW

PAGE = (settings.BASE_DIR / "docs/rules.md").read_text()


def block(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def test_the_published_minimums_are_those_of_the_rules():
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in PAGE.splitlines() if row.startswith("|")]
    table = [row for row in rows if row[0] in PERIODS]
    assert [row[0] for row in table] == list(PERIODS)
    for frequency, a_year, _annual, annual, _half, half in table:
        assert int(a_year) == PERIODS[frequency]
        assert to_cents(annual[1:]) == per_period(100_00, frequency, "annual")
        assert to_cents(half[1:]) == per_period(100_00, frequency, "half_month")


@pytest.mark.usefixtures("acting")
def test_its_file_is_imported_and_exported_as_it_is(account):
    text = block("csv")
    imported = collect.import_forms(text=text, format="csv", by="staff:1", now=NOW, publish=True)
    assert (imported.errors, len(imported.rule_sets)) == ((), 2)
    assert collect.export_csv(client=None, all_clients=True, now=NOW).replace("\r\n", "\n") == text
    assert collect.export_json(client=account.client, now=NOW) == json.loads(block("json"))
    assert collect.import_forms(text=block("json"), format="json", by="staff:1", now=NOW).unchanged == 1


@pytest.mark.usefixtures("acting")
def test_its_example_is_what_is_offered(account):
    collect.import_forms(text=block("csv"), format="csv", by="staff:1", now=NOW, publish=True)
    account.listed_on, today = dt.date(2026, 7, 1), dt.date(2026, 12, 1)
    at = offers.offered_to(due={account: (1_200_00, today)}, now=NOW)[account.pk]
    settlement, plan = at.settlement, at.plan
    assert (settlement.amount_cents, settlement.saving_cents) == (900_00, 300_00)
    assert (settlement.monthly_minimum_cents, settlement.minimum_for("weekly")) == (60_00, 13_85)
    assert (settlement.last_for(today), settlement.most_for("monthly"), settlement.most_for("weekly")) == (
        dt.date(2027, 12, 1),
        12,
        52,
    )
    assert (plan.last_for(today), plan.most_for("monthly")) == (dt.date(2028, 12, 1), 24)
    assert at.governing.origins["minimum_settlement_bps"].level == "client"
    assert at.governing.origins["max_months_settled"].level == "agency"
    early = offers.offered_to(due={account: (1_200_00, dt.date(2026, 9, 30))}, now=NOW)[account.pk]
    assert early.settlement is None
