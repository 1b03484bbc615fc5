"""The SmartCollect host's own SFTP site: `out` holds what it sends, `in` takes what the portal drops; keys only."""

import asyncio
import threading
from pathlib import Path

import asyncssh


class Site:
    """A server in a thread; whoever may enter is read at each login, so a key can be given while it runs."""

    def __init__(self, folder: Path, allowed):
        self.folder, self.allowed = folder, allowed
        for name in ("out", "in"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.key = self.own_key(folder.parent / "sftp_host_key")
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="sftp", daemon=True).start()
        self.port = asyncio.run_coroutine_threadsafe(self.serve(), self.loop).result(20)

    def own_key(self, path: Path) -> asyncssh.SSHKey:
        """Keep one key over restarts: the portal has it pinned."""
        if not path.exists():
            path.touch(0o600)
            path.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        return asyncssh.read_private_key(str(path))

    @property
    def public_key(self) -> str:
        return self.key.export_public_key().decode().strip()

    async def serve(self) -> int:
        site = self

        class Door(asyncssh.SSHServer):
            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return key.export_public_key().decode().split()[:2] == str(site.allowed()).split()[:2]

        class Files(asyncssh.SFTPServer):
            def __init__(self, chan) -> None:
                super().__init__(chan, chroot=str(site.folder).encode())

        port_file = self.folder.parent / "sftp_port"
        wanted = int(port_file.read_text()) if port_file.exists() else 0
        server = await asyncssh.create_server(
            Door, "127.0.0.1", wanted, server_host_keys=[self.key], sftp_factory=Files, reuse_address=True
        )
        port_file.write_text(str(server.get_port()))
        return server.get_port()
