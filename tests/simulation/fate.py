"""What goes wrong, and what people do meanwhile: decided by the seed, done at the edges of the product.

Cards, banks and hosts are scripted at their sandboxes. Consumers act over HTTP (`visits`). What staff must do by hand
in the product is done by the same service call as their page makes.
"""

import random
from collections import Counter
from datetime import date, datetime, timedelta

from portal.local.stack import AGENCIES, call

from .cast import Person, luhn
from .world import HOST_AGENCY, PATIENCE, PORTAL_AGENCY, World

DECLINES = (
    # class, decline code, advice, network code, weight
    ("C", "insufficient_funds", "try_again_later", "51", 30),
    ("C", "card_velocity_exceeded", "try_again_later", "61", 4),
    ("C", "processing_error", "try_again_later", "96", 4),
    ("C", "issuer_not_available", "try_again_later", "91", 3),
    ("C", "withdrawal_count_limit_exceeded", "try_again_later", "65", 3),
    ("D", "generic_decline", "try_again_later", "05", 10),
    ("D", "do_not_honor", "try_again_later", "05", 8),
    ("B", "expired_card", "confirm_card_data", "54", 6),
    ("B", "incorrect_cvc", "confirm_card_data", "N7", 3),
    ("A", "lost_card", "do_not_try_again", "41", 4),
    ("A", "stolen_card", "do_not_try_again", "43", 3),
    ("A", "pickup_card", "do_not_try_again", "04", 2),
    ("A", "transaction_not_allowed", "do_not_try_again", "57", 2),
    ("A", "revocation_of_authorization", "do_not_try_again", "R1", 2),
    ("A", "revocation_of_all_authorizations", "do_not_try_again", "R3", 1),
    ("auth", "", "", "", 3),
)
RETURNS = (
    # code, weight
    ("R01", 40), ("R09", 12), ("R02", 6), ("R03", 4), ("R04", 3), ("R05", 1), ("R06", 1), ("R07", 2), ("R08", 5),
    ("R10", 2), ("R11", 1), ("R12", 1), ("R13", 1), ("R14", 1), ("R15", 1), ("R16", 3), ("R17", 1), ("R20", 2),
    ("R21", 1), ("R24", 1), ("R28", 1), ("R29", 1),
)  # fmt: skip
STATUSES = ("RECALL", "CLOSE", "BANKRUPTCY", "DECEASED", "ATTORNEY", "DISPUTE", "CEASE", "FLAGGED")
FAULTS = ("drop_before", "drop_after_effect", "error_500", "error_500_after_effect", "error_503", "rate_limit")
CARD_FAILS, BANK_FAILS, CHARGED_BACK, LATE_DISPUTE = 0.09, 0.08, 0.012, 0.008
FEW = 250
COMES_AGAIN = 1
"""So often somebody whose plan has ended agrees to another one."""
ACTS = (
    # what a consumer does, how likely on a day on which something is planned
    ("extra", 0.004), ("cancel_one", 0.0012), ("hardship", 0.001), ("dispute", 0.0008), ("revoke", 0.0006),
    ("remove", 0.0005), ("move", 0.002), ("skip", 0.001),
)  # fmt: skip


