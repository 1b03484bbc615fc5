"""Rule sets on staff pages: drafted, seen, submitted, published, compared and rolled back, by the agency itself."""

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Agency, Client, User
from accounts.tenancy import acting_for
from integrations.models import HostConnection
from settlements.models import RuleSet
from settlements.services import rulesets
from tests.staff import PASSWORD, member, signed_in

BAND = {"owing_from_cents": 0, "owing_to_cents": 500_00, "minimum_cents": 25_00, "minimum_settlement_bps": 80_00}


@pytest.fixture
def now():
    """Yesterday: pages read the clock themselves, and what was published then is in force."""
    return timezone.now() - dt.timedelta(days=1)


@pytest.fixture
def desk(agency):
    return signed_in(member(agency))


def at(name: str, *args) -> str:
    return reverse(f"admin:settlements_ruleset_{name}", args=args)


def drafted(agency, now, client=None, bands=(BAND,), **values) -> RuleSet:
    with acting_for(agency):
        made = rulesets.draft(client=client, by="staff:0", now=now)
        assert rulesets.save_draft(rule_set=made, values=values, bands=list(bands), by="staff:0", now=now) == []
        return made


def published(agency, now, **values) -> RuleSet:
    made = drafted(agency, now, **values)
    with acting_for(agency):
        return rulesets.publish(rule_set=made, by="staff:0", now=now)


def sent(*bands: dict, **values) -> dict:
    """Fill in the form as a person would: dollars, percent and months."""
    form = {"bands-TOTAL_FORMS": len(bands), "bands-INITIAL_FORMS": 0, "enabled": "on", "save": ""}
    for index, band in enumerate(bands):
        form |= {f"bands-{index}-{name}": value for name, value in band.items()}
    return form | values


def read(agency, pk) -> RuleSet:
    with acting_for(agency):
        return RuleSet.objects.get(pk=pk)


# Drafts -----------------------------------------------------------------------------------------------------------


def test_a_draft_is_started_for_the_agency_and_is_written_in_dollars_percent_and_months(agency, desk):
    answer = desk.post(at("start"), {"client": ""})
    with acting_for(agency):
        draft = RuleSet.objects.get()
    assert answer["Location"] == at("change", draft.pk)
    band = {"owing_from_cents": "0", "owing_to_cents": "$1,000.50", "minimum_cents": "25", "minimum_bps": "2.5 %"}
    band |= {"max_months_unsettled": "12", "card_disabled": "no", "ach_disabled": "yes"}
    form = sent(band, promise_days="14", conversion="half_month", note="Small balances first")
    assert desk.post(at("change", draft.pk), form)["Location"] == at("change", draft.pk)
    draft = read(agency, draft.pk)
    assert draft.bands == [
        {
            "owing_from_cents": 0,
            "owing_to_cents": 1_000_50,
            "minimum_cents": 25_00,
            "minimum_bps": 2_50,
            "max_months_unsettled": 12,
            "card_disabled": True,
            "ach_disabled": False,
        }
    ]
    assert (draft.promise_days, draft.conversion, draft.enabled) == (14, "half_month", True)
    assert (draft.note, draft.max_changes, draft.status) == ("Small balances first", None, "draft")


def test_a_saved_draft_comes_back_as_it_was_written(agency, desk, now):
    draft = drafted(agency, now, bands=[BAND | {"card_disabled": True}], promise_days=0)
    editor = desk.get(at("change", draft.pk)).context["editor"]
    row = editor.bands.forms[0]
    names = ("owing_from_cents", "owing_to_cents", "minimum_cents", "minimum_settlement_bps", "card_disabled")
    assert [row[name].value() for name in names] == ["0", "500", "25", "80", "no"]
    assert row["minimum_bps"].value() is None
    assert editor.form["promise_days"].value() == 0


