"""What anymail does for each of a thousand readers of one letter, in a quarter of its time; all else is anymail's own.

It looks for translations in every value, reads every address by the whole grammar of mail, and quotes the form sign by
sign. Here plain addresses are taken as they are, values are known to be text, and a list goes as multipart form, which
quotes nothing.
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec
from anymail.backends import mailgun
from anymail.utils import parse_address_list

PLAIN = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
"""An address that every grammar reads, and writes, as it stands."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Be an address to anymail."""

    addr_spec: str

    def format(self, **_how: Any) -> str:
        return self.addr_spec


def addresses(given: list[str]) -> list:
    """Read addresses; any that is not plain is left to anymail."""
    if all(map(PLAIN.fullmatch, given)):
        return list(map(Plain, given))
    return parse_address_list(given, field="to")


class Payload(mailgun.MailgunPayload):
    """Build the form of a letter to many readers."""

    base_message_attrs = tuple(
        (name, combine, addresses if name == "to" else convert)
        for name, combine, convert in mailgun.MailgunPayload.base_message_attrs
    )
    anymail_message_attrs = tuple(
        (name, combine, None if name in ("merge_data", "merge_metadata") else convert)
        for name, combine, convert in mailgun.MailgunPayload.anymail_message_attrs
    )

    def serialize_json(self, data: Any) -> str:
        return msgspec.json.encode(data).decode()

    def get_request_params(self, api_url: str) -> dict[str, Any]:
        """Give the request with every field as a part of its own, the addresses as one list."""
        params = super().get_request_params(api_url)
        fields = params.pop("data") | {"to": ", ".join(self.data["to"])}
        parts = [
            (name, (None, one))
            for name, said in fields.items()
            for one in (said if isinstance(said, list | tuple) else [said])
        ]
        return params | {"files": parts + list(self.files)}


class EmailBackend(mailgun.EmailBackend):
    """Send as anymail does, lists faster."""

    def build_message_payload(self, message, defaults):
        kind = Payload if getattr(message, "merge_data", None) else mailgun.MailgunPayload
        return kind(message, defaults, self)
