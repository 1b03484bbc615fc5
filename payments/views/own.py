"""What a signed-in consumer opens by its id: only rows of accounts that are theirs."""

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

from accounts.access import accounts_of
from accounts.known import known
from payments.models import Arrangement

Found = TypeVar("Found", bound=Model)


def of_own(rows: QuerySet[Found], consumer_id: UUID) -> QuerySet[Found]:
    """Leave the rows of accounts that may be shown to a consumer."""
    return rows.filter(account__in=accounts_of(consumer_id).order_by())


@known
def _arrangement(consumer_id: UUID, arrangement_id: UUID) -> QuerySet[Arrangement]:
    joined = ("account__client", "account__consumer", "account__agency", "method", "authorization")
    return of_own(Arrangement.objects.select_related(*joined), consumer_id).filter(pk=arrangement_id)


def own_arrangement(request: HttpRequest, arrangement_id: UUID) -> Arrangement:
    """Return one arrangement of the signed-in consumer; anybody else's does not exist."""
    row = _arrangement.first(request.visit.consumer_id, arrangement_id)
    if row is None:
        raise Http404
    return row