class Fate:
    """Hold the dice and what was thrown; the judge reads `balances` and `said`."""

    def __init__(self, world: World, people: list[Person], seed: int) -> None:
        self.world, self.seed = world, seed
        self.people = {person.key: person for person in people}
        self.often = min(1.0, FEW / max(1, len(people)))
        """How much of the usual chances of an act: a thousand people need fewer each to do everything often."""
        self.said: Counter[str] = Counter()
        self.edits: dict[tuple[str, str], int] = {}
        """What each balance was changed by at its host, in cents, beside payments."""
        self.posted: dict[str, date] = {}
        """On which day the host posted the letter about a post-date of ours."""
        self.later: dict[date, list] = {}
        self.broken: list[str] = []

    def dice(self, day: date, what: str) -> random.Random:
        return random.Random(f"{self.seed}:{day}:{what}")

    def _ours(self, sql: str, *values: object) -> list[tuple]:
        from django.db import connection

        from accounts.tenancy import ALL_AGENCIES, acting_for

        with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def processor(self, name: str, **given: object) -> dict:
        return self.world.processor(name, given)

    def host(self, agency: str, name: str, **given: object) -> dict:
        return call(self.world.url(agency), f"/_sandbox/{name}", given, timeout=PATIENCE)

    # Before the morning -----------------------------------------------------------------------------------------------

    def before_morning(self, day: date) -> None:
        """Decide for whom the day is a bad one, before anything is charged."""
        with self.world.timed("fate"):
            for what in self.later.pop(day, ()):
                what()
            self.cards(day)
            self.outages(day)

    def cards(self, day: date) -> None:
        """Let some cards that are charged today fail, and mend some that failed before."""
        dice = self.dice(day, "cards")
        due = self._ours(DUE_CARDS, day, day)
        for slug, reference, tried in due:
            person = self.people[slug, reference]
            if person.sick and dice.random() < (0.6 if tried else 0.3):
                self.heal(person)
            elif not person.sick and dice.random() < CARD_FAILS:
                row = dice.choices(DECLINES, weights=[row[-1] for row in DECLINES])[0]
                self.sicken(person, row)

    def sicken(self, person: Person, row: tuple) -> None:
        grade, code, advice, network, _weight = row
        about = {"outcome": "challenge_always"} if grade == "auth" else {
            "outcome": "decline_on_charge", "decline_code": code, "advice_code": advice, "network_code": network,
        }  # fmt: skip
        self.script(person, **about)
        person.sick = 2 if grade == "A" else 1
        self.said[f"card {grade} {code}".strip()] += 1

    def heal(self, person: Person) -> None:
        """Mend a card; one that was refused for good is replaced when its consumer comes again."""
        if person.sick == 1:
            self.script(person)
            person.sick = 0

    def script(self, person: Person, outcome: str = "approve", **more: str) -> None:
        known = {"number": person.card, "brand": person.brand, "funding": person.funding, "outcome": outcome}
        self.processor("cards", **known, **more)

    def outages(self, day: date) -> None:
        """Let the processor, a host or the mail provider have a bad day now and then."""
        dice = self.dice(day, "outages")
        if dice.random() < 0.06:
            mode = dice.choice(FAULTS)
            self.processor("faults", path="/v1/payment_intents", method="POST", mode=mode, times=dice.randint(1, 4))
            self.said[f"processor {mode}"] += 1
        if dice.random() < 0.04:
            mode = dice.choice(("outage", "drop_after_effect", "wrong_body"))
            self.host(dice.choice(AGENCIES), "faults", mode=mode, path="/events", times=2)
            self.said[f"host {mode}"] += 1

    # During the day ---------------------------------------------------------------------------------------------------

    def banks(self, day: date) -> None:
        """Let banks send some debits back, days after they were sent, and dispute some that were settled."""
        with self.world.timed("fate"):
            for slug, payment, ref, sent in self._ours(PENDING_DEBITS):
                dice = random.Random(f"{self.seed}:{payment_place(slug, sent, ref)}:{payment_number(payment)}")
                if dice.random() < BANK_FAILS and (day - sent).days >= dice.randint(1, 3):
                    code = dice.choices([row[0] for row in RETURNS], weights=[row[1] for row in RETURNS])[0]
                    self.processor("settle", payment_intent=ref, outcome="failed", return_code=code)
                    self.said[f"return {code}"] += 1
            for slug in (HOST_AGENCY, PORTAL_AGENCY):
                self._host_debits(slug, day)

    def _host_debits(self, slug: str, day: date) -> None:
        dice = self.dice(day, f"debits {slug}")
        sql = "SELECT host_id, settles_at FROM items WHERE status = 'PROCESSED' AND executor = 'HOST' ORDER BY rowid"
        for host_id, settles_at in self.world.rows(f"host-{slug}", sql):
            # Each is thrown for once, on the day before it is settled.
            if settles_at and settles_at[:10] == (day + timedelta(days=1)).isoformat() and dice.random() < BANK_FAILS:
                self.host(slug, "outcome", HostID=host_id, Status="ACH REVERSAL")
                self.said["return at the host"] += 1

    def chargebacks(self, day: date) -> None:
        """Let some card payments be charged back weeks later, and some of those be won."""
        with self.world.timed("fate"):
            dice = self.dice(day, "chargebacks")
            for _slug, kind, ref in self._ours(SETTLED, day - timedelta(days=24)):
                if dice.random() >= (CHARGED_BACK if kind == "card" else LATE_DISPUTE):
                    continue
                made = self.processor("disputes", payment_intent=ref)
                self.said["chargeback" if kind == "card" else "late return R10"] += 1
                if kind == "card":
                    won = "won" if dice.random() < 0.4 else "lost"
                    self.at(day, 15, lambda dispute=made["id"], won=won: self._close(dispute, won))
            sql = "SELECT host_id, reference FROM items WHERE status = 'POSTED' AND executor = 'HOST' AND token <> ''"
            sql += " AND date = ? ORDER BY rowid"
            for host_id, ref in self.world.rows(f"host-{HOST_AGENCY}", sql, (day - timedelta(days=24)).isoformat()):
                if dice.random() < CHARGED_BACK:
                    self.processor("disputes", payment_intent=ref)
                    self.host(HOST_AGENCY, "outcome", HostID=host_id, Status="CHARGEBACK")
                    self.said["chargeback at the host"] += 1

    def _close(self, dispute: str, won: str) -> None:
        self.processor("disputes", dispute=dispute, status=won)
        self.said[f"chargeback {won}"] += 1

    def at(self, day: date, after: int, what) -> None:
        """Do something so many days later."""
        self.later.setdefault(day + timedelta(days=after), []).append(what)

    def hosts(self, day: date) -> None:
        """Let people at the hosts edit balances, statuses and planned payments."""
        with self.world.timed("fate"):
            for person in self.people.values():
                dice = random.Random(f"{self.seed}:{day}:host:{person.agency}{person.reference}")
                throw = dice.random()
                if throw < 0.0005:
                    self.edit_balance(person, dice)
                elif throw < 0.0009:
                    self.edit_status(person, dice, day)
                elif throw < 0.0024 and person.agency == HOST_AGENCY:
                    self.edit_postdate(person, dice)

    def letters(self, day: date) -> None:
        """Let both hosts post the letters that must leave today, and say so in their lists."""
        with self.world.timed("fate"):
            for slug, reference, portal_id in self._ours(LETTERS, day):
                sql = "SELECT host_id, date, amount_cents, method, last4, status FROM items WHERE portal_id = ?"
                rows = self.world.rows(f"host-{slug}", sql, portal_id)
                if not rows or rows[0][-1] != "PENDING":
                    continue
                item = dict(zip(("HostID", "Date", "Amount", "Method", "Last4", "Status"), rows[0], strict=True))
                item |= {"Amount": f"{item['Amount'] / 100:.2f}", "PortalID": portal_id}
                self.change(self.people[slug, reference], PostDates=[item | {"NoticeSentOn": day.isoformat()}])
                self.posted[portal_id] = day
                self.said["letter posted by the host"] += 1

    def edit_balance(self, person: Person, dice: random.Random) -> None:
        """Correct a balance: a credit that was missing, or a fee."""
        known = self.record(person)
        if known is None or known["Status"] != "ACTIVE":
            return
        cents = round(float(known["CurrentBalance"]) * 100)
        by = dice.choice((-min(cents // 3, dice.randint(5_00, 80_00)), dice.randint(1_00, 20_00)))
        if cents <= 0 or not by:
            return
        self.change(person, CurrentBalance=f"{(cents + by) / 100:.2f}")
        self.edits[person.key] = self.edits.get(person.key, 0) + by
        self.said["balance edited"] += 1

    def edit_status(self, person: Person, dice: random.Random, day: date) -> None:
        """Give an account another status, and half of them back after twelve days."""
        known = self.record(person)
        if known is None or known["Status"] != "ACTIVE":
            return
        status = dice.choice(STATUSES)
        self.change(person, Status=status)
        self.said[f"status {status}"] += 1
        if dice.random() < 0.5:
            why = {"ReopenReason": "The case was dismissed."} if status == "BANKRUPTCY" else {}
            self.at(day, 12, lambda: self.change(person, Status="ACTIVE", **why))

    def edit_postdate(self, person: Person, dice: random.Random) -> None:
        """Cancel or move a planned payment at the host that executes it."""
        sql = "SELECT host_id, date, amount_cents, method, portal_id, last4, status FROM items WHERE file_number = ?"
        sql += " AND part = 'postdate' AND status = 'PENDING' AND held = 0 AND executor = 'HOST' ORDER BY date DESC"
        rows = self.world.rows(f"host-{person.agency}", sql, person.reference)
        if not rows:
            return
        host_id, on, cents, method, portal_id, last4, status = rows[0]
        if dice.random() < 0.5:
            self.host(person.agency, "outcome", HostID=host_id, Status="CANCELLED")
            self.said["post-date cancelled at the host"] += 1
            return
        moved = date.fromisoformat(on) + timedelta(days=dice.choice((-3, 3, 7)))
        item = {"HostID": host_id, "PortalID": portal_id, "Date": moved.isoformat(), "Amount": f"{cents / 100:.2f}"}
        item |= {"Method": method, "Last4": last4, "Status": status}
        self.change(person, PostDates=[item])
        self.said["post-date moved at the host"] += 1

    def record(self, person: Person) -> dict | None:
        """Read the account as the host has it."""
        rows = self.world.rows(
            f"host-{person.agency}", "SELECT body, balance_cents FROM accounts WHERE file_number = ?", person.reference
        )
        if not rows:
            return None
        import json

        return json.loads(rows[0][0]) | {"CurrentBalance": f"{rows[0][1] / 100:.2f}"}

    def change(self, person: Person, **fields: object) -> None:
        self.host(person.agency, f"accounts/{person.reference}", push=True, **fields)

    # What consumers and staff do --------------------------------------------------------------------------------------

    def visitors(self, day: date) -> list[tuple[Person, str, int]]:
        """List who comes today, what for, and a sum where they pay."""
        coming = [(person, "agree", 0) for person in self.people.values() if person.comes_on == day]
        dice = self.dice(day, "acts")
        taken = {person.key for person, _what, _cents in coming}
        for slug, reference, kind, cents, left in self._ours(PAYING, day, day):
            person = self.people[slug, reference]
            if person.key not in taken and dice.random() < (0.72 if kind == "promise" else 0.8):
                coming.append((person, "pay", min(cents, left)))
                taken.add(person.key)
        for slug, reference in self._ours(LIVE):
            person = self.people[slug, reference]
            for what, chance in ACTS:
                if dice.random() < chance * self.often and person.key not in taken:
                    coming.append((person, what, dice.randint(20_00, 60_00)))
                    taken.add(person.key)
        for slug, reference in self._ours(OPEN_AGAIN):
            person = self.people[slug, reference]
            if person.key not in taken and person.tries < COMES_AGAIN and dice.random() < 0.02 * self.often:
                person.tries += 1
                if person.sick or person.by_bank:
                    self.new_means(person)
                coming.append((person, "agree", 0))
        return coming

    def new_means(self, person: Person) -> None:
        """Have another card, or another bank account."""
        number = int(person.card[6:-1])
        person.card = luhn(f"{person.card[:6]}{(number + 100_000_000 * (person.tries + 1)) % 10**9:09d}")
        person.account_number = f"{76 - person.tries}{person.account_number[2:]}"
        person.sick = 0
        self.script(person)

    def staff(self, day: date, now: datetime) -> None:
        """Do what staff do: resolve disputes after some days, apply changes, let bank payments go on."""
        from accounts.tenancy import acting_for
        from payments.models import Dispute, ProcessorAccount
        from payments.services import disputes, meters

        with self.world.timed("fate"):
            for slug in AGENCIES:
                with acting_for(self.world.agency(slug)):
                    old = now - timedelta(days=11)
                    for row in Dispute.objects.filter(status="open", opened_at__lte=old):
                        found = disputes.resolve(dispute=row, by="staff", note="Looked into.", verified_on=day, now=now)
                        assert not found, found
                        self.said["dispute resolved"] += 1
                    stopped = ProcessorAccount.objects.filter(debits_paused_at__lte=now - timedelta(days=6))
                    for merchant in stopped:
                        meters.resume(merchant=merchant.pk)
                        self.said["bank payments resumed"] += 1


def payment_place(slug: str, sent: date, ref: str) -> str:
    """Name a debit for the dice by what does not change between two runs of one seed."""
    return f"{slug}:{sent}"


def payment_number(payment: str) -> str:
    return payment


DUE_CARDS = """
SELECT DISTINCT agency.slug, account.reference, postdate.tries > 0 FROM payments_postdate postdate
JOIN payments_method method ON method.id = postdate.method_id AND method.kind = 'card'
JOIN accounts_account account ON account.id = postdate.account_id
JOIN accounts_agency agency ON agency.id = postdate.agency_id
WHERE postdate.status = 'scheduled' AND coalesce(postdate.run_at::date, postdate.due_on) <= %s
    AND (postdate.due_on = %s OR postdate.run_at IS NOT NULL)
ORDER BY 1, 2, 3
"""
PENDING_DEBITS = """
SELECT agency.slug, account.reference || ':' || payment.amount_cents, payment.processor_ref,
    (payment.intended_at AT TIME ZONE 'UTC')::date
FROM payments_payment payment JOIN accounts_agency agency ON agency.id = payment.agency_id
JOIN accounts_account account ON account.id = payment.account_id
WHERE payment.status = 'pending' AND payment.executor = 'portal' AND payment.processor_ref <> '' ORDER BY 1, 2, 4
"""
LETTERS = """
SELECT agency.slug, account.reference, notice.postdate_id::text FROM payments_notice notice
JOIN payments_postdate postdate ON postdate.id = notice.postdate_id AND postdate.status = 'scheduled'
JOIN accounts_account account ON account.id = postdate.account_id
JOIN accounts_agency agency ON agency.id = notice.agency_id
WHERE notice.channel = 'letter' AND notice.status = 'due' AND notice.send_by = %s ORDER BY 1, 2, postdate.due_on
"""
SETTLED = """
SELECT agency.slug, payment.kind, payment.processor_ref
FROM payments_payment payment JOIN accounts_agency agency ON agency.id = payment.agency_id
JOIN accounts_account account ON account.id = payment.account_id
WHERE payment.status = 'succeeded' AND payment.executor = 'portal'
    AND (payment.intended_at AT TIME ZONE 'UTC')::date = %s ORDER BY 1, account.reference, payment.amount_cents
"""
PAYING = """
SELECT agency.slug, account.reference, arrangement.kind, postdate.amount_cents, account.balance_cents
FROM payments_postdate postdate JOIN payments_arrangement arrangement ON arrangement.id = postdate.arrangement_id
JOIN accounts_account account ON account.id = postdate.account_id
JOIN accounts_agency agency ON agency.id = postdate.agency_id
WHERE postdate.executor = 'consumer' AND postdate.status = 'scheduled' AND postdate.due_on BETWEEN %s - 1 AND %s
    AND account.status = 'open' AND account.balance_cents >= 2000 ORDER BY 1, 2
"""
LIVE = """
SELECT agency.slug, account.reference FROM payments_arrangement arrangement
JOIN accounts_account account ON account.id = arrangement.account_id
JOIN accounts_agency agency ON agency.id = arrangement.agency_id
WHERE arrangement.status IN ('performing', 'late') AND arrangement.method_id IS NOT NULL AND account.status = 'open'
ORDER BY 1, 2
"""
OPEN_AGAIN = """
SELECT agency.slug, account.reference FROM accounts_account account
JOIN accounts_agency agency ON agency.id = account.agency_id
WHERE account.status = 'open' AND account.balance_cents >= 15000
    AND EXISTS (SELECT FROM payments_arrangement a WHERE a.account_id = account.id AND a.ended_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM payments_arrangement a WHERE a.account_id = account.id
        AND a.status IN ('performing', 'late', 'paused', 'review'))
ORDER BY 1, 2
"""
