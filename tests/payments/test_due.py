"""The due run: what the portal executes is charged once, on its day, by what was signed; or it says why not."""

from payments.models import Arrangement, LedgerEntry, Payment, Postdate
from payments.services import due
from payments.services.owed import owed
from tests.payments.due_cast import due_item, fresh, run
from tests.payments.test_pay import kinds


def test_what_is_due_is_charged_once_and_told_in_order(shop):
    item = due_item(shop)
    ran = run()
    assert (ran.claimed, ran.intended, ran.charged, ran.skipped) == (1, 1, 1, 0)
    (charge,) = shop.charged()
    payment = Payment.objects.get()
    assert (charge["amount"], charge["credential"]) == (125_00, "portal")
    assert charge["idempotency_key"] == str(payment.pk)
    assert (payment.status, payment.amount_cents, payment.kind) == (Payment.Status.SUCCEEDED, 125_00, "card")
    assert (payment.purpose, payment.executor, payment.retry_of) == ("plan", "portal", None)
    assert (payment.postdate, payment.arrangement) == (item, item.arrangement)
    assert payment.authorization_id == item.arrangement.authorization_id
    assert payment.idempotency_key == due.key_of(item.pk, 1)
    last = ["postdate.due", "payment.intended", "payment.succeeded", "arrangement.completed"]
    assert kinds(shop.account)[-4:] == last
    after = fresh(item)
    assert (after.status, after.tries, after.claimed_until) == (Postdate.Status.TAKEN, 1, None)
    assert sorted(LedgerEntry.objects.values_list("book", "amount_cents")) == [("debt", -125_00), ("processor", 125_00)]
    assert owed(shop.account).cents == 875_00
    assert Arrangement.objects.get().status == Arrangement.Status.COMPLETED
