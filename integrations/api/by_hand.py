"""Checks, cash and money orders that the agency's own people or system received, and what came back of them."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from integrations.api.accounts import payable
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Cents, Day, Form, Text, Word
from integrations.api.document import example, operation
from integrations.api.money import PaymentShown, WhyForm
from payments.models import Payment
from payments.services import by_hand


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


class CameBack(Endpoint):
    """It was not good."""

    @operation(
        "return_payment",
        "Take back a check or money order that its bank did not honor",
        scope="payments:record",
        said="What it paid is owed again, and what it completed is open again. Told twice it counts once.",
        form=WhyForm,
        answers=PaymentShown,
        once=True,
        problems={409: "`not_by_hand`: only a check or money order that stands can come back."},
    )
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        row = one(Payment, payment_id)
        given = self.read(WhyForm)
        row = made(by_hand.came_back(payment=row, reason=given["reason"], by=self.by, now=self.now))
        return answer(PaymentShown.of(row))