def test_every_refusal_comes_at_once_beside_its_field_and_nothing_is_written(agency, desk, now):
    draft = drafted(agency, now)
    bad = {"owing_from_cents": "100", "owing_to_cents": "50", "minimum_cents": "a lot", "minimum_settlement_bps": "101"}
    answer = desk.post(at("change", draft.pk), sent(bad, {"owing_to_cents": "9"}, promise_days="1.5"))
    assert answer.status_code == 200
    first, second = answer.context["editor"].bands.forms
    assert first.errors.as_data()["owing_to_cents"][0].code == "band_reversed"
    assert first.errors.as_data()["minimum_cents"][0].code == "not_a_number"
    assert first.errors.as_data()["minimum_settlement_bps"][0].code == "percent_out_of_range"
    assert second.errors.as_data()["owing_from_cents"][0].code == "field_missing"
    assert answer.context["editor"].form.errors.as_data()["promise_days"][0].code == "not_a_number"
    assert len(answer.context["editor"].refusals) == 5
    text = answer.content.decode()
    assert 'href="#id_bands-0-minimum_cents"' in text
    assert 'value="a lot"' in text
    assert read(agency, draft.pk).bands == [BAND]


def test_rows_are_added_and_removed_without_a_script_and_without_saving(agency, desk, now):
    draft = drafted(agency, now)
    two = sent({"owing_from_cents": "0", "owing_to_cents": "500"}, {"owing_from_cents": "7", "owing_to_cents": "8"})
    del two["save"]
    answer = desk.post(at("change", draft.pk), two | {"add_band": ""})
    rows = answer.context["editor"].bands.forms
    assert [row["owing_from_cents"].value() for row in rows] == ["0", "7", "500.01"]
    assert "rules-error" not in answer.content.decode()
    answer = desk.post(at("change", draft.pk), two | {"remove_band": "0"})
    assert [row["owing_from_cents"].value() for row in answer.context["editor"].bands.forms] == ["7"]
    assert read(agency, draft.pk).bands == [BAND]


def test_a_row_that_was_not_changed_is_kept_beside_a_new_one(agency, desk, now):
    draft = drafted(agency, now)
    same = {"owing_from_cents": "0", "owing_to_cents": "500", "minimum_cents": "25", "minimum_settlement_bps": "80"}
    new = {"owing_from_cents": "500.01", "owing_to_cents": "900"}
    assert desk.post(at("change", draft.pk), sent(same, new)).status_code == 302
    assert read(agency, draft.pk).bands == [BAND, {"owing_from_cents": 500_01, "owing_to_cents": 900_00}]


def test_an_empty_field_shows_what_it_inherits_and_from_where(agency, account, desk, now):
    published(agency, now)
    draft = drafted(agency, now, client=account.client, bands=[{"owing_from_cents": 0, "owing_to_cents": 900_00}])
    text = desk.get(at("change", draft.pk)).content.decode()
    assert 'placeholder="differs"' in text  # the agency's band ends at $500.00
    low = drafted(agency, now, client=account.client, bands=[{"owing_from_cents": 0, "owing_to_cents": 400_00}])
    text = desk.get(at("change", low.pk)).content.decode()
    assert 'placeholder="$25.00"' in text
    assert "Empty: $25.00 (the agency, version 1)" in text
    assert "Empty: no limit (standard)" in text


def test_a_client_that_replaces_everything_inherits_nothing(agency, account, desk, now):
    published(agency, now)
    alone = {"owing_from_cents": 0, "owing_to_cents": 400_00}
    draft = drafted(agency, now, client=account.client, bands=[alone], replace_all=True)
    text = desk.get(at("change", draft.pk)).content.decode()
    assert "the agency, version 1" not in text
    assert "Empty: no minimum (standard)" in text


