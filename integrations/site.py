"""Our own SFTP site: a host brings files and fetches what is theirs. Keys only, no shell, one root per connection.

The user name is the connection's id. The root is no folder of the disk: `in` takes files, `out` shows what waits and
`archive` what is over. What is brought lies in quarantine until its last byte is there, then it is sealed and put in
line; what is fetched to its end is claimed. Run it with `manage.py sftp_site`.
"""

import asyncio
import os
import posixpath
import stat
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncssh
import structlog
from asyncssh import SFTPAttrs, SFTPName
from django.conf import settings
from django.db import connections

from integrations.services import site_desk
from integrations.sftp import UNFINISHED

log = structlog.get_logger(__name__)
FOLDERS = ("in", "out", "archive")
OPEN_AT_ONCE = 16
"""Files that one session may have open."""
LOGIN_SECONDS = 30
FOLDER_ATTRS = {"permissions": stat.S_IFDIR | 0o500}
FILE_MODE = stat.S_IFREG | 0o400

pool = ThreadPoolExecutor(8, thread_name_prefix="site")


async def on_database(work: Callable[..., Any], *words: Any) -> Any:
    """Run what asks the database in a thread of its own."""

    def run() -> Any:
        try:
            return work(*words)
        finally:
            # A visit asks a few things an hour: no connection is kept for it.
            connections.close_all()

    return await asyncio.get_running_loop().run_in_executor(pool, run)


class Door(asyncssh.SSHServer):
    """Let in whoever shows a key of a connection's site, from an address that the connection allows."""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.ip = (conn.get_extra_info("peername") or ("",))[0]

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        allowed = await on_database(site_desk.may_enter, username, key.export_public_key().decode(), self.ip)
        if not allowed:
            log.warning("site_key_refused", username=username[:40], ip=self.ip)
        return allowed


class Brought:
    """A file that is being brought: in quarantine until it is closed."""

    def __init__(self, name: str) -> None:
        folder = Path(settings.FILES_DIR) / "quarantine"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=folder)
        self.name, self.path, self.file, self.size = name, Path(path), os.fdopen(handle, "wb"), 0

    def drop(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)


class Fetched:
    """A file that is being fetched, and how far."""

    def __init__(self, item: site_desk.Item) -> None:
        self.item, self.reached = item, 0
        self.spool = tempfile.TemporaryFile(dir=settings.FILES_DIR)  # noqa: SIM115 - closed with the handle


