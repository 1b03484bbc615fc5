"""The consent ledger by key: what consumers agreed to and took back, written down, read, and saved as of a moment."""

from datetime import datetime
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from accounts.exports import saved
from accounts.models import Consent, Consumer, ContactPoint
from accounts.services import ledger, record_consent
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Flag, Form, Id, Moment, Text, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown, page_of


class ConsentShown(Shown):
    id = serializers.UUIDField()
    consumer = serializers.UUIDField()
    contact_point = serializers.UUIDField(allow_null=True)
    kind = serializers.ChoiceField(Consent.Kind.values)
    granted = serializers.BooleanField()
    wording = serializers.CharField(help_text="What they saw, or said.")
    version = serializers.CharField()
    language = serializers.CharField()
    source = serializers.CharField()
    demonstrated = serializers.BooleanField(help_text="ES-02.")
    at = serializers.DateTimeField()


class ConsentQuery(PageQuery):
    """Ask for lines of the ledger."""

    kind = serializers.ChoiceField(Consent.Kind.values, required=False)


class ConsentForm(Form):
    """What a consumer said to you, and how."""

    kind = Word(Consent.Kind.values, unknown="kind_unknown")
    granted = Flag(help_text="False: they took it back.")
    contact_point = Id(required=False, help_text="Of a grant always; a revocation without one stops the whole medium.")
    wording = Text(
        max_length=2000, required=False, help_text="What they saw or heard; of a revocation their own words."
    )
    version = Text(max_length=20, required=False, help_text="Of that wording; a grant needs it.")
    language = Word(("en", "es"), unknown="language_unknown", required=False, help_text="Left out: en.")
    source = Word(record_consent.HOW, unknown="source_unknown", required=False, help_text="How they said it.")
    said_at = Moment(required=False, help_text="Left out: now.")


class RecordedShown(ConsentShown):
    new = serializers.BooleanField(help_text="False: it stood so already, by the line shown.")


class ExportQuery(Form):
    """Which lines, and how they are written."""

    as_of = Moment(required=False, help_text="What was said by then, and which lines held; left out: now.")
    format = serializers.ChoiceField(["ndjson", "csv"], required=False, help_text="Left out: ndjson.")
    kind = serializers.ChoiceField(Consent.Kind.values, required=False)
    consumer = serializers.UUIDField(required=False, help_text="One consumer's only.")


class Consents(Endpoint):
    """The ledger."""

    @operation(
        "list_consents",
        "List what a consumer agreed to and took back",
        scope="consumers:read",
        answers=page_of(ConsentShown),
        query=[ConsentQuery],
    )
    def get(self, request: Request, consumer_id: UUID) -> HttpResponse:
        row = one(Consumer, consumer_id)
        return self.listed(ConsentQuery, row.consents.all(), ConsentShown.of)

    @operation(
        "record_consent",
        "Write down what a consumer agreed to or took back",
        scope="consents:write",
        said=(
            "They said it to you; the ledger keeps the wording, its version, how and when. A grant makes the address's "
            "route valid (RF-13, RF-16), but never opens what the consumer stopped; a revocation holds at once "
            "(RF-07, ES-04). Consent to electronic documents is given by the consumer only (ES-02)."
        ),
        form=ConsentForm,
        answers=RecordedShown,
        status=201,
        once=True,
        problems={
            422: (
                "`refused`: `contact_point_unknown`, `contact_point_needed`, `wording_needed`, `version_needed`, "
                "`opted_out_stands` (RF-07), `demonstrated_only` (ES-02), `unconfirmed` (AUTH-09), `in_the_future`, "
                "`before_the_last_line`."
            )
        },
        examples=[
            example("By letter, no more e-mail", {"kind": "email", "granted": False, "wording": "Please stop writing.",
                                                  "source": "letter", "said_at": "2026-12-01T15:00:00Z"}),
            example("On the telephone", {
                "kind": "text", "granted": True, "contact_point": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a01",
                "wording": "May we text you about this account at this number?", "version": "script-7",
                "source": "telephone",
            }),
        ],
    )  # fmt: skip
    def post(self, request: Request, consumer_id: UUID) -> HttpResponse:
        row = one(Consumer, consumer_id)
        given = self.read(ConsentForm)
        point = None
        if "contact_point" in given:
            # Another agency's is not there; another consumer's is refused with everything else.
            point = ContactPoint.objects.filter(pk=given["contact_point"]).first() or ContactPoint()
        found = made(
            record_consent.record(
                consumer=row,
                kind=given["kind"],
                granted=given["granted"],
                contact_point=point,
                wording=given.get("wording", ""),
                version=given.get("version", ""),
                language=given.get("language", "en"),
                how=given.get("source", ""),
                said_at=given.get("said_at", self.now),
                now=self.now,
            )
        )
        return answer(RecordedShown.of(found.line, new=found.new), status=201)


class ExportConsents(Endpoint):
    """All of it."""

    @operation(
        "export_consents",
        "Save the consent ledger, as of any moment",
        scope="consumers:read",
        said=(
            "Every line that was said by `as_of`, in the order they were written; `holds` says whether it was the last "
            "word then about its address or medium. Addresses are masked."
        ),
        answers={(200, "application/x-ndjson"): OpenApiTypes.STR, (200, "text/csv"): OpenApiTypes.STR},
        query=[ExportQuery],
        found=False,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        asked = self.asked(ExportQuery)
        as_of: datetime = asked.get("as_of", self.now)
        chosen = {"kind": asked["kind"]} if "kind" in asked else {}
        chosen |= {"consumer_id": asked["consumer"]} if "consumer" in asked else {}
        rows, csv = ledger.export(as_of=as_of, **chosen), asked.get("format") == "csv"
        return saved(rows, columns=ledger.EXPORTED, csv=csv, name="consents", agency_id=self.key.agency_id)
