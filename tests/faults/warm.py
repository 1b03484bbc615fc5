"""Programs forked from a process that has imported everything: a death then costs a fork, not three seconds of imports.

What is forked has no connection, no thread and no state but imported modules, as below `gunicorn --preload`. It leads a
session of its own and writes to its own log, so that it is killed like any other program. The nursery itself is killed
by nobody.
"""

import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from portal.local import CHECKOUT

LOOK_SECONDS = 0.01


class Child:
    """A forked program, as `subprocess.Popen` would show it: its number stays taken until it is waited for."""

    def __init__(self, nursery: "Nursery", pid: int, output: Path) -> None:
        self.nursery, self.pid, self.output = nursery, pid, output
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Say how it ended; None while it runs."""
        if self.returncode is None and not _runs(self.pid):
            self.returncode = self.nursery.ask({"reap": self.pid})
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for its end.

        :raises subprocess.TimeoutExpired: it still runs.
        """
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(LOOK_SECONDS)
        return code


class Nursery:
    """The process that forks; everything it starts has its environment.

    :param environment: of the programs.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm"],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, command: list[str], *, output: Path, given: Path | None = None) -> Child:
        """Fork `python -m command`, its output appended to a file, its input from another one."""
        asked = {"start": command, "output": str(output), "input": str(given or os.devnull)}
        return Child(self, self.ask(asked), output)

    def ask(self, asked: dict) -> int | None:
        with self.lock:
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it; what it started is somebody else's to end."""
        self.process.stdin.close()
        self.process.wait(10)


def _runs(pid: int) -> bool:
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return False


def main() -> None:
    """Import, then fork whatever is asked for on standard input."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    import celery.apps.beat
    import celery.apps.worker
    import celery.bin.celery
    import celery.concurrency.prefork  # noqa: F401
    import gunicorn.app.wsgiapp
    import gunicorn.workers.gthread  # noqa: F401
    import kombu.transport.redis  # noqa: F401
    from django.urls import get_resolver

    import portal.wsgi  # noqa: F401
    from portal.celery import app

    app.loader.import_default_modules()
    _walk(get_resolver())
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        said = _fork(asked) if "start" in asked else _reap(asked["reap"])
        print(json.dumps(said), flush=True)


def _walk(resolver) -> None:
    for pattern in resolver.url_patterns:
        if hasattr(pattern, "url_patterns"):
            _walk(pattern)


def _fork(asked: dict) -> int:
    if pid := os.fork():
        return pid
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        for number, file in ((0, os.open(asked["input"], os.O_RDONLY)), (1, os.open(asked["output"], flags, 0o600))):
            os.dup2(file, number)
        os.dup2(1, 2)
        # Its buffer may hold commands that are somebody else's.
        sys.stdin = os.fdopen(0)
        module, *words = asked["start"]
        sys.argv = [module, *words]
        if module == "manage":
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _reap(pid: int) -> int | None:
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # Two asked at once.
        return -signal.SIGKILL
    return os.waitstatus_to_exitcode(status) if ended else None


if __name__ == "__main__":
    main()
