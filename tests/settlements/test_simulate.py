"""A draft beside what is in force, over everything that is open: each account once, the same numbers every time."""

import csv
import datetime as dt
from collections import Counter

import pytest
from django.utils import timezone

from accounts.calendars import local_date
from accounts.models import Account, Client, Consumer
from accounts.tenancy import acting_for
from payments.models import Payment
from payments.services import gate
from settlements import tasks
from settlements.models import IndividualOffer, RuleSet, Simulation
from settlements.rules.comparison import CHANGES, marks, names
from settlements.rules.portfolio import Headline
from settlements.services import offers, portfolio, simulate
from tests.conftest import NOW, make_account
from tests.settlements.portfolios import AGENCY_BANDS, BAND, DRAFT_BANDS, PLAN, pay, populate


def rule_set(client=None, *, published=True, version=1, bands=(BAND | PLAN,), **values) -> RuleSet:
    """Write a rule set of the acting agency, in force since yesterday or a draft."""
    stamped = {"effective_at": NOW - dt.timedelta(days=1), "published_at": NOW - dt.timedelta(days=1)}
    status = RuleSet.Status.PUBLISHED if published else RuleSet.Status.DRAFT
    return RuleSet.objects.create(
        client=client, version=version, bands=list(bands), status=status, **(stamped if published else {}), **values
    )


def ran(draft: RuleSet, now=NOW) -> Simulation:
    simulation = simulate.start(rule_set=draft, by="staff:1", now=now)
    simulate.run(simulation.pk, clock=lambda: now)
    simulation.refresh_from_db()
    return simulation


def cell(simulation: Simulation, by: str = "all", key: str | None = None) -> dict:
    tallies = simulation.tallies[by]
    return tallies if key is None else tallies[key]


def lines(simulation: Simulation, part: str) -> list[dict]:
    return list(csv.DictReader(simulate.export(simulation, part=part)))


# What becomes of one account ------------------------------------------------------------------------------------------


def test_an_account_without_rules_gains_a_plan_and_a_cheaper_settlement(acting, account):
    simulation = ran(rule_set(published=False))
    assert (simulation.status, simulation.total, simulation.done) == ("done", 1, 1)
    assert cell(simulation) == {
        "accounts": 1,
        "changed": 1,
        "owed_cents": 1_000_00,
        "live_cents": 750_00,
        "draft_cents": 600_00,
        "settlement_changed": 1,
        "settlement_lower_amount": 1,
        "settlement_more_payments": 1,
        "settlement_longer": 1,
        "plan_gained": 1,
    }
    assert simulation.tallies["clients"] == {str(account.client_id): cell(simulation)}
    assert simulation.tallies["states"] == {"NY": cell(simulation)}
    assert simulation.tallies["bands"] == {"0-99999999": cell(simulation)}


def test_a_gap_of_the_draft_loses_everything_and_is_named(acting, account):
    rule_set()
    draft = rule_set(version=2, published=False, bands=[BAND | {"owing_to_cents": 999_99}])
    found = cell(ran(draft), "bands", "")
    assert (found["settlement_lost"], found["plan_lost"], found["draft_cents"]) == (1, 1, 0)


def test_a_draft_that_says_the_same_changes_nothing(acting, account):
    rule_set()
    found = cell(ran(rule_set(version=2, published=False)))
    assert (found["settlement_same"], found["plan_same"], found.get("changed", 0)) == (1, 1, 0)


def test_an_individual_offer_stands_above_the_draft(acting, account):
    IndividualOffer.objects.create(account=account, origin="host", amount_cents=500_00, made_at=NOW)
    found = cell(ran(rule_set(published=False)))
    assert (found["live_cents"], found["draft_cents"], found["settlement_same"]) == (500_00, 500_00, 1)
    assert found["plan_gained"] == 1


