"""The messages load: campaigns that begin one after the other, letters that facts ask for, people who answer.

The providers report twice and in no order. In the last third they do not report at all, and what was not answered is
decided without them: so an answer and its webhook are both lost.
"""

import contextlib
import datetime as dt
import json
import random
import threading
import time
from collections.abc import Iterator

from portal.local import HOME
from portal.local.stack import AGENCIES, Stack, call
from tests.faults import books_messages as books
from tests.faults import judge_messages
from tests.faults.books_messages import store
from tests.faults.consumers import alike, record_of
from tests.faults.load import NO_ANSWER, Progress, insist, wait_until
from tests.faults.money import Clock

PER_SECOND = 120.0
"""Messages asked for; a kill with its new life takes a second or two."""
TEXTS, CHANGES = 0.1, 0.05
"""Of all messages; the others are campaigns by e-mail."""
MORE = 1.06
"""So many more people, because some opt out before the second message."""
CAMPAIGNS = 40
"""In two waves: everybody is written to twice, unless they asked for silence meanwhile."""
LEAST_GROUP = 20
OFFERS = 4
"""Every so many campaigns by e-mail make each reader an offer, and have a second letter for half of them."""
SPANISH = 0.25

BEHAVIOURS = {"bounce": 0.02, "defer": 0.02, "opens-": 0.15, "clicks-": 0.05, "leaves-": 0.02, "once-": 0.02}
"""What the mail provider's readers do, by the first letters of their address; one of each group complains."""
ANSWERS = {"STOP": 0.04, "ALTO por favor": 0.02, "HELP": 0.03, "PAY": 0.03, "Who is this?": 0.03}
"""What some people text back after their first text."""
TROUBLE = {
    "mail": (
        "drop_after_effect",
        "garbled",
        "error_500_after_effect",
        "drop_before_effect",
        "slow",
        "error_500",
        "error_429",
    ),
    "carrier": ("drop_after_effect", "garbled", "drop_before_effect", "error_500", "error_429"),
}
LOST = {"mail": TROUBLE["mail"][:3], "carrier": TROUBLE["carrier"][:2]}
TROUBLE_SECONDS, SLOW_SECONDS = 4.0, 1.0
SILENT_TROUBLE_SECONDS = 0.5
"""While nobody reports, each provider loses about every second answer: it is what that time is for."""
SILENT_FROM = 0.66
"""From here on the providers report nothing until everything is decided."""
RELAYED = 20
"""The mail provider's events come through a relay, at most so many in a request."""
VICTIMS = ("beat", "deliver", "deliver child", "worker", "worker child", "web", "web child", "mail", "carrier")
VICTIMS += ("redis", "redis emptied", "postgres", "postgres backend")

LOOK_SECONDS = 0.5
SLOW_START_SECONDS, STALLED_SECONDS, PLAYED_SECONDS = 90.0, 15.0, 1_800.0
QUIET_SECONDS = 15.0
"""Longer than a request to a provider may take: then nothing is under way, and the clock may jump."""
PAST_THE_LEASES = dt.timedelta(minutes=35)
PAST_ALL_PATIENCE = dt.timedelta(hours=2)
SETTLED_SECONDS = 420.0


def furnish(stack: Stack) -> None:
    """Publish what is sent, and let the providers report twice and shuffled."""
    stack.run("tests.faults.letters", "furnish", stdin="{}")
    for name in ("mail", "carrier"):
        call(stack.urls[name], "/_sandbox/behaviour", {"webhooks_copies": 2, "webhooks_order": "shuffled"})
    call(stack.urls["mail"], "/_sandbox/behaviour", {"webhooks_at_once": RELAYED})
    # Each report is judged by itself here; that a carrier gives up is the subject of `test_listen`.
    call(stack.urls["carrier"], "/_sandbox/behaviour", {"webhooks_tries": 10_000})


