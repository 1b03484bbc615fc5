"""Mappings: how a connection's own files read, as data; tried on a sample before anything is read by them."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Flag, Form, Text, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown, page_of
from integrations.formats.ready import CANONICAL, READY
from integrations.models import FileFormat, HostConnection
from integrations.services import mappings

LONGEST_SAMPLE = 500_000
SMALL = {"shape": "csv", "fields": [{"to": "FileNumber", "from": "case", "required": True}]}


class MappingForm(Form):
    """What a mapping says, whole."""

    name = Text(max_length=80)
    kind = Word(FileFormat.Kind.values, unknown="kind_unknown")
    mapping = serializers.DictField(help_text="docs/files.md lists what it can say.")
    is_active = Flag(required=False, default=True, help_text="One of a kind is live.")


class MappingShown(Shown):
    id = serializers.UUIDField()
    connection = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(FileFormat.Kind.values)
    mapping = serializers.DictField()
    is_active = serializers.BooleanField()
    changed_at = serializers.DateTimeField()


class MappingQuery(PageQuery):
    """Ask for mappings."""

    connection = serializers.UUIDField(required=False)
    kind = serializers.ChoiceField(FileFormat.Kind.values, required=False)


class SampleForm(Form):
    """The first rows of a file."""

    sample = Text(max_length=LONGEST_SAMPLE, trim_whitespace=False, help_text="As it stands in the file.")


class SampleError(Shown):
    pointer = serializers.CharField(help_text="The column, or the place in the record.")
    code = serializers.CharField()
    message = serializers.CharField()


class SampleRow(Shown):
    line = serializers.IntegerField(allow_null=True)
    record = serializers.DictField(help_text="The canonical record; of SSN and birth date only that they were read.")
    errors = SampleError(many=True)


class SampleShown(Shown):
    rows = SampleRow(many=True, help_text="The first twenty.")


class ReadyShown(Shown):
    name = serializers.CharField()
    mapping = serializers.DictField()


class ReadyMappings(Shown):
    items = ReadyShown(many=True)


MADE = {"name": "Our export", "kind": "placement", "mapping": SMALL}
_WRONG = "`refused`: each `pointer` leads into the mapping; `mapping_live_already`."


class ReadyOnes(Endpoint):
    """To start from."""

    @operation(
        "list_ready_mappings",
        "List mappings that are ready to use",
        scope="agency:read",
        answers=ReadyMappings,
        found=False,
        examples=[example("One", {"items": [{"name": "canonical", "mapping": CANONICAL}]}, status=200)],
    )
    def get(self, request: Request) -> HttpResponse:
        self.asked()
        return answer({"items": [{"name": name, "mapping": mapping} for name, mapping in READY.items()]})


class Mappings(Endpoint):
    """The list."""

    @operation(
        "list_mappings",
        "List mappings of files",
        scope="agency:read",
        answers=page_of(MappingShown),
        query=[MappingQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(MappingQuery, FileFormat.objects.all(), MappingShown.of)


class MakeMapping(Endpoint):
    """A new one."""

    @operation(
        "make_mapping",
        "Write a mapping for a connection's files",
        scope="agency:write",
        form=MappingForm,
        answers=MappingShown,
        status=201,
        once=True,
        problems={409: "`mapping_live_already`.", 422: _WRONG},
        examples=[example("A small one", MADE)],
    )
    def post(self, request: Request, connection_id: UUID) -> HttpResponse:
        connection = one(HostConnection, connection_id)
        row = made(mappings.make(connection=connection, **self.read(MappingForm)))
        return answer(MappingShown.of(row), status=201, headers={"Location": f"/api/v1/mappings/{row.pk}"})


class OneMapping(Endpoint):
    """One of them."""

    @operation("get_mapping", "Read a mapping", scope="agency:read", answers=MappingShown)
    def get(self, request: Request, mapping_id: UUID) -> HttpResponse:
        self.asked()
        return answer(MappingShown.of(one(FileFormat, mapping_id)))

    @operation(
        "put_mapping",
        "Change a mapping, or switch it off",
        scope="agency:write",
        said="Files that came keep what was made of them.",
        form=MappingForm,
        answers=MappingShown,
        problems={409: "`mapping_live_already`.", 422: _WRONG},
        examples=[example("Switched off", {**MADE, "is_active": False})],
    )
    def put(self, request: Request, mapping_id: UUID) -> HttpResponse:
        row = one(FileFormat, mapping_id)
        return answer(MappingShown.of(made(mappings.change(row=row, **self.read(MappingForm)))))


class TryMapping(Endpoint):
    """What does it make of this?"""

    @operation(
        "try_mapping",
        "See what a mapping makes of a sample",
        scope="agency:write",
        said="Nothing is kept and nothing is applied. A whole file is tried by sending it with `dry_run=true`.",
        form=SampleForm,
        answers=SampleShown,
        once=True,
        examples=[example("Two rows", {"sample": "case\nA-1\nA-2\n"})],
    )
    def post(self, request: Request, mapping_id: UUID) -> HttpResponse:
        row = one(FileFormat, mapping_id)
        sample = self.read(SampleForm)["sample"].encode()
        return answer({"rows": mappings.tried(row=row, sample=sample)})
