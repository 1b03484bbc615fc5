"""The processor's sandbox called in process: no connection, no parsing of requests, no program of its own.

Everything the sandbox knows is in its store, so each process of ours calls it over the same store: the site's processes
(they are started with `application` below), and this one, which also serves it to those who are no part of the product
(hosts, the card field of a browser) and sends its webhooks over HTTP. The same library builds and reads the requests.
"""

import json
import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import stripe

from payments.sandbox.server import Answer, Processor, Server, start
from payments.sandbox.store import Store
from portal.wsgi import application

__all__ = ["STORE", "Program", "application"]

STORE = "PROCESSOR_STORE"
"""Names the folder of the store, for the site's processes."""

_mine: dict[int, Processor] = {}


def use(processor: Processor) -> None:
    """Call this one from here on, in this process."""
    _mine[os.getpid()] = processor
    stripe.RequestsClient = InProcess


def _processor() -> Processor:
    # A connection to the store must not be carried over a fork.
    if (mine := _mine.get(os.getpid())) is None:
        mine = _mine[os.getpid()] = Processor(Store(Path(os.environ[STORE])))
    return mine


class InProcess(stripe.HTTPClient):
    """Answer the library's requests by calling the sandbox."""

    name = "in process"

    def __init__(self, **_given: Any) -> None:
        super().__init__()

    def request(self, method: str, url: str, headers: Any, post_data: Any = None) -> tuple[bytes, int, dict[str, str]]:
        """Answer one request.

        :raises stripe.APIConnectionError: the sandbox was told to lose the request or its answer.
        """
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        answer = _processor().api(method.upper(), target, headers, body, f"http://{parts.netloc}")
        if answer.closed:
            raise stripe.APIConnectionError("The connection was closed without an answer.")
        return answer.body, answer.status, dict(answer.headers)

    def close(self) -> None:
        """Keep nothing open."""


class Program:
    """The sandbox in this process, also served on a port: what `python -m payments.sandbox` would be."""

    def __init__(self, *, port: int, data: Path) -> None:
        self.server: Server = start(host="127.0.0.1", port=port, data=data)
        self.processor: Processor = self.server.RequestHandlerClass.processor
        threading.Thread(target=self.server.serve_forever, name="processor", daemon=True).start()
        use(self.processor)

    def ask(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Give a control command.

        :raises OSError: with the answer in it, as over HTTP.
        """
        host, port = self.server.server_address[:2]
        body = json.dumps(given).encode()
        answer: Answer = self.processor.sandbox("POST", f"/_sandbox/{name}", body, f"http://{host}:{port}")
        if answer.status >= 400:
            raise OSError(f"POST /_sandbox/{name}: {answer.status} {answer.body[:300].decode()}")
        return json.loads(answer.body)

    def tell(self) -> None:
        """Send the webhooks that another process of ours has brought about."""
        self.processor.store.after_commit()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


if STORE in os.environ:
    stripe.RequestsClient = InProcess
