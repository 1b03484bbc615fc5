"""The judge of messages: what the providers took and told, what we have, what the hosts heard, message by message.

Nobody twice: a provider took each message of ours once, and nothing that is not ours. Nothing lost: what a provider
told is in our inbox once and was applied; what was asked for became a message. States right: each message ended as its
provider says. Silence kept: nothing was taken for an address after its opt-out. A finding is a sentence; none is what
we want.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.faults import judge_events

MAIL_BEGAN_SECONDS = 15.0
"""A request with many letters that had begun when somebody opted out may be taken until its time is up (13 s)."""
ANSWERS = ("text_stopped", "email_stopped", "text_help", "text_started")
"""What may follow a STOP: its one confirmation (RF-08), and help for who asks (SMS-05)."""
NOT_TAKEN = ("failed", "held")
GIVES_UP = ("failed permanent bounce", "failed permanent suppress-complaint", "complained")
"""What a provider tells of an address that is used no more (EML-05)."""


@dataclass
class Books:
    """The facts of a run.

    `taken` is what providers took of ours ({"message", "address", "at", "template"}), `told` what they say happened to
    it ({"key", "message", "name", "address"}), `heard` our inbox ({"key", "applied", "outcome"}).
    """

    messages: list[dict] = field(default_factory=list)
    taken: list[dict] = field(default_factory=list)
    told: list[dict] = field(default_factory=list)
    heard: list[dict] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)
    opt_outs: list[dict] = field(default_factory=list)
    points: list[dict] = field(default_factory=list)
    recipients: list[dict] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Each campaign that was begun with each reference it is for."""
    changes: list[dict] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)
    """The changes whose commit was answered."""
    feeds: list[dict] = field(default_factory=list)
    at_hosts: judge_events.Books = field(default_factory=judge_events.Books)


def compare(books: Books) -> list[str]:
    """Compare the books of a run; give a sentence for each difference."""
    found = [*_twice(books), *_lost(books), *_states(books), *_told(books), *_silence(books), *_asked(books)]
    return [*found, *_feeds(books), *judge_events.compare(books.at_hosts)]


def _twice(books: Books) -> Iterable[str]:
    """Say what a provider took twice, or that is not ours."""
    ours = {one["id"]: one for one in books.messages}
    for message, times in Counter(one["message"] for one in books.taken).items():
        if message in ours and times > 1:
            one = ours[message]
            yield f"twice: {one['template']} {message} to {one['address']} was taken {times} times ({one['status']})"
    for one in books.taken:
        if one["message"] not in ours:
            yield f"twice: a message to {one['address']} was taken that we do not have: {one['message']}"
        elif ours[one["message"]]["address"] != one["address"]:
            yield f"twice: {one['message']} went to {one['address']}, which is not its address"


def _lost(books: Books) -> Iterable[str]:
    """Say what a provider told that we did not hear, heard twice, or did not understand."""
    heard = Counter(one["key"] for one in books.heard)
    told = {one["key"] for one in books.told}
    for one in books.told:
        if not heard[one["key"]]:
            yield f"lost: {one['name']} of {one['address']} was told and never heard: {one['key']}"
    for key, times in heard.items():
        if times > 1:
            yield f"lost: an event is in the inbox {times} times: {key}"
        if key not in told:
            yield f"lost: the inbox has an event that no provider told: {key}"
    for one in books.heard:
        if not one["applied"] or one["outcome"].startswith(("failed", "unreadable")):
            yield f"lost: an event was not applied: {one['key']}: {one['outcome'] or 'it waits'}"


def _by_message(books: Books) -> dict[str, set[str]]:
    told: dict[str, set[str]] = defaultdict(set)
    for one in books.told:
        told[one["message"]].add(one["name"])
    return told


def state_of(told: set[str]) -> str:
    """Say how a message that was taken must end, by what its provider told."""
    if "complained" in told:
        return "complained"
    if any(name.startswith(("failed permanent", "undelivered", "failed")) and "temporary" not in name for name in told):
        return "bounced"
    return "delivered" if "delivered" in told else "sent"


