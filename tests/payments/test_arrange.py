"""A settlement in parts: the first payment now, the rest handed to the host with what is owed before each."""

import datetime as dt

import pytest

from accounts.models import Account, Code, Consent, Event
from accounts.services.consent import ESIGN_VERSION
from payments.models import Arrangement, Authorization, Method, Notice, Payment, Postdate
from payments.rules import routing
from payments.services import checkout as checkouts
from payments.services import route
from payments.services.owed import owed
from settlements.models import IndividualOffer
from settlements.rules.offers import HostSettlement
from settlements.services import offers
from tests.conftest import NOW
from tests.payments.conftest import today
from tests.payments.test_pay import kinds, refused


def agree_to_email(shop):
    contact = shop.account.consumer.contact_points.get()
    Consent.objects.create(
        consumer=shop.account.consumer,
        contact_point=contact,
        kind="esign",
        granted=True,
        wording="...",
        version=ESIGN_VERSION,
        source="page",
        demonstrated=True,
        at=NOW,
    )


def test_the_proposal_is_six_payments_of_125_from_today(shop):
    checkout = shop.checkout("parts", paper=True)
    assert checkout.lines == [
        ["2026-12-01", 125_00],
        ["2027-01-01", 125_00],
        ["2027-02-01", 125_00],
        ["2027-03-01", 125_00],
        ["2027-04-01", 125_00],
        ["2027-05-01", 125_00],
    ]
    assert checkout.terms["amount_cents"] == 750_00
    assert checkout.terms["saving_cents"] == 250_00


def test_the_first_part_is_charged_and_five_go_to_the_host_as_tokens(shop):
    agree_to_email(shop)
    payment = shop.confirm(shop.checkout("parts"))
    assert payment.status == Payment.Status.SUCCEEDED
    arrangement = Arrangement.objects.get()
    assert (arrangement.kind, arrangement.total_cents, arrangement.saving_cents) == ("settlement", 750_00, 250_00)
    assert payment.arrangement == arrangement
    assert kinds(shop.account) == [
        "authorization.created",
        "payment.intended",
        "method.added",
        "payment.succeeded",
        "offer.accepted",
        "arrangement.created",
        *["postdate.scheduled"] * 5,
        *["notice.due"] * 5,
    ]
    second = Event.objects.filter(kind="postdate.scheduled").order_by("account_seq").first().data
    assert (second["number"], second["of"], second["date"], second["amount_cents"]) == (2, 6, "2027-01-01", 125_00)
    assert (second["executor"], second["notifier"], second["kind"]) == ("host", "portal", "card")
    assert second["not_before"] == "2027-01-01T13:00:00Z"
    method = Method.objects.get()
    assert method.stored
    assert second["token"] == {
        "processor": "stripe",
        "merchant_account": shop.merchant.id,
        "customer": method.processor_customer,
        "payment_method": method.processor_method,
        "network_transaction_id": method.network_transaction_id,
        "brand": "visa",
        "funding": "debit",
        "last4": "5556",
        "expiry": "12/2034",
    }
    assert all(value for value in second["token"].values())


def test_the_host_can_charge_the_token_it_was_given(shop):
    agree_to_email(shop)
    shop.confirm(shop.checkout("parts"))
    token = Event.objects.filter(kind="postdate.scheduled").first().data["token"]
    intent = shop.merchant.host.v1.payment_intents.create(
        {
            "amount": 125_00,
            "currency": "usd",
            "customer": token["customer"],
            "payment_method": token["payment_method"],
            "off_session": True,
            "confirm": True,
        }
    )
    assert intent.status == "succeeded"


def test_a_notice_is_owed_for_each_payment_more_than_five_days_away(shop):
    agree_to_email(shop)
    shop.confirm(shop.checkout("parts"))
    notice = Notice.objects.get(postdate__number=2)
    assert (notice.owner, notice.channel, notice.kind) == ("portal", "email", "predebit")
    # 1 January 2027 is a Friday and a holiday: the window counts back from Thursday the 31st.
    assert (notice.earliest_on, notice.latest_on) == (dt.date(2026, 12, 22), dt.date(2026, 12, 28))
    assert notice.earliest_on <= notice.target_on <= notice.latest_on == notice.send_by
    told = Event.objects.filter(kind="notice.due", data__postdate=str(notice.postdate_id)).get().data
    assert (told["earliest"], told["latest"]) == ("2026-12-22", "2026-12-28")
    assert not Event.objects.filter(kind="letter.required").exists()


