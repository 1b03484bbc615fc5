"""A draft tried on the live portfolio, from staff pages: started, watched, stopped, read and taken along."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.tenancy import acting_for
from settlements.models import RuleSet, Simulation
from settlements.services import rulesets, simulate
from tests.conftest import make_account
from tests.staff import member, signed_in

BAND = {"owing_from_cents": 0, "owing_to_cents": 5_000_00, "minimum_cents": 25_00, "minimum_settlement_bps": 60_00}


@pytest.fixture
def now():
    return timezone.now() - dt.timedelta(minutes=5)


@pytest.fixture
def desk(agency):
    return signed_in(member(agency))


@pytest.fixture
def draft(agency, account, now) -> RuleSet:
    """A draft that settles at 60 % where the default offer settles at 75 %."""
    with acting_for(agency):
        made = rulesets.draft(client=None, by="staff:0", now=now)
        assert rulesets.save_draft(rule_set=made, values={}, bands=[BAND], by="staff:0", now=now) == []
        return made


def of_rules(name: str, row) -> str:
    return reverse(f"admin:settlements_ruleset_{name}", args=[row.pk])


def page(name: str, *args) -> str:
    return reverse(f"admin:settlements_simulation_{name}", args=args)


def started(agency, desk, draft) -> Simulation:
    answer = desk.post(of_rules("simulate", draft))
    with acting_for(agency):
        run = Simulation.objects.get()
    assert answer["Location"] == page("change", run.pk)
    return run


def test_a_link_alone_starts_nothing(agency, desk, draft):
    assert desk.get(of_rules("simulate", draft)).status_code == 200
    with acting_for(agency):
        assert not Simulation.objects.exists()


def test_a_run_is_watched_without_a_script_until_it_is_done_and_says_what_changes(agency, account, desk, draft):
    run = started(agency, desk, draft)
    text = desk.get(page("change", run.pk)).content.decode()
    assert '<meta http-equiv="refresh" content="2;url=?renewed=1">' in text
    assert "0 of 0 accounts" in text
    with acting_for(agency):
        assert simulate.run(run.pk)
    answer = desk.get(page("change", run.pk))
    text = answer.content.decode()
    assert "http-equiv" not in text
    total = answer.context["total"]
    assert (total["accounts"], total["changed"], total["settlement_changed"], total["plan_gained"]) == (1, 1, 1, 1)
    assert (total["live"], total["draft"], total["more"]) == ("$750.00", "$600.00", "-$150.00")
    labels = [[row["label"] for row in part["rows"]] for part in answer.context["parts"]]
    assert labels == [["C1 Harbor Medical"], ["$0.00 - $5,000.00"], ["NY"]]
    titles = {str(group["title"]) for group in answer.context["samples"]}
    assert {"Settles for less", "Gets a payment plan"} <= titles
    assert reverse("admin:accounts_account_change", args=[account.pk]) in text
    with acting_for(agency):
        account.refresh_from_db()
        assert RuleSet.objects.get().status == "draft"


@pytest.mark.parametrize("part", ["tallies", "samples", "accounts"])
def test_the_result_is_taken_along_as_a_file(agency, desk, draft, part):
    run = started(agency, desk, draft)
    with acting_for(agency):
        simulate.run(run.pk)
    answer = desk.get(page("file", run.pk, part))
    body = b"".join(answer.streaming_content).decode()
    assert answer["Content-Disposition"] == f'attachment; filename="simulation-{part}.csv"'
    assert ("100234" in body) == (part != "tallies")
    assert "600.00" in body


def test_a_run_is_stopped_and_goes_on_where_it_was(agency, desk, draft):
    run = started(agency, desk, draft)
    assert desk.get(page("stop", run.pk)).status_code == 200
    desk.post(page("stop", run.pk))
    with acting_for(agency):
        assert Simulation.objects.get().status == "stopped"
    assert page("go_on", run.pk) in desk.get(page("change", run.pk)).content.decode()
    desk.post(page("go_on", run.pk))
    with acting_for(agency):
        assert Simulation.objects.get().status == "queued"


def test_what_is_published_is_not_tried(agency, desk, draft, now):
    with acting_for(agency):
        rulesets.publish(rule_set=draft, by="staff:0", now=now)
    answer = desk.post(of_rules("simulate", draft), follow=True)
    assert "Only a draft is tried" in answer.content.decode()
    with acting_for(agency):
        assert not Simulation.objects.exists()


def test_whoever_may_not_simulate_sees_no_button_and_is_refused(agency, desk, draft):
    run = started(agency, desk, draft)
    other = signed_in(member(agency, "auditor"))
    assert of_rules("simulate", draft) not in other.get(of_rules("change", draft)).content.decode()
    assert page("stop", run.pk) not in other.get(page("change", run.pk)).content.decode()
    assert other.post(page("stop", run.pk)).status_code == 403
    assert other.post(of_rules("simulate", draft)).status_code == 403
    with acting_for(agency):
        assert Simulation.objects.get().status == "queued"


def test_another_agencys_run_and_its_file_are_not_found(agency, desk, draft, other_agency, others_account):
    run = started(agency, desk, draft)
    make_account(other_agency, reference="200")
    stranger = signed_in(member(other_agency))
    addresses = [page("change", run.pk), page("stop", run.pk), page("file", run.pk, "accounts")]
    assert [stranger.get(address).status_code for address in addresses] == [404, 404, 404]
