"""Filters of staff's lists by time: what is typed is meant where the columns are shown, in the agency's zone."""

from datetime import date, datetime, time

from django.db.models import QuerySet
from django.utils.timezone import make_aware
from unfold.contrib.filters.admin import RangeDateFilter, RangeDateTimeFilter
from unfold.utils import parse_date_str, parse_datetime_str


class DaysFilter(RangeDateFilter):
    """Filter moments by whole days, both ends among them."""

    def queryset(self, request, queryset: QuerySet) -> QuerySet:
        first, last = (parse_date_str(_typed(self, end)) for end in ("from", "to"))
        return _within(queryset, self.parameter_name, first and _begin(first), last and _end(last))


class MomentsFilter(RangeDateTimeFilter):
    """Filter moments; a day without a time of day is the whole day."""

    def queryset(self, request, queryset: QuerySet) -> QuerySet:
        bounds = []
        for end, whole in (("from", _begin), ("to", _end)):
            on, at = _typed(self, f"{end}_0"), _typed(self, f"{end}_1")
            if moment := parse_datetime_str(f"{on} {at}"):
                bounds.append(make_aware(moment))
            else:
                day = parse_date_str(on)
                bounds.append(day and whole(day))
        return _within(queryset, self.parameter_name, *bounds)


def _typed(of: DaysFilter | MomentsFilter, end: str) -> str:
    return of.used_parameters.get(f"{of.parameter_name}_{end}") or ""


def _begin(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.min))


def _end(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.max))


def _within(queryset: QuerySet, name: str, first: datetime | None, last: datetime | None) -> QuerySet:
    bounds = {f"{name}__gte": first, f"{name}__lte": last}
    return queryset.filter(**{lookup: moment for lookup, moment in bounds.items() if moment is not None})