def test_what_was_paid_and_is_not_posted_yet_is_not_owed(acting, account):
    pay(account, 400_00)
    found = cell(ran(rule_set(published=False)))
    assert (found["owed_cents"], found["live_cents"], found["draft_cents"]) == (600_00, 450_00, 360_00)


def test_a_settlement_that_was_paid_leaves_nothing_to_offer(acting, account):
    pay(account, 400_00, purpose="settlement")
    found = cell(ran(rule_set(published=False)))
    assert (found["owed_cents"], found["settlement_none"], found["plan_none"]) == (0, 1, 1)


def test_a_banned_method_is_a_change(acting, account):
    rule_set()
    found = cell(ran(rule_set(version=2, published=False, bands=[BAND | PLAN | {"card_disabled": True}])))
    assert (found["changed"], found["methods_fewer"], found["settlement_same"]) == (1, 1, 1)


def test_closed_accounts_and_paid_ones_are_not_compared(acting, account, agency):
    make_account(agency, reference="2", consumer=account.consumer, status="recalled")
    make_account(agency, reference="3", consumer=account.consumer, balance_cents=0)
    assert ran(rule_set(published=False)).done == 1


def test_a_draft_of_one_client_reads_only_its_accounts(acting, account, agency):
    other = Client.objects.create(number="C2", name="Lake Dental")
    make_account(agency, reference="2", consumer=account.consumer, client=other)
    simulation = ran(rule_set(other, published=False))
    assert list(simulation.tallies["clients"]) == [str(other.pk)]


def test_a_client_that_replaces_everything_keeps_its_offers_under_a_draft_of_the_agency(acting, account):
    rule_set(account.client, replace_all=True)
    found = cell(ran(rule_set(published=False, bands=[BAND | {"minimum_settlement_bps": 30_00}])))
    assert (found["settlement_same"], found["plan_same"], found["draft_cents"]) == (1, 1, 600_00)


def test_the_other_agencys_accounts_are_not_read(acting, account, others_account):
    simulation = ran(rule_set(published=False))
    assert simulation.done == 1
    assert str(others_account.client_id) not in simulation.tallies["clients"]


def test_what_is_published_is_not_simulated(acting, account):
    with pytest.raises(simulate.NotADraft):
        simulate.start(rule_set=rule_set(), by="staff:1", now=NOW)
    assert Simulation.objects.count() == 0


def test_an_empty_portfolio_is_done_at_once(acting):
    simulation = ran(rule_set(published=False))
    assert (simulation.status, simulation.done, simulation.tallies["all"]) == ("done", 0, {})
    assert lines(simulation, "accounts") == []


# A second opinion -----------------------------------------------------------------------------------------------------


def as_consumers_see_it(now: dt.datetime) -> dict[str, tuple[int, Headline]]:
    """Ask what the consumers' pages would show, account by account: rows of the ORM, the whole engine."""
    joined = Account.objects.select_related("consumer", "client", "agency")
    standing = gate.standings(list(joined.filter(status="open", balance_cents__gt=0)), now=now)
    return {str(at.account.pk): (at.owed.cents, plainly(at.offered)) for at in standing}


def plainly(at) -> Headline:
    settlement, plan = at.settlement, at.plan
    parts = settlement.max_payments if settlement and "parts" in at.open else 1
    return Headline(
        settlement_cents=settlement.amount_cents if settlement else 0,
        settlement_payments=parts if settlement else 0,
        settlement_last_on=settlement.last_date if settlement else None,
        settlement_minimum_cents=settlement.minimum_for("monthly") if settlement else 0,
        plan_payments=plan.max_payments if plan else 0,
        plan_minimum_cents=plan.minimum_for("monthly") if plan else 0,
        plan_months=plan.max_months if plan else 0,
        methods=at.allowed.single_methods,
        level=settlement.level if settlement else "",
        reason="" if settlement else at.closed["settlement"][0].code,
    )


