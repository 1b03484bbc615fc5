"""Staff pages: nobody sees, finds, chooses or changes a row of another agency, on any page there is."""

import json

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from accounts.crypto import SealedField
from accounts.desk import Desk, FactAdmin
from accounts.models import Agency, User
from accounts.tenancy import Row, TenantManager
from portal.staff import make_staff
from tests.staff import PASSWORD, SECRET, furnish, member, signed_in, tenant_admins

NOT_SHOWN = {
    "accounts.AccountPast",
    "accounts.Code",
    "accounts.ReaderPosition",
    "accounts.Suppression",
    "campaigns.AudienceLine",
    "campaigns.TemplateVersion",
    "integrations.IdempotencyKey",
    "settlements.EvidencePart",
}
"""Codes and slices of documents are never shown; a reader's position and an answer kept for a second asking are the
machine's own; an account's past is read by “why this offer”; a template's versions stand on the template's page, the
lines of an uploaded list on its campaign's, stopped streams on their address's."""


def page(model, name: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.fixture
def house(agency, account, other_agency, others_account, now):
    """Two agencies with a row in every table, and the administrator of the second one signed in."""
    return {
        "mine": furnish(other_agency, now),
        "theirs": furnish(agency, now),
        "their_user": member(agency),
        "browser": signed_in(member(other_agency)),
    }


def test_every_tenant_table_has_a_staff_page_or_is_named_here():
    tables = {model._meta.label for model in apps.get_models() if issubclass(model, Row)}
    assert tables - {model._meta.label for model in tenant_admins()} == NOT_SHOWN


def test_every_registered_page_is_walked_here():
    others = {model._meta.label for model in admin.site._registry} - {m._meta.label for m in tenant_admins()}
    ours = {label for label in others if not label.startswith(("account.", "mfa."))}
    assert ours == {"accounts.Agency", "accounts.User", "admin.LogEntry"}


def ours() -> list[tuple]:
    return [(model, page) for model, page in admin.site._registry.items() if isinstance(page, Desk)]


def actions_of(page) -> dict[str, object]:
    """Give the actions of a staff page by name: of its list, of a row, and of the rows that are marked."""
    names = {one.method.__name__ for one in page._get_base_actions_list() + page._get_base_actions_row()}
    names |= {one.method.__name__ for one in page._get_base_actions_detail() + page._get_base_actions_submit_line()}
    return {name: getattr(page, name) for name in names | {one for one in page.actions or () if isinstance(one, str)}}


def test_every_action_of_every_page_says_who_may_do_it():
    found = {f"{model._meta.label}.{name}": one for model, page in ours() for name, one in actions_of(page).items()}
    assert [name for name, one in found.items() if not getattr(one, "allowed_permissions", None)] == []
    assert len(found) >= 80, "the pages are not read any more"


def foreign_pages(house) -> list[str]:
    rows = [*house["theirs"].values(), house["their_user"], house["their_user"].agency]
    found = [page(type(row), name, row.pk) for row in rows for name in ("change", "history", "delete")]
    for model, model_admin in tenant_admins().items():
        for action in model_admin._get_base_actions_detail():
            found.append(reverse(f"admin:{action.action_name}", args=[house["theirs"][model].pk]))
    found.append(reverse("admin:accounts_user_reset_factors", args=[house["their_user"].pk]))
    found.append(reverse("admin:auth_user_password_change", args=[house["their_user"].pk]))
    return found


def not_refused(house) -> dict[str, int]:
    browser = house["browser"]
    answers = {address: browser.get(address).status_code for address in foreign_pages(house)}
    return {address: status for address, status in answers.items() if status != 404}


def test_each_page_of_another_agencys_row_is_not_found(house):
    assert not_refused(house) == {}


def test_each_page_of_ones_own_rows_is_there(house):
    browser = house["browser"]
    rows = house["mine"]
    answers = {row: browser.get(page(type(row), "change", row.pk)).status_code for row in rows.values()}
    assert {row._meta.label for row, status in answers.items() if status != 200} == set()


def test_with_the_managers_filter_out_of_the_way_the_database_still_keeps_every_page_closed(house, monkeypatch):
    monkeypatch.setattr(TenantManager, "get_queryset", lambda manager: manager._queryset_class(manager.model))
    assert not_refused(house) == {}
    assert foreign_ids_shown(house) == {}


def foreign_ids_shown(house) -> dict[str, list[str]]:
    """Walk lists and forms, with all their drop-downs and filters, for any id of the other agency."""
    ids = {str(row.pk): row._meta.label for row in house["theirs"].values()}
    ids |= {str(house["their_user"].agency_id): "accounts.Agency", house["their_user"].username: "accounts.User"}
    addresses = [reverse("admin:index")]
    for model in [*tenant_admins(), User, Agency]:
        addresses += [page(model, "changelist"), page(model, "add")]
    addresses += [page(type(row), "change", row.pk) for row in house["mine"].values()]
    shown = {}
    for address in addresses:
        text = house["browser"].get(address, follow=True).content.decode()
        if found := [label for pk, label in ids.items() if pk in text]:
            shown[address] = found
    return shown


def test_no_list_form_or_drop_down_contains_a_foreign_row(house):
    assert foreign_ids_shown(house) == {}


def test_no_look_up_finds_a_foreign_row(house):
    theirs = {str(row.pk) for row in house["theirs"].values()} | {str(house["their_user"].pk)}
    for model in [*tenant_admins(), User]:
        for field in model._meta.get_fields():
            if not getattr(field, "related_model", None) or not field.concrete:
                continue
            asked = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field.name}
            answer = house["browser"].get(reverse("admin:autocomplete"), {"term": "", **asked})
            if answer.status_code == 200:
                found = {entry["id"] for entry in json.loads(answer.content)["results"]}
                assert not found & theirs, (model, field)
            else:
                assert answer.status_code in (403, 404)


