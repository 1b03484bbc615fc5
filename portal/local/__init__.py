"""The servers a fresh machine runs on: PostgreSQL and Valkey from wheels, everything under `.local/`.

Standard library and psycopg2 only, so that `python -m portal.local up` works before Django can be configured.
"""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = CHECKOUT / ".local"  # holds postgres/, valkey/, run/, logs/, env, state.json
START_SECONDS = 60.0  # recovery after a hard kill of a large database, on a slow disk
LOG_BYTES = 20 * 2**20  # a larger log is put aside as <name>.1 at the next start


class CannotRun(Exception):
    """A server cannot run here; the message says why and what to set instead."""


def log_file(name: str) -> Path:
    """Return `.local/logs/<name>.log`, readable by its owner only, with an overlong one put aside."""
    path = HOME / "logs" / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    return path