class Messages:
    """One run: so many messages to people who are named so that no other run is touched."""

    def __init__(self, stack: Stack, *, messages: int, name: str, seed: str) -> None:
        self.stack, self.presses, self.name, self.seed = stack, messages, name, seed
        self.progress, self.clock = Progress(), Clock(stack)
        self.book, self.sign = HOME / f"letters-{name}.jsonl", HOME / f"silence-{name}"
        self.people: dict[str, list[dict]] = {slug: [] for slug in AGENCIES}
        self.steps: list[dict] = []
        self.answered: set[str] = set()
        self.silent = False
        self.asked_in_silence = 0
        """Messages whose answer and webhooks were lost: the providers were asked about them."""
        self.seconds = 0.0
        self._over = threading.Event()

    def victims(self, names: list[str]) -> list[str]:
        """Choose whom the kills meet: whatever writes, sends, reports or hears; the hosts only listen."""
        return [name for name in names if name in VICTIMS]

    def prepare(self) -> None:
        """Go to a morning, make the people, draw the campaigns; nobody dies yet."""
        self.book.unlink(missing_ok=True)
        self.sign.unlink(missing_ok=True)
        for name in TROUBLE:
            call(self.stack.urls[name], "/_sandbox/faults", method="DELETE")
        self.clock.morning()
        draw(self)
        like = {}
        for slug, example in alike(self.stack).items():
            like[slug] = f"{self.name}{AGENCIES.index(slug):05d}"
            host = self.stack.urls[f"host-{slug}"]
            call(host, "/_sandbox/accounts", [record_of(example, like[slug], mail=False)], timeout=60.0)
            answer = call(host, "/_sandbox/push", {"FileNumbers": [like[slug]]}, timeout=60.0)
            assert all(one["status"] == 200 for one in answer["answers"]), json.dumps(answer)[:500]
        asked = {"people": self.people, "like": like}
        wait_until(
            lambda: books.placed(self.stack, list(like.values())) == len(like),
            sentence="the first accounts are not placed",
        )
        self.stack.run("tests.faults.letters", "place", stdin=json.dumps(asked))
        self.before = self._taken()

    def play(self) -> list[str]:
        """Let the campaigns begin, counting what the providers take; give what could not be done."""
        asked = {"steps": self.steps, "output": str(self.book), "sign": str(self.sign)}
        began, counted, changed = time.monotonic(), 0, time.monotonic()
        teller = self.stack.fork("tests.faults.letters", "tell", stdin=json.dumps(asked))
        threads = [threading.Thread(target=work, daemon=True) for work in (self._trouble, self._answer_on)]
        for thread in threads:
            thread.start()
        while time.monotonic() < began + PLAYED_SECONDS:
            time.sleep(LOOK_SECONDS)
            found = self._taken() - self.before
            if found > counted:
                self.progress.step(found - counted)
                counted, changed = found, time.monotonic()
            idle = time.monotonic() - changed
            if not self.silent and (counted > SILENT_FROM * self.presses or idle > SLOW_START_SECONDS):
                self._report(silent=True)
                # Who waited for the sign may be the last ones written to: the first answer is lost for certain.
                for name in TROUBLE:
                    self._get_well(name)
                    insist(lambda name=name: self._let(name, LOST[name][0]), sentence=f"{name} does not hear")
                self.sign.touch()
                changed = time.monotonic()
            elif teller.poll() is not None and idle > STALLED_SECONDS:
                break
        self.seconds = time.monotonic() - began
        self._over.set()
        self.progress.finish()
        for thread in threads:
            thread.join()
        return [] if teller.poll() == 0 else [f"not everything could be asked for ({teller.poll()}): see the log"]

    def _taken(self) -> int:
        """Count what both providers have taken so far."""
        with store(self.stack, "mail") as mail, store(self.stack, "carrier") as carrier:
            letters = mail.execute("SELECT coalesce(max(n), 0) FROM messages").fetchone()[0]
            return letters + carrier.execute("SELECT count(*) FROM texts WHERE direction = 'outbound'").fetchone()[0]

    def _trouble(self) -> None:
        """Let a provider lose an answer, or say no, every now and then; it may be dead itself just then."""
        chance, turn = random.Random(f"trouble {self.seed}"), 0
        while not self._over.wait(SILENT_TROUBLE_SECONDS if self.silent else TROUBLE_SECONDS):
            turn += 1
            for name in TROUBLE if self.silent else [list(TROUBLE)[turn % 2]]:
                with contextlib.suppress(*NO_ANSWER):
                    self._let(name, chance.choice((LOST if self.silent else TROUBLE)[name]))

    def _let(self, name: str, mode: str) -> None:
        """Let a provider's next request end so."""
        seconds = {"seconds": SLOW_SECONDS} if mode == "slow" else {}
        call(self.stack.urls[name], "/_sandbox/faults", {"mode": mode, "times": 1} | seconds)

    def _get_well(self, name: str) -> None:
        url = self.stack.urls[name]
        insist(lambda: call(url, "/_sandbox/faults", method="DELETE"), sentence=f"{name} does not get well")

    def _report(self, *, silent: bool) -> None:
        for name in TROUBLE:
            insist(
                lambda url=self.stack.urls[name]: call(url, "/_sandbox/behaviour", {"webhooks_paused": silent}),
                sentence=f"{name} does not hear",
            )
        self.silent = silent

    def _answer_on(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._answer()

    def _answer(self) -> int:
        """Let people answer what has reached them since, once each; return how many should and have not yet."""
        waiting = [*self._one_click(), *self._replies()]
        for key, url, path, body in waiting:
            with contextlib.suppress(*NO_ANSWER):
                answer = call(url, path, body)
                # One click is answered with the status of our own page.
                if answer.get("status", 200) == 200:
                    self.answered.add(key)
        return len([key for key, *_call in waiting if key not in self.answered])

    def _one_click(self) -> Iterator[tuple[str, str, str, dict]]:
        """Unsubscribe as mail programs do (RFC 8058)."""
        mine = f"once-{self.name.lower()}%"
        with store(self.stack, "mail") as mail:
            sql = "SELECT min(id), recipient FROM messages WHERE recipient LIKE ? AND state = 'delivered' GROUP BY 2"
            found = mail.execute(sql, [mine]).fetchall()
        for message, recipient in found:
            if recipient not in self.answered:
                yield recipient, self.stack.urls["mail"], f"/_sandbox/messages/{message}/one-click", {}

    def _replies(self) -> Iterator[tuple[str, str, str, dict]]:
        """Text back."""
        with store(self.stack, "carrier") as carrier:
            sql = "SELECT DISTINCT recipient, sender FROM texts WHERE direction = 'outbound' AND status = 'delivered'"
            found = carrier.execute(sql).fetchall()
        for recipient, ours in found:
            if recipient in self.replies and recipient not in self.answered:
                said = {"from": recipient, "to": ours, "body": self.replies[recipient]}
                yield recipient, self.stack.urls["carrier"], "/_sandbox/reply", said

    def close(self) -> None:
        """Let what had no answer be decided while no provider reports; then hear all they have to say.

        :raises Broken: something stays undecided or untold.
        """
        for name in TROUBLE:
            self._get_well(name)
        self._report(silent=True)
        self._until_quiet()
        self.asked_in_silence = books.unanswered(self.stack, self.name)
        for _lease in range(2):
            self.clock.forward(PAST_THE_LEASES)
            self._until(lambda: books.undecided(self.stack, self.name))
        self._report(silent=False)
        self._until(lambda: self._answer() or books.still_open(self.stack, self.name))
        self.clock.forward(PAST_ALL_PATIENCE)
        self._until(lambda: self._answer() or books.still_open(self.stack, self.name))

    def _until_quiet(self) -> None:
        """Wait until no request to a provider is under way any more: none was taken, and none has begun."""
        seen, since = None, time.monotonic()
        while time.monotonic() < since + QUIET_SECONDS:
            time.sleep(LOOK_SECONDS)
            in_hand = insist(lambda: books.in_hand(self.stack, self.name), sentence="the books cannot be read")
            if (now := (self._taken(), in_hand)) != seen:
                seen, since = now, time.monotonic()

    def _until(self, left) -> None:
        """Wait until nothing is left, twice in a row: what one thing brings about may leave another."""
        said = []

        def calm() -> bool:
            for _look in range(2):
                said[:] = [insist(left, sentence="the books cannot be read")]
                if said[0]:
                    return False
                time.sleep(LOOK_SECONDS)
            return True

        try:
            wait_until(calm, sentence="it does not settle", seconds=SETTLED_SECONDS)
        except Exception as error:
            error.args = (f"{error}: {said}",)
            raise


def draw(load: Messages) -> None:
    """Draw the people of a run, what each does, and the campaigns they are written to by."""
    chance = random.Random(f"messages {load.seed}")
    texts, changes = round(load.presses * TEXTS), round(load.presses * CHANGES)
    phones = round(texts / 2 * MORE)
    mails = round((load.presses - texts - changes) / 2 * MORE)
    group = max(LEAST_GROUP, load.presses // CAMPAIGNS)
    load.replies = {}
    run = int("".join(filter(str.isdigit, load.name)) or 0)
    groups: list[tuple[str, str, list[str]]] = []
    plain: list[tuple[str, str]] = []
    number = 0
    for kind, count in (("email", mails), ("phone", phones)):
        for start in range(0, count, group):
            slug, references = AGENCIES[len(groups) % 2], []
            for place in range(min(group, count - start)):
                number += 1
                reference = f"{load.name}{10_000 + number:06d}"
                if kind == "email":
                    first = "complain" if place == 0 else pick(chance, BEHAVIOURS)
                    value = f"{first}{reference.lower()}@example.com"
                    if not first:
                        plain.append((slug, reference))
                else:
                    # 215 is Philadelphia; the last four digits may say that no text arrives (carrier/worker.py).
                    value = f"+1215{2_000_000 + run * 20_000 + 8_900 + len(load.replies):07d}"
                    load.replies[value] = pick(chance, ANSWERS)
                language = "es" if chance.random() < SPANISH else "en"
                load.people[slug].append({"reference": reference, "kind": kind, "value": value, "language": language})
                references.append(reference)
            groups.append((slug, kind, references))
    load.replies = {value: words for value, words in load.replies.items() if words}
    at, steps = 0.0, []
    for wave in (1, 2):
        for turn, (slug, kind, references) in enumerate(chance.sample(groups, len(groups))):
            letter = "text" if kind == "phone" else "offer" if turn % OFFERS == 0 else "reminder"
            name = f"{load.name} wave {wave}, {turn}"
            steps.append({"at": at, "do": "campaign", "slug": slug, "name": name, "letter": letter})
            steps[-1]["references"] = references
            at += len(references) / PER_SECOND
    # Every second letter is asked for when nobody reports any more.
    for turn, (slug, reference) in enumerate(chance.sample(plain, min(changes, len(plain)))):
        late = {"at": chance.uniform(0, at / 3), "late": True} if turn % 2 else {"at": chance.uniform(0, at)}
        steps.append({"do": "change", "slug": slug, "reference": reference} | late)
    load.steps = sorted(steps, key=lambda step: (step.get("late", False), step["at"]))


def pick(chance: random.Random, shares: dict[str, float]) -> str:
    """Draw one by its share, or nothing."""
    drawn = chance.random()
    for name, share in shares.items():
        if (drawn := drawn - share) < 0:
            return name
    return ""


def judge(load: Messages, figures: dict) -> list[str]:
    """Judge a run that came to its end; fill in its figures."""
    left = books.still_open(load.stack, load.name)
    read = books.read(load)
    figures |= judge_messages.figures(read) | {
        "asked_for": load.presses,
        "answered": len(load.answered),
        "asked_in_silence": load.asked_in_silence,
    }
    figures |= {"per_second": round(figures["count"] / max(load.seconds, 0.001), 1)}
    return [f"open: {one}" for one in left] + judge_messages.compare(read)
