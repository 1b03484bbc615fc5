"""Start, stop and describe the embedded servers: `python -m portal.local up|down|status|env`."""

import argparse
import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator

from . import HOME, CannotRun, environment, postgres, valkey

SERVERS = {"DATABASE_URL": postgres, "REDIS_URL": valkey}


def main() -> int:
    """Do what the command line says; 0 done, 1 not running or impossible."""
    parser = argparse.ArgumentParser(prog="python -m portal.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "env"])
    command = parser.parse_args().command
    try:
        with alone():
            return {"up": up, "down": down, "status": status, "env": env}[command]()
    except (CannotRun, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def up() -> int:
    """Start what no URL in the environment replaces, and write `.local/env`."""
    environment.write({name: server.up() for name, server in SERVERS.items() if name not in os.environ})
    return status()


def down() -> int:
    """Stop both servers; their data stays."""
    for server in SERVERS.values():
        print(f"{name_of(server)}: {'stopped' if server.down() else 'was not running'}")
    return 0


def status() -> int:
    """Say which servers answer; 1 when one that is needed does not."""
    answers = {}
    for name, server in SERVERS.items():
        answers[name] = name in os.environ or bool(server.answering())
        where = (
            f"{name} of the environment"
            if name in os.environ
            else "running"
            if answers[name]
            else "not running"
        )
        print(f"{name_of(server)}: {where}")
    return 0 if all(answers.values()) else 1


def env() -> int:
    """Print the settings of this checkout as NAME=value lines, for a shell or a process manager."""
    for name, value in sorted(environment.read().items()):
        print(f"{name}={os.environ.get(name, value)}")
    return 0


def name_of(server) -> str:
    """Return the server's name."""
    return server.__name__.rpartition(".")[2]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold this checkout's lock, so that two terminals never start the same server twice."""
    (HOME / "logs").mkdir(parents=True, exist_ok=True)
    if HOME.stat().st_mode & 0o066:
        HOME.chmod(0o700)
    with open(HOME / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
