"""How much memory a process took at most."""

from pathlib import Path


def most_mb() -> float:
    """Give the most resident memory since this program began.

    `getrusage` would give that of the process which started it, where that was more: Linux carries it over exec.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