@pytest.mark.parametrize("whose", ["agency", "client", "agency off", "master off"])
def test_no_account_differs_from_what_its_consumer_sees_before_and_after_publishing(agency, other_agency, whose):
    with acting_for(other_agency):
        populate(other_agency, 100, seed=5)
    with acting_for(agency):
        populate(agency, 1_500, seed=len(whose))
        first, second, third, *_rest = Client.objects.order_by("number")
        rule_set(bands=AGENCY_BANDS, conversion="half_month")
        rule_set(first, bands=[BAND | {"minimum_settlement_bps": 80_00}], replace_all=True)
        rule_set(second, bands=[BAND | {"minimum_settlement_bps": 35_00, "max_days": 60}], promise_days=5)
        rule_set(third, bands=[], enabled=False)
        values = {"agency off": {"enabled": False}, "master off": {"enabled": False, "is_master": True}}.get(whose, {})
        draft = rule_set(second if whose == "client" else None, version=2, published=False, bands=DRAFT_BANDS, **values)
        simulation = ran(draft)
        whole = simulate.of(simulation)
        found = {line[0]: portfolio.Line(*line) for line in whole.lines(whole.page(None))}
        live = as_consumers_see_it(NOW)
        draft.status, draft.effective_at, draft.published_at = "published", NOW, NOW
        draft.save()
        after = as_consumers_see_it(NOW)
        mine = {str(pk) for pk in Account.objects.filter(client=second).values_list("pk", flat=True)}
    if whose == "client":
        live, after = ({key: said for key, said in seen.items() if key in mine} for seen in (live, after))
    assert len(found) > (100 if whose == "client" else 900)
    wrong = [
        (key, line)
        for key, line in found.items()
        if (line.owed_cents, line.live) != live[key] or (line.owed_cents, line.draft) != after[key]
    ]
    assert (wrong, found.keys()) == ([], live.keys())
    counted = Counter(name for key in live for name in names(marks(live[key][1], after[key][1])))
    assert {name: count for name, count in cell(simulation).items() if not name.endswith("cents")} == counted | {
        "accounts": len(live)
    }
    assert cell(simulation)["draft_cents"] == sum(offered.settlement_cents for _owed, offered in after.values())
    for by in simulate.DIMENSIONS:
        assert sum(each["accounts"] for each in simulation.tallies[by].values()) == len(live)


# Killed, stopped, changed in between ----------------------------------------------------------------------------------


class Killed(BaseException):
    """What a worker's death looks like from inside."""


def test_a_run_that_is_killed_between_pages_ends_with_the_same_numbers(acting, agency, monkeypatch):
    monkeypatch.setattr(portfolio, "PAGE", 50)
    populate(agency, 400, seed=7)
    rule_set(bands=AGENCY_BANDS)
    draft = rule_set(version=2, published=False, bands=DRAFT_BANDS)
    whole = ran(draft)
    killed = simulate.start(rule_set=draft, by="staff:1", now=NOW)
    pages, dies = portfolio.Portfolio.lines, iter([True, False] * 5)

    def dying(self, page):
        death = 20 if next(dies, False) else None
        for number, line in enumerate(pages(self, page)):
            if number == death:
                raise Killed
            yield line

    monkeypatch.setattr(portfolio.Portfolio, "lines", dying)
    for done in range(5):
        with pytest.raises(Killed):
            simulate.run(killed.pk, clock=lambda: NOW)
        killed.refresh_from_db()
        assert (killed.done > 0, killed.status) == (done > 0, "running" if done else "queued")
        assert simulate.run(killed.pk, clock=lambda: NOW, go_on=lambda: False) is False
    simulate.run(killed.pk, clock=lambda: NOW)
    killed.refresh_from_db()
    assert (killed.status, killed.done, killed.tallies) == ("done", whole.done, whole.tallies)
    assert killed.samples == whole.samples


