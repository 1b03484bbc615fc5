"""A rule set's life: drafted, checked, published, withdrawn, rolled back; what was in force can be told years later."""

import datetime as dt
import json

import pytest
from django.db import InternalError, transaction

from accounts.models import Agency, Client, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.services import fulfil
from integrations.models import Delivery, HostConnection
from integrations.services import parcels
from integrations.services.receive import adapter_for
from integrations.services.route import LANES, route
from settlements.models import RuleSet
from settlements.services import rulesets
from tests.accounts.test_events import at_once
from tests.conftest import NOW, make_account, make_agency

pytestmark = pytest.mark.usefixtures("acting")
DAY = dt.timedelta(days=1)
EVERYTHING = {"owing_from_cents": 0, "owing_to_cents": 999_999_999_00}


def band(minimum_bps=80_00, **values):
    return EVERYTHING | {"minimum_settlement_bps": minimum_bps} | values


def drafted(client=None, bands=None, by="staff:1", now=NOW, **values):
    draft = rulesets.draft(client=client, by=by, now=now)
    assert rulesets.save_draft(rule_set=draft, values=values, bands=bands or [band()], by=by, now=now) == []
    return draft


def published(client=None, bands=None, by="staff:1", now=NOW, effective_at=None, **values):
    draft = drafted(client, bands, by, now, **values)
    return rulesets.publish(rule_set=draft, by=by, now=now, effective_at=effective_at)


def minimum(account, now, balance_cents=1_000_00):
    found = rulesets.in_force(clients=[account.client_id], now=now)[account.client_id]
    return found.at(balance_cents)["minimum_settlement_bps"] if found else None


def codes(raised):
    return [one.code for one in raised.value.refusals]


def test_a_draft_changes_nothing_until_it_is_published(account):
    draft = drafted()
    assert (draft.version, draft.status, minimum(account, NOW)) == (1, "draft", None)
    rulesets.publish(rule_set=draft, by="staff:1", now=NOW)
    assert minimum(account, NOW) == 80_00
    assert minimum(account, NOW - dt.timedelta(microseconds=1)) is None


def test_the_next_draft_begins_as_the_version_before(account):
    published(bands=[band(70_00)], conversion="half_month", sif_plan_final="SIF2")
    draft = rulesets.draft(client=None, by="staff:2", now=NOW)
    assert (draft.version, draft.copied_from, draft.made_by) == (2, 1, "staff:2")
    assert (draft.bands, draft.conversion, draft.sif_plan_final) == ([band(70_00)], "half_month", "SIF2")
    assert rulesets.draft(client=None, by="staff:3", now=NOW).pk == draft.pk, "one draft per level"


def test_a_draft_begins_as_what_is_in_force_and_not_as_what_is_only_scheduled(account, others_account):
    for percent in (60_00, 65_00, 70_00, 75_00):
        published(bands=[band(percent)])
        published(account.client, bands=[band(percent + 1)])
    published(bands=[band(90_00)], effective_at=NOW + DAY)
    published(account.client, bands=[band(90_01)], effective_at=NOW + DAY)
    with acting_for(others_account.agency):
        published(bands=[band(50_00)], effective_at=NOW + DAY)
        alone = rulesets.draft(client=None, by="staff:2", now=NOW)
    for client, percent in ((None, 75_00), (account.client, 75_01)):
        draft = rulesets.draft(client=client, by="staff:2", now=NOW)
        assert (draft.version, draft.copied_from, draft.bands) == (6, 4, [band(percent)])
    assert (alone.copied_from, alone.bands) == (1, [band(50_00)]), "nothing is in force there yet"


def test_a_copy_beside_an_open_draft_is_refused(account):
    first = published()
    drafted()
    with pytest.raises(rulesets.Refused) as refused:
        rulesets.draft(client=None, by="staff:1", now=NOW, copy_of=first)
    assert codes(refused) == ["draft_open"]


def test_an_agencys_rules_copied_to_a_client_leave_the_master_switch_behind(account):
    first = published(is_master=True)
    copy = rulesets.draft(client=account.client, by="staff:1", now=NOW, copy_of=first)
    assert (copy.bands, copy.is_master, copy.copied_from, copy.version) == ([band()], False, None, 1)


