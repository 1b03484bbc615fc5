"""What staff do for a consumer: the consent ledger as a file, and hours that do not suit."""

import csv
import datetime as dt
import io

import pytest

from accounts.models import Consent, Event, QuietTime
from accounts.tenancy import acting_for
from tests.conftest import NOW
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db


def test_the_consent_ledger_is_saved_line_by_line_by_those_who_may_see_it(acting, agency, account, others_account):
    """RF-36."""
    point = account.consumer.contact_points.get()
    for number, (kind, granted) in enumerate((("esign", True), ("email", True), ("email", False))):
        Consent.objects.create(
            consumer=account.consumer, contact_point=point, kind=kind, granted=granted, wording="=Yes, write to me.",
            version="1", source="page", at=NOW + dt.timedelta(days=number),
        )  # fmt: skip
    page = f"/admin/accounts/consumer/{account.consumer_id}/save_ledger/"
    answer = signed_in(member(agency, "auditor")).get(page)
    assert answer["Content-Disposition"] == f'attachment; filename="consents-{account.consumer_id}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [(row["kind"], row["granted"]) for row in rows] == [("esign", "True"), ("email", "True"), ("email", "False")]
    assert {row["wording"] for row in rows} == {"'=Yes, write to me."}
    assert "jane@" not in answer.content.decode()
    assert signed_in(member(agency, "integration engineer")).get(page).status_code == 403
    assert signed_in(member(others_account.agency)).get(page).status_code == 404


def test_staff_note_hours_that_do_not_suit_and_end_them_and_the_host_hears_of_both(acting, agency, account):
    """RF-04."""
    client = signed_in(member(agency, "collector"))
    page = f"/admin/accounts/consumer/{account.consumer_id}/keep_free/"
    refused = client.post(page, {"weekday": "2", "starts": "14:00", "ends": "12:00"}).content.decode()
    assert "Choose a later hour than the first." in refused
    assert not QuietTime.objects.exists()
    assert client.post(page, {"weekday": "2", "starts": "12:00", "ends": "14:00"}).status_code == 302
    row = QuietTime.objects.get()
    assert (row.weekday, row.starts, row.ends, row.source) == (2, dt.time(12), dt.time(14), "staff")
    end = f"/admin/accounts/quiettime/{row.pk}/end/"
    assert signed_in(member(agency, "auditor")).post(end).status_code == 403
    assert client.post(end).status_code == 302
    row.refresh_from_db()
    assert row.ended_at is not None
    with acting_for(agency):
        told = Event.objects.filter(kind="consumer.contact_changed").order_by("id")
        assert [event.data["inconvenient_time"]["ended"] for event in told] == [False, True]