def test_what_changes_during_a_run_changes_nothing_in_it(acting, agency, monkeypatch):
    monkeypatch.setattr(portfolio, "PAGE", 50)
    populate(agency, 300, seed=8)
    rule_set(bands=AGENCY_BANDS)
    draft = rule_set(version=2, published=False, bands=DRAFT_BANDS)
    whole = ran(draft)
    before = lines(whole, "accounts")
    cut = simulate.start(rule_set=draft, by="staff:1", now=NOW)
    simulate.run(cut.pk, clock=lambda: NOW, go_on=lambda: False)
    # The rows are read as they stood by the clock that stamps them, the machine's.
    later = max(NOW, timezone.now()) + dt.timedelta(hours=1)
    client = Client.objects.first()
    draft.bands = []
    draft.save()
    rule_set(client, bands=[]).save()
    offers.set_default(values={"percent_bps": 10_00}, by="test", now=later)
    for account in Account.objects.order_by("pk")[::3]:
        status = "closed" if account.pk.int % 2 else "open"
        values = {"balance_cents": 7_00, "payment_options": {"can_pay": False}, "status": status}
        Account.objects.filter(pk=account.pk).update(updated_at=later, **values)
    for account in Account.objects.filter(status="open").order_by("pk")[::5]:
        pay(account, 1_00, intended_at=later, decided_at=later)
    IndividualOffer.objects.filter(status="made").update(status="withdrawn", decided_at=later)
    make_account(agency, reference="new")
    simulate.run(cut.pk, clock=lambda: later)
    cut.refresh_from_db()
    assert (cut.done, cut.tallies, cut.samples) == (whole.done, whole.tallies, whole.samples)
    assert lines(cut, "accounts") == before


def test_a_payment_that_was_decided_since_stands_as_it_was(acting, account, agency):
    more = [make_account(agency, reference=str(n), consumer=account.consumer) for n in range(2)]
    taken = pay(account, 100_00, status="pending", purpose="settlement")
    tried = pay(more[0], 100_00, status="intended", purpose="settlement")
    shown = pay(more[1], 100_00)
    from django.db import transaction

    from accounts import events

    with transaction.atomic():
        events.record("payment.pending", account=account, now=NOW, data={"payment": str(taken.pk)})
    simulation = ran(rule_set(published=False))
    later = NOW + dt.timedelta(days=2)
    Payment.objects.filter(pk=taken.pk).update(status="returned", decided_at=later)
    Payment.objects.filter(pk=tried.pk).update(status="succeeded", decided_at=later)
    Payment.objects.filter(pk=shown.pk).update(acknowledged_at=later)
    whole = simulate.of(simulation)
    assert [portfolio.Line(*line).owed_cents for line in whole.lines(whole.page(None))] == [0, 900_00, 900_00]
    assert cell(simulation)["owed_cents"] == 1_800_00


def test_a_stopped_run_keeps_what_it_has_and_goes_on_when_asked(acting, agency, monkeypatch):
    monkeypatch.setattr(portfolio, "PAGE", 10)
    populate(agency, 40, seed=9)
    draft = rule_set(published=False)
    whole = ran(draft)
    simulation = simulate.start(rule_set=draft, by="staff:1", now=NOW)
    simulate.run(simulation.pk, clock=lambda: NOW, go_on=lambda: False)
    simulate.stop(simulation=simulation, now=NOW)
    assert simulate.run(simulation.pk, clock=lambda: NOW) is True
    simulation.refresh_from_db()
    assert simulation.status == "stopped"
    assert 0 < simulation.done < whole.done
    assert simulation.total == whole.total
    assert len(lines(simulation, "accounts")) == cell(simulation)["changed"]
    simulate.resume(simulation=simulation, now=NOW)
    simulate.run(simulation.pk, clock=lambda: NOW)
    simulation.refresh_from_db()
    assert (simulation.status, simulation.tallies) == ("done", whole.tallies)


