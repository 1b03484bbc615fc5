"""Find or make the person behind each placed account, and keep how they can be reached.

Two accounts belong to one consumer only if the host says so (its consumer id, same connection) or full SSN, last name
and birth date are all present and all equal within the agency. Any blank: not linked. A wrong link tells a stranger
about a debt (RF-11), so every change of a link ends the visits of both sides.
"""

from collections import Counter, defaultdict
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.db import connection as database

from accounts.bulk import blank, in_one, read_rows, set_foreign, update_rows, write_rows
from accounts.calendars import consumer_zone
from accounts.crypto import indexer
from accounts.keys import name_key, zip_key
from accounts.models import Account, Agency, Consumer, ContactPoint, Suppression
from accounts.placement import Contact, Person, Placement
from accounts.services import streams
from accounts.zips import residence, state_of_zip

SEALED = ("ssn", "dob")
PLAIN = ("first_name", "last_name", "street1", "street2", "city", "state", "zip", "language")
KEYS = ("last_name_key", "ssn_index", "ssn4_index", "dob_index", "zip_index", "time_zone")
HOST_ID = ("connection_id", "host_consumer_id")
POINT = ("label", "host_status", "textable", "position", "route", "evidence", "removed_at")
Facts = tuple[str, str, str]


# Three ways to one person, each by its own index; the same columns with OR are read one condition at a time per row.
THESE = """id IN (
    SELECT id FROM accounts_consumer WHERE agency_id = %s AND id = ANY(%s::uuid[])
    UNION ALL SELECT id FROM accounts_consumer
    WHERE agency_id = %s AND connection_id = %s AND host_consumer_id = ANY(%s::text[]) AND NOT host_consumer_id = ''
    UNION ALL SELECT id FROM accounts_consumer
    WHERE agency_id = %s AND ssn_index = ANY(%s::text[]) AND NOT ssn_index = ''
) ORDER BY id"""
OF_THESE = "agency_id = %s AND consumer_id = ANY(%s::uuid[])"
SIZES = f"SELECT consumer_id, count(*) FROM accounts_account WHERE {OF_THESE} GROUP BY 1"  # noqa: S608


