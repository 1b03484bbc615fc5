"""A load: scripts that wait in a line, hands that play them at once, and a count that others can wait for.

A script is anything with `play()`. It knows nothing of kills: it goes on as a person would, with patience.
"""

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from portal.local.browser import Broken, Page

PATIENCE = 120.0
"""Seconds a person tries again before giving up; longer than any part of the product may be away."""
PAUSE = 0.2
NO_ANSWER = (OSError, http.client.HTTPException, ValueError)


class Script(Protocol):
    def play(self) -> None: ...


class Progress:
    """Count what the load has done; whoever waits for a count is woken when it is reached."""

    def __init__(self) -> None:
        self.done = 0
        self.over = False
        self.changed = threading.Condition()

    def step(self, count: int = 1) -> None:
        """Count some more."""
        with self.changed:
            self.done += count
            self.changed.notify_all()

    def finish(self) -> None:
        """Say that nothing more will come."""
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def wait_for(self, count: int) -> bool:
        """Wait until so much is done; False when the load ended first."""
        with self.changed:
            self.changed.wait_for(lambda: self.done >= count or self.over)
            return self.done >= count


def crowd(scripts: Iterable[Script], *, hands: int) -> list[str]:
    """Play all scripts, so many at once; give a sentence for each that could not be played to its end."""
    line, failed = deque(scripts), []

    def work() -> None:
        while True:
            try:
                script = line.popleft()
            except IndexError:
                return
            try:
                script.play()
            except Exception as error:
                failed.append(f"{script}: {type(error).__name__}: {error}"[:600])

    threads = [threading.Thread(target=work, name=f"hand {number}", daemon=True) for number in range(hands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def insist(act: Callable[[], Page | dict | list], *, sentence: str, seconds: float = PATIENCE):
    """Do it until an answer comes that is no server's error, as a person reloads a page.

    :raises Broken: it does not come back.
    """
    deadline, last = time.monotonic() + seconds, "nothing"
    while time.monotonic() < deadline:
        try:
            answer = act()
        except NO_ANSWER as error:
            last = f"{type(error).__name__}: {error}"
        else:
            if not isinstance(answer, Page) or answer.status < 500:
                return answer
            last = f"{answer.path}: {answer.status} {answer.text[:200]}"
        time.sleep(PAUSE)
    raise Broken(f"{sentence}; the last answer was {last}")


def wait_until(found: Callable[[], object], *, sentence: str, seconds: float = PATIENCE):
    """Wait for something that must come, whatever dies meanwhile; return it.

    :raises Broken: it does not come.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if value := found():
                return value
        except NO_ANSWER:
            pass
        time.sleep(PAUSE)
    raise Broken(sentence)