@pytest.mark.parametrize("enabled", [True, False])
def test_what_is_not_enabled_is_not_shown_as_inherited(agency, account, desk, now, enabled):
    published(agency, now, enabled=enabled)
    draft = drafted(agency, now, client=account.client, bands=[{"owing_from_cents": 0, "owing_to_cents": 400_00}])
    shown = desk.get(at("change", draft.pk)).context
    cells = {row["label"]: row["cells"][0] for group in shown["table"]["groups"] for row in group["rows"]}
    minimum = cells["Smallest payment a month"]
    said = ("$25.00", "the agency, version 1") if enabled else ("no minimum", "standard")
    assert (minimum["value"], minimum["source"], minimum["own"]) == (*said, False)
    warned = " ".join(shown["warnings"])
    assert ("The rules of the agency count there." in warned) == enabled
    assert ("$400.01 to $999,999,999.00. Consumers there can arrange neither" in warned) != enabled


# The picture ------------------------------------------------------------------------------------------------------


def test_the_picture_names_gaps_and_overlaps_and_what_they_mean(agency, desk, now):
    overlapping = {"owing_from_cents": 400_00, "owing_to_cents": 2_000_00}
    draft = drafted(agency, now, bands=[BAND, overlapping])
    answer = desk.get(at("change", draft.pk))
    text = " ".join(answer.context["warnings"])
    assert "No band covers $2,000.01 to $999,999,999.00" in text
    assert "$400.00 to $500.00" in text
    assert "lower" in text
    svg = answer.content.decode().partition('<svg class="rules-picture"')[2].partition("</svg>")[0]
    assert svg.count('class="overlap"') == 1
    assert svg.count('class="gap"') == 1
    assert "style=" not in svg
    assert "script" not in svg


def test_full_coverage_is_said_to_be_full(agency, desk, now):
    draft = drafted(agency, now, bands=[{"owing_from_cents": 0, "owing_to_cents": 999_999_999_00}])
    answer = desk.get(at("change", draft.pk))
    assert answer.context["warnings"] == []
    assert "Every balance is in exactly one band." in answer.content.decode()


# Steps ------------------------------------------------------------------------------------------------------------


def test_publishing_needs_a_post_and_puts_the_version_in_force(agency, account, desk, now):
    draft = drafted(agency, now)
    assert desk.get(at("publish", draft.pk)).status_code == 200
    assert read(agency, draft.pk).status == "draft"
    assert desk.post(at("publish", draft.pk), {"effective_at": ""}).status_code == 302
    row = read(agency, draft.pk)
    assert (row.status, row.published_by[:6]) == ("published", "staff:")
    assert "in force" in desk.get(at("changelist")).content.decode()


def test_a_later_day_is_the_agencys_own_time(agency, desk, now):
    draft = drafted(agency, now)
    later = (timezone.now() + dt.timedelta(days=40)).replace(hour=9, minute=30, second=0, microsecond=0, tzinfo=None)
    desk.post(at("publish", draft.pk), {"effective_at": later.isoformat(timespec="minutes")})
    row = read(agency, draft.pk)
    assert row.effective_at == later.replace(tzinfo=ZoneInfo("America/New_York"))


def test_a_day_in_the_past_is_refused_with_a_sentence_and_nothing_is_published(agency, desk, now):
    draft = drafted(agency, now)
    answer = desk.post(at("publish", draft.pk), {"effective_at": "2020-01-01T00:00"}, follow=True)
    assert "never from an earlier time" in answer.content.decode()
    assert read(agency, draft.pk).status == "draft"


def test_a_draft_beside_a_scheduled_version_says_when_that_one_takes_over(agency, desk, now):
    published(agency, now)
    planned = drafted(agency, now, bands=[BAND | {"minimum_cents": 50_00}])
    with acting_for(agency):
        new_year = dt.datetime(2030, 1, 1, 17, tzinfo=dt.UTC)
        rulesets.publish(rule_set=planned, by="staff:0", now=now, effective_at=new_year)
    draft = drafted(agency, now)
    said = "Version 2 is scheduled for Jan 1, 2030, 12:00: it takes over then from what is published before."
    assert said in desk.get(at("change", draft.pk)).content.decode()
    assert said not in desk.get(at("change", planned.pk)).content.decode()


