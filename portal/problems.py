"""Every API error as problem+json (RFC 9457) with a stable code, and field errors by JSON pointer."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """Refuse a request: HTTP status, stable code, one sentence, and errors as [{pointer, code, message}]."""

    def __init__(self, status: int, code: str, detail: str, *, errors: list[dict] | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.errors = status, code, detail, errors or []


def _pointers(detail, path: str = "") -> list[dict]:
    if isinstance(detail, dict):
        return [found for key, inner in detail.items() for found in _pointers(inner, path + _step(key))]
    if isinstance(detail, list):
        return [
            found
            for index, inner in enumerate(detail)
            for found in _pointers(inner, f"{path}/{index}" if isinstance(inner, dict | list) else path)
        ]
    return [{"pointer": path, "code": getattr(detail, "code", "invalid"), "message": str(detail)}]


def _step(key: object) -> str:
    # What is wrong with an object as a whole has no name of its own (RFC 6901 escapes the rest).
    return "" if key == "non_field_errors" else "/" + str(key).replace("~", "~0").replace("/", "~1")


def problem(status: int, code: str, detail: str, *, errors: list[dict] | None = None, headers=None) -> Response:
    """Build the answer of a view of REST framework."""
    body = said(status, code, detail, errors=errors)
    return Response(body, status=status, headers=headers, content_type=MEDIA_TYPE)


def plain_problem(status: int, code: str, detail: str) -> JsonResponse:
    """Build the answer where no view was found or the view broke."""
    return JsonResponse(said(status, code, detail), status=status, content_type=MEDIA_TYPE)


def said(status: int, code: str, detail: str, *, errors: list[dict] | None = None) -> dict:
    """Build the body."""
    body = {"type": f"urn:quittance:problem:{code}", "title": code.replace("_", " "), "status": status}
    body |= {"code": code, "detail": detail}
    return body | ({"errors": errors} if errors else {})


def handler(error: Exception, _context: dict) -> Response | None:
    """Turn any refusal into a problem (REST framework's exception handler); a bug stays a 500."""
    match error:
        case Problem():
            return problem(error.status, error.code, error.detail, errors=error.errors)
        case Http404():
            return problem(404, "not_found", "There is nothing here.")
        case PermissionDenied():
            return problem(403, "forbidden", "This is not allowed.")
        case exceptions.ParseError():
            return problem(400, "malformed_json", str(error.detail))
        case exceptions.ValidationError():
            return problem(422, "invalid", "Some fields are not right.", errors=_pointers(error.detail))
        case exceptions.APIException():
            headers = {"Retry-After": str(int(error.wait))} if getattr(error, "wait", None) else None
            errors = getattr(error, "errors", None)
            if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
                headers = {"WWW-Authenticate": "Bearer"}
            return problem(error.status_code, error.get_codes(), str(error.detail), errors=errors, headers=headers)
    return None
