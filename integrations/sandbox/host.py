"""What every sandbox host shares: store, clock, faults, a background worker and the control calls."""

import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import ClassVar

from .client import Client
from .clock import Clock, add_months, moment, stamp
from .faults import Faults
from .server import Answer, Refused, Request, Route
from .store import Store

# The worker looks again at least this often, even when nobody wakes it.
POLL_SECONDS = 0.5


class Host:
    """One style fills in `tables`, `defaults`, `routes`, `page`, `next_due`, `run_due` and `work`."""

    style = ""
    tables = ""
    # Settings that `POST /_sandbox/configure` takes, with the value they start with.
    defaults: ClassVar[dict[str, object]] = {}

    def __init__(self, directory: Path):
        self.store = Store(directory, self.tables)
        self.clock = Clock(self.store)
        self.faults = Faults(self.store)
        self.client = Client()
        self.wake = threading.Event()
        self.moving = threading.RLock()

    # What a style fills in.

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def page(self) -> str:
        raise NotImplementedError

    def next_due(self) -> datetime | None:
        """Name the moment of the earliest scheduled work, as the host's clock counts."""
        raise NotImplementedError

    def run_due(self) -> list[dict]:
        """Do the scheduled work that is due now; an empty list means that none was."""
        raise NotImplementedError

    def work(self) -> float:
        """Do what real time brings (pushes, retries); answer the seconds until the next."""
        raise NotImplementedError

    # What all of them do alike.

    def setting(self, name: str):
        return self.store.setting(name, self.defaults.get(name))

    def start_worker(self) -> None:
        threading.Thread(target=self.work_forever, name="worker", daemon=True).start()

    def work_forever(self) -> None:
        while True:
            try:
                pause = self.work()
            except Exception:
                traceback.print_exc(file=sys.stderr)
                pause = POLL_SECONDS
            self.wake.wait(max(0.0, min(pause, POLL_SECONDS)))
            self.wake.clear()

    def move_clock(self, target: datetime) -> list[dict]:
        """Move the clock, stopping at each due moment to do its work as if time had passed slowly."""
        with self.moving:
            done = []
            while (due := self.next_due()) is not None and due <= target:
                if due > self.clock.now():
                    self.clock.move_to(due)
                ran = self.run_due()
                if not ran:
                    break
                done += ran
            self.clock.move_to(target)
            return done

    def common_routes(self) -> list[Route]:
        return [
            Route("GET", "/health", lambda request: {"ok": True, "style": self.style}),
            Route("GET", "/", lambda request: Answer(self.page(), content_type="text/html")),
            Route("GET", "/page.css", lambda request: page_file("page.css", "text/css")),
            Route("GET", "/page.js", lambda request: page_file("page.js", "text/javascript")),
            Route("GET", "/_sandbox/clock", lambda request: {"now": stamp(self.clock.now())}),
            Route("POST", "/_sandbox/clock", self.command("clock", self.set_clock)),
            Route("POST", "/_sandbox/advance", self.command("advance", self.advance)),
            Route("GET", "/_sandbox/faults", lambda request: {"faults": self.faults.listed()}),
            Route("POST", "/_sandbox/faults", self.command("faults", self.script_fault)),
            Route("DELETE", "/_sandbox/faults", self.command("faults", lambda said: self.clear_faults())),
            Route("GET", "/_sandbox/configure", lambda request: self.configuration()),
            Route("POST", "/_sandbox/configure", self.command("configure", self.configure)),
        ]

    def command(self, name: str, act: Callable[[dict], dict]) -> Callable[..., Answer]:
        """Answer a control call in JSON, or lead a pressed button back to the page with its result."""

        def answer(request: Request, *groups: str) -> Answer:
            is_list = request.body.lstrip()[:1] == b"["
            said = {"list": request.json()} if is_list else request.control()
            try:
                result = act(said, *groups)
            except (ValueError, TypeError, ArithmeticError) as error:
                raise Refused(400, "invalid", str(error)[:300]) from None
            if not request.from_a_form:
                return Answer(result)
            self.store.set(last_command={"name": name, "result": result, "at": stamp(datetime.now(UTC))})
            return Answer("", 303, {"Location": "/"})

        return answer

    def set_clock(self, said: dict) -> dict:
        if "now" in said:
            target = moment(said["now"])
        else:
            target = self.clock.now() + timedelta(seconds=float(said["advance_seconds"]))
        return self.moved(target)

    def advance(self, said: dict) -> dict:
        """Move by {"days", "hours", "seconds", "months"}; 0 runs what is due now."""
        now = self.clock.now()
        target = now + timedelta(**{unit: float(said.get(unit, 0)) for unit in ("days", "hours", "seconds")})
        if months := int(said.get("months", 0)):
            day = add_months(target.date(), months)
            target = datetime.combine(day, time(target.hour, target.minute, target.second), UTC)
        return self.moved(target)

    def moved(self, target: datetime) -> dict:
        done = self.move_clock(target)
        return {"now": stamp(self.clock.now()), "done": done}

    def script_fault(self, said: dict) -> dict:
        if said.pop("clear", None):
            return self.clear_faults()
        self.faults.script(said)
        return {"faults": self.faults.listed()}

    def clear_faults(self) -> dict:
        self.faults.clear()
        return {"faults": []}

    def configure(self, said: dict) -> dict:
        unknown = set(said) - set(self.defaults)
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        self.store.set(**said)
        self.wake.set()
        return self.configuration()

    def configuration(self) -> dict:
        """Show the settings; of a key only that there is one."""
        shown = {name: self.setting(name) for name in self.defaults}
        return {name: bool(value) if name.endswith("_key") else value for name, value in shown.items()}


def page_file(name: str, content_type: str) -> Answer:
    return Answer(Path(__file__).with_name(name).read_text(encoding="utf-8"), content_type=content_type)
