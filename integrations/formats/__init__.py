"""Read and write a connection's own files by a mapping that is data: CSV, fixed width or JSON <-> the canonical record.

Pure: values in, values out; no models, no settings, no network. docs/files.md lists what a mapping can say;
`check.check` tells everything that is wrong with one. What is read is text and stays text: no cell is ever evaluated,
and what a spreadsheet would evaluate is disarmed on its way out.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from integrations import lines
from integrations.formats.values import KINDS, Wrong
from integrations.hosts import FieldError
from integrations.lines import Broken, Limits

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Read(NamedTuple):
    """Hold one row as it stands in the file: its line and its cells by name."""

    line: int
    cells: dict[str, Any]
    whole: bool = True


class Format:
    """One mapping, ready to read or write."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self.mapping = mapping
        self.shape = mapping.get("shape", "csv")
        self.encoding = mapping.get("encoding", "utf-8")
        self.fields = mapping.get("fields", [])

    @property
    def says_when(self) -> bool:
        """Tell whether every row says as of when it is."""
        return any(spec.get("to") == "AsOf" and spec.get("required") for spec in self.fields)

    # In ---------------------------------------------------------------------------------------------------------

    def rows(self, source: io.BufferedReader, limits: Limits) -> Iterator[Read]:
        """Cut a file into rows, one in memory at a time.

        :raises Broken: see `integrations.lines`; and `missing_column`, `duplicate_column`, `malformed_csv`.
        """
        match self.shape:
            case "json":
                return self._json(source, limits)
            case "fixed":
                return self._fixed(source, limits)
            case _:
                return self._csv(source, limits)

    def _json(self, source, limits) -> Iterator[Read]:
        for cut in lines.records(source, limits, list_name=self.mapping.get("list", "")):
            try:
                said = lines.decode(cut.text)
            except Broken as error:
                if not cut.whole:
                    raise Broken("truncated", "The file ends in the middle of a record.", cut.line) from None
                said = error
            yield Read(cut.line, said if isinstance(said, dict) else {"": said}, cut.whole)

    def _text(self, cut: lines.Cut) -> str:
        try:
            return cut.text.decode(self.encoding)
        except UnicodeDecodeError:
            said = f"This line is not {self.encoding}."
            raise Broken("wrong_encoding", said, cut.line) from None

    def _fixed(self, source, limits) -> Iterator[Read]:
        skip = self.mapping.get("skip_lines", 0)
        for cut in lines.text_lines(source, limits, raw=self.encoding != "utf-8"):
            if cut.line <= skip:
                continue
            text = self._text(cut)
            cells = {
                column["name"]: text[column["at"] - 1 : column["to"]].strip() for column in self.mapping["columns"]
            }
            if not self._skipped(cells):
                yield Read(cut.line, cells)

    def _csv(self, source, limits) -> Iterator[Read]:
        feed = _Feed(self, source, limits)
        reader = csv.reader(feed, delimiter=self.mapping.get("delimiter", ","), strict=True)
        names: list[str] | None = None if self.mapping.get("header", True) else self.mapping.get("columns", [])
        begun = 0
        try:
            for cells in reader:
                line, begun, feed.held = begun + 1, feed.line, 0
                if names is None:
                    names = self._header(cells)
                elif any(cells):
                    if len(cells) > len(names):
                        raise Broken("malformed_csv", f"{len(cells)} cells, but {len(names)} columns.", line)
                    row = dict(zip(names, cells, strict=False))
                    if not self._skipped(row):
                        yield Read(line, row)
        except csv.Error as error:
            code = "truncated" if "unexpected end" in str(error) else "malformed_csv"
            raise Broken(code, f"This is not CSV: {error}", feed.line) from None
        if names is None:
            raise Broken("empty", "The file has no header.")

    def _header(self, cells: list[str]) -> list[str]:
        names = [cell.strip() for cell in cells]
        if twice := {name for name in names if name and names.count(name) > 1}:
            raise Broken("duplicate_column", f"Columns that stand twice: {', '.join(sorted(twice))[:200]}.", 1)
        # A column that went missing must never read as blank: it would reset every account.
        if missing := sorted(self.needed() - set(names)):
            raise Broken("missing_column", f"Columns that the format reads: {', '.join(missing)[:200]}.", 1)
        return names

    def needed(self) -> set[str]:
        """Name the columns that must be there."""
        found: set[str] = set()
        for spec in self.fields:
            if "constant" not in spec and not spec.get("optional"):
                found |= set(sources(spec))
        return found

    def _skipped(self, cells: Mapping[str, Any]) -> bool:
        return bool(self.mapping.get("skip_when")) and _holds(self.mapping["skip_when"], cells)

    def record(self, row: Read) -> tuple[dict[str, Any], list[FieldError]]:
        """Map a row to the canonical record; every error at once, each at the name of its column."""
        record: dict[str, Any] = {}
        errors: list[FieldError] = []
        if isinstance(row.cells.get(""), Broken):
            broken = row.cells[""]
            return {}, [FieldError("", broken.code, broken.message)]
        if "" in row.cells and self.shape == "json":
            return {}, [FieldError("", "invalid_record", "A record is an object.")]
        for spec in self.fields:
            try:
                value = self._value(spec, row.cells)
            except Wrong as error:
                errors.append(FieldError(_named(spec), error.code, error.message))
                continue
            if value is not None:
                _put(record, spec["to"], value)
        if phones := self._contacts("phones", "Number", row.cells, errors):
            record["Phones"] = phones
        if emails := self._contacts("emails", "Address", row.cells, errors):
            record["Emails"] = emails
        return record, errors

    def _value(self, spec: Mapping[str, Any], cells: Mapping[str, Any]) -> Any:
        if "when" in spec and not _holds(spec["when"], cells):
            return None
        if "constant" in spec:
            return spec["constant"]
        text = spec.get("with", " ").join(filter(None, (_cell(cells, name) for name in sources(spec))))
        if "split" in spec:
            parts = text.split(spec["split"])
            text = parts[spec.get("part", 0)].strip() if -len(parts) <= spec.get("part", 0) < len(parts) else ""
        if not text:
            if spec.get("required"):
                raise Wrong("required", f"{_named(spec)} is required.")
            return spec.get("default")
        if "map" in spec:
            if text not in spec["map"]:
                if "else" not in spec:
                    raise Wrong("unknown_word", f"“{text[:40]}” is in no line of the map.")
                return spec["else"]
            return spec["map"][text]
        return KINDS[spec.get("as", "text")](text, spec)

    def _contacts(self, name: str, key: str, cells: Mapping[str, Any], errors: list[FieldError]) -> list[dict]:
        found: list[dict] = []
        first_taken = False
        for spec in self.mapping.get(name, []):
            if "when" in spec and not _holds(spec["when"], cells):
                continue
            value = _cell(cells, spec["from"])
            if not value or (spec.get("first") and first_taken):
                continue
            first_taken = first_taken or bool(spec.get("first"))
            line = {key: value} | {own: spec[own.lower()] for own in ("Type", "Status", "Route") if own.lower() in spec}
            found.append(line)
        return found

    # Out --------------------------------------------------------------------------------------------------------

    def wants(self, kind: str) -> bool:
        """Say whether an event of this kind goes into the file."""
        return not self.mapping.get("only") or kind in self.mapping["only"]

    def head(self) -> bytes:
        """Give what stands before the first row."""
        if self.shape != "csv" or not self.mapping.get("header", True):
            return b""
        return self._csv_line([column["name"] for column in self.mapping["columns"]])

    def written(self, message: Mapping[str, Any]) -> bytes:
        """Write one message of the canonical style as a row."""
        cells = [self._out(column, message) for column in self.mapping["columns"]]
        if self.shape == "csv":
            return self._csv_line([disarmed(cell) for cell in cells])
        if self.shape == "fixed":
            text = "".join(
                self._padded(column, cell) for column, cell in zip(self.mapping["columns"], cells, strict=True)
            )
            return text.encode(self.encoding, "replace") + b"\r\n"
        record: dict[str, Any] = {}
        for column, cell in zip(self.mapping["columns"], cells, strict=True):
            _put(record, column["name"], cell)
        return lines.encode(record) + b"\n"

    def _out(self, column: Mapping[str, Any], message: Mapping[str, Any]) -> str:
        if "constant" in column:
            return str(column["constant"])
        text = _cell(message, column["from"])
        if "map" in column:
            text = str(column["map"].get(text, column.get("else", text)))
        try:
            if text and column.get("as") == "cents":
                text = str(int(Decimal(text) * 100))
            if text and column.get("as") == "date":
                text = datetime.fromisoformat(text).strftime(column.get("format", "%Y-%m-%d"))
        except (ArithmeticError, ValueError):
            return text  # what is neither stays as it was said: the row must not hold back all others
        return text

    def _padded(self, column: Mapping[str, Any], cell: str) -> str:
        width = column["to"] - column["at"] + 1
        cell = re.sub(r"[\r\n\t]", " ", cell)[:width]
        return cell.rjust(width, column.get("fill", " ")) if column.get("right") else cell.ljust(width)

    def _csv_line(self, cells: list[str]) -> bytes:
        out = io.StringIO()
        csv.writer(out, delimiter=self.mapping.get("delimiter", ","), lineterminator="\r\n").writerow(cells)
        return out.getvalue().encode(self.encoding, "replace")


