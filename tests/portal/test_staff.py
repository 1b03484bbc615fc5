"""Staff: what each role may do, what the settings refuse, and what actions do."""

import datetime as dt
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import events
from accounts.admin import AgencyFaceForm
from accounts.models import Account, Agency, Event, Licence, User
from accounts.money import format_cents
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import Delivery, HostConnection, HostFile, HostSite
from payments.models import Arrangement, Payment, ProcessorAccount
from portal.staff import ROLES, UnknownRole, codenames, make_roles, make_staff
from settlements.models import GlobalOffer
from tests.conftest import make_account
from tests.staff import PASSWORD, furnish, member, signed_in, tenant_admins

LONG = dt.timedelta(days=40)


@pytest.fixture
def boss(agency) -> User:
    return member(agency)


@pytest.fixture
def desk(boss):
    return signed_in(boss)


def page(model, name: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def filled(desk, address: str, **changed) -> dict:
    """Read a form as a desk would send it back, with some values changed."""
    form = desk.get(address).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    widgets = {name: form.fields[name].prepare_value(value) for name, value in values.items()}
    return {name: value for name, value in (widgets | changed).items() if value not in (None, False)}


# Roles --------------------------------------------------------------------------------------------------------


def test_every_permission_that_a_role_names_exists(db):
    make_roles()
    known = {f"{app}.{name}" for app, name in Permission.objects.values_list("content_type__app_label", "codename")}
    assert set().union(*(codenames(role) for role in ROLES.values())) - known == set()


def test_making_the_roles_again_changes_nothing_and_takes_back_what_was_added(db):
    make_roles()
    before = {group.name: set(group.permissions.all()) for group in Group.objects.all()}
    Group.objects.get(name="collector").permissions.add(Permission.objects.get(codename="change_agency"))
    make_roles()
    assert {group.name: set(group.permissions.all()) for group in Group.objects.all()} == before
    assert set(before) == set(ROLES)


def test_a_weak_password_or_an_unknown_role_makes_nobody(agency):
    make_roles()
    with pytest.raises(ValidationError):
        make_staff(agency=agency, username="sam", password="short", role="collector")
    with pytest.raises(UnknownRole):
        make_staff(agency=agency, username="sam", password=PASSWORD, role="owner")
    assert not User.objects.filter(username="sam").exists()


def test_a_collector_lacks_what_only_an_administrator_may(agency, account, now):
    rows = furnish(agency, now)
    desk = signed_in(member(agency, "collector"))
    assert desk.get(page(Account, "change", account.pk)).status_code == 200
    for model in (HostConnection, ProcessorAccount, Delivery):
        assert desk.get(page(model, "changelist")).status_code == 403
    for model in (Agency, User):
        assert desk.get(page(model, "changelist")).status_code == 403
    delivery = rows[Delivery]
    for action in ("deliver_again", "skip"):
        assert desk.post(page(Delivery, action, delivery.pk), {"reason": "x"}).status_code == 403
    assert desk.post(page(GlobalOffer, "change", rows[GlobalOffer].pk), {"percent": "1"}).status_code == 403
    assert desk.post(page(HostConnection, "new_inbound_key", rows[HostConnection].pk)).status_code == 403
    text = desk.get(reverse("admin:index")).content.decode()
    assert "Deliveries" not in text
    assert "Processor" not in text


def test_an_auditor_sees_everything_and_changes_nothing(agency, account, now):
    rows = furnish(agency, now)
    desk = signed_in(member(agency, "auditor"))
    for model in tenant_admins():
        assert desk.get(page(model, "change", rows[model].pk)).status_code == 200, model
        assert desk.post(page(model, "change", rows[model].pk), {}).status_code == 403, model


# Users --------------------------------------------------------------------------------------------------------


def new_user(**changed) -> dict:
    words = {"username": "newcomer", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    return words | changed


def test_an_administrator_invites_staff_of_their_own_agency_only(agency, other_agency, desk):
    role = Group.objects.get(name="collector")
    sent = new_user(groups=[role.pk], agency=str(other_agency.pk), is_superuser="on", is_staff="")
    assert desk.post(page(User, "add"), sent).status_code == 302
    user = User.objects.get(username="newcomer")
    assert (user.agency, user.is_staff, user.is_superuser) == (agency, True, False)
    assert list(user.groups.all()) == [role]


def test_a_superuser_cannot_be_made_from_the_staff_pages(agency, desk):
    user = member(agency, "collector")
    address = page(User, "change", user.pk)
    assert desk.post(address, filled(desk, address, is_superuser="on", user_permissions=["1"])).status_code == 302
    user.refresh_from_db()
    assert not user.is_superuser
    assert not user.user_permissions.exists()


def test_nobody_gives_a_role_that_may_do_more_than_they_may(agency, desk):
    more = Group.objects.create(name="more")
    more.permissions.add(Permission.objects.get(codename="delete_user"))
    answer = desk.post(page(User, "add"), new_user(groups=[more.pk]))
    assert answer.status_code == 200
    assert "groups" in answer.context["adminform"].form.errors
    assert not User.objects.filter(username="newcomer").exists()


def test_whoever_may_do_more_is_not_changed_by_whoever_may_do_less(agency, desk):
    user = member(agency, "collector")
    more = Group.objects.create(name="more")
    more.permissions.add(Permission.objects.get(codename="delete_user"))
    user.groups.add(more)
    assert desk.post(page(User, "change", user.pk), {"username": "x"}).status_code == 403
    words = {"password1": "another long phrase", "password2": "another long phrase", "usable_password": "true"}
    assert desk.post(reverse("admin:auth_user_password_change", args=[user.pk]), words).status_code == 403
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_nobody_changes_their_own_roles_or_switches_themselves_off(boss, desk):
    address = page(User, "change", boss.pk)
    collector = Group.objects.get(name="collector")
    sent = {"username": boss.username, "groups": [collector.pk], "first_name": "Ada"}
    assert desk.post(address, sent).status_code == 302
    boss.refresh_from_db()
    assert (boss.first_name, boss.is_active) == ("Ada", True)
    assert [group.name for group in boss.groups.all()] == ["agency admin"]


def test_the_platform_makes_an_agencys_first_administrator(agency):
    make_roles()
    desk = signed_in(User.objects.create_superuser("platform", "", PASSWORD))
    role = Group.objects.get(name="agency admin")
    assert desk.post(page(User, "add"), new_user(groups=[role.pk])).status_code == 200  # an agency is needed
    assert desk.post(page(User, "add"), new_user(groups=[role.pk], agency=str(agency.pk))).status_code == 302
    user = User.objects.get(username="newcomer")
    assert (user.agency, user.is_superuser) == (agency, False)


# Settings -----------------------------------------------------------------------------------------------------


def test_the_default_offer_is_edited_in_percent_and_dollars(agency, desk):
    with acting_for(agency):
        offer = GlobalOffer.objects.get()
    address = page(GlobalOffer, "change", offer.pk)
    assert desk.get(page(GlobalOffer, "changelist"))["Location"] == address
    assert 'value="75.00"' in desk.get(address).content.decode()
    sent = filled(desk, address, percent="62.5", minimum_payment="30.00")
    assert desk.post(address, sent).status_code == 302
    with acting_for(agency):
        before, offer = GlobalOffer.objects.order_by("version")
    assert (offer.percent_bps, offer.minimum_payment_cents) == (62_50, 30_00)
    assert (before.percent_bps, before.superseded_at) == (75_00, offer.made_at)
    assert desk.get(page(GlobalOffer, "changelist"))["Location"] == page(GlobalOffer, "change", offer.pk)


def test_saving_the_default_offer_as_it_is_makes_no_version(agency, desk):
    with acting_for(agency):
        address = page(GlobalOffer, "change", GlobalOffer.objects.get().pk)
    assert desk.post(address, filled(desk, address)).status_code == 302
    with acting_for(agency):
        assert GlobalOffer.objects.count() == 1


def test_an_older_default_offer_is_read_and_used_again_but_never_changed(agency, desk):
    with acting_for(agency):
        first = GlobalOffer.objects.get()
    address = page(GlobalOffer, "change", first.pk)
    desk.post(address, filled(desk, address, percent="62.5"))
    text = desk.get(address).content.decode()
    assert "75 %" in text
    assert 'name="percent"' not in text
    assert desk.post(address, {"percent": "1"}).status_code == 403
    again = page(GlobalOffer, "use_again", first.pk)
    assert desk.get(again).status_code == 200
    with acting_for(agency):
        assert GlobalOffer.objects.get(superseded_at=None).percent_bps == 62_50
    assert desk.post(again).status_code == 302
    with acting_for(agency):
        now = GlobalOffer.objects.get(superseded_at=None)
    assert (now.version, now.percent_bps) == (3, 75_00)


@pytest.mark.parametrize("percent", ["0", "100.01", "75.555", "-1", ""])
def test_a_percent_out_of_range_is_refused_and_changes_nothing(agency, desk, percent):
    with acting_for(agency):
        offer = GlobalOffer.objects.get()
    address = page(GlobalOffer, "change", offer.pk)
    answer = desk.post(address, filled(desk, address, percent=percent))
    assert "percent" in answer.context["adminform"].form.errors
    with acting_for(agency):
        assert GlobalOffer.objects.get().percent_bps == 75_00


def test_an_agency_has_one_default_offer(agency, desk):
    assert desk.get(page(GlobalOffer, "add")).status_code == 403


def test_a_colour_that_consumers_cannot_read_is_refused(agency, desk):
    address = page(Agency, "change", agency.pk)
    answer = desk.post(address, filled(desk, address, brand="#f4c542"))
    assert "4.5 to 1 is needed" in str(answer.context["adminform"].form.errors["brand"])
    agency.refresh_from_db()
    assert (agency.brand, agency.branding_version) == ("#1f4e5f", 1)
    assert desk.post(address, filled(desk, address, brand="#5b2a6e")).status_code == 302
    agency.refresh_from_db()
    assert (agency.brand, agency.branding_version) == ("#5b2a6e", 2)


@pytest.fixture
def meanwhile(monkeypatch):
    """Hold the settings page open between its reading of the agency and its writing, and do something there."""
    check = AgencyFaceForm.clean

    def hold(do) -> None:
        monkeypatch.setattr(AgencyFaceForm, "clean", lambda form: do() or check(form))

    return hold


def place_events() -> list[int]:
    with acting_for(ALL_AGENCIES):
        return [event.sequence for event in events.assign_sequences()]


def test_saving_the_settings_while_events_get_their_places_takes_no_place_back(agency, account, desk, now, meanwhile):
    with acting_for(agency), transaction.atomic():
        for page_seen in ("offer", "home", "offer"):
            events.record("page.viewed", account=account, now=now, data={"page": page_seen})
    address = page(Agency, "change", agency.pk)
    sent = filled(desk, address, hours="Mon to Sat, 9 am to 5 pm ET")
    given = []
    meanwhile(lambda: given.extend(place_events()))
    assert desk.post(address, sent).status_code == 302
    agency.refresh_from_db()
    assert (agency.hours, agency.last_sequence, given) == ("Mon to Sat, 9 am to 5 pm ET", 3, [1, 2, 3])
    with acting_for(agency), transaction.atomic():
        events.record("page.viewed", account=account, now=now, data={"page": "offer"})
    assert place_events() == [4]


def test_a_new_colour_counts_a_version_beside_a_licences_and_leaves_an_agency_switched_off(
    agency, other_agency, desk, now, meanwhile
):
    def license_and_switch_off() -> None:
        with acting_for(agency):
            Licence.objects.create(state="NY", line="NYC DCWP licence 1", starts_on=now.date())
        Agency.objects.filter(pk=agency.pk).update(is_active=False)

    address = page(Agency, "change", agency.pk)
    sent = filled(desk, address, brand="#5b2a6e")
    meanwhile(license_and_switch_off)
    assert desk.post(address, sent).status_code == 302
    agency.refresh_from_db()
    assert (agency.brand, agency.branding_version, agency.is_active) == ("#5b2a6e", 3, False)
    other_agency.refresh_from_db()
    assert (other_agency.branding_version, other_agency.is_active) == (1, True)


def test_an_agency_cannot_change_its_address_or_switch_itself_on(agency, desk):
    address = page(Agency, "change", agency.pk)
    assert desk.post(address, filled(desk, address, slug="mine")).status_code == 302
    agency.refresh_from_db()
    assert agency.slug == "acme"


def test_an_empty_key_keeps_the_one_that_is_set_and_a_new_one_replaces_it(agency, desk):
    with acting_for(agency):
        merchant = ProcessorAccount.objects.get()
    address = page(ProcessorAccount, "change", merchant.pk)
    assert "sk_test_acme_portal" not in desk.get(address).content.decode()
    assert desk.post(address, filled(desk, address, name="Renamed")).status_code == 302
    with acting_for(agency):
        merchant = ProcessorAccount.objects.get()
        assert (merchant.name, merchant.secret_key) == ("Renamed", "sk_test_acme_portal")
    assert desk.post(address, filled(desk, address, secret_key="sk_test_new")).status_code == 302
    with acting_for(agency):
        assert ProcessorAccount.objects.get().secret_key == "sk_test_new"


def test_a_second_active_processor_account_is_refused_with_a_sentence(agency, desk):
    sent = {
        "name": "Second",
        "processor": "stripe",
        "account_ref": "acct_2",
        "publishable_key": "pk",
        "secret_key": "sk",
        "script_url": "https://js.stripe.com/v3/",
        "is_active": "on",
    }
    assert desk.post(page(ProcessorAccount, "add"), sent).status_code == 200
    with acting_for(agency):
        assert ProcessorAccount.objects.count() == 1


def connection_form(desk, connection, **changed):
    address = page(HostConnection, "change", connection.pk)
    return desk.post(address, filled(desk, address, **changed))


def test_the_hosts_words_are_written_as_lines(agency, desk):
    with acting_for(agency):
        connection = HostConnection.objects.get()
    lines = "ACTIVE = open\nPAID IN FULL = paid\n"
    answer = connection_form(desk, connection, status_map=lines, routing="card.immediate = portal portal")
    assert answer.status_code == 302
    with acting_for(agency):
        connection = HostConnection.objects.get()
    assert connection.status_map == {"ACTIVE": "open", "PAID IN FULL": "paid"}
    assert connection.routing == {"card.immediate": {"executor": "portal", "notifier": "portal"}}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("status_map", "ACTIVE = opened"),
        ("status_map", "ACTIVE"),
        ("routing", "card.later = portal portal"),
        ("routing", "card.immediate = bank portal"),
        ("ip_allow", "10.0.0.300"),
    ],
)
def test_words_that_are_none_are_refused(agency, desk, field, text):
    with acting_for(agency):
        connection = HostConnection.objects.get()
    answer = connection_form(desk, connection, **{field: text})
    assert field in answer.context["adminform"].form.errors


