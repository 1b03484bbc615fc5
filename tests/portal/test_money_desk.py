"""Staff give back, stop, collect, approve, export, post and close on pages, each by permission and with a reason."""

import datetime as dt
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from accounts.models import User
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Incident, PaymentBatch, ProcessorAccount, Refund
from payments.services import batches, incidents, refunds
from tests.conftest import NOW
from tests.payments import conftest as payments
from tests.payments.test_batches import collected, items, serve
from tests.payments.test_refunds import given_back
from tests.staff import PASSWORD, member, signed_in

processor_program, processor, shop = payments.processor_program, payments.processor, payments.shop
other_shop, _scollect_routes = payments.other_shop, payments._scollect_routes


def address(row, name):
    return reverse(f"admin:payments_{row._meta.model_name}_{name}", args=[row.pk])


def desk(shop, role="payments supervisor", username=""):
    return signed_in(member(shop.agency, role, username))


def act(browser, row, action, **form):
    return browser.post(address(row, action), form, follow=True)


@pytest.fixture
def paid(shop):
    return shop.confirm(shop.checkout())


def test_one_person_asks_and_another_approves_on_pages(shop, paid):
    ann, bea = desk(shop, username="ann"), desk(shop, username="bea")
    page = ann.get(reverse("admin:payments_payment_change", args=[paid.pk])).content.decode()
    assert "Give back" in page
    assert address(paid, "stop") not in page
    assert (
        "Another person must approve"
        in act(ann, paid, "give_back", amount_cents="125.00", reason="Twice").content.decode()
    )
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_cents) == ("asked", 125_00)
    assert "Another person than the one who asked" in act(ann, refund, "approve").content.decode()
    assert given_back(shop) == []
    act(bea, refund, "approve")
    assert given_back(shop) == [125_00]
    assert LogEntry.objects.filter(change_message="Approved.").count() == 1


def test_a_form_that_is_sent_twice_gives_back_once(shop, paid):
    ann = desk(shop, username="ann")
    key = re.search(r'name="key" value="([0-9a-f-]{36})"', ann.get(address(paid, "give_back")).content.decode())[1]
    for _press in range(2):
        act(ann, paid, "give_back", amount_cents="50.00", reason="Twice", key=key)
    assert given_back(shop) == [50_00]
    assert str(Refund.objects.get().pk) == key
    # Another form is another refund.
    act(ann, paid, "give_back", amount_cents="25.00", reason="And this")
    assert sorted(given_back(shop)) == [25_00, 50_00]


def test_too_much_is_refused_in_words_and_a_reason_is_needed(shop, paid):
    said = act(desk(shop), paid, "give_back", amount_cents="125.01", reason="Twice").content.decode()
    assert "At most $125.00 of this payment" in said
    act(desk(shop, username="bea"), paid, "give_back", amount_cents="1.00", reason="")
    assert Refund.objects.count() == 0


def test_an_agency_lowers_what_one_person_gives_back_alone_and_only_the_platform_raises_it(shop, other_shop, paid):
    boss, merchant = desk(shop, "agency admin"), ProcessorAccount.objects.get()
    platform = signed_in(User.objects.create_superuser("platform", "", PASSWORD))
    with acting_for(other_shop.agency):
        others = ProcessorAccount.objects.get()

    def limits():
        return list(ProcessorAccount.unscoped.order_by("pk").values_list("pk", "refund_alone_cents"))

    standing = sorted([(merchant.pk, 100_00), (others.pk, 100_00)])
    said = act(boss, merchant, "limit", cents="1000000.00", reason="Quicker.").content.decode()
    assert "At most $100.00: only the platform raises this limit." in said
    form = {"name": merchant.name, "processor": "stripe", "account_ref": "acct_1", "publishable_key": "pk"}
    form |= {"script_url": merchant.script_url, "is_active": "on", "refund_alone_cents": "100000000"}
    assert boss.post(address(merchant, "change"), form).status_code == 302
    assert boss.post(address(others, "limit"), {"cents": "0", "reason": "x"}).status_code == 404
    assert desk(shop).post(address(merchant, "limit"), {"cents": "0", "reason": "x"}).status_code == 403
    act(boss, merchant, "limit", cents="-1", reason="x")
    with acting_for(ALL_AGENCIES):
        assert limits() == standing
    act(boss, merchant, "limit", cents="50.00", reason="Careful.")
    assert refunds.ask(payment=paid, amount_cents=50_01, reason="x", by="staff:1", now=NOW).status == "asked"
    act(platform, merchant, "limit", cents="200.00", reason="They asked us.")
    with acting_for(ALL_AGENCIES):
        assert limits() == sorted([(merchant.pk, 200_00), (others.pk, 100_00)])
    told = LogEntry.objects.filter(change_message__startswith="Refund limit").order_by("pk")
    assert list(told.values_list("user__username", "change_message")) == [
        (f"{shop.agency.slug}-agency-admin", "Refund limit: $100.00 to $50.00: Careful."),
        ("platform", "Refund limit: $50.00 to $200.00: They asked us."),
    ]


