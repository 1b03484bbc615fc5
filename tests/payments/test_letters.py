"""A letter that announces a payment left: staff or a host's system say so, and it may be taken (PDC-05)."""

import datetime as dt

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from accounts.models import Event
from accounts.tenancy import acting_for
from payments.models import Incident, Notice, Postdate
from payments.services import letters
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, codes, counts, refusal
from tests.payments.due_cast import item_of, plan, run, told
from tests.staff import member, signed_in

LEFT = dt.date(2026, 12, 1)
LATER = NOW + dt.timedelta(days=8)


@pytest.fixture
def item(shop) -> Postdate:
    """A payment on Tuesday 15 December, whose letter leaves from 1 to 3 December."""
    item = item_of(plan(shop, channel="letter"))
    notice = Notice.objects.get(postdate=item)
    assert (notice.channel, notice.status, notice.send_by) == ("letter", "due", dt.date(2026, 12, 3))
    return item


def test_a_plan_whose_letter_left_in_time_is_charged_once(shop, item):
    for sent_on in (LEFT, LEFT, dt.date(2026, 12, 2)):
        done = letters.left_by_post(postdate_id=item.pk, sent_on=sent_on, by="staff:7", now=LATER)
        assert (done.status, done.proof["local_date"], done.proof["by"]) == ("sent", "2026-12-01", "staff:7")
    (event,) = told(shop.account, "notice.sent")
    assert (event["sent_on"], event["by"], event["postdate"]) == ("2026-12-01", "staff:7", str(item.pk))
    assert (run().charged, run().charged) == (1, 0)
    assert [charge["amount"] for charge in shop.charged()] == [125_00]


def test_a_plan_whose_letter_nobody_proves_is_held(shop, item):
    assert run().charged == 0
    item.refresh_from_db()
    assert (item.status, shop.charged()) == ("held", [])


@pytest.mark.parametrize(
    ("sent_on", "now", "code"),
    [
        (dt.date(2026, 12, 2), NOW, "sent_in_the_future"),
        (dt.date(2026, 11, 30), LATER, "sent_too_early"),
        (dt.date(2026, 12, 4), LATER, "letter_outside_window"),
    ],
)
def test_a_day_that_proves_nothing_is_refused_and_nothing_is_written(shop, item, sent_on, now, code):
    before = Event.objects.count()
    (no,) = letters.left_by_post(postdate_id=item.pk, sent_on=sent_on, by="staff:7", now=now)
    assert (no.code, no.field) == (code, "sent_on")
    assert (Notice.objects.get().status, Event.objects.count(), Incident.objects.count()) == ("due", before, 0)


def test_what_is_announced_by_mail_and_anothers_payment_have_no_letter(shop, other_shop):
    mailed = item_of(plan(shop))
    (no,) = letters.left_by_post(postdate_id=mailed.pk, sent_on=LEFT, by="staff:7", now=LATER)
    assert (no.code, no.field) == ("no_letter_due", None)
    with acting_for(other_shop.agency), pytest.raises(Postdate.DoesNotExist):
        letters.left_by_post(postdate_id=mailed.pk, sent_on=LEFT, by="staff:7", now=LATER)


def test_staff_note_it_on_the_payments_page_by_permission(shop, other_shop, item):
    where = reverse("admin:payments_postdate_letter_left", args=[item.pk])
    page = reverse("admin:payments_postdate_change", args=[item.pk])
    with time_machine.travel(LATER, tick=False):
        ann = signed_in(member(shop.agency, "payments supervisor", "ann"))
        assert signed_in(member(shop.agency, "collector", "carl")).get(where).status_code == 403
        assert signed_in(member(other_shop.agency, "payments supervisor", "olga")).get(where).status_code == 404
        assert where in ann.get(page).content.decode()
        said = ann.post(where, {"sent_on": "2026-12-04"}, follow=True).content.decode()
        assert "must leave from December 1, 2026 to December 3, 2026" in said
        assert Notice.objects.get().status == "due"
        assert "Noted: it left." in ann.post(where, {"sent_on": "2026-12-01"}, follow=True).content.decode()
        assert Notice.objects.get().status == "sent"
        assert where not in ann.get(page).content.decode()
    assert LogEntry.objects.filter(change_message="The letter left on 2026-12-01.").count() == 1


def test_a_host_tells_it_by_api_once_within_its_scope_and_agency(shop, other_shop, item):
    path = f"post-dates/{item.pk}/letter"
    with time_machine.travel(LATER, tick=False):
        caller = Caller(shop.agency)
        late = caller.post(path, {"sent_on": "2026-12-04"})
        assert (refusal(late), codes(late)) == ((422, "refused"), [("/sent_on", "letter_outside_window")])
        for _ in range(2):
            answer = caller.post(path, {"sent_on": "2026-12-01"})
            assert (answer.status_code, answer.json()["status"], answer.json()["postdate"]) == (
                200,
                "sent",
                str(item.pk),
            )
        before = counts()
        assert refusal(Caller(other_shop.agency).post(path, {"sent_on": "2026-12-01"}))[0] == 404
        reader = Caller(shop.agency, "payments:read")
        assert refusal(reader.post(path, {"sent_on": "2026-12-01"})) == (403, "scope_missing")
    assert counts()["payments.Notice"] == before["payments.Notice"]
    assert len(told(shop.account, "notice.sent")) == 1