def test_saving_a_connection_leaves_the_circuit_as_it_is_meanwhile(agency, desk, now):
    with acting_for(agency):
        connection = HostConnection.objects.get()
    address = page(HostConnection, "change", connection.pk)
    sent = filled(desk, address, name="Renamed")
    with acting_for(agency):
        HostConnection.objects.update(unreachable_since=now, failures=7)
    assert desk.post(address, sent).status_code == 302
    with acting_for(agency):
        connection = HostConnection.objects.get()
    assert (connection.name, connection.unreachable_since, connection.failures) == ("Renamed", now, 7)


# Actions ------------------------------------------------------------------------------------------------------


def test_a_new_inbound_key_is_shown_once_and_a_link_alone_makes_none(agency, desk):
    from integrations.services.receive import authenticate

    with acting_for(agency):
        connection = HostConnection.objects.get()
    address = page(HostConnection, "new_inbound_key", connection.pk)
    assert "key" not in desk.get(address).context
    with acting_for(agency):
        assert HostConnection.objects.get().inbound_key_hash == ""
    answer = desk.post(address)
    key = answer.context["key"]
    assert "no-store" in answer["Cache-Control"]
    assert authenticate(connection_id=connection.pk, key=key, ip="127.0.0.1").pk == connection.pk
    assert key not in desk.get(page(HostConnection, "change", connection.pk)).content.decode()


