"""Cards and bank accounts that are kept: one default, removed at once with all that uses them, forgotten at the end."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Authorization, Method, Payment, Postdate
from payments.services import wallet
from tests.conftest import NOW
from tests.payments.test_life import three_parts
from tests.payments.test_pay import kinds

LATER = NOW + dt.timedelta(days=1)


def mine(shop):
    return list(wallet.methods_of(shop.account.consumer_id))


def states():
    return list(Postdate.objects.order_by("due_on").values_list("status", flat=True))


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def forget(now=LATER):
    with acting_for(ALL_AGENCIES):
        return wallet.forget_finished(now=now)


def test_only_what_was_kept_with_consent_is_in_the_wallet(shop):
    three_parts(shop)
    Method.objects.create(consumer=shop.account.consumer, kind="card", last4="1111", created_at=NOW)
    (card,) = mine(shop)
    assert (card.brand, card.funding, card.last4, card.stored) == ("visa", "debit", "5556", True)


def test_revoking_ends_all_that_is_planned_at_once_and_tells_the_host(shop):
    signed = three_parts(shop).authorization
    assert wallet.revoke(authorization=signed, by="consumer:1", now=LATER) == 2
    signed = fresh(signed)
    assert (signed.revoked_at, signed.revoked_by) == (LATER, "consumer:1")
    # PDC-07: held here at once, asked back from the host that executes them.
    assert states() == ["cancel_req", "cancel_req"]
    told = [kind for kind in kinds(shop.account) if kind in ("authorization.revoked", "postdate.cancel_requested")]
    assert told == ["authorization.revoked", "postdate.cancel_requested", "postdate.cancel_requested"]
    assert wallet.revoke(authorization=signed, by="consumer:1", now=LATER) == 0
    assert kinds(shop.account).count("authorization.revoked") == 1


def test_what_would_end_is_said_before_anything_ends(shop):
    plan = three_parts(shop)
    (card,) = mine(shop)
    ends = wallet.consequences(method=card)
    assert (ends.payments, ends.cents, ends.settling) == (2, 500_00, True)
    assert ends.authorizations == (plan.authorization,)
    assert wallet.consequences(authorization=plan.authorization).cents == 500_00
    assert states() == ["scheduled", "scheduled"]


def test_a_removed_card_is_gone_with_every_authorization_that_uses_it(shop):
    three_parts(shop)
    (card,) = mine(shop)
    wallet.make_default(method=card, now=NOW)
    wallet.remove(method=card, by="consumer:1", now=LATER)
    card = fresh(card)
    assert (card.removed_at, card.is_default, card.stored) == (LATER, False, False)
    assert mine(shop) == []
    assert states() == ["cancel_req", "cancel_req"]
    assert not Authorization.objects.filter(revoked_at=None).exists()
    told = Event.objects.get(kind="method.removed").data
    assert (told["last4"], told["by"], told["reason"]) == ("5556", "consumer:1", "removed")
    wallet.remove(method=card, by="consumer:1", now=LATER + dt.timedelta(days=1))
    assert (fresh(card).removed_at, Event.objects.filter(kind="method.removed").count()) == (LATER, 1)


def test_removing_fails_whole(shop, monkeypatch):
    three_parts(shop)
    (card,) = mine(shop)
    monkeypatch.setattr(wallet, "_forget", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        wallet.remove(method=card, by="consumer:1", now=LATER)
    assert states() == ["scheduled", "scheduled"]
    assert Authorization.objects.get(pk=card.authorizations.get().pk).revoked_at is None


def test_there_is_one_default_by_rule_and_by_the_database(shop):
    three_parts(shop)
    (card,) = mine(shop)
    values = {"consumer_id": card.consumer_id, "kind": "card", "last4": "1111", "created_at": NOW, "stored": True}
    other = Method.objects.create(**values)
    for one in (card, other, other):
        wallet.make_default(method=one, now=NOW)
    assert [row.pk for row in mine(shop) if row.is_default] == [other.pk]
    with pytest.raises(IntegrityError), transaction.atomic():
        Method.objects.filter(pk=card.pk).update(is_default=True)


@pytest.mark.parametrize(
    ("status", "forgotten"), [("paid", 1), ("closed", 1), ("recalled", 1), ("open", 0), ("disputed", 0)]
)
def test_what_is_stored_goes_when_every_account_it_was_for_is_over(shop, status, forgotten):
    three_parts(shop)
    Postdate.objects.update(status="cancelled")
    Account.objects.filter(pk=shop.account.pk).update(status=status)
    assert forget() == forgotten
    assert len(mine(shop)) == 1 - forgotten
    assert forget() == 0


def test_a_bank_account_stays_until_its_payment_is_decided_and_shown_and_then_its_numbers_are_wiped(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    Account.objects.filter(pk=shop.account.pk).update(status="paid")
    assert forget() == 0
    Payment.objects.filter(pk=payment.pk).update(status="succeeded", acknowledged_at=LATER)
    assert forget() == 1
    gone = fresh(payment.method)
    assert (gone.routing, gone.number, gone.wiped_at, gone.removed_at) == ("", "", LATER, LATER)


def test_nothing_of_another_agency_is_removed_or_revoked(shop, other_shop):
    with acting_for(other_shop.agency):
        theirs = three_parts(other_shop)
    with pytest.raises(Account.DoesNotExist):
        wallet.revoke(authorization=theirs.authorization, by="consumer:1", now=LATER)
    with pytest.raises(Method.DoesNotExist):
        wallet.remove(method=theirs.authorization.method, by="consumer:1", now=LATER)
    with acting_for(other_shop.agency):
        assert states() == ["scheduled", "scheduled"]