def test_where_two_people_are_wanted_one_submits_and_another_publishes(agency, desk, now):
    Agency.objects.filter(pk=agency.pk).update(rules_need_two_people=True)
    desk.post(at("start"), {"client": ""})
    with acting_for(agency):
        draft = RuleSet.objects.get()
    desk.post(at("change", draft.pk), sent({"owing_from_cents": "0", "owing_to_cents": "500"}))
    page = desk.get(at("change", draft.pk)).content.decode()
    assert at("submit", draft.pk) in page
    assert at("publish", draft.pk) not in page
    assert desk.post(at("submit", draft.pk)).status_code == 302
    answer = desk.post(at("publish", draft.pk), {"effective_at": ""}, follow=True)
    assert "Somebody else must publish" in answer.content.decode()
    assert read(agency, draft.pk).status == "waiting"
    other = signed_in(member(agency, "payments supervisor"))
    other.post(at("publish", draft.pk), {"effective_at": ""})
    assert read(agency, draft.pk).status == "published"


def test_an_administrator_asks_for_two_people_and_only_the_platform_lets_one_be_enough_again(
    agency, other_agency, desk
):
    address = reverse("admin:accounts_agency_change", args=[agency.pk])

    def save(browser, **changed):
        form = browser.get(address).context["adminform"].form
        values = {name: form[name].value() for name in form.fields} | changed
        return browser.post(address, {name: value for name, value in values.items() if value not in (None, False)})

    assert save(desk, rules_need_two_people="on").status_code == 302
    assert Agency.objects.get(pk=agency.pk).rules_need_two_people is True
    assert 'name="rules_need_two_people"' not in desk.get(address).content.decode()
    assert save(desk, rules_need_two_people=False, hours="Mon to Fri").status_code == 302
    assert Agency.objects.get(pk=agency.pk).rules_need_two_people is True
    platform = signed_in(User.objects.create_superuser("platform", "", PASSWORD))
    assert save(platform, rules_need_two_people=False).status_code == 302
    agency.refresh_from_db()
    assert (agency.rules_need_two_people, agency.hours) == (False, "Mon to Fri")
    assert Agency.objects.get(pk=other_agency.pk).rules_need_two_people is False


def test_a_published_version_is_read_and_never_written(agency, desk, now):
    row = published(agency, now)
    text = desk.get(at("change", row.pk)).content.decode()
    assert "$25.00" in text
    assert 'name="save"' not in text
    assert desk.post(at("change", row.pk), sent({"owing_from_cents": "0", "owing_to_cents": "1"})).status_code == 403
    assert read(agency, row.pk).bands == [BAND]


def test_withdrawing_brings_the_version_before_back_and_rolling_back_copies_an_old_one(agency, desk, now):
    first = published(agency, now)
    second = published(agency, now + dt.timedelta(hours=1), bands=[BAND | {"minimum_cents": 50_00}])
    assert desk.post(at("roll_back", first.pk)).status_code == 302
    with acting_for(agency):
        top = RuleSet.objects.order_by("-version").first()
    assert (top.version, top.copied_from, top.bands) == (3, 1, [BAND])
    assert desk.post(at("withdraw", top.pk), {"reason": ""}).status_code == 200
    assert desk.post(at("withdraw", top.pk), {"reason": "A mistake."}).status_code == 302
    with acting_for(agency):
        assert rulesets.values_in_force(clients=(), now=timezone.now())[None].version == second.version == 2


def test_a_discarded_draft_stays_readable(agency, desk, now):
    draft = drafted(agency, now)
    desk.post(at("discard", draft.pk))
    assert read(agency, draft.pk).status == "discarded"
    assert desk.get(at("change", draft.pk)).status_code == 200