def test_testing_a_connection_says_what_is_wrong(agency, desk):
    with acting_for(agency):
        connection = HostConnection.objects.get()
    answer = desk.post(page(HostConnection, "test", connection.pk), follow=True)
    assert "did not answer" in " ".join(str(message) for message in answer.context["messages"])


@pytest.fixture
def parked(agency, account, now) -> Delivery:
    with acting_for(agency):
        with transaction.atomic():
            event = events.record("page.viewed", account=account, now=now, data={"page": "offer"})
        return Delivery.objects.create(
            connection=HostConnection.objects.get(),
            event=event,
            account=account,
            sequence=1,
            lane=0,
            status=Delivery.Status.PARKED,
            next_at=now,
            created_at=now,
        )


def test_a_parked_delivery_is_delivered_again_by_a_post_only(agency, desk, parked):
    address = page(Delivery, "deliver_again", parked.pk)
    desk.get(address)
    with acting_for(agency):
        parked.refresh_from_db()
        assert parked.status == "parked"
    assert desk.post(address).status_code == 302
    with acting_for(agency):
        parked.refresh_from_db()
        assert parked.status == "waiting"


def test_selected_deliveries_are_delivered_again_and_foreign_ones_are_not_touched(
    agency, desk, parked, other_agency, others_account, now
):
    theirs = furnish(other_agency, now)[Delivery]
    with acting_for(other_agency):
        Delivery.objects.update(status=Delivery.Status.PARKED)
    sent = {"action": "deliver_selected_again", "_selected_action": [str(parked.pk), str(theirs.pk)]}
    assert desk.post(page(Delivery, "changelist"), sent).status_code == 302
    with acting_for(agency):
        assert Delivery.objects.get().status == "waiting"
    with acting_for(other_agency):
        assert Delivery.objects.get().status == "parked"