class _Feed:
    """Give csv its lines, and count what it holds back: a quote that never closes must not swallow the file."""

    def __init__(self, of: Format, source: io.BufferedReader, limits: Limits) -> None:
        self.of, self.limits = of, limits
        self.cuts = lines.text_lines(source, limits, keep_ends=True, raw=of.encoding != "utf-8")
        self.line = self.held = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        cut = next(self.cuts)
        while cut.line <= self.of.mapping.get("skip_lines", 0):
            cut = next(self.cuts)
        self.line = cut.line
        self.held += len(cut.text)
        if self.held > self.limits.record:
            raise Broken("record_too_long", f"A row has at most {self.limits.record:,} bytes.", cut.line)
        return self.of._text(cut)


def disarmed(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula; a plain number stays one."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def sources(spec: Mapping[str, Any]) -> list[str]:
    """Name the columns that a field reads."""
    named = spec.get("from", [])
    return named if isinstance(named, list) else [named]


def _named(spec: Mapping[str, Any]) -> str:
    return "/" + "+".join(sources(spec)) if sources(spec) else f"/{spec['to']}"


def _cell(cells: Any, path: str) -> str:
    """Give the text at a path; a name of a column may hold a slash too."""
    value = cells.get(path) if isinstance(cells, Mapping) and path in cells else cells
    if value is cells:
        for step in path.split("/"):
            if isinstance(value, list) and step.isdecimal():
                value = value[int(step)] if int(step) < len(value) else None
            else:
                value = value.get(step) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, Mapping | list):
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value).strip()


def _holds(when: Mapping[str, Any], cells: Mapping[str, Any]) -> bool:
    """Say whether each named cell is one of its words, whatever the case."""
    return all(
        _cell(cells, name).casefold()
        in {str(word).casefold() for word in (words if isinstance(words, list) else [words])}
        for name, words in when.items()
    )


def _put(record: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split("/")
    for step in way:
        record = record.setdefault(step, {})
    record[last] = value


def preview(mapping: Mapping[str, Any], sample: bytes, *, limits: Limits, most: int = 20) -> list[dict]:
    """Show what a mapping makes of the first rows of a sample: the record, or what is wrong with it."""
    form, found = Format(mapping), []
    try:
        for row in form.rows(io.BufferedReader(io.BytesIO(sample)), limits):
            record, errors = form.record(row)
            found.append({"line": row.line, "record": record, "errors": [error._asdict() for error in errors]})
            if len(found) == most:
                break
    except Broken as error:
        said = {"pointer": "", "code": error.code, "message": error.message}
        found.append({"line": error.line, "record": {}, "errors": [said]})
    return found
