"""Templates by key: the same services, the same linter and the same versions as on the staff pages."""

import pytest
import time_machine

from accounts.models import Client
from accounts.tenancy import acting_for
from campaigns.models import MessageTemplate, TemplateVersion
from campaigns.services import templates
from integrations.api.templates import WORDS
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, codes, counts, refusal

pytestmark = pytest.mark.django_db
NOBODY = "0190c0de-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def caller(account, others_account) -> Caller:
    return Caller(account.agency)


@pytest.fixture
def stranger(others_account) -> Caller:
    return Caller(others_account.agency)


def begun(caller, **more) -> dict:
    answer = caller.post("templates", {"name": "December", "kind": "reminder", "words": WORDS} | more)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_template_is_drafted_published_and_changed_by_versions_that_never_change(caller, stranger):
    row = begun(caller)
    assert (row["published"], [one["status"] for one in row["versions"]]) == (None, ["draft"])
    said = caller.post(f"templates/{row['id']}/publish")
    assert (said.status_code, said.json()["status"], said.json()["published_by"]) == (
        200,
        "published",
        f"key:{caller.key.pk}",
    )
    words = WORDS | {"en": WORDS["en"] | {"preheader": "Two minutes."}}
    assert caller.put(f"templates/{row['id']}/draft", {"words": words}).json()["number"] == 2
    found = caller.get(f"templates/{row['id']}").json()
    assert (found["published"], [one["status"] for one in found["versions"]]) == (1, ["draft", "published"])
    assert found["versions"][1]["words"]["en"]["preheader"] == WORDS["en"]["preheader"]
    assert caller.post(f"templates/{row['id']}/publish").json()["number"] == 2
    assert refusal(caller.post(f"templates/{row['id']}/publish")) == (409, "nothing_to_publish")
    assert [one["id"] for one in caller.get("templates?channel=email").json()["items"]] == [row["id"]]
    assert caller.get("templates?channel=text").json()["items"] == stranger.get("templates").json()["items"] == []


def test_what_the_linter_refuses_is_told_at_its_place_with_the_rules_id_and_nothing_is_published(caller):
    row = begun(caller)
    english = {"subject": "Your debt: act now", "preheader": "{balance}", "body": "We sue you at https://x.example"}
    caller.put(f"templates/{row['id']}/draft", {"words": {"en": english}})
    answer = caller.post(f"templates/{row['id']}/publish")
    assert refusal(answer) == (422, "refused")
    told = {(one["pointer"], one["code"], one.get("rule")) for one in answer.json()["errors"]}
    assert told >= {
        ("/words/en/subject", "tells", "RF-11"),
        ("/words/en/subject", "banned", "RF-22"),
        ("/words/en/preheader", "field_tells", "RF-11"),
        ("/words/en/body", "litigation", "RF-25"),
        ("/words/en/body", "own_address", "SMS-10"),
        ("/words/es/body", "language_missing", "RF-21"),
    }
    with acting_for(caller.agency):
        assert TemplateVersion.objects.get().status == "draft"


def test_a_ready_one_begins_with_the_words_of_the_library_for_one_client(caller, account):
    ready = {one["key"]: one for one in caller.get("templates/ready").json()["items"]}
    row = begun_ready(caller, ready="reminder_text", client=str(account.client_id))
    assert (row["kind"], row["channel"], row["client"]) == ("reminder", "text", str(account.client_id))
    assert row["versions"][0]["words"]["es"]["body"] == ready["reminder_text"]["words"]["es"]["body"]
    assert caller.post(f"templates/{row['id']}/publish").status_code == 200


