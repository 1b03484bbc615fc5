"""The notice about the age of a debt, for whoever shows or reads it outside the site (SOL-02, SOL-04)."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import payable
from integrations.api.base import Endpoint, answer, made
from integrations.api.bodies import Form, Text, Word
from integrations.api.document import operation
from integrations.api.terms import Shown
from payments.services import age_notice, gate

LANGUAGES = ("en", "es")


class NoticeQuery(Form):
    """In which language?"""

    language = serializers.ChoiceField(LANGUAGES, required=False, help_text="Left out: the consumer's.")


class AgeNoticeShown(Shown):
    required = serializers.BooleanField(help_text="Where the consumer lives, with an old debt or one of unknown age.")
    language = serializers.ChoiceField(LANGUAGES)
    text = serializers.CharField(help_text="To show or read word for word, before anything is paid or agreed.")
    text_sha256 = serializers.CharField(help_text="Send it with the acknowledgement.")
    version = serializers.CharField()
    acknowledged_at = serializers.DateTimeField(allow_null=True, help_text="If that still counts.")
    acknowledged_until = serializers.DateTimeField(allow_null=True)


class AcknowledgedForm(Form):
    """What was shown, and how."""

    text_sha256 = Text(max_length=64, help_text="Of the words that were shown.")
    language = Word(LANGUAGES, unknown="language_unknown")
    medium = Word(age_notice.MEDIA, unknown="medium_unknown", help_text="The medium in which the payment is made.")
    note = Text(required=False, max_length=300, help_text="For example the number of the recording.")


def notice_shown(account, language: str, now) -> dict:
    """Show the notice and whether it was acknowledged."""
    notice = age_notice.write(language)
    read_at = age_notice.last_read(account, now=now)
    return {
        "required": gate.sol_needed(gate.standing(account, now=now)),
        "language": language,
        "text": notice.text,
        "text_sha256": notice.sha256,
        "version": notice.version,
        "acknowledged_at": read_at,
        "acknowledged_until": read_at + age_notice.READ_WITHIN if read_at else None,
    }


class AgeNotice(Endpoint):
    """The words, and that they were read."""

    @operation(
        "get_age_notice",
        "Read the notice about the age of a debt",
        scope="quotes:read",
        said="Where it is required, nothing is agreed before it was acknowledged: `409 sol_notice_required`.",
        answers=AgeNoticeShown,
        query=[NoticeQuery],
    )
    def get(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        spoken = account.consumer.language[:2]
        language = self.asked(NoticeQuery).get("language") or (spoken if spoken in LANGUAGES else "en")
        return answer(notice_shown(account, language, self.now))

    @operation(
        "acknowledge_age_notice",
        "Record that the consumer was given the notice and acknowledged it",
        scope="quotes:write",
        said=(
            "In the consumer's own words a yes, after the text was shown or read in the same medium. It counts for a "
            "day and opens no payments in parts where the debt is too old for them (SOL-04)."
        ),
        form=AcknowledgedForm,
        answers=AgeNoticeShown,
        status=201,
        once=True,
        problems={409: "`notice_changed`: these are not today's words; show it again."},
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        given = self.read(AcknowledgedForm)
        made(age_notice.read_elsewhere(account=account, **{"note": "", **given}, by=self.by, now=self.now))
        return answer(notice_shown(account, given["language"], self.now), status=201)
