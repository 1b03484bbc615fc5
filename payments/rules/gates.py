"""The gates of a charge, checked inside the transaction that intends it; every failing one is a reason.

Source: rules "Gates". `charge_gates` is for the portal's own charges, `handover_gates` for items that the
host will execute; a due item that fails later is held, never silently skipped.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from accounts import statuses
from accounts.calendars import local_date, local_time
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.rules import change_notices
from payments.rules.attempts import FailedAttempt, check_bank_tries, check_card_tries
from payments.rules.cards import DEFAULT_POLICY, CardDisclosures, CardPolicy, check_card, missing_disclosures
from payments.rules.notices import check_notice

# A scheduled charge never starts earlier where the consumer lives (PDC-02).
EARLIEST_TIME = time(8)
# The host's word on balance and status is good for a day (STS-07).
BALANCE_MAX_AGE = timedelta(hours=24)
# A consumer who asked us not to write may still pay; nothing is taken by schedule meanwhile (section 14).
PAYABLE_STATUSES = frozenset(statuses.those("payment"))


@dataclass(frozen=True, slots=True)
class Authority:
    """Hold what the consumer signed: each date with its cents, still live or revoked (EFT-01, PDC-07)."""

    live: bool
    lines: tuple[tuple[date, int], ...]
    stored_credential: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeFacts:
    """Hold all that decides whether a charge may be intended now.

    `due_on` is the consumer's local date that the authorization names: today's for an immediate payment.
    `unposted_cents` is what the portal took or has on its way and the host's balance does not yet show.
    `sol_notice_needed` says that a time-barred notice is required where the consumer lives.
    `notice_sent_on` is the local date of the proven notice, `notice_channel` is email or letter.
    `change_kind` names the notice of a change that was not signed: `varying`, `date_change` or nothing.
    `unlicensed` says that the agency collects only where it is licensed, and is not where the consumer lives (ST-09).
    `method_blocked` says that a bank or network ruled it out, `update_pending` that what it told us is not applied yet.
    """

    now: datetime
    zone: str
    scheduled: bool
    amount_cents: int
    due_on: date
    account_status: str
    dispute_open: bool
    sol_notice_needed: bool
    sol_acknowledged: bool
    balance_cents: int
    balance_as_of: datetime
    unposted_cents: int
    method: str
    method_live: bool
    method_allowed: bool
    executor: str
    undecided_attempt: bool
    authority: Authority | None
    balance_max_age: timedelta = BALANCE_MAX_AGE
    card_brand: str = ""
    card_funding: str = ""
    card_policy: CardPolicy = DEFAULT_POLICY
    ach_allowed: bool = True
    disclosures: CardDisclosures | None = None
    bank_validated: bool = False
    failed: tuple[FailedAttempt, ...] = ()
    created_on: date | None = None
    notice_sent_on: date | None = None
    notice_channel: str = "email"
    change_kind: str = ""
    change_sent_on: date | None = None
    change_channel: str = "email"
    method_blocked: bool = False
    update_pending: bool = False
    bank_payments_paused: bool = False
    unlicensed: bool = False
    currency: str = "USD"


_SENTENCES = {
    "account_not_open": gettext_noop("This account cannot take payments now. Please contact the agency."),
    "not_licensed": gettext_noop("Payments cannot be taken where you live now. Please contact the agency."),
    "dispute_open": gettext_noop("This account is disputed. No payment is taken until that is settled."),
    "sol_acknowledgement_needed": gettext_noop(
        "Please read and acknowledge the notice about the age of this debt first."
    ),
    "balance_not_fresh": gettext_noop("The balance is not up to date. Please try again in a moment."),
    "nothing_owed": gettext_noop("Nothing is owed on this account."),
    "amount_not_positive": gettext_noop("The payment must be more than zero."),
    "more_than_owed": gettext_noop("The payment must not be more than what is owed, %(owed_cents)s."),
    "method_not_live": gettext_noop("This card or bank account was removed. Please choose another one."),
    "method_blocked": gettext_noop("The bank has ruled out this card or bank account. Please choose another one."),
    "method_update_pending": gettext_noop(
        "The bank has told us of a change to this account. It must be updated first."
    ),
    "bank_payments_paused": gettext_noop("Bank payments cannot be taken now. Please choose another way to pay."),
    "method_not_allowed": gettext_noop("This way to pay cannot be used for this account."),
    "bank_not_validated": gettext_noop("This bank account has not been verified yet."),
    "card_disclosures_missing": gettext_noop(
        "Cards cannot be used for this account, because information that must be shown first is missing."
    ),
    "authorization_missing": gettext_noop("There is no authorization for this payment."),
    "authorization_revoked": gettext_noop("The authorization for this payment was withdrawn."),
    "authorization_not_covering": gettext_noop("The authorization does not cover %(amount_cents)s on %(due_on)s."),
    "stored_credential_missing": gettext_noop("There is no consent to keep this card for later payments."),
    "executor_is_host": gettext_noop("This payment is taken by the agency's own system."),
    "attempt_undecided": gettext_noop("Another payment on this account is still being decided."),
    "not_due_yet": gettext_noop("This payment is due on %(due_on)s."),
    "too_early_in_the_day": gettext_noop("This payment is not taken before 8:00 a.m. where you live."),
}


def charge_gates(facts: ChargeFacts) -> list[Refusal]:
    """List every reason why the portal must not charge this now; an empty list lets it."""
    found = _standing(facts)
    if facts.executor != "portal":
        found.append(_no("executor_is_host"))
    if facts.undecided_attempt:
        found.append(_no("attempt_undecided"))
    if local_date(facts.now, facts.zone) < facts.due_on:
        found.append(_no("not_due_yet", due_on=facts.due_on))
    elif facts.scheduled and local_time(facts.now, facts.zone) < EARLIEST_TIME:
        found.append(_no("too_early_in_the_day"))
    if facts.scheduled:
        found += notice_gates(facts)
    return found


def notice_gates(facts: ChargeFacts) -> list[Refusal]:
    """List every notice of a scheduled item that is owed and not proven: the debit's own, and that of a change."""
    assert facts.created_on is not None, "a scheduled item knows the day it was agreed"
    found = check_notice(facts.created_on, facts.due_on, facts.notice_sent_on, facts.notice_channel)
    return found + change_notices.check_proof(
        facts.change_kind, facts.due_on, facts.change_sent_on, facts.method, facts.change_channel
    )