def test_without_consent_to_electronic_documents_a_letter_is_required_for_each(shop):
    shop.confirm(shop.checkout("parts", paper=True))
    letters = Event.objects.filter(kind="letter.required").order_by("account_seq")
    assert len(letters) == 5
    assert letters[0].data["type"] == "predebit"
    notice = Notice.objects.get(postdate__number=2)
    assert (notice.channel, letters[0].data["send_by"]) == ("letter", notice.send_by.isoformat())
    # Eight business days before Thursday, 31 December, with Christmas between.
    assert notice.send_by == dt.date(2026, 12, 18)


def test_a_payment_within_five_days_needs_no_notice(shop):
    near = today() + dt.timedelta(days=5)
    shop.confirm(shop.checkout("parts", [(today(), 700_00), (near, 50_00)]))
    assert Postdate.objects.get().due_on == near
    assert Notice.objects.count() == 0


def test_a_schedule_asks_first_whether_email_may_be_used(shop):
    checkout = shop.checkout("parts")
    assert refused(shop.confirm, checkout) == ["paper_or_email"]
    assert shop.merchant.ledger() == []


def test_a_date_that_a_letter_cannot_reach_in_time_is_refused(shop):
    near = today() + dt.timedelta(days=8)
    checkout = shop.checkout("parts", [(today(), 700_00), (near, 50_00)], paper=True)
    seen = checkouts.review(checkout, language="en", now=NOW)
    assert [(one.code, one.field) for one in seen.refusals] == [("letter_too_late", "lines.1.due_on")]


def test_a_schedule_needs_a_confirmed_visit(shop):
    checkout = checkouts.begin(visit=shop.visit(level=1), account=shop.account, now=NOW)
    found = checkouts.choose(checkout=checkout, choice="parts", now=NOW)
    assert [one.code for one in found] == ["step_up_required"]


def test_everything_wrong_with_a_schedule_is_said_at_once(shop):
    checkout = checkouts.begin(visit=shop.visit(), account=shop.account, now=NOW)
    lines = [(today(), 700_00), (dt.date(2027, 7, 1), 10_00), (dt.date(2027, 6, 1), 30_00)]
    found = checkouts.choose(checkout=checkout, choice="parts", lines=lines, now=NOW)
    assert [(one.code, one.field) for one in found] == [
        ("sum_not_exact", "lines"),
        ("payment_below_minimum", "lines.1.amount_cents"),
        ("last_date_too_late", "lines.1.due_on"),
        ("dates_not_rising", "lines.2.due_on"),
        ("last_date_too_late", "lines.2.due_on"),
    ]


def test_a_declined_first_part_leaves_nothing_planned(shop):
    payment = shop.confirm(shop.checkout("parts", paper=True, card="5200828282829994"))
    assert payment.status == Payment.Status.DECLINED
    assert (Arrangement.objects.count(), Postdate.objects.count(), Notice.objects.count()) == (0, 0, 0)
    assert Authorization.objects.get().revoked_at == NOW
    assert not Method.objects.get().stored


def test_a_settlement_paid_at_once_is_complete_and_leaves_nothing_owed(shop):
    offers.set_host_offer(account=shop.account, settlement=HostSettlement(amount_cents=600_00), now=NOW)
    payment = shop.confirm(shop.checkout("settlement"))
    assert payment.amount_cents == 600_00
    assert owed(shop.account).cents == 0
    assert IndividualOffer.objects.get().status == IndividualOffer.Status.COMPLETED
    assert kinds(shop.account)[-4:] == [
        "payment.succeeded",
        "offer.accepted",
        "offer.completed",
        "settlement.completed",
    ]
    assert "as settlement in full of the balance of $1,000.00" in payment.authorization.text