@pytest.mark.parametrize("role", ["collector", "auditor", "campaign manager"])
def test_others_may_not_give_back(shop, paid, role):
    assert desk(shop, role).post(address(paid, "give_back"), {"amount_cents": "1", "reason": "x"}).status_code == 403
    assert Refund.objects.count() == 0


def test_another_agencys_payment_is_not_found(shop, other_shop, paid):
    assert desk(other_shop).get(address(paid, "give_back")).status_code == 404


def test_a_batch_goes_its_way_on_pages(shop, monkeypatch):
    # Pages take the time of the request, so what is due is made due long ago.
    serve(shop, monkeypatch, moment=dt.datetime.now(dt.UTC))
    monkeypatch.setattr(batches, "not_ready", lambda batch, now: [])
    ann, bea = desk(shop, username="ann"), desk(shop, username="bea")
    form = {"method": "ach", "until": "2027-01-04"}
    ann.post(reverse("admin:payments_paymentbatch_collect"), form)
    batch = PaymentBatch.objects.get()
    assert (batch.status, batch.items_count) == ("open", 2)
    assert "Nobody approves" in bea.get(address(batch, "approve")).content.decode()
    assert "Another person than those who made" in act(ann, batch, "approve").content.decode()
    assert act(bea, batch, "approve").status_code == 200
    saved = bea.post(address(batch, "export"), {"format": "nacha"})
    assert saved["Content-Disposition"] == 'attachment; filename="batch-1-ach.ach"'
    assert saved.content.startswith(b"101 021000021")
    assert bea.post(address(batch, "export"), {"format": "nacha"}).content == saved.content
    assert act(ann, items(batch)[0], "failed", code="R02").status_code == 200
    act(ann, batch, "post")
    batch.refresh_from_db()
    assert batch.status == "posted"
    assert sorted(one.status for one in items(batch)) == ["failed", "posted"]


def test_a_payment_is_taken_out_of_a_batch_with_a_reason_on_its_page(shop, monkeypatch):
    serve(shop, monkeypatch)
    item = items(collected())[1]
    assert act(desk(shop), item, "take_out", reason="").status_code == 200
    assert PaymentBatch.objects.get().items_count == 2
    act(desk(shop, username="bea"), item, "take_out", reason="Called.")
    assert PaymentBatch.objects.get().items_count == 1


def test_the_queue_shows_the_oldest_open_matter_first_and_closes_with_a_note(shop, paid):
    for days, kind in ((1, "ledger_only"), (3, "processor_only")):
        opened_at = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
        incidents.open(kind=kind, key="1", severity="urgent", now=opened_at, payment=paid, account=paid.account)
    browser = desk(shop)
    listed = reverse("admin:payments_incident_changelist")
    page = browser.get(listed).content.decode()
    assert page.index("processor_only") < page.index("ledger_only")
    assert "3 days" in page
    row = Incident.objects.get(kind="processor_only")
    act(browser, row, "close", note="")
    assert Incident.objects.filter(closed_at=None).count() == 2
    act(browser, row, "close", note="Terminal in the office.")
    row.refresh_from_db()
    assert (row.note, row.closed_by) == ("Terminal in the office.", f"staff:{browser.session['_auth_user_id']}")
    shown = [one.kind for one in browser.get(listed).context["cl"].result_list]
    assert shown == ["ledger_only"]


def test_a_second_active_merchant_account_of_a_client_is_refused_in_words(shop):
    browser = desk(shop, "agency admin")
    sent = {
        "name": "Second",
        "client": str(shop.account.client_id),
        "processor": "stripe",
        "account_ref": "acct_2",
        "publishable_key": "pk",
        "secret_key": "sk",
        "script_url": "https://js.stripe.com/v3/",
        "is_active": "on",
    }
    page = reverse("admin:payments_processoraccount_add")
    assert browser.post(page, sent).status_code == 302
    said = browser.post(page, sent | {"account_ref": "acct_3"}).content.decode()
    assert "There is an active merchant account for this already" in said
    with acting_for(shop.agency):
        assert ProcessorAccount.objects.filter(client=shop.account.client).count() == 1
