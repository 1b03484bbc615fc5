"""Offers for many accounts at once, as a campaign makes them: judged like one, read and written by sets."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.bulk import blank, set_foreign, write_rows
from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account, Agency
from accounts.refusals import Refusal
from accounts.scope import acting
from settlements.models import GlobalOffer, IndividualOffer
from settlements.rules.offers import METHODS, HostSettlement
from settlements.services import individual, offers, rulesets

Status = IndividualOffer.Status


@known
def _standing(accounts: Sequence[UUID]) -> QuerySet[IndividualOffer]:
    return IndividualOffer.objects.filter(account__in=accounts, status__in=[*IndividualOffer.OPEN, Status.ACCEPTED])


@transaction.atomic
def make_many(
    *,
    accounts: Sequence[Account],
    locked: bool = False,
    told: list[tuple[str, Account, dict[str, Any]]] | None = None,
    campaign_id: UUID,
    by: str,
    now: datetime,
    percent_bps: int,
    max_payments: int = 1,
    max_days: int | None = None,
    methods: Sequence[str] = (),
    text: str = "",
    expires_on: date | None = None,
) -> dict[UUID, IndividualOffer | list[Refusal]]:
    """Make each account's open offer, withdrawing the one before, or say what is against it; by account.

    Held to the rules as an offer for one account is (`individual.make`), without the permission to exceed them. What
    this campaign made before stays as it is.

    :param accounts: of the acting agency, with `consumer`; locked here in the order of their ids.
    :param locked: the caller holds the lock, and the rows are as they were read under it.
    :param told: takes the events, which the caller writes together with its own.
    """
    said = HostSettlement(
        percent_bps=percent_bps,
        max_payments=max_payments,
        max_days=max_days,
        methods=tuple(one for one in METHODS if one in methods),
        text=text.strip(),
    )
    keys = [account.pk for account in accounts]
    if locked:
        held = sorted(accounts, key=lambda account: account.pk)
    else:
        rows = Account.objects.select_for_update(no_key=True, of=("self",)).select_related("consumer")
        held = list(rows.filter(pk__in=keys).order_by("pk"))
    before: dict[UUID, list[IndividualOffer]] = {}
    for offer in _standing(keys):
        before.setdefault(offer.account_id, []).append(offer)
    compiled = rulesets.in_force(clients={account.client_id for account in held}, now=now)
    default = GlobalOffer.objects.filter(superseded_at=None).first()
    owed = offers.owed_cents(held)
    agency = Agency.objects.get(pk=acting())
    found: dict[UUID, IndividualOffer | list[Refusal]] = {}
    made: list[IndividualOffer] = []
    ended: list[IndividualOffer] = []
    facts: list[tuple[str, Account, dict[str, Any]]] = []
    for account in held:
        mine = before.get(account.pk, [])
        if (same := next((one for one in mine if one.campaign_id == campaign_id), None)) is not None:
            found[account.pk] = same
            continue
        set_foreign(account, "agency", agency)  # an old debt asks what its agency allows
        today = local_date(now, account.consumer.time_zone)
        rules = compiled[account.client_id]
        at = individual.levels_below(account, owed[account.pk], today, rules, None if rules else default)
        accepted = any(one.status == Status.ACCEPTED for one in mine)
        # SOL-04: a debt too old for parts is settled in one payment, whatever the others are offered.
        own = replace(said, max_payments=1) if at.facts.too_old_for_parts else said
        refused = individual.plainly_wrong(account, own, methods, "", expires_on, at, accepted=accepted)
        refused = refused or individual.beyond_rules(own, at, expires_on)
        ends = [day for day in (expires_on, individual.window_ends_on(at)) if day]
        if refused := refused or individual.pressing(account, today, ends):
            found[account.pk] = refused
            continue
        for old in mine:
            old.status, old.decided_at = Status.WITHDRAWN, now
            ended.append(old)
            why = {"reason": "replaced by campaign"}
            facts.append(("offer.withdrawn", account, offers.about(old, account.currency) | why))
        offer = blank(
            IndividualOffer,
            agency_id=account.agency_id,
            account_id=account.pk,
            origin=IndividualOffer.Origin.CAMPAIGN,
            percent_bps=percent_bps,
            max_payments=own.max_payments,
            max_days=max_days,
            methods=list(said.methods),
            text=said.text,
            expires_on=min(ends, default=None),
            made_by=by,
            campaign_id=campaign_id,
            made_at=now,
        )
        made.append(offer)
        found[account.pk] = offer
        more = {"by": by, "exceeds": False, "campaign": str(campaign_id)}
        facts.append(("offer.made", account, offers.about(offer, account.currency) | more))
    if ended:
        IndividualOffer.objects.filter(pk__in=[old.pk for old in ended]).update(status=Status.WITHDRAWN, decided_at=now)
    write_rows(IndividualOffer, made)
    if told is None:
        events.record_all(facts, now=now)
    else:
        told += facts
    return found
