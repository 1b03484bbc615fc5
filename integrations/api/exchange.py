"""Rule sets as one file, in and out: the form of Collect!, for the agency and each of its clients."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from accounts.models import Client
from integrations.api.base import Endpoint, answer, one
from integrations.api.bodies import Form, Refuse
from integrations.api.document import operation
from integrations.api.rulesets import RuleSetShown, rule_set_shown
from integrations.api.terms import Shown
from settlements.rules.collect import Fault
from settlements.services import collect

FORMATS = {"text/csv": "csv", "application/json": "json"}


class ExportQuery(Form):
    """Ask for a file."""

    format = serializers.ChoiceField(["json", "csv"], required=False)
    client = serializers.CharField(required=False, max_length=36, help_text="A client's id, `agency` or `all`.")


class ExportRuleSets(Endpoint):
    """The rules in force, as a file."""

    @operation(
        "export_rule_sets",
        "Export the rules in force as Collect! writes them",
        scope="rules:read",
        said="Left out, `client` is the agency; `all` is the agency and every client that has rules.",
        answers={(200, "application/json"): OpenApiTypes.OBJECT, (200, "text/csv"): OpenApiTypes.STR},
        query=[ExportQuery],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = self.asked(ExportQuery)
        whose = asked.get("client", "agency")
        client = None if whose in ("agency", "all") else one(Client, _id(whose))
        said = {"client": client, "all_clients": whose == "all", "now": self.now}
        if asked.get("format", "json") == "json":
            return answer(collect.export_json(**said))
        text = collect.export_csv(**said)
        name = 'attachment; filename="rule-sets.csv"'
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        wrong = [{"parameter": "client", "code": "invalid_id", "message": "Write a client's id, agency or all."}]
        raise Refuse(400, "invalid_parameter", "Some parameters of the address are not right.", errors=wrong) from None


class ImportQuery(Form):
    """Say what becomes of the file."""

    publish = serializers.ChoiceField(["0", "1"], required=False, help_text="1: in force at once; else drafts.")


def fault_shown(fault: Fault) -> dict:
    """Show an error of a file: of JSON by its pointer, of CSV by its line and column."""
    place = {"pointer": fault.field} if fault.field.startswith("/") else {"pointer": "", "column": fault.field}
    return place | {"line": fault.row, "code": fault.code, "message": fault.sentence}


class Dropped(Shown):
    pointer = serializers.CharField(allow_blank=True, help_text="The form: of JSON its pointer, of CSV empty.")
    column = serializers.CharField(required=False)
    line = serializers.IntegerField(allow_null=True)
    code = serializers.CharField()
    message = serializers.CharField()


class Imported(Shown):
    rule_sets = RuleSetShown(many=True, help_text="Drafts, or what was published.")
    unchanged = serializers.IntegerField(help_text="Forms that say what is in force already.")
    unused_bands = serializers.IntegerField(help_text="Bands that are all empty or zero: they were left out.")
    dropped = Dropped(many=True, help_text="What the drafts no longer have of the rules in force, beyond the form.")


class ImportRuleSets(Endpoint):
    """A file of rules."""

    @operation(
        "import_rule_sets",
        "Import a file of Collect! forms",
        scope="rules:write",
        said=(
            "All of it or nothing: every error names its row and field. The same file again changes nothing. What your "
            "rules have beyond the form stays with the bands; a file that would drop some of it makes drafts only."
        ),
        form={
            "text/csv": OpenApiTypes.STR,
            "application/json": {"type": "object", "additionalProperties": True},
        },
        answers=Imported,
        query=[ImportQuery],
        once=True,
        found=False,
        problems={422: "`file_refused`: nothing of it was taken."},
        examples=[
            OpenApiExample("No forms", value={"forms": []}, request_only=True, media_type="application/json"),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        asked = self.asked(ImportQuery)
        kind = request._request.content_type
        if kind not in FORMATS:
            raise UnsupportedMediaType((kind or "nothing")[:60])
        publish = asked.get("publish") == "1"
        done = collect.import_forms(text=self.body, format=FORMATS[kind], by=self.by, now=self.now, publish=publish)
        if done.errors:
            errors = [fault_shown(fault) for fault in done.errors]
            raise Refuse(422, "file_refused", "The file has errors; nothing of it was taken.", errors=errors)
        made = [rule_set_shown(row) for row in done.rule_sets]
        dropped = [fault_shown(fault) for fault in done.dropped]
        counts = {"unchanged": done.unchanged, "unused_bands": done.unused_bands}
        return answer({"rule_sets": made} | counts | {"dropped": dropped})