class Root(asyncssh.SFTPServer):
    """One connection's root."""

    def __init__(self, chan: asyncssh.SSHServerChannel) -> None:
        super().__init__(chan)
        self.connection_id = UUID(chan.get_extra_info("username"))
        self.waiting: dict[str, Brought] = {}
        self.handles: set[Any] = set()

    # What is where ------------------------------------------------------------------------------------------------

    def _split(self, path: bytes) -> tuple[str, str]:
        """Give folder and name; whatever climbs ends at the root.

        :raises SFTPNoSuchFile: there is no such place.
        """
        try:
            clean = posixpath.normpath(posixpath.join("/", path.decode()))
        except UnicodeDecodeError:
            raise asyncssh.SFTPNoSuchFile("Names are UTF-8.") from None
        folder, _slash, name = clean.strip("/").partition("/")
        if "/" in name or "\x00" in clean or (folder and folder not in FOLDERS):
            raise asyncssh.SFTPNoSuchFile("There are in, out and archive.")
        return folder, name

    def realpath(self, path: bytes) -> bytes:
        return posixpath.normpath(posixpath.join(b"/", path)).replace(b"//", b"/")

    async def _items(self, folder: str) -> dict[str, site_desk.Item]:
        return await on_database(site_desk.items, self.connection_id, folder)

    async def _attrs(self, path: bytes) -> SFTPAttrs:
        folder, name = self._split(path)
        if not name:
            return SFTPAttrs(**FOLDER_ATTRS)
        if folder == "in" and name in self.waiting:
            return SFTPAttrs(size=self.waiting[name].size, permissions=FILE_MODE)
        item = (await self._items(folder)).get(name)
        if item is None:
            raise asyncssh.SFTPNoSuchFile("There is no such file.")
        return item_attrs(item)

    async def stat(self, path: bytes) -> SFTPAttrs:
        return await self._attrs(path)

    async def lstat(self, path: bytes) -> SFTPAttrs:
        return await self._attrs(path)

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        folder, name = self._split(path)
        if name:
            raise asyncssh.SFTPNotADirectory("This is no folder.")
        for dots in (b".", b".."):
            yield SFTPName(dots, attrs=SFTPAttrs(**FOLDER_ATTRS))
        if not folder:
            for one in FOLDERS:
                yield SFTPName(one.encode(), attrs=SFTPAttrs(**FOLDER_ATTRS))
            return
        if folder == "in":
            for own, brought in self.waiting.items():
                yield SFTPName(own.encode(), attrs=SFTPAttrs(size=brought.size, permissions=FILE_MODE))
        for own, item in (await self._items(folder)).items():
            if own not in self.waiting:
                yield SFTPName(own.encode(), attrs=item_attrs(item))

    # Bringing and fetching ------------------------------------------------------------------------------------------

    async def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> Any:
        if len(self.handles) >= OPEN_AT_ONCE:
            raise asyncssh.SFTPFailure(f"At most {OPEN_AT_ONCE} files at once.")
        folder, name = self._split(path)
        if pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND):
            if folder != "in" or not name:
                raise asyncssh.SFTPPermissionDenied("Files are brought to in/.")
            if pflags & asyncssh.FXF_APPEND or not pflags & asyncssh.FXF_CREAT:
                raise asyncssh.SFTPPermissionDenied("A file is brought whole.")
            opened: Any = Brought(name)
        else:
            item = (await self._items(folder)).get(name) if folder == "out" else None
            if item is None:
                raise asyncssh.SFTPNoSuchFile("What can be fetched is in out/.")
            opened = Fetched(item)
            try:
                await on_database(site_desk.copy, self.connection_id, item, opened.spool)
            except OSError:
                opened.spool.close()
                raise asyncssh.SFTPNoSuchFile("The content was removed.") from None
        self.handles.add(opened)
        return opened

    def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        if not isinstance(file_obj, Fetched):
            raise asyncssh.SFTPPermissionDenied("What is brought is not read here.")
        file_obj.spool.seek(offset)
        found = file_obj.spool.read(size)
        if offset <= file_obj.reached:
            file_obj.reached = max(file_obj.reached, offset + len(found))
        return found

    def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        if not isinstance(file_obj, Brought):
            raise asyncssh.SFTPPermissionDenied("What is fetched is not changed.")
        if offset + len(data) > settings.FILE_LIMIT:
            raise asyncssh.SFTPFailure(f"A file has at most {settings.FILE_LIMIT:,} bytes.")
        file_obj.file.seek(offset)
        file_obj.file.write(data)
        file_obj.size = max(file_obj.size, offset + len(data))
        return len(data)

    async def close(self, file_obj: Any) -> None:
        self.handles.discard(file_obj)
        if isinstance(file_obj, Fetched):
            length = file_obj.spool.seek(0, os.SEEK_END)
            file_obj.spool.close()
            if file_obj.reached >= length:
                await on_database(site_desk.fetched, self.connection_id, file_obj.item)
            return
        file_obj.file.close()
        if self.channel.is_closing():
            # The line went dead: nobody said that this was the whole file.
            file_obj.drop()
            return
        if before := self.waiting.pop(file_obj.name, None):
            before.drop()
        self.waiting[file_obj.name] = file_obj
        if not is_unfinished(file_obj.name):
            await self._take(file_obj.name)

    async def _take(self, name: str) -> None:
        """Put a whole file in line.

        :raises SFTPFailure: it was not taken, and why.
        """
        brought = self.waiting[name]
        try:
            await on_database(site_desk.take, self.connection_id, name, brought.path, brought.size)
        except (ValueError, OSError) as error:
            raise asyncssh.SFTPFailure(str(error)[:200]) from error
        finally:
            brought.drop()
            del self.waiting[name]

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        (folder, old), (into, new) = self._split(oldpath), self._split(newpath)
        if folder != "in" or into != "in" or old not in self.waiting or not new:
            raise asyncssh.SFTPPermissionDenied("Only what is being brought can get another name.")
        self.waiting[new] = self.waiting.pop(old)
        self.waiting[new].name = new
        if not is_unfinished(new):
            await self._take(new)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self.rename(oldpath, newpath)

    async def remove(self, path: bytes) -> None:
        folder, name = self._split(path)
        if folder == "in" and name in self.waiting:
            self.waiting.pop(name).drop()
            return
        item = (await self._items(folder)).get(name) if folder == "out" else None
        if item is None:
            raise asyncssh.SFTPPermissionDenied("Files are removed in out/, once they were fetched.")
        await on_database(site_desk.fetched, self.connection_id, item)

    def exit(self) -> None:
        for brought in self.waiting.values():
            brought.drop()

    # What there is not ----------------------------------------------------------------------------------------------

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Change nothing: clients that keep times and modes may go on."""

    lsetstat = setstat

    def fsetstat(self, file_obj: Any, attrs: SFTPAttrs) -> None:
        """Change nothing; see `setstat`."""

    def fstat(self, file_obj: Any) -> SFTPAttrs:
        size = file_obj.size if isinstance(file_obj, Brought) else file_obj.spool.seek(0, os.SEEK_END)
        return SFTPAttrs(size=size, permissions=FILE_MODE)

    def _no(self, *_words: Any) -> Any:
        raise asyncssh.SFTPPermissionDenied("There is nothing of that here.")

    mkdir = rmdir = readlink = symlink = link = statvfs = fstatvfs = open56 = lock = unlock = _no


def is_unfinished(name: str) -> bool:
    """Tell a name under which the host is still writing."""
    return name.startswith(".") or name.lower().endswith(UNFINISHED)


def item_attrs(item: site_desk.Item) -> SFTPAttrs:
    """Show an item as a file."""
    moment = int(item.at.timestamp())
    return SFTPAttrs(size=item.size, permissions=FILE_MODE, mtime=moment, atime=moment)


async def serve(host: str, port: int, host_key: str) -> asyncssh.SSHAcceptor:
    """Open the site; no shell, no forwarding, no passwords."""
    return await asyncssh.create_server(
        Door,
        host,
        port,
        server_host_keys=[host_key],
        sftp_factory=Root,
        allow_scp=False,
        agent_forwarding=False,
        x11_forwarding=False,
        login_timeout=LOGIN_SECONDS,
        keepalive_interval=30,
        server_version="Quittance",
    )