def test_an_offer_that_changed_between_choice_and_confirm_is_refused(shop):
    checkout = shop.checkout("settlement")
    offers.set_host_offer(account=shop.account, settlement=HostSettlement(percent_bps=90_00), now=NOW)
    assert refused(shop.confirm, checkout) == ["offer_changed", "sum_not_exact"]


def test_nobody_signs_a_balance_that_is_another_one_by_now(shop):
    offers.set_host_offer(account=shop.account, settlement=HostSettlement(amount_cents=500_00), now=NOW)
    checkout = shop.checkout("settlement")
    Account.objects.update(balance_cents=900_00)
    seen = checkouts.review(checkout, language="en", now=NOW)
    assert [one.code for one in seen.refusals] == ["offer_changed"]
    assert refused(shop.confirm, checkout) == ["offer_changed"]
    assert (Payment.objects.count(), Authorization.objects.count()) == (0, 0)


def test_an_offer_that_the_host_replaced_by_one_of_the_same_amount_is_chosen_again(shop):
    for days in (90, 120):
        said = HostSettlement(amount_cents=600_00, max_payments=3, max_date=today() + dt.timedelta(days=days))
        offers.set_host_offer(account=shop.account, settlement=said, now=NOW)
        if days == 90:
            checkout = shop.checkout("parts", paper=True)
    assert refused(shop.confirm, checkout) == ["offer_changed"]
    assert shop.confirm(shop.checkout("parts", paper=True)).status == Payment.Status.SUCCEEDED
    assert Arrangement.objects.get().terms["version"] == str(IndividualOffer.objects.get(status="accepted").pk)


def test_a_second_plan_and_a_full_payment_wait_until_the_first_plan_is_over(shop):
    shop.confirm(shop.checkout("parts", paper=True))
    later = NOW + dt.timedelta(minutes=1)
    checkout = checkouts.begin(visit=shop.visit(), account=shop.account, now=later)
    for choice in ("parts", "settlement", "full"):
        found = checkouts.choose(checkout=checkout, choice=choice, now=later)
        assert "arrangement_active" in [one.code for one in found]
    # What is left of the settlement can be paid early, and not a cent more: 750 less 125 taken.
    (refusal,) = checkouts.choose(checkout=checkout, choice="amount", lines=[(today(), 625_01)], now=later)
    assert refusal.code == "more_than_owed"
    assert checkouts.choose(checkout=checkout, choice="amount", lines=[(today(), 625_00)], now=later) == []


def test_without_a_route_nothing_is_guessed(shop, monkeypatch):
    checkout = shop.checkout("parts", paper=True)
    half = {key: value for key, value in routing.SCOLLECT.items() if key.timing == "immediate"}
    monkeypatch.setattr(route, "table", lambda account: half)
    assert refused(shop.confirm, checkout) == ["method_not_routed"]
    monkeypatch.setattr(route, "table", None)
    assert refused(shop.confirm, checkout) == ["method_not_routed"]
    assert shop.merchant.ledger() == []


@pytest.mark.parametrize("stored", ["rows", "words"])
def test_the_routing_table_is_read_as_a_connection_stores_it(shop, monkeypatch, stored):
    rows = routing.write_table(routing.SCOLLECT)
    words = {f"{row['method']}.{row['timing']}": [row["executor"], row["notifier"]] for row in rows}
    monkeypatch.setattr(route, "table", lambda account: rows if stored == "rows" else words)
    assert route.route_for(shop.account, "card", "postdated") == routing.Route("host", "portal")


def test_the_evidence_names_where_the_code_was_sent_masked(shop):
    checkout = shop.checkout()
    Code.objects.create(
        visit=checkout.visit,
        contact_point=shop.account.consumer.contact_points.get(),
        purpose="step_up",
        code_hash="x",
        created_at=NOW,
        expires_at=NOW,
        used_at=NOW,
    )
    assert shop.confirm(checkout).authorization.evidence["code_sent_to"] == "j•••@acme.example.com"
