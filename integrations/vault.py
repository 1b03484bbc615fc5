"""Keep the files of hosts sealed on disk: AES-256-GCM in frames, bound to the file's id, so none can be cut or swapped.

A file is a header (magic, key version, salt) and frames of at most 1 MiB, the last one marked as such. Each file has a
key of its own (settings.FIELD_KEYS and its salt), so the frame's number is nonce enough.
"""

import hmac
import io
import os
import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

MAGIC = b"QVF1"
FRAME = 2**20
_HEAD = struct.Struct(">4sI16s")
_LENGTH = struct.Struct(">I")


class Unreadable(OSError):
    """The file is gone, cut short, changed, or its key is."""


def path_of(agency_id: UUID, file_id: UUID) -> Path:
    """Give where a file is kept."""
    return Path(settings.FILES_DIR) / str(agency_id) / str(file_id)


def keep(blocks: Iterable[bytes], *, agency_id: UUID, file_id: UUID) -> None:
    """Seal blocks into the file, which is there whole or not at all."""
    path = path_of(agency_id, file_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            version, salt = next(iter(settings.FIELD_KEYS)), os.urandom(16)
            out.write(_HEAD.pack(MAGIC, version, salt))
            cipher = _cipher(version, salt)
            for number, (frame, last) in enumerate(_frames(blocks)):
                sealed = cipher.encrypt(number.to_bytes(12), frame, _bound(file_id, last))
                out.write(_LENGTH.pack(len(sealed) | (last << 31)) + sealed)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def open_kept(*, agency_id: UUID, file_id: UUID) -> io.BufferedReader:
    """Open a kept file for reading from its beginning.

    :raises Unreadable: at once or at a later read.
    """
    try:
        return io.BufferedReader(_Opened(path_of(agency_id, file_id), file_id), FRAME)
    except OSError as error:
        raise Unreadable(str(error)) from error


def blocks_of(*, agency_id: UUID, file_id: UUID) -> Iterator[bytes]:
    """Give the content block by block."""
    with open_kept(agency_id=agency_id, file_id=file_id) as source:
        while block := source.read(FRAME):
            yield block


def forget(*, agency_id: UUID, file_id: UUID) -> None:
    """Remove a file, there or not."""
    path_of(agency_id, file_id).unlink(missing_ok=True)


def room() -> int:
    """Give the bytes that are free where files are kept."""
    folder = Path(settings.FILES_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free


class _Opened(io.RawIOBase):
    """Unseal frame by frame; one frame is in memory."""

    def __init__(self, path: Path, file_id: UUID) -> None:
        self.source, self.file_id = path.open("rb"), file_id
        self.number, self.rest, self.over = 0, b"", False
        head = self.source.read(_HEAD.size)
        if len(head) != _HEAD.size or not head.startswith(MAGIC):
            self.source.close()
            raise Unreadable("This is no file of the vault.")
        _magic, version, salt = _HEAD.unpack(head)
        if version not in settings.FIELD_KEYS:
            self.source.close()
            raise Unreadable("The key that sealed this file is gone.")
        self.cipher = _cipher(version, salt)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self.rest and not self.over:
            self.rest = self._frame()
        count = min(len(buffer), len(self.rest))
        buffer[:count], self.rest = self.rest[:count], self.rest[count:]
        return count

    def _frame(self) -> bytes:
        head = self.source.read(_LENGTH.size)
        if len(head) != _LENGTH.size:
            raise Unreadable("The file was cut short.")
        (length,) = _LENGTH.unpack(head)
        self.over = bool(length >> 31)
        length &= 2**31 - 1
        if length > FRAME + 16:
            raise Unreadable("The file was changed.")
        try:
            frame = self.cipher.decrypt(
                self.number.to_bytes(12), self.source.read(length), _bound(self.file_id, self.over)
            )
        except (InvalidTag, ValueError) as error:
            raise Unreadable("The file was changed.") from error
        self.number += 1
        return frame

    def close(self) -> None:
        self.source.close()
        super().close()


def _cipher(version: int, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(settings.FIELD_KEYS[version], b"file:" + salt, "sha256"))


def _bound(file_id: UUID, last: bool) -> bytes:
    return file_id.bytes + bytes([last])


def _frames(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut blocks into frames and know the last one."""
    held = bytearray()
    for block in blocks:
        held += block
        while len(held) > FRAME:
            yield bytes(held[:FRAME]), False
            del held[:FRAME]
    yield bytes(held), True