class People:
    """The consumers of one chunk of placements: read at once, linked one by one, saved at once."""

    def __init__(
        self, *, agency: Agency, connection_id: UUID, chunk: list[tuple[Placement, Account, bool]], now: datetime
    ) -> None:
        self.agency, self.connection_id, self.now = agency, connection_id, now
        self.index = indexer(agency.pk)
        self.moved: set[UUID] = set()
        self.touched: dict[UUID, Consumer] = {}
        self.points_touched: dict[UUID, ContactPoint] = {}
        told = [(placement, account, is_new) for placement, account, is_new in chunk if tells_of_people(placement)]
        named = {account.consumer_id for placement, account, _is_new in told if placement.part}
        # Of whom an update names a part, the rest is what the host said before, what is sealed too.
        self.before = Consumer.objects.in_bulk(named) if named else {}
        self.people = {
            id(placement): self._person(placement, self.before[account.consumer_id])
            if placement.part
            else placement.person
            for placement, account, _is_new in told
        }
        people = list(self.people.values())
        self.keys = {id(person): self._keys(person) for person in people}
        current_ids = {account.consumer_id for _placement, account, is_new in told if not is_new}
        host_ids = {person.host_consumer_id for person in people} - {""}
        ssn_indexes = {keys["ssn_index"] for keys in self.keys.values()} - {""}
        us = agency.pk
        ways = [us, in_one(current_ids), us, connection_id, in_one(host_ids), us, in_one(ssn_indexes)]
        self.by_id: dict[UUID, Consumer] = {}
        self.by_host_id: dict[str, Consumer] = {}
        self.by_facts: dict[Facts, list[Consumer]] = defaultdict(list)
        # What is sealed stays so: its blind index tells whether it is the same.
        for consumer in read_rows(Consumer, THESE, *ways, without=SEALED) if told else ():
            self._remember(consumer)
        self.standing, self.gained = in_one(self.by_id), Counter()
        self.points: dict[UUID, dict[tuple[str, str], ContactPoint]] = defaultdict(dict)
        for point in read_rows(ContactPoint, OF_THESE, us, self.standing) if self.by_id else ():
            self.points[point.consumer_id][point.kind, point.value_key] = point

    def link(self, placement: Placement, account: Account, *, is_new: bool) -> set[str]:
        """Set the account's consumer, as the placement tells it; return what changed: `person`, `contacts`."""
        if not tells_of_people(placement):
            return set()
        person = self.people[id(placement)]
        keys = self.keys[id(person)]
        contacts = placement.contacts if placement.part is None else self._contacts(placement, account)
        if placement.part and account.consumer_id in self.touched:
            # A line before this one changed who they are: what this one does not name is as that one left it.
            person = self._person(placement, self.by_id[account.consumer_id])
            keys = self._keys(person)
        current = None if is_new else self.by_id[account.consumer_id]
        consumer = self._consumer(person, keys, current)
        if is_stranger := consumer is None:
            consumer = blank(Consumer, agency_id=self.agency.pk, connection_id=self.connection_id)
            consumer.host_consumer_id = person.host_consumer_id
        if consumer is not current:
            self._move(account, current, consumer, is_stranger=is_stranger)
        changed = set()
        if self._fill(consumer, person, keys, is_stranger=is_stranger):
            changed.add("person")
        if self._keep_contacts(consumer, contacts, str(account.id)):
            changed.add("contacts")
        return changed

    def save(self) -> None:
        """Write everyone and everything that changed, in the order of ids, so that two pushes never deadlock."""
        for model, rows, columns in (
            (Consumer, self.touched, (*PLAIN, *KEYS, *HOST_ID)),
            (ContactPoint, self.points_touched, POINT),
        ):
            # Not as one INSERT ... ON CONFLICT: that asks every unique index twice for each new row.
            new = {key for key, row in rows.items() if row._state.adding}
            standing = [rows[key] for key in sorted(rows.keys() - new)]
            fresh = [rows[key] for key in sorted(new)]
            lists = streams.take_over(fresh) if model is ContactPoint else ()
            write_rows(model, fresh)
            write_rows(Suppression, lists)
            update_rows(model, standing, columns)
            if model is Consumer:
                update_rows(model, [row for row in standing if "ssn" in vars(row)], SEALED)

    def _person(self, placement: Placement, known: Consumer) -> Person:
        """Put what an update names of a person over what stands, so that one set of rules links both."""
        sealed = {name: getattr(self.before[known.id], name) for name in SEALED}
        stands = sealed | {name: vars(known)[name] for name in (*PLAIN, *SEALED) if name in vars(known)}
        own = known.connection_id == self.connection_id
        stands["host_consumer_id"] = known.host_consumer_id if own else ""
        said = {name: getattr(placement.person, name) for name in placement.part.person}
        if "zip" in said and stands["state"] == state_of_zip(stands["zip"]):
            stands["state"] = ""  # it went with the ZIP code, and does so now
        return Person(**stands | said)

    def _contacts(self, placement: Placement, account: Account) -> tuple[Contact, ...]:
        """Put the kinds of contacts that an update names beside those that the account lists now."""
        listed = [
            point
            for point in self.points[account.consumer_id].values()
            if point.source == "host" and not point.removed_at and point.kind not in placement.part.contacts
            if str(account.id) in point.evidence.get("accounts", [])
        ]
        kept = [_contact(point) for point in sorted(listed, key=lambda point: point.position)]
        return tuple(sorted((*kept, *placement.contacts), key=lambda contact: contact.kind != "phone"))

    def _keys(self, person: Person) -> dict[str, str]:
        index = self.index
        return {
            "last_name_key": name_key(person.last_name),
            "ssn_index": index(person.ssn, "ssn"),
            "ssn4_index": index(person.ssn[-4:], "ssn4"),
            "dob_index": index(person.dob, "dob"),
            "zip_index": index(zip_key(person.zip), "zip"),
            "time_zone": consumer_zone(person.zip, fallback=self.agency.time_zone),
            "state": residence(person.state, person.zip),
        }

    def _remember(self, consumer: Consumer) -> None:
        self.by_id[consumer.id] = consumer
        if consumer.host_consumer_id and consumer.connection_id == self.connection_id:
            self.by_host_id[consumer.host_consumer_id] = consumer
        if facts := facts_of(vars(consumer)):
            self.by_facts[facts].append(consumer)

    def _consumer(self, person: Person, keys: dict[str, str], current: Consumer | None) -> Consumer | None:
        facts = facts_of(keys)
        equals = [other for other in self.by_facts.get(facts, []) if facts_of(vars(other)) == facts] if facts else []
        if person.host_consumer_id:
            if known := self.by_host_id.get(person.host_consumer_id):
                return known
            unnamed = [other for other in equals if not other.host_consumer_id]
            if current is not None and not current.host_consumer_id and (current in equals or self._alone(current)):
                unnamed.insert(0, current)
            for consumer in unnamed[:1]:
                consumer.connection_id, consumer.host_consumer_id = self.connection_id, person.host_consumer_id
                self.touched[consumer.id] = consumer
                self.by_host_id[person.host_consumer_id] = consumer
                return consumer
            return None
        if current in equals:
            return current
        if equals:
            return equals[0]
        if current is not None and self._alone(current):
            if current.host_consumer_id and current.connection_id == self.connection_id:
                self.by_host_id.pop(current.host_consumer_id, None)
                current.host_consumer_id = ""
                self.touched[current.id] = current
            return current
        return None

    def _alone(self, consumer: Consumer) -> bool:
        """Tell whether no more than one account is this person's."""
        return self._sizes.get(consumer.id, 0) + self.gained[consumer.id] <= 1

    @cached_property
    def _sizes(self) -> dict[UUID, int]:
        """Count the accounts of everybody who was there; few chunks ask, and the chunk's own are written later."""
        with database.cursor() as cursor:
            cursor.execute(SIZES, [self.agency.pk, self.standing])
            return dict(cursor.fetchall())

    def _move(self, account: Account, current: Consumer | None, consumer: Consumer, *, is_stranger: bool) -> None:
        if current is not None:
            self.moved.add(current.id)
            self.gained[current.id] -= 1
            self._keep_contacts(current, (), str(account.id))
        if not is_stranger:
            self.moved.add(consumer.id)
        self.gained[consumer.id] += 1
        set_foreign(account, "consumer", consumer)

    def _fill(self, consumer: Consumer, person: Person, keys: dict[str, str], *, is_stranger: bool) -> bool:
        stands = vars(consumer)
        wanted = {name: getattr(person, name) for name in PLAIN} | keys
        changed = {name for name, value in wanted.items() if stands[name] != value}
        if is_stranger or changed & {"ssn_index", "dob_index"}:
            # By its index a sealed value is known to be the same; one that is not is told and sealed anew.
            wanted |= {name: getattr(person, name) for name in SEALED}
            changed.update(SEALED)
        if not is_stranger and changed & {"ssn_index", "dob_index"}:
            # The host corrected who this is: whoever signed in with the old facts is asked again.
            self.moved.add(consumer.id)
        stands.update({name: wanted[name] for name in changed})
        if changed or is_stranger:
            self.touched[consumer.id] = consumer
            self._remember(consumer)
        return bool(changed)

    def _keep_contacts(self, consumer: Consumer, contacts: tuple[Contact, ...], account_id: str) -> bool:
        """Take what this account's record lists, and withdraw what it no longer does.

        Another account of the same person may still list it, so each point remembers the accounts that did.
        """
        points, listed, changed = self.points[consumer.id], set(), False
        for position, contact in enumerate(contacts):
            key = (contact.kind, contact.value_key)
            listed.add(key)
            point = points.get(key)
            if is_new := point is None:
                point = blank(ContactPoint, agency_id=self.agency.pk, consumer_id=consumer.id, source="host")
                point.kind, point.value, point.value_key = contact.kind, contact.value, contact.value_key
                points[key] = point
            accounts = sorted({*point.evidence.get("accounts", []), account_id})
            wanted = {
                "label": contact.label,
                "host_status": contact.host_status,
                "textable": contact.textable,
                "position": position,
                "route": contact.route,
                "evidence": {**contact.evidence, "accounts": accounts},
                "removed_at": None,
            }
            if point.source != "host":
                # The consumer gave it themselves: the host's word adds to that and takes nothing away.
                wanted |= {name: getattr(point, name) or wanted[name] for name in ("route", "evidence")}
                wanted |= {"removed_at": point.removed_at}
            changed |= self._set(point, wanted) or is_new
        for key, point in points.items():
            if key in listed or point.source != "host" or point.removed_at:
                continue
            others = [other for other in point.evidence.get("accounts", []) if other != account_id]
            withdrawn = {"evidence": {**point.evidence, "accounts": others}}
            changed |= self._set(point, withdrawn | ({} if others else {"removed_at": self.now}))
        return changed

    def _set(self, point: ContactPoint, wanted: dict) -> bool:
        changed = [name for name, value in wanted.items() if getattr(point, name) != value]
        for name in changed:
            setattr(point, name, wanted[name])
        if changed or point._state.adding:
            self.points_touched[point.id] = point
        return bool(changed)


def tells_of_people(placement: Placement) -> bool:
    """Tell whether a placement may make or change a person or an address."""
    return placement.part is None or bool(placement.part.person or placement.part.contacts)


def _contact(point: ContactPoint) -> Contact:
    evidence = {name: value for name, value in point.evidence.items() if name != "accounts"}
    return Contact(
        point.kind, point.value, point.value_key, point.label, point.host_status, point.textable, point.route, evidence
    )


def facts_of(keys: dict) -> Facts | None:
    """Give the three facts that link, hashed; None when any is blank."""
    facts = (keys["ssn_index"], keys["last_name_key"], keys["dob_index"])
    return facts if all(facts) else None
