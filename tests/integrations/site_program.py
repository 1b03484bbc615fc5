"""Two SFTP sites for tests: our own as the real program, and a host's, a plain server of the library on a folder."""

import asyncio
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import asyncssh
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parents[2]


def new_key(folder: Path, name: str) -> tuple[Path, str]:
    """Make a key pair; give the private key's file and the public key's line."""
    key, path = asyncssh.generate_private_key("ssh-ed25519"), folder / name
    path.touch(0o600)
    key.write_private_key(str(path))
    return path, key.export_public_key().decode().strip()


class SiteProgram:
    """`manage.py sftp_site` on the tests' database."""

    def __init__(self, folder: Path) -> None:
        server = os.environ["DATABASE_URL"].rpartition("/")[0]
        environment = os.environ | {
            "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
            "FILES_DIR": str(settings.FILES_DIR),
        }
        command = [sys.executable, "manage.py", "sftp_site", "--port", "0", "--host-key", str(folder / "site_key")]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().strip().rpartition(":")[2])
        self.host_key = self.process.stdout.readline().strip()
        self.folder = folder
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {self.host_key}\n")

    def sftp(self, username: str, key: Path, *lines: str) -> subprocess.CompletedProcess:
        """Run Debian's own sftp with a batch of commands."""
        options = ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={self.folder / 'known_hosts'}", "BatchMode=yes"]
        options += ["IdentitiesOnly=yes", "GlobalKnownHostsFile=/dev/null"]
        command = ["sftp", "-q", "-b", "-", "-F", "/dev/null", "-i", str(key), "-P", str(self.port)]
        for option in options:
            command += ["-o", option]
        batch = "\n".join(lines) + "\n"
        return subprocess.run(
            [*command, f"{username}@127.0.0.1"], input=batch, capture_output=True, text=True, timeout=60
        )

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


class HostSite:
    """A host's own site: keys only, one folder, nothing of ours in it."""

    def __init__(self, folder: Path, public_key: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.host = asyncssh.generate_private_key("ssh-ed25519")
        self.keys = asyncssh.import_authorized_keys(public_key)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = self._run(self._serve(0))
        self.port = self.server.get_port()

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    async def _serve(self, port: int):
        class Files(asyncssh.SFTPServer):
            def __init__(own, chan) -> None:
                super().__init__(chan, chroot=str(self.folder).encode())

        return await asyncssh.create_server(
            asyncssh.SSHServer,
            "127.0.0.1",
            port,
            server_host_keys=[self.host],
            authorized_client_keys=self.keys,
            sftp_factory=Files,
        )

    @property
    def host_key(self) -> str:
        return self.host.export_public_key().decode().strip()

    def put(self, name: str, body: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return path

    def names(self, folder: str) -> list[str]:
        place = self.folder / folder
        return sorted(path.name for path in place.iterdir()) if place.exists() else []

    def close(self) -> None:
        async def end() -> None:
            self.server.close()
            await self.server.wait_closed()

        self._run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)


def is_private(path: Path) -> bool:
    """Say whether a file is its owner's alone."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077
