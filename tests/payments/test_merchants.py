"""Each client's money goes to its own merchant account, else to the agency's for all others."""

import pytest
from django.urls import reverse

from accounts.models import Account, Client
from accounts.tenancy import acting_for
from payments.models import Arrangement, Method, Payment, Postdate, ProcessorAccount
from payments.services import methods
from tests.conftest import NOW, make_account
from tests.flows.conftest import clock, sure, visitor  # noqa: F401 - fixtures
from tests.integrations.api_caller import Caller
from tests.integrations.api_caller import codes as errors_of
from tests.payments.conftest import VISA_DEBIT, names
from tests.payments.due_cast import plan
from tests.payments.test_agree import accept, quoted
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_change import codes, confirm, look
from tests.payments.test_pay import refused
from tests.staff import member, signed_in


@pytest.fixture
def clinic(shop):
    """A second client of the agency with a merchant account of its own, and the same consumer's account there."""
    name = next(names)
    merchant = shop.program.merchant(name)
    general = ProcessorAccount.objects.get()
    client = Client.objects.create(connection_id=shop.account.connection_id, number="C2", name="Lake Clinic")
    row = ProcessorAccount.objects.create(
        name="Clinic's cards",
        client=client,
        account_ref=f"acct_{name}",
        publishable_key=f"pk_test_{name}",
        secret_key=f"sk_test_{name}_portal",
        webhook_secret=f"whsec_{name}",
        api_base=shop.program.url,
    )
    account = make_account(
        shop.agency, client=client, consumer=shop.account.consumer, reference="C2-1", sol_status="live"
    )
    return {"merchant": merchant, "row": row, "general": general, "account": account, "client": client}


def switch(shop, clinic):
    """Let the shop's consumer pay the clinic's account."""
    shop.account, shop.merchant = clinic["account"], clinic["merchant"]
    return shop


def test_a_client_with_its_own_merchant_account_is_paid_there_and_all_others_at_the_agencys(shop, clinic):
    assert shop.confirm(shop.checkout()).processor_account == clinic["general"]
    agencys, _ = shop.merchant, switch(shop, clinic)
    payment = shop.confirm(shop.checkout())
    assert (payment.status, payment.processor_account) == ("succeeded", clinic["row"])
    assert [one["amount"] for one in clinic["merchant"].charged()] == [125_00]
    assert [one["amount"] for one in agencys.charged()] == [125_00]


def test_a_bank_account_is_validated_at_the_clients_merchant_account(shop, clinic):
    switch(shop, clinic)
    shop.checkout(bank="000123456789")
    assert Method.objects.get().processor_account == clinic["row"]


def test_a_card_kept_at_one_merchant_account_is_not_offered_at_the_other(shop, clinic):
    shop.confirm(shop.checkout("parts", paper=True))
    kept = Method.objects.get(stored=True)
    assert list(methods.usable_for(shop.account)) == [kept]
    assert list(methods.usable_for(clinic["account"])) == []
    switch(shop, clinic)
    checkout = shop.checkout(card=None)
    found = methods.take_stored(checkout=checkout, method_id=kept.pk, now=shop.account.as_of)
    assert [one.code for one in found] == ["method_unknown"]


def test_without_any_that_fits_cards_are_refused(shop, clinic):
    ProcessorAccount.objects.filter(pk=clinic["general"].pk).update(is_active=False)
    found = shop.take_card(shop.checkout(card=None), VISA_DEBIT)
    assert [one.code for one in found] == ["no_processor"]
    assert methods.active_processor(clinic["account"]) == clinic["row"]


def test_a_clients_account_that_is_switched_off_leaves_the_agencys(shop, clinic):
    ProcessorAccount.objects.filter(pk=clinic["row"].pk).update(is_active=False)
    assert methods.active_processor(clinic["account"]) == clinic["general"]


def test_another_agencys_merchant_account_is_never_found(shop, other_shop):
    with acting_for(other_shop.agency):
        ProcessorAccount.objects.update(is_active=False)
        with pytest.raises(methods.NoProcessor):
            methods.active_processor(other_shop.account)
    assert Payment.objects.count() == 0


# Another card for a plan --------------------------------------------------------------------------------------------


@pytest.fixture
def clinics_plan(shop, clinic, clock):  # noqa: F811
    """A plan on the clinic's account, from a card that is kept at the clinic's merchant account."""
    agree_to_email(shop)
    return plan(shop, method=kept_card(shop, clinic["row"]), account=clinic["account"])