def test_an_error_ends_the_run_with_its_name(acting, account, monkeypatch):
    simulation = simulate.start(rule_set=rule_set(published=False), by="staff:1", now=NOW)
    monkeypatch.setattr(portfolio, "headline", lambda *_given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        simulate.run(simulation.pk, clock=lambda: NOW)
    simulation.refresh_from_db()
    assert (simulation.status, simulation.done, simulation.tallies) == ("failed", 0, {})
    assert simulation.error == "ZeroDivisionError: division by zero"


def test_the_worker_finds_what_waits_in_every_agency(agency, other_agency, account, others_account):
    made = []
    for one in (agency, other_agency):
        with acting_for(one):
            made.append(simulate.start(rule_set=rule_set(published=False), by="staff:1", now=NOW))
    tasks.simulate()
    for one, simulation in zip((agency, other_agency), made, strict=True):
        with acting_for(one):
            simulation.refresh_from_db()
            assert (simulation.status, simulation.done) == ("done", 1)


def test_the_worker_is_woken_after_the_commit(acting, account, monkeypatch, django_capture_on_commit_callbacks):
    woken = []
    monkeypatch.setattr(simulate, "wake", [lambda: woken.append(Simulation.objects.count())])
    with django_capture_on_commit_callbacks(execute=True):
        simulate.start(rule_set=rule_set(published=False), by="staff:1", now=NOW)
        assert woken == []
    assert woken == [1]


# What staff take with them --------------------------------------------------------------------------------------------


def test_every_changed_account_is_exported_and_every_kind_has_at_most_twenty_samples(acting, agency, monkeypatch):
    monkeypatch.setattr(portfolio, "PAGE", 70)
    populate(agency, 500, seed=10)
    rule_set(bands=AGENCY_BANDS)
    simulation = ran(rule_set(version=2, published=False, bands=DRAFT_BANDS))
    exported = lines(simulation, "accounts")
    assert len(exported) == cell(simulation)["changed"] > 200
    kinds = Counter(name for row in exported for name in row["change"].split() if name in CHANGES)
    assert kinds == {name: cell(simulation)[name] for name in CHANGES if name in cell(simulation)}
    sampled = Counter(sample["change"] for sample in simulation.samples)
    assert sampled == {name: min(count, 20) for name, count in kinds.items()}
    assert len(lines(simulation, "samples")) == len(simulation.samples)


def test_money_is_exact_and_a_formula_is_text(acting, account):
    Client.objects.filter(pk=account.client_id).update(name="=cmd|' /C calc'!A0")
    Account.objects.filter(pk=account.pk).update(reference="-1+1", balance_cents=1_000_01)
    simulation = ran(rule_set(published=False))
    (row,) = lines(simulation, "accounts")
    assert (row["reference"], row["client"]) == ("'-1+1", "'=cmd|' /C calc'!A0")
    assert (row["owed"], row["live_settlement_cents"], row["draft_settlement_cents"]) == ("1000.01", "750.01", "600.01")
    assert row["draft_settlement_last_on"] == "2027-06-01"
    (whole, client, *_rest) = lines(simulation, "tallies")
    assert (whole["by"], whole["accounts"], whole["live"]) == ("all", "1", "750.01")
    assert client["of"] == "C1 =cmd|' /C calc'!A0"


def test_the_rows_of_a_page_have_every_count(acting, account):
    simulation = ran(rule_set(published=False, bands=[BAND | {"owing_to_cents": 5_00}]))
    ((label, found),) = simulate.rows(simulation=simulation, by="bands")
    assert (label, found["settlement_lost"], found["plan_lost"]) == ("no band", 1, 0)
    assert [label for label, _cell in simulate.rows(simulation=simulation, by="clients")] == ["C1 Harbor Medical"]
    assert simulate.rows(simulation=simulation, by="all")[0][1]["accounts"] == 1


def test_the_day_is_the_consumers_own(acting, account):
    assert local_date(NOW, "Asia/Tokyo") == dt.date(2026, 12, 2)
    Consumer.objects.update(time_zone="Asia/Tokyo")
    simulation = ran(rule_set(published=False))
    assert {sample["live"]["settlement_last_on"] for sample in simulation.samples} == {"2027-05-31"}