def test_a_delivery_is_skipped_with_a_reason_that_stands_in_an_event(agency, desk, parked):
    address = page(Delivery, "skip", parked.pk)
    assert desk.post(address, {"reason": ""}).status_code == 200
    with acting_for(agency):
        parked.refresh_from_db()
        assert parked.status == "parked"
    assert desk.post(address, {"reason": "The host knows it by phone."}).status_code == 302
    with acting_for(agency):
        parked.refresh_from_db()
        event = Event.objects.get(kind="delivery.abandoned")
    assert (parked.status, event.actor) == ("skipped", "staff:acme-agency-admin")
    assert event.data["reason"] == "The host knows it by phone."
    assert logged(parked) == ["Skipped: The host knows it by phone."]


def logged(row) -> list[str]:
    """Read what the staff's log tells of a row."""
    entries = LogEntry.objects.filter(content_type__model=row._meta.model_name, object_id=str(row.pk))
    return list(entries.order_by("pk").values_list("change_message", flat=True))


def test_what_was_delivered_while_the_form_was_open_is_not_told_as_skipped(agency, desk, parked):
    with acting_for(agency):
        Delivery.objects.update(status=Delivery.Status.DELIVERED)
    said = desk.post(page(Delivery, "skip", parked.pk), {"reason": "By phone."}, follow=True).content.decode()
    assert "It was delivered or skipped meanwhile: nothing was done." in said
    assert "Skipped;" not in said
    assert logged(parked) == []
    with acting_for(agency):
        assert Delivery.objects.get().status == "delivered"


