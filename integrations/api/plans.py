"""Arrangements: read, previewed and changed, paused, cancelled; made by accepting a quote."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import LineShown, PageQuery, Reason
from integrations.api.base import Endpoint, answer, one, refusing, told
from integrations.api.bodies import Cents, Day, Form, Id, Text, Whole, Word
from integrations.api.document import operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from payments.models import Arrangement, Method
from payments.services import change, resting
from payments.services.preview import KINDS, Preview, Wish
from settlements.rules.schedules import FREQUENCIES

WRITTEN_CHANGES = ("move", "skip", "frequency", "method", "cancel")


NEEDED = {
    "move": ("payment", "to_on"),
    "skip": ("payment",),
    "frequency": ("frequency",),
    "method": ("method",),
    "pay_extra": ("amount_cents",),
}


ENDED = "`arrangement_not_running`."


class ArrangementShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    consumer = serializers.UUIDField()
    kind = serializers.ChoiceField(Arrangement.Kind.values)
    status = serializers.ChoiceField(Arrangement.Status.values)
    frequency = serializers.CharField()
    method = serializers.UUIDField(allow_null=True, help_text="Null: the consumer pays by themselves.")
    authorization = serializers.UUIDField(allow_null=True)
    quote = serializers.UUIDField(allow_null=True)
    total_cents = serializers.IntegerField()
    saving_cents = serializers.IntegerField()
    accepted = LineShown(many=True, help_text="As it was accepted; it never changes.")
    failures = serializers.IntegerField(help_text="Failed or missed payments in a row.")
    changes = serializers.IntegerField()
    late_since = serializers.DateField(allow_null=True)
    paused_until = serializers.DateField(allow_null=True)
    review_on = serializers.DateField(allow_null=True)
    accepted_by = serializers.CharField()
    accepted_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class ArrangementQuery(PageQuery):
    """Ask for arrangements."""

    account = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(Arrangement.Status.values, required=False)


class ChangeWish(Form):
    """What is to change."""

    kind = Word(KINDS, unknown="change_unknown")
    payment = Id(required=False, help_text="The post-date that is moved or skipped.")
    to_on = Day(required=False)
    frequency = Word(FREQUENCIES, unknown="frequency_unknown", required=False)
    method = Id(required=False, help_text="One of the consumer's kept methods.")
    amount_cents = Cents(required=False)
    language = Word(("en", "es"), unknown="language_unknown", required=False)

    def validate(self, given: dict) -> dict:
        """Ask for what this kind of change needs."""
        missing = [name for name in NEEDED.get(given["kind"], ()) if name not in given]
        if missing:
            said = serializers.ErrorDetail(f"A change of {given['kind']} needs it.", "required")
            raise serializers.ValidationError({name: [said] for name in missing})
        return given


class ConfirmForm(ChangeWish):
    """What is to change, as it was previewed."""

    kind = Word(WRITTEN_CHANGES, unknown="change_unknown")
    text_sha256 = Text(required=False, max_length=64, help_text="Of the authorization that the preview showed.")


class PreviewShown(Shown):
    refusals = Reason(many=True, help_text="Why it is not possible, all of them.")
    lines = LineShown(many=True, help_text="The payments that would be planned.")
    effects = Reason(many=True, help_text="What it means; first of all what becomes of the settlement.")
    text = serializers.CharField(help_text="The new authorization to show; empty: none is needed.")
    text_sha256 = serializers.CharField(help_text="Send it when you confirm.")
    pay_now_cents = serializers.IntegerField()


class PauseForm(Form):
    """Until when, why."""

    until = Day(required=False, help_text="The last day; left out: until it is resumed.")
    reason = Text(max_length=60)


class CancelForm(Form):
    """Why."""

    reason = Text(max_length=60)


def arrangement_shown(row: Arrangement) -> dict:
    """Show an arrangement."""
    lines = [{"due_on": day, "amount_cents": cents} for day, cents in row.schedule]
    return ArrangementShown.of(row, accepted=lines)


def preview_shown(seen: Preview) -> dict:
    """Show what a change comes to."""
    return {
        "refusals": [told(each) for each in seen.refusals],
        "lines": [{"due_on": day, "amount_cents": cents} for day, cents in seen.lines],
        "effects": [told(each) for each in seen.effects],
        "text": seen.text,
        "text_sha256": seen.text_sha256,
        "pay_now_cents": seen.pay_now_cents,
    }


def wish_of(given: dict) -> Wish:
    """Read a form as the service takes it; a method of somebody else is none."""
    method = given.get("method")
    return Wish(
        kind=given["kind"],
        payment=given.get("payment"),
        to_on=given.get("to_on"),
        frequency=given.get("frequency", ""),
        method=one(Method, method) if method else None,
        amount_cents=given.get("amount_cents", 0),
    )


def stored(pk: UUID) -> Arrangement:
    """Find an arrangement of the acting agency."""
    return one(Arrangement, pk)


class Arrangements(Endpoint):
    """The list."""

    @operation(
        "list_arrangements",
        "List arrangements",
        scope="arrangements:read",
        said="They are made by accepting a quote.",
        answers=page_of(ArrangementShown),
        query=[ArrangementQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(ArrangementQuery, Arrangement.objects.all(), arrangement_shown)


class OneArrangement(Endpoint):
    """One of them."""

    @operation("get_arrangement", "Read an arrangement", scope="arrangements:read", answers=ArrangementShown)
    def get(self, request: Request, arrangement_id: UUID) -> HttpResponse:
        self.asked()
        return answer(arrangement_shown(stored(arrangement_id)))


class PreviewChange(Endpoint):
    """What would it mean?"""

    @operation(
        "preview_change",
        "See what a change of an arrangement comes to",
        scope="arrangements:write",
        said="Nothing is written. Show `effects` and `text` to the consumer before you confirm.",
        form=ChangeWish,
        answers=PreviewShown,
        once=True,
    )
    def post(self, request: Request, arrangement_id: UUID) -> HttpResponse:
        row = stored(arrangement_id)
        given = self.read(ChangeWish)
        said = {"now": self.now, "by": self.by, "language": given.get("language", "en")}
        return answer(preview_shown(change.preview(arrangement=row, wish=wish_of(given), **said)))


class ConfirmChange(Endpoint):
    """Do it."""

    @operation(
        "change_arrangement",
        "Change an arrangement as it was previewed",
        scope="arrangements:write",
        said="Move a date, skip a payment to the end, another rhythm or method, cancel. Paying extra is a payment.",
        form=ConfirmForm,
        answers=ArrangementShown,
        once=True,
        problems={409: f"{ENDED} `changes_used_up`, `change_under_way`, `text_changed`.", 422: "`refused`."},
    )
    def post(self, request: Request, arrangement_id: UUID) -> HttpResponse:
        row = stored(arrangement_id)
        given = self.read(ConfirmForm)
        with refusing(change.Refused):
            done = change.confirm(
                arrangement=row,
                wish=wish_of(given),
                by=self.by,
                now=self.now,
                text_sha256=given.get("text_sha256", ""),
                language=given.get("language", "en"),
            )
        return answer(arrangement_shown(done))


class PauseArrangement(Endpoint):
    """Rest."""

    @operation(
        "pause_arrangement",
        "Pause an arrangement",
        scope="arrangements:write",
        said="Nothing is charged meanwhile; what falls into the pause is due at the end.",
        form=PauseForm,
        answers=ArrangementShown,
        once=True,
        problems={409: ENDED, 422: "`refused`: `pause_ends_in_past`."},
    )
    def post(self, request: Request, arrangement_id: UUID) -> HttpResponse:
        row = stored(arrangement_id)
        given = self.read(PauseForm)
        with refusing(resting.Refused):
            done = resting.pause(arrangement=row, until=given.get("until"), reason=given["reason"], now=self.now)
        return answer(arrangement_shown(done))


class ResumeArrangement(Endpoint):
    """Go on."""

    @operation(
        "resume_arrangement",
        "End an arrangement's pause",
        scope="arrangements:write",
        form=Nothing,
        answers=ArrangementShown,
        once=True,
        problems={409: "`arrangement_not_paused`; `collection_stands_still`: a dispute or a right is open."},
    )
    def post(self, request: Request, arrangement_id: UUID) -> HttpResponse:
        row = stored(arrangement_id)
        self.read(Nothing)
        with refusing(resting.Refused):
            done = resting.resume(arrangement=row, looked_at=False, now=self.now)
        return answer(arrangement_shown(done))


class ReviewAfterForm(Form):
    """After how many."""

    instalments = Whole(min_value=1, max_value=600, allow_null=True, help_text="Paid ones; null: nobody looks.")


class ReviewAfter(Endpoint):
    """Somebody looks."""

    @operation(
        "review_arrangement_after",
        "Have a person look at an arrangement once so many instalments are paid",
        scope="arrangements:write",
        form=ReviewAfterForm,
        answers=ArrangementShown,
        once=True,
        problems={409: ENDED},
    )
    def post(self, request: Request, arrangement_id: UUID) -> HttpResponse:
        row = stored(arrangement_id)
        given = self.read(ReviewAfterForm)
        with refusing(resting.Refused):
            done = resting.look_after(arrangement=row, instalments=given["instalments"], now=self.now)
        return answer(arrangement_shown(done))


class CancelArrangement(Endpoint):
    """End it."""

    @operation(
        "cancel_arrangement",
        "Cancel an arrangement",
        scope="arrangements:write",
        said="With its post-dates, authorization and offer. What the host holds is asked back.",
        form=CancelForm,
        answers=ArrangementShown,
        once=True,
        problems={409: ENDED},
    )
    def post(self, request: Request, arrangement_id: UUID) -> HttpResponse:
        row = stored(arrangement_id)
        given = self.read(CancelForm)
        wish = Wish(kind="cancel", reason=given["reason"])
        with refusing(change.Refused):
            done = change.confirm(arrangement=row, wish=wish, by=self.by, now=self.now)
        return answer(arrangement_shown(done))