def test_a_filter_in_the_address_reaches_no_foreign_row(house):
    for model, row in house["theirs"].items():
        answer = house["browser"].get(page(model, "changelist"), {"id__exact": str(row.pk)})
        if answer.status_code == 200:
            assert list(answer.context["cl"].result_list) == [], model
        else:
            assert str(row.pk) not in answer["Location"], model


def test_no_page_shows_a_sealed_value_to_anybody(house, agency):
    browsers = [house["browser"], signed_in(User.objects.create_superuser("platform", "", PASSWORD))]
    browsers.append(signed_in(member(agency, "auditor")))
    for browser, rows in zip(browsers, (house["mine"], house["mine"], house["theirs"]), strict=True):
        for row in (row for row in rows.values() if any(isinstance(f, SealedField) for f in row._meta.fields)):
            for address in (page(type(row), "change", row.pk), page(type(row), "changelist")):
                text = browser.get(address, follow=True).content.decode()
                assert SECRET not in text, address


def test_nothing_can_be_posted_to_a_fact(house):
    for model, model_admin in tenant_admins().items():
        row = house["mine"][model]
        if not isinstance(model_admin, FactAdmin):
            continue
        assert house["browser"].post(page(model, "change", row.pk), {}).status_code == 403, model
        assert house["browser"].post(page(model, "add"), {}).status_code == 403, model
        assert house["browser"].post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 404, model


def test_the_settings_are_all_that_an_administrator_can_change(house):
    may = {model._meta.label for model in tenant_admins() if _may_change(house, model)}
    assert may == {
        "accounts.Client",
        "accounts.Licence",
        "campaigns.Campaign",
        "campaigns.ContactPolicy",
        "campaigns.Conversation",
        "campaigns.MailProvider",
        "campaigns.MessageTemplate",
        "campaigns.TextProvider",
        "integrations.ApiKey",
        "integrations.FileFormat",
        "integrations.HostConnection",
        "integrations.WebhookEndpoint",
        "integrations.HostSite",
        "payments.AchOrigin",
        "payments.ProcessorAccount",
        "settlements.GlobalOffer",
        "settlements.HardshipPolicy",
        "settlements.RuleSet",
    }


def _may_change(house, model) -> bool:
    return house["browser"].post(page(model, "change", house["mine"][model].pk), {}).status_code != 403


def test_the_platform_sees_all_agencies_and_changes_nothing_of_theirs(house):
    browser = signed_in(User.objects.create_superuser("platform", "", PASSWORD))
    for rows in (house["mine"], house["theirs"]):
        for model, row in rows.items():
            assert browser.get(page(model, "change", row.pk)).status_code == 200, model
            assert browser.post(page(model, "change", row.pk), {}).status_code == 403, model
    both = browser.get(page(Agency, "changelist")).content.decode()
    assert "Acme Recovery" in both
    assert "Birch Recovery" in both


def test_a_user_of_another_agency_can_be_neither_edited_nor_given_a_password(house, agency):
    user = house["their_user"]
    browser = house["browser"]
    assert browser.post(page(User, "change", user.pk), {"username": "mine-now"}).status_code == 404
    words = {"password1": "another long phrase", "password2": "another long phrase", "usable_password": "true"}
    assert browser.post(reverse("admin:auth_user_password_change", args=[user.pk]), words).status_code == 404
    user.refresh_from_db()
    assert user.username == "acme-agency-admin"
    assert user.check_password(PASSWORD)


def test_make_staff_never_makes_a_superuser(agency):
    user = make_staff(agency=agency, username="sam", password=PASSWORD, role="collector")
    assert (user.agency, user.is_staff, user.is_superuser) == (agency, True, False)