def test_it_is_kept_who_had_what_delivered_again(agency, desk, parked):
    desk.post(page(Delivery, "deliver_again", parked.pk))
    with acting_for(agency):
        Delivery.objects.update(status=Delivery.Status.PARKED)
    sent = {"action": "deliver_selected_again", "_selected_action": [str(parked.pk)]}
    desk.post(page(Delivery, "changelist") + "?status__exact=parked", sent)
    with acting_for(agency):
        assert Delivery.objects.get().status == "waiting"
    assert logged(parked) == ["Asked to deliver again."] * 2
    assert set(LogEntry.objects.values_list("user__username", flat=True)) == {"acme-agency-admin"}


@pytest.mark.parametrize("off", ["site", "connection", "host"])
def test_a_site_that_nobody_visits_is_not_told_as_on_its_way(agency, desk, now, off):
    with acting_for(agency):
        connection = HostConnection.objects.get()
        site = HostSite.objects.create(connection=connection, host="sftp.example.com", next_at=now)
    address = page(HostSite, "visit_now", site.pk)
    assert "It is on its way." in desk.post(address, follow=True).content.decode()
    with acting_for(agency):
        HostSite.objects.update(next_at=now, is_active=off != "site", host="" if off == "host" else "x")
        HostConnection.objects.update(is_active=off != "connection")
    said = desk.post(address, follow=True).content.decode()
    assert "Nobody visits it" in said
    assert "It is on its way." not in said
    assert logged(site) == ["Asked for a visit now."]
    with acting_for(agency):
        assert HostSite.objects.get().next_at == now


def test_the_line_errors_of_a_file_are_saved_by_those_alone_who_may_read_them_and_it_is_kept_who_did(agency, now):
    with acting_for(agency):
        row = HostFile.objects.create(connection=HostConnection.objects.get(), kind="placement", name="a", made_at=now)
    address = page(HostFile, "save_errors", row.pk)
    for role in ("collector", "campaign manager", "campaign approver", "payments supervisor"):
        assert signed_in(member(agency, role)).get(address).status_code == 403
    assert logged(row) == []
    for role in ("agency admin", "auditor", "integration engineer"):
        assert signed_in(member(agency, role)).get(address).status_code == 200
    assert logged(row) == ["Saved the line errors."] * 3


# Pages --------------------------------------------------------------------------------------------------------


