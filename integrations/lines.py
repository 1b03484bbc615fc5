"""Cut a file of any size into its records, holding no more than one of them: NDJSON, or a JSON array or document.

Plain or gzip, told by the first bytes. What cannot be a file of records is `Broken`, with the line or record where it
is; everything has a limit. Values in, values out: no models, no settings, no network.
"""

import io
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import ijson
import msgspec

BLOCK = 2**16
PIECE = 2**10
"""Bytes of an array given to the parser at once."""
MOST_NESTED = 256
MANY_EMPTY = 1000
"""Empty lines after each other that may be a file of nothing else: what follows is passed in blocks."""
_BOMS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"\x00\x00\xfe\xff", "UTF-32"))
_SPACE = b" \t\r\n"
_encoder = msgspec.json.Encoder(decimal_format="number")


class Broken(ValueError):
    """This is no whole file of records; everything before `line` was one."""

    def __init__(self, code: str, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.line = code, message, line


class Limits(NamedTuple):
    """Hold how much a file may be, in bytes."""

    record: int
    unpacked: int
    ratio: int


class Cut(NamedTuple):
    """Hold one record: the number of its line or place, its text, and whether it ended as a record should."""

    line: int
    text: bytes
    whole: bool = True


def opened(source: io.BufferedReader, limits: Limits, *, raw: bool = False) -> io.BufferedReader:
    """Unpack where the file is gzip, and refuse what is no text of UTF-8.

    :raises Broken: `empty`, `wrong_encoding`, `unsupported_archive`; and while reading `malformed_gzip`,
        `truncated`, `too_large`, `unpacks_too_far`.
    """
    head = source.peek(4)[:4]
    if head.startswith(b"\x1f\x8b"):
        source = io.BufferedReader(_Unpacked(source, limits), BLOCK)
        head = source.peek(4)[:4]
    else:
        source = io.BufferedReader(_Counted(source, limits), BLOCK)
    if not head:
        raise Broken("empty", "The file is empty.")
    if head.startswith((b"PK\x03\x04", b"BZh", b"7z\xbc\xaf", b"\xfd7zX", b"\x28\xb5\x2f\xfd")):
        raise Broken("unsupported_archive", "Send the file plain or as gzip.", 1)
    for mark, name in () if raw else _BOMS:
        if head.startswith(mark):
            raise Broken("wrong_encoding", f"The file is {name}: send UTF-8.", 1)
    if head.startswith(b"\xef\xbb\xbf"):
        source.read(3)
    return source


def records(source: io.BufferedReader, limits: Limits, *, list_name: str = "") -> Iterator[Cut]:
    """Cut a JSON file into records: an array's items, the items of the document's list, or the lines.

    :param list_name: the list of a document that is one object; without it an object is a record.
    :raises Broken: see `opened`; and `not_json`, `record_too_long`, `truncated`, `no_list`.
    """
    source = opened(source, limits)
    first = _first(source)
    if first == b"[":
        return _items(source, limits, "item")
    if first != b"{":
        raise Broken("not_json", "The file begins with neither [ nor {.", 1)
    return _lines(source, limits, list_name)


def text_lines(
    source: io.BufferedReader, limits: Limits, *, keep_ends: bool = False, raw: bool = False
) -> Iterator[Cut]:
    """Cut a file of text into its lines, for formats that are no JSON.

    :param keep_ends: with line ends and empty lines, for cells that hold both.
    :param raw: it is not UTF-8: marks of other encodings are letters there.
    """
    return _plain_lines(opened(source, limits, raw=raw), limits, keep_ends=keep_ends)


def _first(source: io.BufferedReader) -> bytes:
    """Give the first byte that is no space, and stand before it."""
    passed = 0
    while head := source.peek(1):
        if rest := head.lstrip(_SPACE):
            source.read(len(head) - len(rest))
            return rest[:1]
        source.read(len(head))
        passed += len(head)
        if passed > BLOCK * 16:
            break
    raise Broken("empty", "The file is empty.")


def _plain_lines(source: io.BufferedReader, limits: Limits, *, keep_ends: bool = False) -> Iterator[Cut]:
    number = empty = 0
    while text := source.readline(limits.record + 1):
        number += 1
        if len(text) > limits.record:
            raise Broken("record_too_long", f"A line has at most {limits.record:,} bytes.", number)
        whole = text.endswith(b"\n")
        if keep_ends or (text := text.strip(b"\r\n")):
            empty = 0
            yield Cut(number, text, whole)
        else:
            empty += 1
            if empty % MANY_EMPTY == 0:
                number += _pass_empty_lines(source)


def _pass_empty_lines(source: io.BufferedReader) -> int:
    """Pass the empty lines that come next, a block at a time; return how many."""
    passed = 0
    while head := source.peek(1):
        rest = head.lstrip(b"\r\n")
        passed += source.read(len(head) - len(rest)).count(b"\n")
        if rest:
            break
    return passed


def _lines(source: io.BufferedReader, limits: Limits, list_name: str) -> Iterator[Cut]:
    """Cut NDJSON; an object that goes on over several lines is a document with a list, or one record."""
    begun = source.readline(limits.record + 1)
    if len(begun) > limits.record and not list_name:
        raise Broken("record_too_long", f"A line has at most {limits.record:,} bytes.", 1)
    said = _decoded(begun)
    if said is None or (list_name and isinstance(said, dict) and list_name in said):
        # Not one object on one line: a document.
        rest = io.BufferedReader(_Joined(begun, source), BLOCK)
        if list_name:
            yield from _items(rest, limits, f"{list_name}.item")
        else:
            yield from _items(rest, limits, "")
        return
    yield Cut(1, begun.strip(_SPACE), True)
    for cut in _plain_lines(source, limits):
        if text := cut.text.strip(_SPACE):
            yield Cut(cut.line + 1, text, cut.whole)


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _items(source: io.BufferedReader, limits: Limits, prefix: str) -> Iterator[Cut]:
    """Cut what stands under a prefix, each item written anew; a text without an end must not fill the memory."""
    found: Any = ijson.sendable_list()
    parser = ijson.items_coro(found, prefix)
    number = since = nested = 0
    while piece := source.read(PIECE):
        since += len(piece)
        # Brackets in texts count too: no record has hundreds of them open. The parser's cost grows with the square.
        nested += piece.count(b"[") + piece.count(b"{") - piece.count(b"]") - piece.count(b"}")
        if nested > MOST_NESTED:
            raise Broken("nested_too_deeply", f"A record is nested at most {MOST_NESTED} deep.", number + 1)
        broken = None
        try:
            parser.send(piece)
        except ijson.JSONError as error:
            broken = _why(error)
        except StopIteration:
            broken = "not_json", "Something stands after the end."
        if found:
            since = nested = 0
            for item in found:
                number += 1
                yield Cut(number, _encoded(item))
            del found[:]
        if broken:
            raise Broken(*broken, number + 1)
        if since > limits.record + PIECE:
            raise Broken("record_too_long", f"A record has at most {limits.record:,} bytes.", number + 1)
    try:
        parser.close()
    except ijson.JSONError as error:
        raise Broken(*_why(error, at_end=True), number + 1) from None
    for item in found:
        number += 1
        yield Cut(number, _encoded(item))
    if not number and prefix not in ("item", ""):
        raise Broken("no_list", f"The document has no list “{prefix.removesuffix('.item')}” with anything in it.", 1)


def _why(error: Exception, *, at_end: bool = False) -> tuple[str, str]:
    said = str(error).splitlines()[0][:200]
    if at_end or "premature" in said or "ncomplete" in said:
        return "truncated", "The file ends in the middle of a record."
    if "UTF8" in said or "utf-8" in said.lower():
        return "wrong_encoding", "The file is not UTF-8."
    return "not_json", f"The file is not JSON: {said}"


def encode(record: dict) -> bytes:
    """Write a record as JSON; a Decimal is a number."""
    return _encoder.encode(record)


def _encoded(item: Any) -> bytes:
    try:
        return _encoder.encode(item)
    except (RecursionError, ValueError, TypeError):
        return b"\x00"  # no record, and no JSON either: its line is told as an error


class _Counted(io.RawIOBase):
    """Read on, and count."""

    def __init__(self, source: io.BufferedReader, limits: Limits) -> None:
        self.source, self.limits, self.count = source, limits, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        read = self.source.readinto(buffer)
        self.count += read
        if self.count > self.limits.unpacked:
            raise Broken("too_large", f"A file has at most {self.limits.unpacked:,} bytes.")
        return read


class _Unpacked(io.RawIOBase):
    """Undo gzip block by block; what unfolds without end is refused long before it is all there."""

    def __init__(self, source: io.BufferedReader, limits: Limits) -> None:
        self.source, self.limits = source, limits
        self.packed = self.unpacked = 0
        self.unpacking = zlib.decompressobj(wbits=31)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            while True:
                if self.unpacking.eof:
                    rest = self.unpacking.unused_data or self.source.read(BLOCK)
                    if not rest.strip(b"\x00"):
                        return 0
                    self.unpacking = zlib.decompressobj(wbits=31)
                    block = rest
                else:
                    block = self.unpacking.unconsumed_tail or self.source.read(BLOCK)
                found = self.unpacking.decompress(block, len(buffer))
                self.packed += len(block) - len(self.unpacking.unconsumed_tail)
                if found:
                    break
                if not block and not self.unpacking.eof:
                    raise Broken("truncated", "The gzip file ends too early.")
        except zlib.error:
            raise Broken("malformed_gzip", "The file says it is gzip, but it is not, or it was damaged.") from None
        self.unpacked += len(found)
        if self.unpacked > self.limits.unpacked:
            raise Broken("too_large", f"Unpacked, a file has at most {self.limits.unpacked:,} bytes.")
        if self.unpacked > 2**24 and self.unpacked > self.limits.ratio * self.packed:
            raise Broken("unpacks_too_far", f"The file unpacks to more than {self.limits.ratio} times its size.")
        buffer[: len(found)] = found
        return len(found)


class _Joined(io.RawIOBase):
    """Read a text that was read already, then the rest."""

    def __init__(self, begun: bytes, source: io.BufferedReader) -> None:
        self.begun, self.source = begun, source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if self.begun:
            count = min(len(buffer), len(self.begun))
            buffer[:count], self.begun = self.begun[:count], self.begun[count:]
            return count
        return self.source.readinto(buffer)


def decode(text: bytes) -> Any:
    """Read one record; numbers come as int or Decimal.

    :raises Broken: `malformed_json`.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError, RecursionError) as error:
        raise Broken("malformed_json", f"This is not JSON: {str(error)[:160]}") from None


_decoder = msgspec.json.Decoder(float_hook=Decimal)
