"""Staff's lists are filtered by the agency's own days and hours, which are those that their columns show."""

import datetime as dt

import pytest
from django.contrib import admin
from django.db import models
from django.urls import reverse
from unfold.contrib.filters.admin import RangeDateFilter, RangeDateTimeFilter

from accounts.models import Agency
from accounts.spans import DaysFilter, MomentsFilter
from accounts.tenancy import acting_for
from payments.models import Payment, ProcessorAccount, ProcessorEvent
from tests.payments import conftest as payments
from tests.portal.test_money_desk import desk

processor_program, processor, shop = payments.processor_program, payments.processor, payments.shop
other_shop, _scollect_routes = payments.other_shop, payments._scollect_routes
EVENING = dt.datetime(2026, 12, 2, 1, 0, tzinfo=dt.UTC)
"""Eight in the evening of December 1 in New York."""


def listed(browser, name: str, **typed) -> int:
    return len(browser.get(reverse(f"admin:{name}_changelist"), typed).context["cl"].result_list)


@pytest.mark.parametrize(
    ("moment", "on_the_first"),
    [
        ("2026-12-01T04:59:59.999999Z", False),
        ("2026-12-01T05:00:00Z", True),
        (EVENING.isoformat(), True),
        ("2026-12-02T04:59:59.999999Z", True),
        ("2026-12-02T05:00:00Z", False),
    ],
)
def test_payments_of_a_day_are_those_of_the_whole_day_where_the_agency_is(shop, other_shop, moment, on_the_first):
    for one in (shop, other_shop):
        with acting_for(one.agency):
            one.confirm(one.checkout())
            Payment.objects.update(decided_at=moment)
    browser, day = desk(shop), "2026-12-01"
    assert listed(browser, "payments_payment", decided_at_from=day, decided_at_to=day) == on_the_first
    assert listed(browser, "payments_payment", decided_at_from="2026-12-01") == (moment >= "2026-12-01T05")
    assert listed(browser, "payments_payment") == 1
    Agency.objects.filter(pk=shop.agency.pk).update(time_zone="UTC")
    in_utc = moment.startswith("2026-12-01")
    assert listed(browser, "payments_payment", decided_at_from=day, decided_at_to=day) == in_utc


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ({"from_0": "2026-12-01", "from_1": "20:00", "to_0": "2026-12-01", "to_1": "20:00"}, True),
        ({"from_0": "2026-12-01", "from_1": "20:01"}, False),
        ({"to_0": "2026-12-01", "to_1": "19:59:59"}, False),
        ({"from_0": "2026-12-01", "to_0": "2026-12-01"}, True),
        ({"from_0": "2026-12-02"}, False),
        ({"to_0": "2026-11-30"}, False),
        ({"to_0": "9999-12-31"}, True),
    ],
)
def test_what_came_is_filtered_by_the_hours_that_its_column_shows(shop, typed, found):
    with acting_for(shop.agency):
        merchant = ProcessorAccount.objects.get()
        ProcessorEvent.objects.create(
            processor_account=merchant, external_id="evt_1", kind="x", body={}, received_at=EVENING
        )
    asked = {f"received_at_{name}": value for name, value in typed.items()}
    assert listed(desk(shop, "agency admin"), "payments_processorevent", **asked) == found


def test_no_list_filters_moments_otherwise():
    plain = {RangeDateFilter, RangeDateTimeFilter}
    found = []
    for model, page in admin.site._registry.items():
        for name, kind in [one for one in page.list_filter if isinstance(one, tuple)]:
            if isinstance(model._meta.get_field(name), models.DateTimeField):
                found.append((model._meta.label, kind))
    assert [one for one in found if one[1] in plain] == []
    assert {kind for _label, kind in found} == {DaysFilter, MomentsFilter}
