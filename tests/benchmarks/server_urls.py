"""The product's addresses and `/bench/ok/`, which says "ok" behind the same middleware and server."""

import os

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from payments import processors
from payments.processors import Card, Order, Outcome
from portal.urls import handler404, handler500, urlpatterns
from tests.benchmarks.plain import PlainAccount

__all__ = ["handler404", "handler500", "urlpatterns"]


class CountQueries:
    """Tell the number of a request's queries to whoever asks."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "X-Count" not in request.headers:
            return self.get_response(request)
        count = 0

        def counting(execute, *args):
            nonlocal count
            count += 1
            return execute(*args)

        with connection.execute_wrapper(counting):
            response = self.get_response(request)
        response["X-Count"] = str(count)
        return response


class Instant:
    """A processor without a network: what is left is the product."""

    def __init__(self, **_credentials: object) -> None:
        pass

    def preview(self, confirmation_token: str) -> Card:
        return Card(brand="visa", funding="debit", last4="5556", fingerprint="bench")

    def charge(self, order: Order) -> Outcome:
        amount = {"amount_cents": order.amount_cents, "currency": order.currency}
        return Outcome(status="succeeded", ref=f"pi_{order.payment}", **amount)


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("bench/ok/", ok),
    path("api/bench/plain/<uuid:agency_id>/<uuid:account_id>/", PlainAccount.as_view()),
    *urlpatterns,
]
if os.environ.get("BENCH_PROCESSOR") == "instant":
    processors.ADAPTERS["stripe"] = "tests.benchmarks.server_urls:Instant"