def test_the_database_lets_no_published_version_change(account):
    version = published()
    for change in ({"bands": []}, {"enabled": False}, {"published_at": NOW - DAY}, {"status": "draft"}):
        with pytest.raises(InternalError, match="never changes"), transaction.atomic():
            RuleSet.objects.filter(pk=version.pk).update(**change)
    with pytest.raises(InternalError), transaction.atomic():
        RuleSet.objects.filter(pk=version.pk).delete()
    rulesets.withdraw(rule_set=version, by="staff:1", now=NOW)
    with pytest.raises(InternalError, match="never changes"), transaction.atomic():
        RuleSet.objects.filter(pk=version.pk).update(withdrawn_at=None)


def test_a_later_moment_of_effect_waits_for_it_and_an_earlier_one_is_refused(account):
    published(bands=[band(70_00)])
    published(bands=[band(60_00)], effective_at=NOW + DAY)
    assert [minimum(account, NOW + part * DAY) for part in (0, 0.9, 1, 400)] == [70_00, 70_00, 60_00, 60_00]
    draft = drafted(bands=[band(50_00)])
    for effective_at, code in ((NOW - DAY, "effective_in_past"), (NOW + 2000 * DAY, "effective_too_late")):
        with pytest.raises(rulesets.Refused) as refused:
            rulesets.publish(rule_set=draft, by="staff:1", now=NOW, effective_at=effective_at)
        assert codes(refused) == [code]
    assert RuleSet.objects.get(version=3).status == "draft"


def test_what_was_in_force_can_be_told_years_later(account):
    at = [NOW + days * DAY for days in (0, 10, 20, 30, 40, 50)]
    published(bands=[band(90_00)], now=at[0])
    second = published(bands=[band(80_00)], now=at[1])
    published(bands=[band(70_00)], now=at[2], effective_at=at[3])
    rulesets.withdraw(rule_set=RuleSet.objects.get(version=3), by="staff:1", now=at[4])
    rulesets.withdraw(rule_set=second, by="staff:1", now=at[5])
    asked = [NOW + days * DAY for days in (-1, 0, 9, 10, 20, 29, 30, 39, 40, 49, 50, 3650)]
    said = [None, 90_00, 90_00, 80_00, 80_00, 80_00, 70_00, 70_00, 80_00, 80_00, 90_00, 90_00]
    assert [minimum(account, moment) for moment in asked] == said
    chapters = rulesets.history(client=None, now=at[5])
    assert [(one.rule_set.version, one.state) for one in chapters] == [
        (3, "withdrawn"),
        (2, "withdrawn"),
        (1, "in_force"),
    ]
    assert [one.state for one in rulesets.history(client=None, now=at[2])] == ["scheduled", "in_force", "superseded"]


def test_it_is_one_query_however_many_clients_and_versions(account, django_assert_num_queries):
    for each in range(5):
        published(bands=[band(50_00 + each)])
        published(account.client, bands=[band(60_00 + each)])
    with django_assert_num_queries(1):
        found = rulesets.in_force(clients=[account.client_id, account.pk], now=NOW)
    assert found[account.client_id].at(1_00)["minimum_settlement_bps"] == 60_04
    assert found[account.pk].at(1_00)["minimum_settlement_bps"] == 50_04, "a client without rules has the agency's"


def test_rolling_back_publishes_a_copy_as_a_new_version(account):
    first = published(bands=[band(90_00)])
    published(bands=[band(50_00)], now=NOW + DAY)
    third = rulesets.roll_back(to=first, by="staff:9", now=NOW + 2 * DAY)
    assert (third.version, third.copied_from, third.published_by, third.status) == (3, 1, "staff:9", "published")
    assert [minimum(account, NOW + part * DAY) for part in (0, 1, 2)] == [90_00, 50_00, 90_00]


