"""Checks, cash and money orders that the agency received itself; what came back of them, and of the host's debits."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from integrations.api.accounts import payable
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Cents, Day, Form, Text, Word
from integrations.api.document import example, operation
from integrations.api.money import PaymentShown, WhyForm
from payments.models import Payment
from payments.services import by_hand, returns


class CameForm(Form):
    """What came, and when."""

    kind = Word(Payment.BY_HAND, unknown="kind_unknown")
    amount_cents = Cents()
    received_on = Day(help_text="Where the consumer lives; of the last 60 days.")
    paper_number = Text(
        required=False, allow_blank=True, max_length=30, help_text="On the check or money order; cash has none."
    )
    reason = Text(required=False, allow_blank=True, max_length=300, help_text="A note for the books.")


class RecordPayment(Endpoint):
    """It came."""

    @operation(
        "record_payment",
        "Write down a check, cash or a money order",
        scope="payments:record",
        said=(
            "Nobody is charged. It counts at once for what is owed, for promises and arrangements, and the host "
            "is told like of any payment. A host that posts it itself tells it in its own list instead: one of the two."
        ),
        form=CameForm,
        answers=PaymentShown,
        status=201,
        once=True,
        problems={
            409: "`attempt_undecided`; or the account takes no payments now, by its status.",
            422: "`refused`: `received_day`, `number_missing`, `recorded_already`.",
        },
        examples=[
            example(
                "A check",
                {"kind": "check", "amount_cents": 12500, "received_on": "2026-12-01", "paper_number": "1042"},
            )
        ],
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        given = {"paper_number": "", "reason": "", **self.read(CameForm)}
        row = made(by_hand.record(account=account, key=self.asked_as, **given, by=self.by, now=self.now))
        return answer(PaymentShown.of(row), status=201, headers={"Location": f"/api/v1/payments/{row.pk}"})


class ReturnForm(WhyForm):
    """Why, and what the bank said of a debit."""

    code = Text(required=False, max_length=3, help_text="Of a bank debit that the host submitted: R01, R10, ...")


class CameBack(Endpoint):
    """It was not good."""

    @operation(
        "return_payment",
        "Take back a check, a money order, or with its bank's code a debit",
        scope="payments:record",
        said=(
            "What it paid is owed again, and what it completed is open again. Told twice it counts once. With `code` "
            "it is a bank debit that the host submitted: what the code means for plan and bank account follows, also "
            "where it had come back without one. A host that shows its debits in its own list says `ReturnCode` there."
        ),
        form=ReturnForm,
        answers=PaymentShown,
        once=True,
        problems={
            409: "`not_by_hand`: only a check or money order that stands can come back. `not_debited_by_host`: only a "
            "debit that the host submitted has a code, and only one.",
            422: "`refused`: `return_code_unknown`.",
        },
        examples=[
            example("A check", {"reason": "Not sufficient funds."}),
            example("A bank debit", {"reason": "The bank's file of today.", "code": "R10"}),
        ],
    )
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        row = one(Payment, payment_id)
        given = self.read(ReturnForm)
        if "code" in given:
            row = made(returns.tell_return(payment=row, **given, by=self.by, now=self.now))
        else:
            row = made(by_hand.came_back(payment=row, **given, by=self.by, now=self.now))
        return answer(PaymentShown.of(row))
