"""Where the acting agency is licensed: written down by staff or by API, asked by pages and charges (ST-09)."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from uuid import UUID

from django.db.models import QuerySet

from accounts.known import known
from accounts.licensing import Licensed, lines, missing
from accounts.models import Account, Agency, Consumer, Licence
from accounts.refusals import Refusal

_COLUMNS = Licensed._fields


@known
def _of_agency(agency_id: UUID) -> QuerySet:
    return Licence.objects.filter(agency_id=agency_id).order_by("starts_on", "pk").values_list(*_COLUMNS)


def of_agency(agency_id: UUID) -> list[Licensed]:
    """List the agency's licences, the earliest first."""
    return [Licensed(*row) for row in _of_agency(agency_id)]


@known
def _asked_for() -> QuerySet:
    return Licence.objects.filter(agency__licensed_only=True).values_list(*_COLUMNS)


def asked_for() -> list[Licensed]:
    """List the licences of the acting agency if it collects only where it is licensed, else nothing."""
    return [Licensed(*row) for row in _asked_for()]


def unlicensed(accounts: Sequence[Account], today: Mapping[UUID, date]) -> set[UUID]:
    """Name the accounts of which nothing may be collected: no licence where the consumer lives, and it is asked for.

    The consumers and agencies must be joined; an agency that does not ask for it costs no query.
    """
    asking = {one.agency_id for one in accounts if one.agency.licensed_only}
    held = {agency: of_agency(agency) for agency in asking}
    return {
        one.pk
        for one in accounts
        if one.agency_id in held and missing(held[one.agency_id], one.consumer.state, today[one.pk])
    }


def printed(consumer: Consumer, agency: Agency, today: date) -> list[str]:
    """List the licence lines of the consumer's state."""
    return lines(_kept(agency.pk, agency.branding_version), consumer.state, today)


@lru_cache(maxsize=256)
def _kept(agency_id: UUID, branding_version: int) -> tuple[Licensed, ...]:
    """Remember what is printed on every page until the agency's face has a new version, as every change gives it."""
    return tuple(of_agency(agency_id))


def write(*, values: dict, row: Licence | None = None) -> Licence | list[Refusal]:
    """Write a licence down, or change one; a licence that ended before it began is refused."""
    if values["ends_on"] is not None and values["ends_on"] < values["starts_on"]:
        return [Refusal("ends_too_early", "The last day must not be before the first.", "ends_on")]
    row = row or Licence()
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row