def test_an_account_page_tells_its_story_newest_first(agency, account, desk, now):
    with acting_for(agency), transaction.atomic():
        events.record("account.placed", account=account, now=now, data={"client": "Harbor", "balance_cents": 1_000_00})
        told = {"amount_cents": 125_00, "brand": "visa", "funding": "debit", "last4": "5556", "currency": "usd"}
        events.record("payment.declined", account=account, now=now, data=told | {"decline_code": "insufficient_funds"})
    text = desk.get(page(Account, "change", account.pk)).content.decode()
    declined = text.index("Payment of $125.00 declined with Visa debit ending 5556: insufficient_funds")
    assert declined < text.index("Placed by Harbor with a balance of $1,000.00")


def test_identity_data_is_masked_and_a_code_is_never_shown(agency, account, desk, now):
    from campaigns.models import Message

    with acting_for(agency):
        consumer = account.consumer
        consumer.dob = "1980-07-31"
        consumer.save()
        Message.objects.create(
            consumer=consumer,
            contact_point=consumer.contact_points.get(),
            template="code",
            stream="security",
            language="en",
            subject="Your code",
            text="Your code is 481516",
            html="<p>481516</p>",
            cause="c",
            token="t",
            next_at=now,
            queued_at=now,
        )
        message = Message.objects.get()
    person = desk.get(page(type(consumer), "change", consumer.pk)).content.decode()
    assert "•••• 1234" in person
    assert "900991234" not in person
    assert "1980" not in person
    assert "jane@acme" not in person
    assert "481516" not in desk.get(page(Message, "change", message.pk)).content.decode()


def test_the_dashboard_counts_the_agencys_own_money_in_a_few_queries(
    agency, account, others_account, other_agency, desk, now, django_assert_max_num_queries
):
    for owner, cents in ((agency, 125_00), (other_agency, 999_00)):
        furnish(owner, timezone.now())
        with acting_for(owner):
            Payment.objects.update(amount_cents=cents)
            Payment.objects.update(status="succeeded", decided_at=timezone.now())
    with django_assert_max_num_queries(20):
        answer = desk.get(reverse("admin:index"))
    figures = {card["title"]: card["figure"] for card in answer.context["cards"]}
    assert figures["Collected today"] == figures["Collected this month"] == "$125.00"
    assert "$999.00" not in answer.content.decode()
    assert "Acme Recovery" in answer.content.decode()
    assert "Birch" not in answer.content.decode()


def another(row, **values):
    """Make one more of a row."""
    kept = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}
    return type(row).objects.create(**kept | values)


def one_of_each_card(owner) -> None:
    """Give an agency one row that each card counts, and one beside it that it does not."""
    now = timezone.now()
    rows = furnish(owner, now)
    with acting_for(owner), transaction.atomic():
        Payment.objects.update(status="succeeded", amount_cents=125_00, decided_at=now)
        for status, at in (("declined", now), ("declined", now - LONG), ("succeeded", now - LONG)):
            another(rows[Payment], status=status, decided_at=at, idempotency_key=uuid.uuid4())
        Account.objects.update(status="open")
        unmapped = make_account(owner, reference="U1", status="unmapped")
        Arrangement.objects.update(status="late")
        another(rows[Arrangement], account_id=unmapped.pk, consumer_id=unmapped.consumer_id, status="broken")
        Delivery.objects.update(status="parked")
        event = events.record("page.viewed", account=unmapped, now=now, data={"page": "offer"})
        another(rows[Delivery], event_id=event.pk, account_id=unmapped.pk, status="waiting")
        HostConnection.objects.update(unreachable_since=now)
        another(rows[HostConnection], name="Second", unreachable_since=None)
        another(rows[HostConnection], name="Third", unreachable_since=now, is_active=False)


def test_every_card_of_the_dashboard_leads_to_the_rows_that_it_counts(agency, other_agency, desk):
    for owner in (agency, other_agency):
        one_of_each_card(owner)
    cards = desk.get(reverse("admin:index")).context["cards"]
    found = {}
    for card in cards:
        answer = desk.get(card["link"])
        assert answer.status_code == 200, card
        with acting_for(agency):
            listed = answer.context["cl"].queryset
            found[card["title"]] = listed.count(), sum(getattr(row, "amount_cents", 0) for row in listed)
    sums = ("Collected today", "Collected this month")
    assert {card["title"]: card["figure"] for card in cards} == {
        title: format_cents(cents) if title in sums else count for title, (count, cents) in found.items()
    }
    assert [count for count, _cents in found.values()] == [1] * 8
