"""The contract of a payment processor's adapter, and the registry of the adapters there are.

An adapter translates and never saves: no models, no settings, credentials when it is made, one client object per
merchant account. Only an explicit yes or no of the processor is an answer; everything else is `unknown`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from typing import Any, Literal, Protocol

ADAPTERS = {"stripe": "payments.processors.stripe:Stripe"}

Status = Literal["succeeded", "pending", "action", "declined", "voided", "not_done", "unknown"]


class Unreachable(Exception):
    """Ask again later: the processor gave no answer, and nothing was charged by this question."""


class NotReadable(Exception):
    """Ask the consumer again: the processor does not know this token, or it was used or is too old."""


class WrongSignature(Exception):
    """Refuse the webhook: it does not come from this merchant account's processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Show a card as the processor reads it; a method's id only once it was charged or stored."""

    brand: str
    funding: str
    last4: str
    exp_month: int | None = None
    exp_year: int | None = None
    fingerprint: str = ""
    method: str = ""
    customer: str = ""
    network_transaction_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Ask for one charge; the same payment always makes the same request, so that it can be sent again.

    One of `confirmation_token` and `method` names what is charged. `store` says for what later use the consumer
    agreed to keep the card: `installment`, `recurring`, `unscheduled` or nothing (CARD-03, CARD-04); `session` keeps it
    for further charges while they are there. With
    `off_session` the consumer is not there: a method that was kept is charged as they agreed, and `use` is what for.
    `retry` is a bank debit that is sent again after a return (ACH-09).
    """

    payment: str
    consumer: str
    amount_cents: int
    currency: str
    kind: str
    description: str
    confirmation_token: str = ""
    method: str = ""
    customer: str = ""
    store: str = ""
    ip: str = ""
    user_agent: str = ""
    off_session: bool = False
    use: str = ""
    retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOrder:
    """Ask to keep one card for later charges, with the consumer there; the same checkout makes the same request."""

    checkout: str
    consumer: str
    confirmation_token: str
    customer: str = ""
    store: str = "installment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Say what became of a charge.

    `action`: the consumer's bank wants to see them (3-D Secure), still undecided. `not_done`: the processor refused
    the request itself, so this request moved nothing. `unknown`: nobody can say; ask again.
    `refunded_cents` is the sum given back so far.
    """

    status: Status
    ref: str = ""
    amount_cents: int | None = None
    currency: str = ""
    decline_code: str = ""
    advice_code: str = ""
    network_decline_code: str = ""
    network_advice_code: str = ""
    reason: str = ""
    client_secret: str = ""
    refunded_cents: int = 0
    card: Card | None = None


UNKNOWN = Outcome(status="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Ask to give money back once; the same refund always makes the same request. `ref` is the charge's intent."""

    refund: str
    payment: str
    ref: str
    amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOutcome:
    """Say what became of a refund: `not_done` moved nothing by this request, `unknown` must be asked again.

    `refunded_cents` is what was given back of the charge in all, this refund counted in.
    """

    status: Literal["done", "failed", "not_done", "unknown"]
    ref: str = ""
    amount_cents: int = 0
    refunded_cents: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFailure:
    """Say that a refund came back: the processor's id of it, ours if it is ours, and why."""

    ref: str
    amount_cents: int
    refund: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed:
    """Say what a dispute is now and why: in the processor's word, and by the bank's code; `asked` took no money."""

    status: Literal["opened", "won", "lost", "asked", "unknown"]
    reason: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankChange:
    """Say what a bank changed about an account that is kept at the processor, which has it already (ACH-13)."""

    method: str
    code: str
    last4: str
    routing: str
    account_type: str
    number_changed: bool
    holder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One charge or refund in the processor's own list; `payment` and `refund` are our ids, empty when not ours."""

    kind: Literal["charge", "refund"]
    ref: str
    intent: str
    amount_cents: int
    currency: str
    status: str
    at: datetime
    payment: str = ""
    refund: str = ""
    refunded_cents: int = 0
    disputed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCheck:
    """Say whether a bank account can be debited (ACH-02), and its id at the processor."""

    valid: bool
    method: str = ""
    customer: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Hold a signed webhook: its id, its kind, the payment it is about if it is ours, and the whole body."""

    id: str
    kind: str
    body: dict[str, Any] = field(repr=False)


class Processor(Protocol):
    """What every adapter does. None of it is called while a transaction is open."""

    def preview(self, confirmation_token: str) -> Card:
        """Read the card behind a browser's token before anything is charged (CARD-01).

        :raises NotReadable: no such token, or one that cannot be used any more.
        :raises Unreachable: no answer.
        """

    def charge(self, order: Order) -> Outcome:
        """Create and confirm the charge under the payment's own key; never raises for an outcome."""

    def find(self, *, payment: str, ref: str) -> Outcome:
        """Ask what became of a payment, by the processor's reference or else by our id in its metadata."""

    def void(self, *, payment: str, ref: str, amount_cents: int, currency: str, since: datetime) -> Outcome:
        """Make sure that an undecided charge can never succeed, or say what it became instead.

        Without a reference the payment's key is used up, so that a request still on its way is refused.

        :param since: when the payment was intended; no request of it is older.
        """

    def keep(self, order: KeepOrder) -> Outcome:
        """Store a card without charging it, under the checkout's own key; never raises for an outcome."""

    def find_kept(self, *, ref: str) -> Outcome:
        """Ask what became of storing a card."""

    def forget(self, *, ref: str) -> Outcome:
        """Make sure that an undecided card can never be stored, or say what it became instead."""

    def refund(self, order: RefundOrder) -> RefundOutcome:
        """Give money back under the refund's own key; never raises for an outcome."""

    def find_refund(self, *, refund: str, ref: str) -> RefundOutcome:
        """Ask whether a refund was made, by our id; `not_done` when the processor has none."""

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """List every charge and refund made in that time, ours or not.

        :raises Unreachable: no answer, or none to the end.
        """

    def validate_bank(
        self,
        *,
        key: str,
        consumer: str,
        routing: str,
        number: str,
        account_type: str,
        holder: str,
        ip: str,
        user_agent: str,
        keep: bool,
    ) -> BankCheck:
        """Validate a bank account on first use (ACH-02); keep it at the processor only when it is charged there.

        :raises Unreachable: no answer.
        """

    def read_webhook(self, *, body: bytes, signature: str) -> Notification:
        """Check a webhook's signature and age; fails closed.

        :raises WrongSignature: anything else than a fresh, well-signed event of this merchant account.
        """

    def about(self, body: dict[str, Any]) -> tuple[str, str]:
        """Give our payment id and the processor's reference that an event names, empty where it names none."""

    def kept_for(self, body: dict[str, Any]) -> str:
        """Give the checkout whose card an event says something about, else an empty string."""

    def renewed(self, body: dict[str, Any]) -> Card | None:
        """Give the stored card that the network's updater changed, by its method's id, else None (CARD-13)."""

    def bank_changed(self, body: dict[str, Any]) -> BankChange | None:
        """Give what a bank changed about a kept account, and the processor applied, else None (ACH-13)."""

    def mandate_ended(self, body: dict[str, Any]) -> str:
        """Give the method whose standing agreement ended at the bank or the processor, else an empty string."""

    def refund_failed(self, body: dict[str, Any]) -> RefundFailure | None:
        """Give the refund that failed after it was made, else None."""

    def dispute(self, body: dict[str, Any]) -> str:
        """Give the reference of the dispute that an event is about, else an empty string."""

    def find_dispute(self, *, ref: str) -> Disputed:
        """Say what a dispute is now and why; `unknown` where nobody answers."""


@lru_cache(maxsize=1024)
def connect(
    *, processor: str, account_ref: str, secret_key: str, webhook_secret: str, api_base: str, timeout: float
) -> Processor:
    """Make the adapter of one merchant account, once per process and set of credentials.

    :raises KeyError: no adapter has this name.
    """
    module, _colon, name = ADAPTERS[processor].partition(":")
    return getattr(import_module(module), name)(
        account_ref=account_ref,
        secret_key=secret_key,
        webhook_secret=webhook_secret,
        api_base=api_base,
        timeout=timeout,
    )