def test_two_versions_are_compared_field_by_field(agency, desk, now):
    published(agency, now)
    draft = drafted(agency, now, bands=[BAND | {"minimum_cents": 50_00}], promise_days=7)
    answer = desk.get(at("compare", draft.pk))
    said = [(one["where"], one["field"], one["before"], one["after"]) for one in answer.context["changes"]]
    assert said == [
        ("Rule set", "Days to keep a promise", "as inherited", "7 days"),
        ("$0.00 to $500.00", "Smallest payment a month", "$25.00", "$50.00"),
    ]


def test_every_file_that_the_list_offers_can_be_taken_along(agency, other_agency, others_account, account, desk, now):
    with acting_for(agency):
        elsewhere = HostConnection.objects.create(name="Other", base_url="http://127.0.0.1:9", outbound_key="o")
        twin = Client.objects.create(connection_id=elsewhere.pk, number=account.client.number, name="Twin")
    published(agency, now)
    for client, cents in ((account.client, 30_00), (twin, 40_00)):
        published(agency, now, client=client, bands=[BAND | {"minimum_cents": cents}])
    page = desk.get(at("changelist")).content.decode()
    links = re.findall(r'href="([^"]*/export/(?:csv|json)/[^"]*)"', page)
    files = {link: desk.get(link) for link in links}
    assert len(files) == 8
    assert {file.status_code for file in files.values()} == {200}
    for client, amount in ((account.client, "30.00"), (twin, "40.00")):
        said = [file.content.decode() for link, file in files.items() if str(client.pk) in link]
        assert len(said) == 2
        assert all(amount in one for one in said)
    for unknown in ("C1", "x", others_account.client_id):
        assert desk.get(f"{at('export', 'csv')}?client={unknown}").status_code == 404


# Who may ----------------------------------------------------------------------------------------------------------


def test_whoever_may_only_draft_sees_no_publish_button_and_is_refused(agency, now):
    draft = drafted(agency, now)
    desk = signed_in(member(agency, "campaign manager"))
    text = desk.get(at("change", draft.pk)).content.decode()
    assert at("publish", draft.pk) not in text
    assert at("discard", draft.pk) in text
    assert desk.post(at("publish", draft.pk), {"effective_at": ""}).status_code == 403
    assert desk.post(at("change", draft.pk), sent({"owing_from_cents": "0", "owing_to_cents": "1"})).status_code == 302
    assert read(agency, draft.pk).status == "draft"


@pytest.mark.parametrize("role", ["auditor", "collector"])
def test_whoever_may_only_look_changes_nothing(agency, now, role):
    draft = drafted(agency, now)
    desk = signed_in(member(agency, role))
    assert 'name="save"' not in desk.get(at("change", draft.pk)).content.decode()
    for step in ("publish", "discard", "submit", "withdraw", "roll_back", "simulate"):
        assert desk.post(at(step, draft.pk), {"reason": "x"}).status_code == 403, step
    assert desk.post(at("start"), {"client": ""}).status_code == 403
    assert desk.post(at("change", draft.pk), sent()).status_code == 403
    assert read(agency, draft.pk).status == "draft"


def test_rules_of_another_agency_and_of_its_clients_are_not_found(agency, other_agency, others_account, desk, now):
    theirs = drafted(other_agency, now, client=others_account.client)
    for name in ("change", "publish", "submit", "discard", "withdraw", "roll_back", "compare", "simulate"):
        assert desk.get(at(name, theirs.pk)).status_code == 404, name
        assert desk.post(at(name, theirs.pk), {"reason": "x", "save": ""}).status_code == 404, name
    answer = desk.post(at("start"), {"client": str(others_account.client_id)})
    assert answer.status_code == 200
    assert "client" in answer.context["form"].errors
    with acting_for(agency):
        assert not RuleSet.objects.exists()
        assert not Client.objects.filter(pk=others_account.client_id).exists()
