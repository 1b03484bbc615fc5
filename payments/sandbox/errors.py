"""Errors in the processor's wire shape."""

from typing import Any


class ApiError(Exception):
    """Carry one error answer: HTTP status, the ``error`` object, and whether what was done is kept.

    A decline is an answer about something that happened (``keep``); a refused request left no trace.
    """

    def __init__(self, status: int, error: dict[str, Any], *, keep: bool = False) -> None:
        super().__init__(error.get("message"))
        self.status = status
        self.error = {name: value for name, value in error.items() if value is not None}
        self.keep = keep


def refused(
    message: str, *, param: str | None = None, code: str | None = None, status: int = 400, **more: Any
) -> ApiError:
    """Make the error of a request that was not carried out."""
    return ApiError(status, {"message": message, "param": param, "code": code, "type": "invalid_request_error", **more})


def missing(kind: str, reference: str, *, param: str = "id") -> ApiError:
    """Make the 404 of an object that this account does not have."""
    noun = {"payment_method": "PaymentMethod", "confirmation_token": "confirmation_token"}.get(kind, kind)
    return refused(f"No such {noun}: '{reference}'", param=param, code="resource_missing", status=404)


def unexpected(intent: dict[str, Any], message: str) -> ApiError:
    """Make the refusal of something that an intent's status does not allow; it shows the intent."""
    kind = intent["object"]
    shown = {name: value for name, value in intent.items() if name != "_"}
    error = {"message": message, "code": f"{kind}_unexpected_state", "type": "invalid_request_error", kind: shown}
    return ApiError(400, error)
