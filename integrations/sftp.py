"""Visit a host's SFTP site: a session with its key pinned, ours shown, used from plain code.

asyncssh runs on a loop of its own in a thread; each call waits for it, for so long and no longer.
"""

import asyncio
import contextlib
import posixpath
import stat
import threading
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any, NamedTuple

import asyncssh

BLOCK = 2**16
CONNECT_SECONDS = 20.0
CALL_SECONDS = 60.0
LISTED = 1_000
"""Files looked at in one visit; the rest comes with the next one."""
UNFINISHED = (".tmp", ".part", ".filepart", ".partial", ".uploading")
"""Endings of names under which others are still writing."""


class Unreachable(OSError):
    """The site cannot be visited now: try later and tell staff why."""


class Changed(OSError):
    """The file changed while it was read: leave it for the next visit."""


class There(NamedTuple):
    """Hold one file of the site."""

    path: str
    name: str
    size: int
    mtime: int


class Address(NamedTuple):
    """Hold how a site is reached."""

    host: str
    port: int
    username: str
    private_key: str
    host_key: str


@contextlib.contextmanager
def visit(address: Address) -> Iterator["Visit"]:
    """Open a session until the block ends.

    :raises Unreachable: no answer, another key than the pinned one, ours refused, or no SFTP.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sftp", daemon=True)
    thread.start()
    run = _Run(loop)
    session = None
    try:
        session = run(_connect(address), CONNECT_SECONDS)
        yield Visit(run, session[1])
    finally:
        if session is not None:
            with contextlib.suppress(Unreachable):
                run(_leave(session), CONNECT_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CONNECT_SECONDS)
        loop.close()


async def _connect(address: Address) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]:
    name = address.host if address.port == 22 else f"[{address.host}]:{address.port}"
    lines = "\n".join(f"{name} {line.strip()}" for line in address.host_key.splitlines() if line.strip())
    connection = await asyncssh.connect(
        address.host,
        address.port,
        username=address.username,
        client_keys=[asyncssh.import_private_key(address.private_key)],
        known_hosts=asyncssh.import_known_hosts(lines),
        agent_path=None,
        config=None,
        password=None,
        login_timeout=CONNECT_SECONDS,
        keepalive_interval=15,
    )
    return connection, await connection.start_sftp_client()


async def _leave(session: tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]) -> None:
    session[1].exit()
    session[0].close()
    await session[0].wait_closed()


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


class _Run:
    """Run a coroutine on the loop and wait for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def __call__(self, work: Awaitable[Any], seconds: float = CALL_SECONDS) -> Any:
        waiting = asyncio.run_coroutine_threadsafe(_awaited(work), self.loop)
        try:
            return waiting.result(seconds)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
            raise FileNotFoundError(str(error)) from error
        except (asyncssh.Error, OSError, ValueError) as error:
            raise Unreachable(f"{type(error).__name__}: {str(error)[:200]}") from error
        except TimeoutError as error:
            waiting.cancel()
            raise Unreachable("The site did not answer in time.") from error


class Visit:
    """What is done on a visit."""

    def __init__(self, run: _Run, client: asyncssh.SFTPClient) -> None:
        self.run, self.client = run, client

    def files(self, folder: str) -> list[There]:
        """List the finished files of a folder, oldest first; a folder that is not there has none."""
        try:
            entries = self.run(self.client.readdir(folder))
        except FileNotFoundError:
            return []
        found = []
        for entry in entries[:LISTED]:
            name, attrs = str(entry.filename), entry.attrs
            finished = not name.startswith(".") and not name.lower().endswith(UNFINISHED)
            if finished and (attrs.permissions is None or stat.S_ISREG(attrs.permissions)):
                path = posixpath.join(folder, name)
                found.append(There(path, name, attrs.size or 0, int(attrs.mtime or 0)))
        return sorted(found, key=lambda file: (file.mtime, file.name))

    def blocks(self, file: There) -> Iterator[bytes]:
        """Read a file block by block.

        :raises Changed: it is not as it was listed, before or after.
        """
        self._same(file)
        handle = self.run(self.client.open(file.path, "rb"))
        read = 0
        try:
            while block := self.run(handle.read(BLOCK)):
                read += len(block)
                yield block
        finally:
            with contextlib.suppress(Unreachable):
                self.run(handle.close())
        self._same(file)
        if read != file.size:
            raise Changed(f"{file.name} changed while it was read.")

    def _same(self, file: There) -> None:
        now = self.run(self.client.stat(file.path))
        if (now.size, int(now.mtime or 0)) != (file.size, file.mtime):
            raise Changed(f"{file.name} is still being written.")

    def move(self, file: There, folder: str) -> None:
        """Move a file into a folder, under a free name."""
        self.run(self.client.makedirs(folder, exist_ok=True))
        name, number = file.name, 1
        while self.run(self.client.exists(posixpath.join(folder, name))):
            number += 1
            name = f"{file.name}.{number}"
        self.run(self.client.rename(file.path, posixpath.join(folder, name)))

    def drop(self, folder: str, name: str, blocks: Iterable[bytes]) -> None:
        """Write a file under a hidden name and give it its own when it is whole; one that is there stays."""
        path, hidden = posixpath.join(folder, name), posixpath.join(folder, f".{name}.part")
        if self.run(self.client.exists(path)):
            return
        self.run(self.client.makedirs(folder, exist_ok=True))
        handle = self.run(self.client.open(hidden, "wb"))
        try:
            for block in blocks:
                self.run(handle.write(block))
        finally:
            self.run(handle.close())
        self.run(self.client.rename(hidden, path))
