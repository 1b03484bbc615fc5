"""Start, stop and describe the embedded servers: `python -m portal.local up|down|status|env|erase`."""

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator

from . import HOME, CannotRun, environment, postgres, valkey

SERVERS = {"DATABASE_URL": postgres, "REDIS_URL": valkey}


def main() -> int:
    """Do what the command line says; 0 done, 1 not running or impossible."""
    parser = argparse.ArgumentParser(prog="python -m portal.local", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    command = parser.parse_args().command
    try:
        with alone():
            return COMMANDS[command]()
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
    all_there = True
    for name, server in SERVERS.items():
        if name in os.environ:
            print(f"{name_of(server)}: {name} of the environment")
        else:
            running = bool(server.answering())
            print(f"{name_of(server)}: {'running' if running else 'not running'}")
            all_there = all_there and running
    return 0 if all_there else 1


def env() -> int:
    """Print the settings of this checkout as NAME=value lines, for a shell or a process manager."""
    given = {name: os.environ[name] for name in (*SERVERS, *environment.SECRETS) if name in os.environ}
    for name, value in sorted((environment.read() | given).items()):
        print(f"{name}={value}")
    return 0


def erase() -> int:
    """Stop both servers and remove `.local/` with all data and keys."""
    down()
    postgres.erase()
    shutil.rmtree(HOME)
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


COMMANDS = {"up": up, "down": down, "status": status, "env": env, "erase": erase}

if __name__ == "__main__":
    sys.exit(main())
