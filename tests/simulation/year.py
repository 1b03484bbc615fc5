"""The days of a simulated year, one after the other: every clock moved, every periodic task run at its time."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from portal.local.browser import Broken
from portal.local.stack import AGENCIES, call

from .cast import Person, people
from .fate import Fate
from .judge import Judge
from .office import Office
from .visits import Refused, Visit
from .world import PATIENCE, PORTAL_AGENCY, World, utc

BROWSERS = 4
LOOK_SECONDS = 2.0
NIGHT = (
    "payments.tasks.review_arrangements",
    "settlements.tasks.end_pauses",
    "settlements.tasks.expire_offers",
    "settlements.tasks.expire_budgets",
    "payments.tasks.forget_finished",
    "portal.tasks.end_idle_visits",
)
DUE, SWEEP, MESSAGES = "payments.tasks.run_due", "payments.tasks.sweep", "campaigns.tasks.poll"
ALMOST = timedelta(minutes=2)


class Year:
    """Let so many people live through so many days."""

    def __init__(self, world: World, *, seed: int, consumers: int, days: int, say) -> None:
        self.world, self.days, self.say = world, days, say
        today = world.now().date()
        # The next first of January at the latest tomorrow: the same calendar whenever it runs within a year.
        self.first = date(today.year + 1, 1, 1)
        self.people = people(seed=seed, count=consumers, first_day=self.first, days=days)
        self.fate = Fate(world, self.people, seed)
        self.visits: Counter[str] = Counter()
        self.broken: list[str] = []
        self.seen: set[str] = set()
        self.used: dict[str, float] = {}

    def place(self) -> None:
        """Let the hosts place their accounts; the cards are known to the processor."""
        self.world.move(utc(self.first, 2))
        for person in self.people:
            self.fate.script(person)
        for slug in AGENCIES:
            records = [person.record() for person in self.people if person.agency == slug]
            call(self.world.url(slug), "/_sandbox/accounts", {"accounts": records}, timeout=600.0)
            answer = call(
                self.world.url(slug), "/_sandbox/push", {"FileNumbers": "all", "as_list": True}, timeout=600.0
            )
            taken = sum(one["answer"].get("accepted", 0) for one in answer["answers"])
            assert taken == len(records), answer["answers"][0]
        self.world.settle()

    def run(self) -> None:
        """Live through all of it."""
        self.used = self.world.cpu()
        self.place()
        for number in range(self.days):
            self.day(self.first + timedelta(days=number))
            if number % 30 == 29:
                self.look(number + 1)
        # What was sent last is answered, and nothing new falls due.
        self.world.move(utc(self.first + timedelta(days=self.days), 3, 10))
        self.world.run("portal.tasks.reconcile", *NIGHT, SWEEP)
        self.world.settle()

    def look(self, days: int) -> None:
        """Say how far it is, and judge what is there: a broken rule is seen before the year is over."""
        shares = {name: used - self.used.get(name, 0.0) for name, used in self.world.cpu().items()}
        by = ", ".join(f"{name} {used:.0f}" for name, used in sorted(shares.items(), key=lambda pair: -pair[1])[:4])
        self.say(f"  day {days}: {sum(self.visits.values())} visits, {sum(shares.values()):.0f} s of processors ({by})")
        self.say(f"    {self.world.took(6)}")
        with self.world.timed("judging"):
            for finding in Judge(self.world, self).findings():
                if finding not in self.seen:
                    self.seen.add(finding)
                    self.say(f"    {finding}")

    def day(self, day: date) -> None:
        """Let one UTC day pass."""
        world = self.world
        world.move(utc(day, 3, 10))
        world.run("portal.tasks.reconcile")
        # Past midnight in every state: Hawaii's day begins at ten.
        world.move(utc(day, 10, 5))
        world.run(*NIGHT, DUE)
        world.settle()
        self.fate.before_morning(day)
        self.fate.banks(day)
        world.settle()
        self.fresh_balances(day)
        for moment in self.mornings(day):
            world.peek(moment - ALMOST)
            world.run(DUE)
            world.move(moment)
            world.run(DUE)
            world.settle(money_only=True)
        world.settle()
        # Waking hours everywhere from here on.
        world.move(utc(day, 19, 0))
        world.run(MESSAGES, DUE, SWEEP)
        self.fate.chargebacks(day)
        self.fate.hosts(day)
        self.fate.letters(day)
        self.fate.staff(day, world.now())
        world.settle()
        self.open_doors(day)
        world.move(utc(day, 22, 0))
        # Whoever agreed today may need a letter that leaves today.
        self.fate.letters(day)
        world.run(SWEEP, DUE, MESSAGES)
        world.settle()

    def mornings(self, day: date) -> list[datetime]:
        """List eight o'clock of every zone in which something is planned for today, and when something is tried again.

        Three days after eight o'clock is nine where the clocks went forward meanwhile.
        """
        zones = {row[0] for row in self.fate._ours(ZONES, day, day)}
        eights = {datetime.combine(day, time(8), ZoneInfo(zone)).astimezone(UTC) for zone in zones}
        return sorted(eights | {row[0] for row in self.fate._ours(TRIED_AGAIN, day)})

    def fresh_balances(self, day: date) -> None:
        """Let the host whose payments the portal takes say in the morning what is owed where one is near (STS-07)."""
        with self.world.timed("daily pushes"):
            waiting = self.fate._ours(PLANNED, PORTAL_AGENCY, day + timedelta(days=1))
            if waiting:
                said = {"FileNumbers": [row[0] for row in waiting], "fresh": True, "as_list": True}
                told = call(self.world.url(PORTAL_AGENCY), "/_sandbox/push", said, timeout=PATIENCE)
                refused = [one["answer"] for one in told["answers"] if one["status"] != 200 or one["answer"]["refused"]]
                self.broken += [f"{day}: the portal refused balances: {answer}" for answer in refused]

    def open_doors(self, day: date) -> None:
        """Let consumers in, several at a time, while workers go on."""
        coming = self.fate.visitors(day)
        if not coming:
            return
        with self.world.timed("visits"), ThreadPoolExecutor(BROWSERS) as pool:
            running = [pool.submit(self.visit, *one) for one in coming]
            while wait(running, timeout=LOOK_SECONDS).not_done:
                self.world.work()
            for one in running:
                one.result()
        self.world.settle()

    def visit(self, person: Person, what: str, cents: int) -> None:
        """Let one consumer come, do one thing and leave."""
        came = f"{what}: "
        try:
            if what == "agree" and person.calls:
                came += Office(self.world, person.agency).agree(person)
                self.visits[came] += 1
                return
            visit = Visit(self.world, person)
            visit.arrive(what)
            doing = {"pay": lambda: visit.pay(cents), "extra": lambda: visit.pay(cents)}
            came += (doing.get(what) or getattr(visit, what))()
            if person.tidy:
                visit.leave()
        except Refused as refused:
            came += f"refused {refused}"
        except Broken as broken:
            came += "broken"
            self.broken.append(f"{person.agency} {person.reference} {what}: {broken}")
        except OSError as error:
            came += "broken"
            self.broken.append(f"{person.agency} {person.reference} {what}: {error!r}")
        self.visits[came[:90]] += 1


ZONES = """
SELECT DISTINCT consumer.time_zone FROM payments_postdate postdate
JOIN accounts_account account ON account.id = postdate.account_id
JOIN accounts_consumer consumer ON consumer.id = account.consumer_id
WHERE postdate.status = 'scheduled' AND postdate.method_id IS NOT NULL
    AND (postdate.due_on <= %s AND postdate.run_at IS NULL OR (postdate.run_at AT TIME ZONE 'UTC')::date = %s)
"""
TRIED_AGAIN = """
SELECT DISTINCT run_at FROM payments_postdate
WHERE status = 'scheduled' AND method_id IS NOT NULL AND (run_at AT TIME ZONE 'UTC')::date = %s
"""
PLANNED = """
SELECT DISTINCT account.reference FROM payments_postdate postdate
JOIN accounts_account account ON account.id = postdate.account_id
JOIN accounts_agency agency ON agency.id = postdate.agency_id
WHERE postdate.status = 'scheduled' AND postdate.executor = 'portal' AND agency.slug = %s
    AND postdate.due_on <= %s ORDER BY 1
"""
