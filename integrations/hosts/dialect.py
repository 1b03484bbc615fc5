"""Say the same record and the same event in another host's words.

Hosts of this field tell the same things under other names. A style that does so keeps one table of names and reads
with SCollect's reader, so that a rule about records (itemization, phones, evidence, settlements) is written once; what
a style says differently stands in its own file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.hosts import BadRecord, FieldError, Told
from integrations.hosts.scollect import SCollect


@dataclass(frozen=True, slots=True)
class Dialect:
    """A table of names. Paths are written with `/`; a list has the names of its objects' fields.

    :param fields: their path -> the canonical one; what is in no table is not read.
    :param lists: their list -> the canonical list and its fields, likewise.
    """

    fields: Mapping[str, str]
    lists: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)

    def canonical(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Put a record of theirs into canonical names; what is absent stays absent."""
        said = renamed(record, self.fields)
        for theirs, (ours, names) in self.lists.items():
            if theirs in record:
                items = record[theirs]
                listed = isinstance(items, list)
                said[ours] = [_item(item, names) for item in items] if listed else items
        return said

    def theirs(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Put a canonical record or message into their names."""
        said = renamed(record, {ours: theirs for theirs, ours in self.fields.items()})
        for theirs, (ours, names) in self.lists.items():
            if ours in record:
                back = {canonical: own for own, canonical in names.items()}
                said[theirs] = [_item(item, back) for item in record[ours]]
        return said

    def pointer(self, pointer: str) -> str:
        """Lead a JSON pointer of the canonical record to the same place of theirs."""
        first, _slash, rest = pointer.lstrip("/").partition("/")
        for theirs, (ours, names) in self.lists.items():
            if first == ours:
                index, _slash, name = rest.partition("/")
                own = next((own for own, canonical in names.items() if canonical == name), name)
                return "/" + "/".join(part for part in (theirs, index, own) if part)
        for theirs, ours in self.fields.items():
            if pointer == f"/{ours}":
                return f"/{theirs}"
        parts = {ours.partition("/")[0]: theirs.rpartition("/")[0] for theirs, ours in self.fields.items()}
        return f"/{parts[first]}" if parts.get(first) else pointer


def renamed(part: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Move what stands at each path on the left to the path on the right."""
    said: dict[str, Any] = {}
    for there, here in names.items():
        value: Any = part
        for step in there.split("/"):
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is None:
            continue
        *way, last = here.split("/")
        place = said
        for step in way:
            place = place.setdefault(step, {})
        place[last] = value
    return said


def _item(item: Any, names: Mapping[str, str]) -> Any:
    return renamed(item, names) if isinstance(item, Mapping) else item


def read(canonical: SCollect, record: dict[str, Any], pointer) -> Told:
    """Read a record that is in canonical names; every error points into the record that the host sent.

    :param pointer: leads a canonical JSON pointer to the host's own.
    :raises BadRecord: with every error.
    """

    def led(errors: list[FieldError]) -> list[FieldError]:
        return [error._replace(pointer=pointer(error.pointer)) for error in errors]

    try:
        told = canonical.read(record)
    except BadRecord as error:
        raise BadRecord(led(error.errors)) from None
    return told._replace(remarks=led(told.remarks))


PERSON_AND_DEBT = {
    "AssignedBalance": "AssignedBalance",
    "AssignedDate": "AssignedDate",
    "ListedDate": "ListedDate",
    "OriginalCreditor": "OriginalCreditor",
    "ItemizationDate": "ItemizationDate",
    "ItemizationBasis": "ItemizationBasis",
    "Itemization": "Itemization",
    "ValidationSentOn": "ValidationSentOn",
    "SolStatus": "SolStatus",
    "SolDate": "SolDate",
    "Settlement": "Settlement",
    "PaymentOptions": "PaymentOptions",
    "ConsumerID": "ConsumerID",
    "Language": "Language",
}
"""What United States law gives a name of its own is called the same everywhere."""
PHONE = {"Type": "Type", "Status": "Status", "Number": "Number", "Route": "Route", "Evidence": "Evidence"}
EMAIL = {"Address": "Address", "Route": "Route", "Evidence": "Evidence"}
