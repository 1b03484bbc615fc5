"""The servers a fresh machine runs on: PostgreSQL and Valkey from wheels, everything under `.local/`.

Standard library and psycopg2 only, so that `python -m portal.local up` works before Django can be configured.
"""

import os
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("LOCAL_HOME") or CHECKOUT / ".local").resolve()  # postgres/, valkey/, run/, logs/, env
START_SECONDS = 60.0  # recovery after a hard kill of a large database, on a slow disk
LOG_BYTES = 20 * 2**20  # a larger log is put aside as <name>.1 at the next start


class CannotRun(Exception):
    """A server cannot run here; the message says why and what to set instead."""


def runs(pid: int, program: str) -> bool:
    """Say whether a living process of this number runs this program; a zombie does not run."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
        command = ["ps", "-o", "stat=,comm=", "-p", str(pid)]  # macOS has no /proc
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return program in found and not found.startswith("Z")
    return name.endswith(f"({program}") and not rest.startswith(("Z", "X"))


def log_file(name: str) -> Path:
    """Return `.local/logs/<name>.log`, readable by its owner only, with an overlong one put aside."""
    path = HOME / "logs" / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    return path