def _states(books: Books) -> Iterable[str]:
    """Say which message did not end as its provider says, and which address was not given up or kept silent."""
    told, taken = _by_message(books), {one["message"] for one in books.taken}
    for one in books.messages:
        name = f"{one['template']} {one['id']} to {one['address']}"
        if one["id"] not in taken:
            if one["status"] not in NOT_TAKEN:
                yield f"state: {name} is {one['status']}, and no provider has it"
            continue
        said = told[one["id"]]
        if one["status"] != (wanted := state_of(said)):
            yield f"state: {name} is {one['status']} ({one['reason']}), and its provider says {wanted}"
        for what in ("opened", "clicked"):
            if one[what] != (what in said):
                yield f"state: {name} is {'' if one[what] else 'not '}{what}, and its provider says otherwise"
    points = {one["address"]: one for one in books.points}
    for one in books.told:
        point = points[one["address"]]
        if one["name"] == "unsubscribed" and not point["opted_out"]:
            yield f"state: {one['address']} unsubscribed at its provider and not with us"
        if one["name"] in GIVES_UP and not point["bad"]:
            yield f"state: {one['address']} was not given up after it {one['name']}"


def _told(books: Books) -> Iterable[str]:
    """Say which message's events are not what became of it: each once, none left out."""
    counted = Counter((one["message"], one["kind"]) for one in books.events if one["message"])
    taken = {one["message"] for one in books.taken}
    for one in books.messages:
        name = f"{one['template']} {one['id']}"
        wanted = {"sent": one["id"] in taken, "opened": one["opened"], "clicked": one["clicked"]}
        wanted |= {state: one["status"] == state for state in ("bounced", "complained", "failed")}
        for what, times in wanted.items():
            if (found := counted[one["id"], f"message.{what}"]) != times:
                yield f"events: message.{what} of {name} ({one['status']}) was told {found} times"
        delivered = counted[one["id"], "message.delivered"]
        if delivered > 1 or (one["status"] == "delivered" and not delivered):
            yield f"events: message.delivered of {name} ({one['status']}) was told {delivered} times"


def _silence(books: Books) -> Iterable[str]:
    """Say what was taken for an address after its opt-out had committed."""
    silent: dict[str, float] = {}
    for one in books.opt_outs:
        silent[one["address"]] = min(one["at"], silent.get(one["address"], one["at"]))
    ours = {one["id"]: one for one in books.messages}
    for one in books.taken:
        if (since := silent.get(one["address"])) is None or (message := ours.get(one["message"])) is None:
            continue
        if message["template"] in ANSWERS:
            continue
        since += MAIL_BEGAN_SECONDS if message["channel"] == "email" else 0.0
        if one["at"] > since:
            after = one["at"] - silent[one["address"]]
            yield f"silence: {message['template']} {one['message']} was taken for {one['address']} {after:.2f} s after"


def _asked(books: Books) -> Iterable[str]:
    """Say whom a campaign forgot, or left out without cause, and which fact brought no letter, or two."""
    written = {(one["campaign"], one["reference"]): one for one in books.recipients}
    points = {one["reference"]: one for one in books.points}
    for campaign, reference in books.asked:
        one = written.pop((campaign, reference), None)
        point = points[reference]
        if one is None:
            yield f"asked: {campaign} knows nothing of {reference}"
        elif one["status"] == "left_out" and not (point["opted_out"] or point["bad"]):
            yield f"asked: {campaign} left {reference} out without cause: {one['reason']}"
        elif one["status"] == "leaving" and not one["message"]:
            yield f"asked: {campaign} has no message for {reference}"
    for campaign, reference in written:
        yield f"asked: {campaign} has {reference}, whom it was not asked for"
    known = {one["id"]: one for one in books.changes}
    for key in books.committed:
        if key not in known:
            yield f"asked: a committed change is gone: {key}"
    for one in books.changes:
        if one["messages"] != 1:
            yield f"asked: change {one['id']} of {one['reference']} brought {one['messages']} messages"


def _feeds(books: Books) -> Iterable[str]:
    """Say which agency's events have a gap."""
    for one in books.feeds:
        if not one["count"] == one["placed"] == one["last"]:
            yield f"feed: {one['slug']} has {one['count']} events, {one['placed']} in places up to {one['last']}"


def figures(books: Books) -> dict:
    """Count what the run did."""
    taken = {one["message"] for one in books.taken}
    states = Counter(f"{one['channel']} {one['status']}" for one in books.messages)
    left = Counter(one["reason"] for one in books.recipients if one["status"] == "left_out")
    reasons = Counter(one["reason"] for one in books.messages if one["status"] in NOT_TAKEN)
    return {
        "count": len(taken),
        "states": dict(states),
        "not_taken": dict(reasons),
        "left_out": dict(left),
        "news": len(books.told),
        "events": len(books.events),
        "opt_outs": len(books.opt_outs),
    }