def test_only_what_was_published_can_be_rolled_back_to_or_withdrawn(account):
    draft = drafted()
    for refusing in (
        lambda: rulesets.roll_back(to=draft, by="staff:1", now=NOW),
        lambda: rulesets.withdraw(rule_set=draft, by="staff:1", now=NOW),
    ):
        with pytest.raises(rulesets.Refused) as refused:
            refusing()
        assert codes(refused) == ["rule_set_not_published"]
    rulesets.publish(rule_set=draft, by="staff:1", now=NOW)
    rulesets.withdraw(rule_set=draft, by="staff:1", now=NOW)
    with pytest.raises(rulesets.Refused) as refused:
        rulesets.withdraw(rule_set=draft, by="staff:1", now=NOW)
    assert codes(refused) == ["rule_set_withdrawn"]
    assert Event.objects.filter(kind="rule_set.withdrawn").count() == 1


def test_a_discarded_draft_is_kept_and_makes_room(account):
    draft = drafted()
    rulesets.discard(rule_set=draft, by="staff:2", now=NOW)
    for verb in (rulesets.publish, rulesets.submit, rulesets.discard):
        with pytest.raises(rulesets.Refused) as refused:
            verb(rule_set=draft, by="staff:1", now=NOW)
        assert codes(refused) == ["rule_set_not_open"]
    found = rulesets.save_draft(rule_set=draft, values={}, bands=[], by="staff:1", now=NOW)
    assert [one.code for one in found] == ["rule_set_not_open"]
    assert drafted().version == 2
    (_second, first) = rulesets.history(client=None, now=NOW)
    assert (first.state, first.rule_set.withdrawn_by, first.ended_at) == ("discarded", "staff:2", NOW)


class TestTwoPeople:
    """Where the agency wants a second person, nobody publishes what they wrote or submitted."""

    @pytest.fixture(autouse=True)
    def _two_people(self, acting):
        Agency.objects.filter(pk=acting.pk).update(rules_need_two_people=True)

    def refused(self, draft, by):
        with pytest.raises(rulesets.Refused) as refused:
            rulesets.publish(rule_set=draft, by=by, now=NOW)
        assert not RuleSet.objects.filter(status="published").exists()
        return codes(refused)

    def test_neither_the_writer_nor_who_submits_publishes(self):
        draft = drafted(by="staff:1")
        rulesets.submit(rule_set=draft, by="staff:2", now=NOW)
        assert self.refused(draft, "staff:1") == ["needs_second_person"]
        assert self.refused(draft, "staff:2") == ["needs_second_person"]
        assert rulesets.publish(rule_set=draft, by="staff:3", now=NOW).published_by == "staff:3"

    def test_what_was_changed_after_it_was_submitted_is_submitted_again(self):
        draft = drafted(by="staff:1")
        rulesets.submit(rule_set=draft, by="staff:1", now=NOW)
        assert rulesets.save_draft(rule_set=draft, values={}, bands=[band(1_00)], by="staff:1", now=NOW) == []
        assert (draft.status, draft.submitted_by) == ("draft", "")
        assert self.refused(draft, "staff:2") == ["rule_set_not_submitted"]

    def test_who_changed_it_last_counts_as_who_wrote_it(self):
        draft = drafted(by="staff:1")
        rulesets.save_draft(rule_set=draft, values={}, bands=[band(1_00)], by="staff:3", now=NOW)
        rulesets.submit(rule_set=draft, by="staff:1", now=NOW)
        assert self.refused(draft, "staff:3") == ["needs_second_person"]

    def test_rolling_back_waits_for_the_second_person_and_withdrawing_does_not(self, account):
        for bands in ([band(90_00)], [band(10_00)]):
            draft = drafted(bands=bands, by="staff:1")
            rulesets.submit(rule_set=draft, by="staff:1", now=NOW)
            last = rulesets.publish(rule_set=draft, by="staff:2", now=NOW)
        copy = rulesets.roll_back(to=RuleSet.objects.get(version=1), by="staff:1", now=NOW)
        assert (copy.status, minimum(account, NOW)) == ("waiting", 10_00)
        with pytest.raises(rulesets.NeedsSecondPerson):
            rulesets.publish(rule_set=copy, by="staff:1", now=NOW)
        rulesets.withdraw(rule_set=last, by="staff:1", now=NOW)
        assert minimum(account, NOW) == 90_00


