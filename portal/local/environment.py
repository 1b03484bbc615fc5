"""What the servers are called and the keys of this checkout: `.local/env`, mode 0600, stable across runs."""

import base64
import json
import os
import secrets
from pathlib import Path

from . import HOME

FILE = HOME / "env"
STATE = HOME / "state.json"
SECRETS = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "FIELD_KEYS": lambda: "1:" + base64.b64encode(secrets.token_bytes(32)).decode(),  # version:key, newest first
    "INDEX_KEY": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
}


def read() -> dict[str, str]:
    """Return the lines of `.local/env` as names and values; nothing when the file is missing."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def write(addresses: dict[str, str]) -> None:
    """Keep what the file says, put the addresses in, and make the secrets that nobody has given yet."""
    values = read() | addresses
    for name, make in SECRETS.items():
        if name not in os.environ and name not in values:
            values[name] = make()
    if values != read():
        replace(FILE, "".join(f"{name}={value}\n" for name, value in sorted(values.items())))


def remembered(server: str) -> dict:
    """Return what a server's last start wrote down about itself: its port, its folders, its way to run."""
    return state().get(server, {})


def remember(server: str, facts: dict) -> None:
    """Write down what the next run needs to find a server again."""
    known = state()
    if known.get(server) != facts:
        replace(STATE, json.dumps(known | {server: facts}, indent=1) + "\n")


def state() -> dict:
    """Return all that is remembered; nothing in a copy of another checkout, whose servers are not ours."""
    known = json.loads(STATE.read_text()) if STATE.exists() else {}
    return known if known.get("home") == str(HOME) else {"home": str(HOME)}


def replace(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
