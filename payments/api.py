"""What the processor says to us."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.known import known
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments import tasks
from payments.models import ProcessorAccount
from payments.processors import WrongSignature
from payments.services import ask

LARGEST_BODY = 256 * 1024
"""Bytes; an event with its whole intent has a tenth of this."""
SIGNATURE = "Stripe-Signature"


@known
def _known(merchant_id: UUID) -> QuerySet[ProcessorAccount]:
    # One that is switched off charges nothing more, but its payments still come back, are disputed and refunded.
    return ProcessorAccount.objects.filter(pk=merchant_id, agency__is_active=True)


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, merchant_id: UUID) -> HttpResponse:
    """Store a signed event of one merchant account and answer at once; a worker applies it, once.

    The agency is named by the account in the address, and proven by that account's own signature.
    """
    with acting_for(ALL_AGENCIES):
        merchant = _known.first(merchant_id)
    if merchant is None:
        return HttpResponse(status=404)
    if int(request.headers.get("Content-Length") or 0) > LARGEST_BODY:
        return HttpResponse(status=413)
    with acting_for(merchant.agency_id):
        try:
            ask.receive(
                merchant=merchant,
                body=request.body,
                signature=request.headers.get(SIGNATURE, ""),
                now=request.now,
            )
        except WrongSignature:
            return HttpResponse(status=400)
    tasks.wake()
    return HttpResponse(status=200)