def test_history_says_who_when_and_why(account):
    published(by="staff:1", note="Holiday offer")
    draft = drafted(by="staff:2")
    rulesets.submit(rule_set=draft, by="staff:3", now=NOW)
    waiting, first = rulesets.history(client=None, now=NOW)
    assert (waiting.state, waiting.rule_set.made_by, waiting.rule_set.submitted_by) == ("waiting", "staff:2", "staff:3")
    assert (first.state, first.rule_set.published_by, first.rule_set.published_at) == ("in_force", "staff:1", NOW)
    assert (first.rule_set.note, first.ended_at) == ("Holiday offer", None)
    assert rulesets.history(client=account.client, now=NOW) == []


def test_two_versions_are_compared_field_by_field():
    low = {"owing_from_cents": 0, "owing_to_cents": 999_99}
    high = {"owing_from_cents": 1_000_00, "owing_to_cents": 5_000_00}
    first = published(bands=[low | {"minimum_cents": 25_00, "card_disabled": False}], promise_days=10)
    second = published(bands=[low | {"minimum_cents": 30_00, "card_disabled": False}, high], promise_days=0)
    assert [tuple(change) for change in rulesets.diff(first, second)] == [
        ("promise_days", None, 10, 0),
        ("minimum_cents", (0, 999_99), 25_00, 30_00),
        ("band", (1_000_00, 5_000_00), None, high),
    ]
    assert rulesets.diff(second, second) == []


def test_publishing_and_withdrawing_are_told_to_each_connection_once(account):
    make_account(account.agency, reference="100235", consumer=account.consumer)
    version = published(account.client)
    rulesets.withdraw(rule_set=version, by="staff:1", now=NOW + DAY, reason="wrong month")
    told = list(Event.objects.filter(kind__startswith="rule_set.").order_by("id"))
    assert [(one.kind, one.account_id, one.consumer_id, one.agency_id) for one in told] == [
        ("rule_set.published", None, None, account.agency_id),
        ("rule_set.withdrawn", None, None, account.agency_id),
    ]
    assert told[0].data | {"rule_set": "", "effective_at": ""} == {
        "v": 1, "rule_set": "", "level": "client", "client": "C1", "version": 1, "enabled": True, "effective_at": "",
        "by": "staff:1", "copied_from": None,
    }  # fmt: skip
    assert told[1].data["reason"] == "wrong month"
    with acting_for(ALL_AGENCIES):
        route(now=NOW)
        deliveries = list(Delivery.objects.order_by("sequence").values_list("event__kind", "account_id"))
        found = parcels.claim(range(LANES), known=[], blocked=[], now=NOW, limit=10)
        messages = [json.loads(one) for one in parcels.write(found, adapter_for(HostConnection.objects.get()))]
        assert fulfil.read(now=NOW) == 0, "no message is owed to anybody"
    assert deliveries == [("rule_set.published", None), ("rule_set.withdrawn", None)]
    assert sorted((one["Event"], one["FileNumber"], one["AccountSequence"]) for one in messages) == [
        ("rule_set.published", None, None),
        ("rule_set.withdrawn", None, None),
    ]
    assert Event.objects.count() == 2


class TestTheOtherAgency:
    """Its rule sets never matter here, and its ids are unknown here."""

    def test_its_rules_do_not_reach_our_accounts_nor_ours_theirs(self, account, others_account, other_agency):
        with acting_for(other_agency):
            published(bands=[band(10_00)])
            published(others_account.client, bands=[band(11_00)])
        assert minimum(account, NOW) is None
        assert rulesets.in_force(clients=[others_account.client_id], now=NOW) == {others_account.client_id: None}
        published(bands=[band(90_00)])
        with acting_for(other_agency):
            assert minimum(others_account, NOW) == 11_00

    def test_its_client_and_its_versions_are_refused(self, account, others_account, other_agency):
        with acting_for(other_agency):
            theirs = drafted(others_account.client)
            before = list(RuleSet.objects.values())
        for refusing, code in (
            (lambda: rulesets.draft(client=others_account.client, by="staff:1", now=NOW), "client_unknown"),
            (lambda: rulesets.draft(client=None, by="staff:1", now=NOW, copy_of=theirs), "rule_set_unknown"),
            (lambda: rulesets.submit(rule_set=theirs, by="staff:1", now=NOW), "rule_set_unknown"),
            (lambda: rulesets.publish(rule_set=theirs, by="staff:1", now=NOW), "rule_set_unknown"),
            (lambda: rulesets.discard(rule_set=theirs, by="staff:1", now=NOW), "rule_set_unknown"),
            (lambda: rulesets.withdraw(rule_set=theirs, by="staff:1", now=NOW), "rule_set_unknown"),
            (lambda: rulesets.roll_back(to=theirs, by="staff:1", now=NOW), "rule_set_unknown"),
        ):
            with pytest.raises(rulesets.Refused) as refused:
                refusing()
            assert codes(refused) == [code]
        found = rulesets.save_draft(rule_set=theirs, values={}, bands=[], by="staff:1", now=NOW)
        assert [one.code for one in found] == ["rule_set_unknown"]
        assert RuleSet.objects.count() == 0
        with acting_for(other_agency):
            assert list(RuleSet.objects.values()) == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of_client", [False, True])
