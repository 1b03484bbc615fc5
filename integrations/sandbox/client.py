"""The calls a sandbox host makes itself: bounded, never redirected, an answer or a named failure."""

import gzip
import http.client
import json
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30.0
ANSWER_LIMIT = 4 * 1024 * 1024
COMPRESS_FROM = 256 * 1024


class NoAnswer(Exception):
    """Nothing readable came back, so nobody knows whether the call had its effect."""


@dataclass
class Heard:
    status: int
    body: object
    text: str


class Client:
    """Keep one connection per thread to each address; a stale one is opened again once."""

    def __init__(self):
        self.local = threading.local()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        body: bytes | None = None,
        compress: bool = False,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Heard:
        """Make one call; the caller decides what a status means.

        :raises NoAnswer: refused, timed out, hung up, or larger than 4 MB.
        """
        target = urlsplit(url)
        sent = {"Content-Length": str(len(body or b"")), **headers}
        if body and (compress or len(body) > COMPRESS_FROM):
            body = gzip.compress(body, 1)
            sent |= {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
        path = target.path + (f"?{target.query}" if target.query else "")
        kept = self.local.__dict__.setdefault("connections", {})
        connection, fresh = kept.pop(target.netloc, None), False
        while True:
            if connection is None:
                kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
                connection, fresh = kind(target.netloc, timeout=timeout), True
            try:
                connection.request(method, path, body=body, headers=sent)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                if not fresh and isinstance(error, http.client.RemoteDisconnected | ConnectionError):
                    continue
                raise NoAnswer(f"{type(error).__name__}: {error}"[:200]) from error
            return self.read(answer, connection, target.netloc)

    def read(self, answer, connection, netloc: str) -> Heard:
        try:
            raw = answer.read(ANSWER_LIMIT + 1)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswer(f"{type(error).__name__}: {error}"[:200]) from error
        if len(raw) > ANSWER_LIMIT:
            connection.close()
            raise NoAnswer("The answer is larger than 4 MB.")
        if answer.will_close:
            connection.close()
        else:
            self.local.connections[netloc] = connection
        text = raw.decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        return Heard(answer.status, body, text)
