"""Staff write a connection's own format on its page: begun from a ready mapping, or changed word by word."""

import datetime as dt

import pytest
import time_machine
from django.urls import reverse

from accounts.tenancy import acting_for
from integrations.formats.ready import READY
from integrations.models import FileFormat, HostConnection
from tests.conftest import NOW
from tests.staff import member, signed_in

LATER = NOW + dt.timedelta(days=3)
OLD, NAME = list(READY)[:2]


@pytest.fixture
def row(agency) -> FileFormat:
    with time_machine.travel(NOW, tick=False), acting_for(agency):
        return FileFormat.objects.create(connection=HostConnection.objects.get(), name="Old", mapping=READY[OLD])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"ready": NAME}, ("Old", READY[NAME], LATER)),
        ({"name": "New"}, ("New", READY[OLD], LATER)),
        ({}, ("Old", READY[OLD], NOW)),
    ],
)
def test_what_is_saved_is_kept_with_its_day_and_nothing_is_where_nothing_changed(agency, row, changed, expected):
    address = reverse("admin:integrations_fileformat_change", args=[row.pk])
    with time_machine.travel(LATER, tick=False):
        desk = signed_in(member(agency))
        form = desk.get(address).context["adminform"].form
        sent = {name: form[name].value() for name in form.fields}
        sent = {name: value for name, value in (sent | changed).items() if value not in (None, False)}
        assert desk.post(address, sent)["Location"] == reverse("admin:integrations_fileformat_changelist")
    with acting_for(agency):
        kept = FileFormat.objects.get()
    assert (kept.name, kept.mapping, kept.changed_at) == expected