def test_two_people_at_once_get_two_numbers_or_a_clear_refusal(acting, of_client):
    client = make_account(acting).client if of_client else None
    for each in range(4):
        published(client, bands=[band(50_00 + each)])
    draft = drafted(client, bands=[band(60_00)])
    first = RuleSet.objects.get(version=1)
    published_as, refusals = [], []

    def act(verb, now):
        def run():
            with acting_for(acting):
                try:
                    published_as.append(verb(now).version)
                except rulesets.Refused as refused:
                    refusals.extend(one.code for one in refused.refusals)

        return run

    at_once(
        act(lambda now: rulesets.publish(rule_set=draft, by="staff:1", now=now), NOW + DAY),
        act(lambda now: rulesets.publish(rule_set=draft, by="staff:2", now=now), NOW + DAY),
        act(lambda now: rulesets.roll_back(to=first, by="staff:3", now=now), NOW),
    )
    assert len(published_as) == 2
    assert refusals == ["rule_set_not_open"]
    # 5 and 6 where the draft came first; the draft is overtaken, and takes the next number, where it came second.
    assert sorted(published_as) in ([5, 6], [6, 7])
    last = RuleSet.objects.order_by("version").last()
    assert rulesets.history(client=client, now=NOW + 2 * DAY)[0] == (last, "in_force", None), "published last counts"
    assert Client.objects.count() == int(of_client)


@pytest.mark.django_db(transaction=True)
def test_two_drafts_at_once_are_one(acting):
    found = []

    def run():
        with acting_for(acting):
            found.append(rulesets.draft(client=None, by="staff:1", now=NOW).pk)

    at_once(run, run, run)
    assert len(set(found)) == RuleSet.objects.count() == 1


def test_all_agencies_have_no_rules_of_their_own():
    make_agency("cedar")
    with acting_for(ALL_AGENCIES), pytest.raises(AssertionError, match="one agency"):
        rulesets.in_force(clients=[], now=NOW)


def test_what_was_planned_earlier_takes_over_on_its_day(account):
    published(bands=[band(70_00)], effective_at=NOW + 10 * DAY)
    published(bands=[band(60_00)], now=NOW + DAY)
    assert [minimum(account, NOW + days * DAY) for days in (0, 1, 9, 10, 99)] == [None, 60_00, 60_00, 70_00, 70_00]


def test_a_version_counts_from_its_publication_even_if_its_row_says_earlier(account):
    values = {"version": 1, "status": "published", "bands": [band(70_00)]}
    RuleSet.objects.create(**values, effective_at=NOW - 9 * DAY, published_at=NOW, published_by="by hand")
    assert (minimum(account, NOW - DAY), minimum(account, NOW)) == (None, 70_00)


def test_a_draft_that_was_overtaken_takes_the_next_number(account):
    first = published(bands=[band(70_00)])
    draft = drafted(bands=[band(60_00)])
    assert rulesets.roll_back(to=first, by="staff:2", now=NOW).version == 3
    assert rulesets.publish(rule_set=draft, by="staff:1", now=NOW).version == 4
    assert minimum(account, NOW) == 60_00