def handover_gates(facts: ChargeFacts) -> list[Refusal]:
    """List every reason why an item must not go to the host that executes it, or must be held there.

    The host keeps the due date and the hour; the portal asks for a hold when one of these fails later.
    """
    return _standing(facts)


def promise_gates(facts: ChargeFacts) -> list[Refusal]:
    """List every reason why nothing may be agreed on an account, even without a way to pay."""
    return [*_account(facts), *_amount(facts)]


def _no(code: str, field: str | None = None, currency: str = "USD", **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, currency=currency, **params)


def _standing(facts: ChargeFacts) -> list[Refusal]:
    return [*_account(facts), *_amount(facts), *_method(facts), *_authority(facts)]


def _account(facts: ChargeFacts) -> list[Refusal]:
    found = []
    if not statuses.may(facts.account_status, "charge" if facts.scheduled else "payment"):
        found.append(_no("account_not_open"))
    if facts.unlicensed:
        found.append(_no("not_licensed"))
    if facts.dispute_open or facts.account_status == "disputed":
        found.append(_no("dispute_open"))
    if facts.sol_notice_needed and not facts.sol_acknowledged:
        found.append(_no("sol_acknowledgement_needed"))
    if facts.now - facts.balance_as_of > facts.balance_max_age:
        found.append(_no("balance_not_fresh"))
    return found


def _amount(facts: ChargeFacts) -> list[Refusal]:
    found = []
    owed = facts.balance_cents - facts.unposted_cents
    if facts.amount_cents <= 0:
        found.append(_no("amount_not_positive", "amount_cents"))
    if owed <= 0:
        found.append(_no("nothing_owed"))
    elif facts.amount_cents > owed:
        found.append(_no("more_than_owed", "amount_cents", facts.currency, owed_cents=owed))
    return found


def _method(facts: ChargeFacts) -> list[Refusal]:
    found = []
    if not facts.method_live:
        found.append(_no("method_not_live", "method"))
    elif facts.method_blocked:
        found.append(_no("method_blocked", "method"))
    if facts.update_pending:
        found.append(_no("method_update_pending", "method"))
    if not facts.method_allowed or facts.method not in ("card", "ach"):
        found.append(_no("method_not_allowed", "method"))
    if facts.method == "ach":
        if facts.bank_payments_paused:
            found.append(_no("bank_payments_paused", "method"))
        if not facts.bank_validated:
            found.append(_no("bank_not_validated", "method"))
        found += check_bank_tries(facts.now, facts.amount_cents, facts.failed)
    if facts.method == "card":
        found += check_card(facts.card_brand, facts.card_funding, facts.card_policy, ach_allowed=facts.ach_allowed)
        blank = missing_disclosures(facts.disclosures) if facts.disclosures else ("disclosures",)
        if blank:
            found.append(_no("card_disclosures_missing", "method", missing=blank))
        found += check_card_tries(
            facts.now, facts.amount_cents, facts.card_brand, facts.failed, automatic=facts.scheduled
        )
    return found


def _authority(facts: ChargeFacts) -> list[Refusal]:
    authority = facts.authority
    if authority is None:
        return [_no("authorization_missing")]
    found = []
    if not authority.live:
        found.append(_no("authorization_revoked"))
    if (facts.due_on, facts.amount_cents) not in authority.lines:
        found.append(
            _no(
                "authorization_not_covering",
                currency=facts.currency,
                amount_cents=facts.amount_cents,
                due_on=facts.due_on,
            )
        )
    if facts.scheduled and facts.method == "card" and not authority.stored_credential:
        found.append(_no("stored_credential_missing", "method"))
    return found
