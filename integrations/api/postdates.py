"""Post-dates of arrangements: read, moved, cancelled."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one, refusing
from integrations.api.bodies import Day, Form, Text
from integrations.api.document import operation
from integrations.api.plans import ENDED, ArrangementShown, arrangement_shown
from integrations.api.statements import LeftForm
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from payments.models import Notice, Postdate
from payments.services import change, letters, postdates
from payments.services.preview import Wish


class PostdateShown(Shown):
    id = serializers.UUIDField()
    arrangement = serializers.UUIDField()
    account = serializers.UUIDField()
    number = serializers.IntegerField()
    of = serializers.IntegerField()
    due_on = serializers.DateField(help_text="Where the consumer lives.")
    amount_cents = serializers.IntegerField()
    method = serializers.UUIDField(allow_null=True)
    executor = serializers.CharField(help_text="portal, host, or consumer.")
    notifier = serializers.CharField(help_text="portal or host.")
    status = serializers.ChoiceField(Postdate.Status.values)
    held_for = serializers.CharField(help_text="The code of what holds it.")
    tries = serializers.IntegerField()
    acknowledged_at = serializers.DateTimeField(allow_null=True, help_text="The host shows it since.")


class PostdateQuery(PageQuery):
    """Ask for post-dates."""

    account = serializers.UUIDField(required=False)
    arrangement = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(Postdate.Status.values, required=False)


class NoticeShown(Shown):
    id = serializers.UUIDField()
    postdate = serializers.UUIDField()
    kind = serializers.ChoiceField(
        ("predebit", "varying", "date_change"), help_text="Before every debit, or of a change that nobody signed."
    )
    owner = serializers.ChoiceField(("portal", "host"), help_text="Who sends it.")
    channel = serializers.ChoiceField(("email", "letter"))
    send_by = serializers.DateField(help_text="The last day on which it may leave.")
    status = serializers.ChoiceField(Notice.Status.values)
    sent_at = serializers.DateTimeField(allow_null=True)


class MoveForm(Form):
    """To when."""

    to_on = Day()
    text_sha256 = Text(required=False, max_length=64, help_text="Of the authorization that the preview showed.")


class Postdates(Endpoint):
    """The list."""

    @operation(
        "list_post_dates",
        "List post-dates",
        scope="arrangements:read",
        answers=page_of(PostdateShown),
        query=[PostdateQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(PostdateQuery, Postdate.objects.all(), PostdateShown.of)


class OnePostdate(Endpoint):
    """One of them."""

    @operation("get_post_date", "Read a post-date", scope="arrangements:read", answers=PostdateShown)
    def get(self, request: Request, postdate_id: UUID) -> HttpResponse:
        self.asked()
        return answer(PostdateShown.of(one(Postdate, postdate_id)))


class CancelPostdate(Endpoint):
    """Not this one."""

    @operation(
        "cancel_post_date",
        "Cancel a post-date",
        scope="arrangements:write",
        said="At once where the portal executes it; else it is held and the host is asked (PDC-07).",
        form=Nothing,
        answers=PostdateShown,
        once=True,
        problems={409: "`postdate_decided`, `postdate_not_planned`, `postdate_changing`."},
    )
    def post(self, request: Request, postdate_id: UUID) -> HttpResponse:
        row = one(Postdate, postdate_id)
        self.read(Nothing)
        with refusing(change.Refused):
            done = postdates.request_cancel(postdate=row, now=self.now)
        return answer(PostdateShown.of(done))


class MovePostdate(Endpoint):
    """Another day."""

    @operation(
        "move_post_date",
        "Move a post-date to another day",
        scope="arrangements:write",
        said="A change of its arrangement: preview it first where an authorization is to be shown.",
        form=MoveForm,
        answers=ArrangementShown,
        once=True,
        problems={409: f"{ENDED} `changes_used_up`, `change_under_way`, `text_changed`.", 422: "`refused`."},
    )
    def post(self, request: Request, postdate_id: UUID) -> HttpResponse:
        row = one(Postdate, postdate_id, "arrangement")
        given = self.read(MoveForm)
        wish = Wish(kind="move", payment=row.pk, to_on=given["to_on"])
        said = {"by": self.by, "now": self.now, "text_sha256": given.get("text_sha256", "")}
        with refusing(change.Refused):
            done = change.confirm(arrangement=row.arrangement, wish=wish, **said)
        return answer(arrangement_shown(done))


class LetterLeft(Endpoint):
    """It was posted."""

    @operation(
        "record_notice_letter",
        "Record that the letter about a post-date left",
        scope="payments:record",
        said="Told again it changes nothing. Without the proof of its notice a payment is held (PDC-05). "
        "A host that shows its post-dates in its own list says `NoticeSentOn` there.",
        form=LeftForm,
        answers=NoticeShown,
        once=True,
        problems={
            409: "`no_letter_due`.",
            422: "`refused`: `sent_in_the_future`, `sent_too_early`, `letter_outside_window`.",
        },
    )
    def post(self, request: Request, postdate_id: UUID) -> HttpResponse:
        row = one(Postdate, postdate_id)
        given = self.read(LeftForm)
        done: Notice = made(
            letters.left_by_post(postdate_id=row.pk, sent_on=given["sent_on"], by=self.by, now=self.now)
        )
        return answer(NoticeShown.of(done))
