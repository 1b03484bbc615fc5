"""Named lines where the fault tests end a process or hold it: CRASH_AT=name; HOLD_IN=folder with name.hold in it."""

import os
import time
from pathlib import Path

from django.conf import settings

HOLD_SECONDS = 60.0
"""A hold that nobody releases ends by itself."""


def point(name: str) -> None:
    """Die here as kill -9 would, or wait here until `<folder>/<name>.go` exists, if the environment asks for it.

    Only in the demonstration and in tests. A held process writes `<folder>/<name>.reached` first; it is held once.
    """
    if not (settings.DEMO or settings.TESTING):
        return
    if os.environ.get("CRASH_AT") == name:
        os._exit(137)
    folder = os.environ.get("HOLD_IN")
    if folder and (Path(folder) / f"{name}.hold").exists():
        _hold(Path(folder), name)


def _hold(folder: Path, name: str) -> None:
    try:
        (folder / f"{name}.hold").rename(folder / f"{name}.reached")
    except FileNotFoundError:
        return
    deadline = time.monotonic() + HOLD_SECONDS
    while not (folder / f"{name}.go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
