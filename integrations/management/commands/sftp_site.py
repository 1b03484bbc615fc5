"""Run our own SFTP site until it is told to stop."""

import asyncio
import signal
from pathlib import Path

import asyncssh
from django.core.management.base import BaseCommand, CommandError

from integrations.site import serve


class Command(BaseCommand):
    """`sftp_site --port 2222 --host-key PATH`; a key that is not there yet is made (ed25519)."""

    help = __doc__

    def add_arguments(self, parser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=2222, help="0 lets the system choose")
        parser.add_argument(
            "--host-key", type=Path, required=True, help="private key of the site, readable by it alone"
        )

    def handle(self, *, host, port, host_key: Path, **options) -> None:
        if not host_key.exists():
            host_key.parent.mkdir(parents=True, exist_ok=True)
            host_key.touch(0o600)
            host_key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        try:
            asyncio.run(self._run(host, port, str(host_key)))
        except (OSError, asyncssh.Error) as error:
            raise CommandError(f"The site cannot be opened: {error}") from error

    async def _run(self, host: str, port: int, host_key: str) -> None:
        site = await serve(host, port, host_key)
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, over.set)
        public = asyncssh.read_private_key(host_key).export_public_key().decode().strip()
        self.stdout.write(f"listening on {host}:{site.get_port()}\n{public}")
        self.stdout.flush()
        await over.wait()
        site.close()
        await site.wait_closed()
