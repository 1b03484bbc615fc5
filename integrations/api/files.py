"""The hosts' own API of files: send one, see how far it is, get its line errors, have activity extracted, claim it."""

from collections.abc import Iterator
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import acting_for
from integrations import vault
from integrations.api.base import OneKind
from integrations.api.bodies import LENGTH_REQUIRED, Form, Moment, Refuse, decode, read_body
from integrations.api.hosts import InboundKey, Problem
from integrations.models import HostConnection, HostFile
from integrations.services import extract, files

BLOCK = 2**16
LISTED = 50
SMALL = 2**14


class Broken(serializers.Serializer):
    line = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(help_text="Stable; the message may change.")
    message = serializers.CharField()


class FileShown(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(HostFile.Kind.choices)
    direction = serializers.ChoiceField(["in", "out"])
    name = serializers.CharField()
    state = serializers.ChoiceField(HostFile.State.choices)
    dry_run = serializers.BooleanField()
    sha256 = serializers.CharField()
    bytes = serializers.IntegerField()
    received_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    done_line = serializers.IntegerField(help_text="Applied up to this line; a kill goes on after it.")
    received = serializers.IntegerField(help_text="Records read so far.")
    accepted = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    stale = serializers.IntegerField()
    refused = serializers.IntegerField()
    errors = serializers.IntegerField(help_text="Line errors: get them as a file.")
    broken = Broken(allow_null=True)
    preview = serializers.ListField(help_text="What a dry run would change: the first hundred.")
    duplicate = serializers.BooleanField(help_text="This content came before: that file is shown, nothing is done.")


class FileList(serializers.Serializer):
    files = FileShown(many=True)


class ExtractionAsked(Form):
    """A range, or nothing: since the last extraction."""

    since = Moment(required=False)
    until = Moment(required=False)


def shown(file: HostFile, *, duplicate: bool = False) -> dict:
    """Give a file as the API shows it."""
    counts = dict.fromkeys(("received", "accepted", "unchanged", "stale", "refused", "errors"), 0) | file.counts
    broken = {"line": file.broken_line, "code": file.broken_code, "message": file.broken_text}
    return {
        "id": str(file.pk),
        "kind": file.kind,
        "direction": "out" if file.outgoing else "in",
        "name": file.name,
        "state": file.state,
        "dry_run": file.dry_run,
        "sha256": file.sha256,
        "bytes": file.size,
        "received_at": file.made_at,
        "finished_at": file.finished_at,
        "done_line": file.done_line,
        **counts,
        "broken": broken if file.broken_code else None,
        "preview": file.preview,
        "duplicate": duplicate,
    }


def refusals(*codes: int) -> dict:
    """Describe refusals for the document."""
    said = {
        400: "`invalid_parameter`, `upload_incomplete`, `checksum_mismatch`: nothing was kept.",
        401: "`invalid_credentials`: not the connection's key.",
        403: "`address_not_allowed`: the key is right, the address is not.",
        404: "`not_found`: no such connection or file.",
        409: "`already_claimed`: more than 24 hours ago.",
        410: "`gone`: the content was removed.",
        411: LENGTH_REQUIRED,
        413: "`too_large`: more bytes than a file, or a body, may have.",
        422: "`invalid`: fields are not right, each with its code.",
        507: "`no_room`: the portal's disk is nearly full; try later.",
    }
    return {
        (code, "application/problem+json"): OpenApiResponse(response=Problem, description=said[code]) for code in codes
    }


class HostEndpoint(APIView):
    """Answer a host that showed its connection's key, in the scope of its agency."""

    authentication_classes = [InboundKey]
    permission_classes = [IsAuthenticated]
    content_negotiation_class = OneKind
    metadata_class = None

    def connection(self, request: Request) -> HostConnection:
        return request.user.connection

    def file(self, request: Request, file_id: UUID) -> HostFile:
        """Find a file of the host's own connection.

        :raises NotFound: another one's, or none.
        """
        found = HostFile.objects.filter(connection=self.connection(request), pk=file_id).first()
        if found is None:
            raise NotFound("There is no such file.")
        return found


KIND = OpenApiParameter("kind", enum=["placement", "update"], required=True, description="What the file is.")
NAME = OpenApiParameter("name", str, description="Its name, for people.")
DRY_RUN = OpenApiParameter("dry_run", bool, description="Read, check and compare everything; apply nothing.")
SHA256 = OpenApiParameter(
    "X-Content-SHA256", str, OpenApiParameter.HEADER, description="Hex; a file that came otherwise is refused."
)
SENT = {"application/json": OpenApiTypes.BINARY, "application/x-ndjson": OpenApiTypes.BINARY}
SENT |= {"application/gzip": OpenApiTypes.BINARY, "application/octet-stream": OpenApiTypes.BINARY}


class Files(HostEndpoint):
    """Take a file; list the latest ones."""

    @extend_schema(
        operation_id="send_file",
        summary="Send a placement or update file",
        description=(
            "Account records as NDJSON or a JSON array, plain or gzip, up to 2 GB; they are applied in the background,"
            " in the order in which files came. A placement is the whole record, an update changes only the fields"
            " that it names. The same content again does nothing and shows the file that came first. Good records land"
            " beside refused ones; a file that breaks off is applied up to the chunk before the break."
        ),
        parameters=[KIND, NAME, DRY_RUN, SHA256],
        request=SENT,
        responses={202: FileShown, 200: FileShown, **refusals(400, 401, 403, 404, 411, 413, 507)},
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        http = request._request
        kind, dry_run = http.GET.get("kind", ""), http.GET.get("dry_run", "false")
        if kind not in files.KINDS:
            raise Refuse(
                400, "invalid_parameter", "Say in the address what the file is: kind=placement or kind=update."
            )
        if dry_run not in ("true", "false"):
            raise Refuse(400, "invalid_parameter", "dry_run is true or false.")
        length = http.META.get("CONTENT_LENGTH") or None
        with acting_for(self.connection(request).agency_id):
            try:
                file, is_new = files.receive(
                    connection=self.connection(request),
                    kind=kind,
                    name=http.GET.get("name", "") or f"{kind}-{http.now:%Y%m%d-%H%M%S}",
                    blocks=blocks(http),
                    source="api",
                    by=f"host:{connection_id}",
                    now=http.now,
                    dry_run=dry_run == "true",
                    length=int(length) if length else None,
                    sha256=http.headers.get("X-Content-SHA256", "").strip(),
                )
            except files.TooLarge as error:
                raise Refuse(413, "too_large", str(error)) from error
            except files.Incomplete as error:
                raise Refuse(400, error.code, str(error)) from error
            except files.NoRoom as error:
                raise Refuse(507, "no_room", str(error)) from error
        return Response(shown(file, duplicate=not is_new), status=202 if is_new else 200)

    @extend_schema(
        operation_id="list_files",
        summary="See the latest files, in and out",
        responses={200: FileList, **refusals(401, 403, 404)},
    )
    def get(self, request: Request, connection_id: UUID) -> Response:
        with acting_for(self.connection(request).agency_id):
            latest = HostFile.objects.filter(connection=self.connection(request)).order_by("-made_at", "-pk")[:LISTED]
            return Response({"files": [shown(file) for file in latest]})


def blocks(request: HttpRequest) -> Iterator[bytes]:
    """Read the body block by block."""
    while block := request.read(BLOCK):
        yield block


class OneFile(HostEndpoint):
    """Show one file."""

    @extend_schema(
        operation_id="get_file", summary="See how far a file is", responses={200: FileShown, **refusals(401, 403, 404)}
    )
    def get(self, request: Request, connection_id: UUID, file_id: UUID) -> Response:
        with acting_for(self.connection(request).agency_id):
            return Response(shown(self.file(request, file_id)))


NDJSON = {(200, "application/x-ndjson"): OpenApiTypes.STR}


class FileErrors(HostEndpoint):
    """Give the line errors."""

    @extend_schema(
        operation_id="get_file_errors",
        summary="Get a file's line errors",
        description="NDJSON: line, reference, field (a JSON pointer), code (stable), message.",
        responses={**NDJSON, **refusals(401, 403, 404)},
        examples=[
            OpenApiExample(
                "A line",
                value='{"line":7,"reference":"A-7","field":"/CurrentBalance","code":"invalid_amount","message":"..."}',
                response_only=True,
                media_type="application/x-ndjson",
            )
        ],
    )
    def get(self, request: Request, connection_id: UUID, file_id: UUID) -> StreamingHttpResponse:
        agency_id = self.connection(request).agency_id
        with acting_for(agency_id):
            file = self.file(request, file_id)
        return _streamed(_acting(agency_id, files.errors_of(file)), f"{file.name}.errors.ndjson")


class ClaimFile(HostEndpoint):
    """Give a file out."""

    @extend_schema(
        operation_id="claim_file",
        summary="Claim an outgoing file",
        description=(
            "Its content; `bytes` and `sha256` of the file say whether all of it came. For 24 hours after the first"
            " claim it may be claimed again, the same bytes with the same event ids; then it is `already_claimed`."
        ),
        request=None,
        responses={**NDJSON, **refusals(401, 403, 404, 409, 410, 411)},
    )
    def post(self, request: Request, connection_id: UUID, file_id: UUID) -> StreamingHttpResponse:
        agency_id = self.connection(request).agency_id
        with acting_for(agency_id):
            file = self.file(request, file_id)
            try:
                content = files.content(file)
                begun = next(content, b"")
                files.claim(file=file, now=request._request.now)
            except vault.Unreadable as error:
                raise Refuse(410, "gone", "The content of this file was removed.") from error
            except files.Claimed as error:
                raise Refuse(409, "already_claimed", str(error)) from error
        return _streamed(_after(begun, content), file.name)


class Extractions(HostEndpoint):
    """Have activity extracted."""

    @extend_schema(
        operation_id="extract_activity",
        summary="Extract activity into a file",
        description=(
            "All activity of the connection's accounts since the last extraction, or with `since` and `until` of a"
            " range, which moves nothing. The file is NDJSON, one event a line as the connection's style writes it;"
            " claim it. No new activity: an empty file."
        ),
        request=ExtractionAsked,
        responses={201: FileShown, **refusals(400, 401, 403, 404, 411, 413, 422)},
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        form = ExtractionAsked(data=decode(read_body(request._request, limit=SMALL) or b"{}"))
        form.is_valid(raise_exception=True)
        with acting_for(self.connection(request).agency_id):
            file = extract.extract(
                connection=self.connection(request),
                by=f"host:{connection_id}",
                now=request._request.now,
                since=form.validated_data.get("since"),
                until=form.validated_data.get("until"),
            )
        return Response(shown(file), status=201)


def _acting(agency_id: UUID, found: Iterator[bytes]) -> Iterator[bytes]:
    """Go on acting for the agency while the answer is sent."""
    while True:
        with acting_for(agency_id):
            block = next(found, None)
        if block is None:
            return
        yield block


def _after(begun: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield begun
    yield from rest


def _streamed(found: Iterator[bytes], name: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(found, content_type="application/x-ndjson")
    answer["Content-Disposition"] = f'attachment; filename="{ascii_name(name)}"'
    answer["Cache-Control"] = "no-store"
    return answer


def ascii_name(name: str) -> str:
    """Keep of a name what a header may say."""
    return "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter in "-_.")) or "file"