def begun_ready(caller, **more) -> dict:
    answer = caller.post("templates", {"name": "Ready"} | more)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_template_is_taken_out_of_use_and_used_again(caller, stranger):
    row = begun(caller)
    at = f"templates/{row['id']}/retire"
    assert refusal(stranger.post(at, {"retired": True})) == (404, "not_found")
    assert codes(caller.post(at)) == [("/retired", "required")]
    assert caller.post(at, {"retired": True}).json()["retired_at"] == "2026-12-01T15:00:00Z"
    wish = {"name": "December", "template": "December"}
    assert codes(caller.post("campaign-drafts", wish)) == [("/template", "template_unknown")]
    assert caller.post(at, {"retired": False}).json()["retired_at"] is None


def test_a_wrong_wish_writes_nothing(caller, others_account):
    begun(caller)
    before = counts()
    with acting_for(others_account.agency):
        theirs = str(Client.objects.get().pk)
    assert codes(caller.post("templates", {"name": "December", "words": WORDS})) == [("/name", "name_taken")]
    wrong = caller.post("templates", {"name": "A", "ready": "nothing", "client": theirs})
    assert sorted(codes(wrong)) == [("/client", "client_unknown"), ("/ready", "ready_unknown")]
    assert codes(caller.post("templates", {"name": "A"})) == [("/words", "required")]
    both = caller.post("templates", {"name": "A", "ready": "reminder", "channel": "text"})
    assert codes(both) == [("/channel", "not_for_this_choice")]
    assert {name: (before[name], now) for name, now in counts().items() if before[name] != now} == {}


def test_a_preview_says_what_a_real_account_will_read(caller, account, others_account):
    row = begun(caller)
    shown = caller.get(f"templates/{row['id']}/preview?account={account.pk}&language=es").json()
    assert (shown["version"], shown["subject"]) == (1, f"Jane, un recordatorio de {account.agency.name}")
    for part in (shown["text"], shown["html"]):
        assert "$1,000.00 con Harbor Medical" in " ".join(part.split())
    with acting_for(account.agency):
        account.balance_cents = 77_00
        account.save()
    assert "$77.00" in caller.get(f"templates/{row['id']}/preview?account={account.pk}").json()["text"]
    assert "Jane" in caller.get(f"templates/{row['id']}/preview").json()["subject"]
    foreign = caller.get(f"templates/{row['id']}/preview?account={others_account.pk}")
    assert codes(foreign) == [("/account", "account_unknown")]
    blind = Caller(account.agency, "templates:read")
    assert refusal(blind.get(f"templates/{row['id']}/preview?account={account.pk}")) == (403, "scope_missing")
    assert blind.get(f"templates/{row['id']}/preview").status_code == 200


def test_a_text_is_previewed_with_its_segments_and_one_language_alone_is_said_to_be_missing(caller):
    words = {"en": {"body": "{first_name}, {agency}: {link} Reply STOP to stop."}}
    row = begun(caller, channel="text", words=words)
    shown = caller.get(f"templates/{row['id']}/preview").json()
    assert (shown["segments"], shown["html"]) == (1, "")
    assert refusal(caller.get(f"templates/{row['id']}/preview?language=es")) == (409, "not_written")
    assert codes(caller.get(f"templates/{row['id']}/preview?version=7")) == [("/version", "version_unknown")]


def test_a_template_of_another_agency_is_not_there(caller, stranger):
    row = begun(stranger)
    for answer in (
        caller.get(f"templates/{row['id']}"),
        caller.put(f"templates/{row['id']}/draft", {"words": WORDS}),
        caller.post(f"templates/{row['id']}/publish"),
        caller.get(f"templates/{row['id']}/preview"),
    ):
        assert refusal(answer) == (404, "not_found")
    assert begun(caller)["name"] == row["name"], "a name is the agency's own"


def test_a_key_and_a_member_of_staff_write_the_same_template(caller, account):
    row = begun(caller)
    with acting_for(account.agency):
        template = MessageTemplate.objects.get()
        version = templates.save(template=template, words={}, by="staff:1", now=NOW)
        assert (version.number, version.made_by) == (1, "staff:1")
    assert codes(caller.post(f"templates/{row['id']}/publish"))[0] == ("/words/en/body", "language_missing")
