"""Staff pages of templates and campaigns: who may what, what they say, and that they call the services."""

import pytest

from accounts.models import User
from accounts.tenancy import acting_for
from campaigns.models import Campaign, Message, MessageTemplate
from campaigns.services import campaigns, templates
from tests.campaigns.campaign_cast import draft, people, run, template
from tests.conftest import NOW
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db
LIST, TEMPLATES = "/admin/campaigns/campaign/", "/admin/campaigns/messagetemplate/"


@pytest.fixture
def house(acting, agency, provider, others_account, monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)
    people(agency, 2)
    return {
        "manager": signed_in(member(agency, "campaign manager")),
        "approver": signed_in(member(agency, "campaign approver")),
        "collector": signed_in(member(agency, "collector")),
        "stranger": signed_in(member(others_account.agency, "agency admin")),
    }


def test_a_template_begins_with_a_ready_one_and_is_published_when_the_linter_has_nothing_against_it(house, agency):
    manager = house["manager"]
    begun = manager.post(f"{TEMPLATES}start/", {"key": "reminder", "name": "Hello", "client": ""})
    with acting_for(agency):
        row = MessageTemplate.objects.get()
    page = f"{TEMPLATES}{row.pk}/change/"
    assert (begun.status_code, begun["Location"]) == (302, page)
    shown = manager.get(page).content.decode()
    assert shown.count('<iframe sandbox=""') == 2
    assert "Un breve recordatorio" in shown
    with acting_for(agency):
        words = row.versions.get().words
    said = {f"{language}.{part}": text for language, parts in words.items() for part, text in parts.items()}
    said["seen"] = seen(manager.get(page))
    answer = manager.post(page, said | {"en.subject": "Your debt", "publish": ""})
    refused = answer.content.decode()
    assert "tells a stranger about a debt" in refused
    assert "(RF-11)" in refused
    assert "Saved as a draft, but not published." in refused
    said["seen"] = seen(answer)
    with acting_for(agency):
        assert row.versions.get().status == "draft"
    assert manager.post(page, said | {"publish": ""}).status_code == 302
    with acting_for(agency):
        assert row.versions.get().status == "published"
    assert house["stranger"].get(page).status_code == 404


def seen(answer) -> str:
    """Read which words a template's page shows."""
    return answer.context["seen"]


def words_of(row) -> dict:
    said = row.versions.order_by("-number").first().words
    return {f"{language}.{part}": text for language, parts in said.items() for part, text in parts.items()}


def test_a_colleagues_words_are_never_written_over_unseen(house, agency):
    ann, bea = house["manager"], signed_in(member(agency, "campaign manager", "bea"))
    with acting_for(agency):
        row = template("reminder").template
        said = words_of(row)
    page = f"{TEMPLATES}{row.pk}/change/"
    first = said | {"seen": seen(ann.get(page))}
    second = said | {"seen": seen(bea.get(page)), "en.preheader": "By Bea."}
    assert bea.post(page, second).status_code == 302
    for how in ({}, {"publish": ""}):
        late = ann.post(page, first | {"en.preheader": "By Ann."} | how)
        assert "Somebody wrote other words meanwhile: nothing was saved." in late.content.decode()
        assert late.context["form"]["en.preheader"].value() == "By Ann."
        assert seen(late) == first["seen"]
    with acting_for(agency):
        assert list(row.versions.order_by("number").values_list("number", "status")) == [(1, "published"), (2, "draft")]
        assert row.versions.get(number=2).words["en"]["preheader"] == "By Bea."
    # The same draft, written again: its number stays, its moment does not.
    assert bea.post(page, second | {"seen": seen(bea.get(page)), "en.preheader": "By Bea, again."}).status_code == 302
    assert "nothing was saved" in bea.post(page, second).content.decode()
    # Who publishes a colleague's words does not become their author.
    with acting_for(agency):
        now = words_of(row) | {"publish": ""}
        author = row.versions.get(number=2).made_by
    assert ann.post(page, now | {"seen": seen(ann.get(page))}).status_code == 302
    with acting_for(agency):
        kept = row.versions.get(number=2)
    assert (kept.status, kept.made_by == author, kept.published_by == author) == ("published", True, False)


