"""A sandbox host as the tests use it: a real program on a port of its own."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]


class HostProgram:
    """A running sandbox host; `call` speaks to its control calls."""

    def __init__(self, directory: Path, style: str = "scollect") -> None:
        command = [
            sys.executable,
            "-m",
            "integrations.sandbox",
            "--style",
            style,
            "--port",
            "0",
            "--data",
            str(directory),
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip().removeprefix("listening on ")
        assert self.url.startswith("http://127.0.0.1:"), "the sandbox host did not start"

    def call(self, path: str, body=None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def received(self) -> list[dict]:
        return self.call("/_sandbox/received")["events"]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
