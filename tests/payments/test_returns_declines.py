"""Card declines, class by class: what becomes of the card and of what is planned from it (CARD-07 to CARD-12)."""

import pytest

from accounts.models import Event
from payments.models import Method
from payments.processors import Outcome
from payments.rules import cards, declines
from payments.services import consequences, settle
from tests.conftest import NOW, make_account
from tests.payments.test_pay import kinds
from tests.payments.test_returns import account, card, codes, debit, fresh, plan, statuses  # noqa: F401

CLASSES = {
    "A": """
        card_not_supported currency_not_supported do_not_try_again fraudulent invalid_account lost_card
        merchant_blacklist not_permitted pickup_card restricted_card security_violation service_not_allowed stolen_card
        transaction_not_allowed
    """,
    "revoked": "stop_payment_order revocation_of_authorization revocation_of_all_authorizations",
    "B": """
        expired_card invalid_expiry invalid_expiry_month invalid_expiry_year incorrect_number invalid_number
        incorrect_cvc invalid_cvc incorrect_zip incorrect_address new_account_information_available
    """,
    "confirm": "authentication_required",
    "C": """
        insufficient_funds card_velocity_exceeded withdrawal_count_limit_exceeded issuer_not_available processing_error
        reenter_transaction try_again_later
    """,
    "D": "do_not_honor generic_decline never_heard_of_it",
}
# plan, method, revoke the authorization, ask the consumer
FOLLOWS = {
    "A": ("pause", "block", False, True),
    "revoked": ("pause", "block", True, True),
    "B": ("keep", "update", False, True),
    "confirm": ("keep", "keep", False, True),
    "C": ("keep", "keep", False, False),
    "D": ("keep", "keep", False, True),
}
WORDS = [pytest.param(word, name, id=f"{name}-{word}") for name, words in CLASSES.items() for word in words.split()]


@pytest.mark.parametrize(("word", "name"), WORDS)
def test_each_stripe_code_has_its_action_card_09(word, name):
    assert tuple(declines.of(cards.decline(word))) == FOLLOWS[name]


@pytest.mark.parametrize("code", ["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"])
def test_visas_first_category_is_never_tried_again_card_07(code):
    said = cards.decline("generic_decline", network_decline_code=code, brand="visa")
    assert declines.of(said).method == "block"


@pytest.mark.parametrize(
    ("advice", "name"),
    [
        ("03", "A"),
        ("21", "A"),
        ("01", "B"),
        *[(code, "D") for code in ("02", "24", "25", "26", "27", "28", "29", "30")],
    ],
)
def test_mastercards_advice_has_its_action_card_08(advice, name):
    said = cards.decline("generic_decline", network_advice_code=advice, brand="mastercard")
    assert tuple(declines.of(said)) == FOLLOWS[name]


def test_every_code_the_grades_know_is_in_a_class():
    assert set(cards._DECLINES) <= {word for words in CLASSES.values() for word in words.split()}


def decline(account, word, *, at_once=False, **more):  # noqa: F811
    """Decline a charge of a card from which something is planned."""
    method = card(account)
    arrangement = plan(account, method)
    payment = debit(account, method, status="intended")
    news = Outcome(status="declined", decline_code=word, **more)
    settle.record_outcome(payment_id=payment.pk, outcome=news, now=NOW)
    return fresh(arrangement), fresh(method), fresh(payment)


def test_a_lost_card_is_blocked_and_its_plan_rests_until_another_is_given(account):  # noqa: F811
    arrangement, method, _payment = decline(account, "lost_card")
    assert (arrangement.status, statuses(arrangement)) == ("paused", ["held"] * 3)
    assert (method.blocked_at, method.blocked_reason, method.removed_at) == (NOW, "lost_card", None)
    assert fresh(arrangement.authorization).revoked_at is None
    told = Event.objects.get(kind="method.blocked").data
    assert (told["code"], told["last4"]) == ("lost_card", "6789")
    assert Event.objects.get(kind="arrangement.paused").data["reason"] == "decline_lost_card"


def test_a_blocked_card_is_refused_at_the_whole_agency(account):  # noqa: F811
    decline(account, "stolen_card")
    other = make_account(account.agency, reference="200", sol_status="live")
    assert "method_blocked" in codes(other, card(other))


def test_what_other_accounts_plan_from_it_rests_too(account, django_capture_on_commit_callbacks):  # noqa: F811
    other = make_account(account.agency, reference="200", consumer=account.consumer)
    elsewhere = plan(other, card(other))
    with django_capture_on_commit_callbacks(execute=True):
        decline(account, "lost_card")
    assert (fresh(elsewhere).status, statuses(elsewhere)) == ("paused", ["held"] * 3)
    assert consequences.stop_unusable(now=NOW) == 0


@pytest.mark.parametrize("word", CLASSES["revoked"].split())
def test_a_revocation_at_the_bank_is_one_here_pdc_07(account, word):  # noqa: F811
    _plan, method, payment = decline(account, word)
    assert fresh(payment.authorization).revoked_at == NOW
    assert method.blocked_reason == word
    assert "authorization.revoked" in kinds(account)


def test_an_expired_card_waits_for_the_consumer_and_the_plan_stays(account):  # noqa: F811
    arrangement, method, _payment = decline(account, "expired_card")
    assert (arrangement.status, statuses(arrangement)) == ("performing", ["scheduled"] * 3)
    assert method.update_pending["code"] == "expired_card"
    assert "method_update_pending" in codes(account, method)


@pytest.mark.parametrize("word", ["insufficient_funds", "generic_decline", "authentication_required"])
def test_what_may_pass_later_leaves_card_and_plan_alone(account, word):  # noqa: F811
    arrangement, method, _payment = decline(account, word)
    assert (arrangement.status, statuses(arrangement)) == ("performing", ["scheduled"] * 3)
    assert (method.blocked_at, method.update_pending) == (None, None)


def test_the_same_decline_told_again_changes_nothing(account):  # noqa: F811
    _plan, _method, payment = decline(account, "lost_card")
    before = kinds(account)
    news = Outcome(status="declined", decline_code="lost_card")
    settle.record_outcome(payment_id=payment.pk, outcome=news, now=NOW)
    assert kinds(account) == before
    assert Method.objects.count() == 1