def kept_card(shop, merchant, **values):
    about = {"brand": "mastercard", "funding": "credit", "last4": "4444", "stored": True, "created_at": NOW}
    about |= {"processor_account": merchant, "processor_method": f"pm_{next(names)}", "fingerprint": next(names)}
    return Method.objects.create(consumer=shop.account.consumer, kind="card", **about | values)


def wished(arrangement, card):
    return look(arrangement, kind="method", method=card)


def refused_everywhere(shop, arrangement, card, code):
    """Ask for a card as the consumer, by API and as staff who have a recording; all are refused, nothing changes."""
    assert codes(wished(arrangement, card)) == [code]
    assert refused(confirm, arrangement, kind="method", method=card) == [code]
    caller, wish = Caller(shop.agency), {"kind": "method", "method": str(card.pk)}
    seen = caller.post(f"arrangements/{arrangement.pk}/preview", wish).json()
    assert [one["code"] for one in seen["refusals"]] == [code]
    answer = caller.post(f"arrangements/{arrangement.pk}/changes", wish)
    assert code in {answer.json()["code"], *(one for _pointer, one in errors_of(answer))}
    desk = signed_in(member(shop.agency, "agency admin", next(names)))
    where = reverse("admin:payments_arrangement_change_it", args=[arrangement.pk])
    said = {"kind": "method", "method": str(card.pk), "recording": "call 4711", "reason": "Asked for it"}
    page = desk.post(where, said)
    assert (page.status_code, page.context["form"].is_valid()) == (200, False)
    row = Arrangement.objects.get(pk=arrangement.pk)
    assert (row.changes, row.method_id) == (0, arrangement.method_id)
    assert set(Postdate.objects.filter(arrangement=row).values_list("status", flat=True)) == {"scheduled"}


def offered_on_the_page(sure, arrangement):  # noqa: F811
    return {one["id"] for one in sure.get(f"/plan/{arrangement.pk}/change/method/").context["methods"]}


def chosen_on_the_page(sure, arrangement, card):  # noqa: F811
    page = sure.get(f"/plan/{arrangement.pk}/change/method/", {"preview": "1", "method": str(card.pk)})
    assert (page.status_code, page.context["preview"]) == (422, None)
    return page.content.decode()


def test_a_card_kept_at_one_merchant_account_takes_over_no_plan_of_the_other(shop, clinic, clinics_plan, sure):  # noqa: F811
    agencys, clinics = kept_card(shop, clinic["general"]), kept_card(shop, clinic["row"])
    refused_everywhere(shop, clinics_plan, agencys, "method_unknown")
    assert offered_on_the_page(sure, clinics_plan) == {clinics.pk}
    assert 'data-code="invalid_choice"' in chosen_on_the_page(sure, clinics_plan, agencys)
    assert codes(wished(clinics_plan, clinics)) == []


def test_a_visa_credit_card_that_a_client_does_not_take_takes_over_no_plan_card_01(shop, clinic, clinics_plan, sure):  # noqa: F811
    visa = kept_card(shop, clinic["row"], brand="visa")
    refused_everywhere(shop, clinics_plan, visa, "visa_credit_not_accepted")
    assert 'data-code="visa_credit_not_accepted"' in chosen_on_the_page(sure, clinics_plan, visa)
    Client.objects.filter(pk=clinic["client"].pk).update(allow_visa_credit=True)
    assert codes(wished(clinics_plan, visa)) == []


def test_a_card_that_is_ruled_out_or_waits_for_a_change_takes_over_no_plan(shop, clinic, clinics_plan, sure):  # noqa: F811
    blocked = kept_card(shop, clinic["row"], blocked_at=NOW, blocked_reason="stolen_card")
    refused_everywhere(shop, clinics_plan, blocked, "method_blocked")
    waiting = kept_card(shop, clinic["row"], update_pending={"code": "expired_card"})
    refused_everywhere(shop, clinics_plan, waiting, "method_update_pending")
    assert offered_on_the_page(sure, clinics_plan) == {waiting.pk}


def test_an_old_debts_notice_comes_before_another_card_too_sol_02(shop, clinic, clinics_plan):
    Account.objects.filter(pk=clinic["account"].pk).update(sol_status="expired")
    refused_everywhere(shop, clinics_plan, kept_card(shop, clinic["row"]), "sol_notice_required")


def test_a_quote_is_not_accepted_with_a_card_of_the_other_merchant_account(shop, clinic):
    agree_to_email(shop)
    agencys = kept_card(shop, clinic["general"])
    quote = quoted(switch(shop, clinic))
    assert refused(accept, quote, method=agencys) == ["method_unknown"]
    assert accept(quote, method=kept_card(shop, clinic["row"])).method.processor_account == clinic["row"]
