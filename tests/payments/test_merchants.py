"""Each client's money goes to its own merchant account, else to the agency's for all others."""

import pytest

from accounts.models import Client
from accounts.tenancy import acting_for
from payments.models import Method, Payment, ProcessorAccount
from payments.services import methods
from tests.conftest import make_account
from tests.payments.conftest import VISA_DEBIT, names


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