def test_what_is_published_is_what_was_saved_with_it_or_neither_is(house, agency, monkeypatch):
    with acting_for(agency):
        row = template("reminder").template
        said = words_of(row)
    page = f"{TEMPLATES}{row.pk}/change/"
    sent = said | {"seen": seen(house["manager"].get(page)), "en.preheader": "Two minutes.", "publish": ""}
    monkeypatch.setattr(templates.linter, "check", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        house["manager"].post(page, sent)
    with acting_for(agency):
        assert row.versions.count() == 1


def test_every_version_is_on_the_page_with_its_author_its_days_and_its_words(house, agency):
    manager = house["manager"]
    with acting_for(agency):
        row = template("reminder").template
        said = words_of(row)
    page = f"{TEMPLATES}{row.pk}/change/"
    sent = said | {"seen": seen(manager.get(page)), "en.preheader": "Two minutes, no more.", "publish": ""}
    assert manager.post(page, sent).status_code == 302
    assert "Nothing changed." in manager.post(page, sent | {"seen": ""}, follow=True).content.decode()
    text = " ".join(house["approver"].get(page).content.decode().partition('id="versions"')[2].split())
    assert text.count('<th scope="row">') == 2
    assert text.index("Two minutes, no more.") < text.index(said["en.preheader"])
    assert "acme-campaign-manager" in text
    assert "Dec 1, 2026, 10:00" in text
    with acting_for(agency):
        assert [one.status for one in row.versions.order_by("number")] == ["superseded", "published"]


def test_a_template_out_of_use_is_in_no_new_campaign_and_comes_back(house, agency):
    with acting_for(agency):
        campaign = draft()
        version = campaign.version_a
    row, manager = version.template, house["manager"]
    assert house["approver"].post(f"{TEMPLATES}{row.pk}/retire/").status_code == 403
    assert house["stranger"].post(f"{TEMPLATES}{row.pk}/retire/").status_code == 404
    assert "It is out of use." in manager.post(f"{TEMPLATES}{row.pk}/retire/", follow=True).content.decode()
    with acting_for(agency):
        row.refresh_from_db()
        assert row.retired_at == NOW
        refused = campaigns.submit(campaign=campaign, by="staff:x", now=NOW)
        assert [(one.field, one.code) for one in refused] == [("version_a", "template_retired")]
    assert list(manager.post(f"{LIST}start/", form(version)).context["form"].errors) == ["version_a"]
    manager.post(f"{TEMPLATES}{row.pk}/use_again/")
    with acting_for(agency):
        row.refresh_from_db()
        assert row.retired_at is None
        assert campaigns.submit(campaign=campaign, by="staff:x", now=NOW) == []


def test_a_preview_shows_the_values_of_a_real_account_of_the_own_agency_only(house, agency):
    with acting_for(agency):
        row = template("reminder").template
    page = house["manager"].get(f"{TEMPLATES}{row.pk}/change/?reference=p00001").content.decode()
    assert "Pat1" in page
    missing = house["manager"].get(f"{TEMPLATES}{row.pk}/change/?reference=100234").content.decode()
    assert "There is no such account" in missing


def form(version, **values) -> dict:
    base = {"name": "December", "purpose": "campaign", "version_a": str(version.pk), "percent_bps": "80"}
    return base | {"max_payments": "3", "max_days": "90", "expires_on": "2026-12-31", "states": "PA"} | values


def test_a_campaign_is_written_by_one_and_approved_by_another(house, agency, mails):
    with acting_for(agency):
        version = template()
    manager, approver = house["manager"], house["approver"]
    made = manager.post(f"{LIST}start/", form(version))
    with acting_for(agency):
        campaign = Campaign.objects.get()
    page = f"{LIST}{campaign.pk}/change/"
    assert made["Location"] == page
    assert (campaign.offer["percent_bps"], campaign.audience) == (80_00, {"states": ["PA"]})
    shown = manager.get(page).content.decode()
    assert shown.partition('id="reach">')[2].partition("<")[0].strip() == "2"
    assert manager.post(f"{LIST}{campaign.pk}/submit/").status_code == 302
    assert manager.post(f"{LIST}{campaign.pk}/approve/").status_code == 403
    assert house["collector"].post(f"{LIST}{campaign.pk}/approve/").status_code == 403
    assert house["stranger"].post(f"{LIST}{campaign.pk}/approve/").status_code == 404
    asked = approver.get(f"{LIST}{campaign.pk}/approve/").content.decode()
    assert "2 accounts get a message" in asked
    with acting_for(agency):
        campaign.refresh_from_db()
        assert campaign.status == "waiting"
    assert approver.post(f"{LIST}{campaign.pk}/approve/").status_code == 302
    with acting_for(agency):
        run(campaign)
        assert campaign.status == "finished"
        assert Message.objects.filter(stream="campaigns").count() == len(mails()) == 2
        message = Message.objects.first()
    done = " ".join(approver.get(page).content.decode().split())
    assert done.count('<rect class="part" width="100.0"') == 1  # of all steps, only "sent" was reached
    assert "2 (100.0 %)" in done
    words = approver.get(f"/admin/campaigns/message/{message.pk}/change/").content.decode()
    assert "We offer to settle it for less" in words


def test_an_administrator_who_wrote_it_cannot_approve_it(house, agency):
    admin = signed_in(member(agency, "agency admin"))
    with acting_for(agency):
        version = template()
    admin.post(f"{LIST}start/", form(version))
    with acting_for(agency):
        campaign = Campaign.objects.get()
    admin.post(f"{LIST}{campaign.pk}/submit/")
    answer = admin.post(f"{LIST}{campaign.pk}/approve/", follow=True).content.decode()
    assert "Somebody else than its author must approve it." in answer
    with acting_for(agency):
        campaign.refresh_from_db()
        assert campaign.status == "waiting"


NUMBERS = [
    *(("share_b", text) for text in ("-1", "0", "100", "150", "40000")),
    *(("percent_bps", text) for text in ("0", "-5", "100.01")),
    *(("max_payments", text) for text in ("0", "10000")),
    *(("max_days", text) for text in ("-1", "36526")),
    *((name, text) for name in ("balance_from_cents", "balance_to_cents") for text in ("-1", "1000000000")),
    *((name, "999999999") for name in ("listed_from_days", "listed_to_days", "quiet_days", "abandoned_days")),
    ("states", "Pennsylvania"),
]


@pytest.mark.parametrize(("field", "text"), NUMBERS)
def test_a_number_that_cannot_be_is_refused_beside_its_field_and_changes_nothing(house, agency, field, text):
    with acting_for(agency):
        campaign = draft()
        before = Campaign.objects.values().get()
    for address in (f"{LIST}start/", f"{LIST}{campaign.pk}/change/"):
        answer = house["manager"].post(address, form(campaign.version_a, **{field: text}))
        assert list(answer.context["form"].errors) == [field]
    with acting_for(agency):
        assert Campaign.objects.values().get() == before


def test_the_second_templates_share_is_half_where_it_is_left_empty_and_else_what_was_written(house, agency):
    with acting_for(agency):
        campaign = draft()
    for text, share in (("", 50), ("1", 1), ("99", 99)):
        page = f"{LIST}{campaign.pk}/change/"
        assert house["manager"].post(page, form(campaign.version_a, share_b=text)).status_code == 302
        with acting_for(agency):
            assert Campaign.objects.get().share_b == share


def test_a_draft_whose_filter_cannot_be_is_for_nobody_and_its_page_says_why(house, agency):
    with acting_for(agency):
        campaign = draft(audience={"quiet_days": 999_999_999}, share_b=150)
    shown = house["manager"].get(f"{LIST}{campaign.pk}/change/").content.decode()
    assert "Write a whole number from 0 to 3650." in shown
    assert shown.partition('id="reach">')[2].partition("<")[0].strip() == "0"
    with acting_for(agency):
        refused = campaigns.submit(campaign=campaign, by="staff:1", now=NOW)
    assert [(one.field, one.code) for one in refused] == [("share_b", "share_b"), ("quiet_days", "not_a_number")]


def test_a_list_is_uploaded_and_it_is_said_how_much_of_it_is_known(house, agency, tmp_path):
    with acting_for(agency):
        campaign = draft()
        version = campaign.version_a
    file = tmp_path / "list.txt"
    file.write_text("P00000\nnobody\n")
    with file.open("rb") as handle:
        answer = house["manager"].post(
            f"{LIST}{campaign.pk}/change/", form(version, states="", references=handle), follow=True
        )
    text = answer.content.decode()
    assert "2 references, 1 of them known." in text
    assert text.partition('id="reach">')[2].partition("<")[0].strip() == "1"
    assert "we know no such reference" in text


def test_who_approves_may_say_no_with_a_reason(house, agency):
    with acting_for(agency):
        campaign = draft()
        assert campaigns.submit(campaign=campaign, by="staff:x", now=NOW) == []
    step = f"{LIST}{campaign.pk}/take_back/"
    assert house["collector"].post(step, {"reason": "No"}).status_code == 403
    assert house["stranger"].post(step, {"reason": "No"}).status_code == 404
    assert step in house["approver"].get(f"{LIST}{campaign.pk}/change/").content.decode()
    assert house["approver"].post(step, {"reason": "Wrong clients"}).status_code == 302
    with acting_for(agency):
        campaign.refresh_from_db()
        approver = User.objects.get(username="acme-campaign-approver").pk
        assert (campaign.status, campaign.reason) == ("draft", f"staff:{approver}: Wrong clients")
    assert house["approver"].post(f"{LIST}{campaign.pk}/change/", form(campaign.version_a)).status_code == 403


def test_it_is_stopped_with_a_reason_on_one_page(house, agency):
    with acting_for(agency):
        campaign = draft()
        assert campaigns.submit(campaign=campaign, by="staff:x", now=NOW) == []
    house["approver"].post(f"{LIST}{campaign.pk}/stop/", {"reason": "Wrong text"})
    with acting_for(agency):
        campaign.refresh_from_db()
        assert (campaign.status, campaign.reason) == ("stopped", "Wrong text")
