"""Write a campaign's messages: what depends on template, agency and language is worked out once for a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from accounts.bulk import blank, set_foreign
from accounts.calendars import format_date, local_date
from accounts.licensing import lines
from accounts.models import Account, Agency
from accounts.money import format_cents, share
from accounts.services import consent, licences
from campaigns.models import Campaign, Message, Recipient, TemplateVersion
from campaigns.rules import fields
from campaigns.services import letters, links
from campaigns.services.texts import HIDDEN_LINK
from payments.services.owed import owed_cents

LEASE = timedelta(minutes=30)
"""So long a message without an answer waits for the provider's own word, then the provider is asked about it."""
STREAM = "campaigns"
PREPARED = "handing_over"
"""Why a message is still queued: written down and not yet asked for."""


@dataclass(slots=True)
class Leaving:
    """Hold what leaves for one reader: the row, and the secrets that are written down nowhere."""

    recipient: Recipient
    message: Message
    address: str
    first: bool
    barred: bool
    until: datetime | None
    """When the hours end in which it may leave (RF-01)."""
    values: dict[str, str]
    private: dict[str, str] = field(default_factory=dict)


class Writer:
    """Fill messages and make their rows; the links are secrets of this process until they are handed over.

    :param accounts: all that will be written about; the caller holds their rows.
    """

    def __init__(self, campaign: Campaign, agency: Agency, accounts: Sequence[Account], now: datetime) -> None:
        self.campaign, self.agency, self.now = campaign, agency, now
        self.owed = owed_cents(accounts)
        self.licences = licences.of_agency(agency.pk)
        self.link, self.stop = links.pattern(agency, "campaigns:link"), links.pattern(agency, "accounts:opt_out")
        self.stop_token = consent.stop_tokens(agency.pk)
        self.compiled: dict[tuple, letters.Compiled] = {}

    def version(self, recipient: Recipient) -> TemplateVersion:
        return self.campaign.version_b if recipient.variant == "b" else self.campaign.version_a

    def barred(self, account: Account) -> bool:
        """Tell whether a debt is, or may be, too old to sue for."""
        return letters.too_old(account, now=self.now)

    def cramped(self, recipient: Recipient, first: bool) -> bool:
        """Tell whether a text about an old debt has no room for the notice of its age (SOL-01, SMS-09)."""
        account = recipient.account
        if self.campaign.channel != "text" or not self.barred(account):
            return False
        language = language_of(account)
        compiled = self._letter(recipient, language, first, True)
        values = fields.samples(language) | values_of(self.agency, account, self.owed[account.pk], None, language)
        link = links.link_url(self.agency, links.token_of(recipient.pk))
        return not letters.has_room(compiled.write(values | {"link": link})[1])

    def threatens(self, recipient: Recipient) -> bool:
        """Tell whether the message speaks of a suit about a debt that may be too old for one (RF-25)."""
        return self.version(recipient).template.litigation and self.barred(recipient.account)

    def _letter(self, recipient: Recipient, language: str, first: bool, barred: bool) -> letters.Compiled:
        """Give the compiled message; it is looked for once for each of the few kinds that a batch has."""
        key = recipient.variant, language, first, barred
        if (found := self.compiled.get(key)) is None:
            said = {"version": self.version(recipient), "agency": self.agency, "language": language}
            said |= {"first": first, "barred": barred}
            if self.campaign.channel == "text":
                found = letters.compile_text(**said)
            else:
                found = letters.compile_mail(**said, licensed=bool(self.licences))
            self.compiled[key] = found
        return found

    def write(self, recipient: Recipient, message_id: UUID, first: bool, offer, *, until: datetime | None) -> Leaving:
        """Write one message: its row, what its reader's fields say, and its secrets."""
        campaign, account, point = self.campaign, recipient.account, recipient.contact_point
        consumer, version, language = account.consumer, self.version(recipient), language_of(account)
        barred = self.barred(account)
        values = values_of(self.agency, account, self.owed[account.pk], offer, language)
        values["check_code"] = code = links.check_code(message_id)
        stop, subject, text = self.stop_token(point.pk), "", ""
        compiled = self._letter(recipient, language, first, barred)
        if campaign.channel == "text":
            # Short, so it is kept as it went, its link left out; whoever asks the carrier about it writes it again.
            token = links.token_of(message_id)
            kept = text = compiled.plain(values | {"link": HIDDEN_LINK})
        else:
            token = links.new_token()
            if self.licences:
                today = local_date(self.now, consumer.time_zone)
                values[letters.LICENCE] = "; ".join(lines(self.licences, consumer.state, today))
            subject, kept = compiled.title(values), compiled.page(values)
        message = blank(
            Message,
            id=message_id,
            agency_id=campaign.agency_id,
            channel=campaign.channel,
            consumer_id=consumer.pk,
            account_id=account.pk,
            contact_point_id=point.pk,
            template=version.template.kind[:40],
            stream=STREAM,
            language=language,
            subject=subject[:200],
            text=text,
            html="",
            cause=f"campaign:{campaign.pk}:{account.pk}",
            token=links.hash_of(stop),
            check_hash=links.hash_of(code),
            attempts=1,
            next_at=self.now + LEASE,
            queued_at=self.now,
            reason=PREPARED,
        )
        for name, row in (("contact_point", point), ("account", account), ("consumer", consumer)):
            set_foreign(message, name, row)
        set_foreign(message, "agency", self.agency)
        recipient.status, recipient.reason = Recipient.Status.LEAVING, ""
        recipient.message_id, recipient.values = message_id, values
        recipient.body_sha256, recipient.link_hash = links.hash_of(kept), links.hash_of(token)
        recipient.offer_id = offer.pk if offer is not None else None
        private = {"link": self.link.replace(links.PLACE, token), "stop_url": self.stop.replace(links.PLACE, stop)}
        return Leaving(recipient, message, point.value, first, barred, until, values, private)


def language_of(account: Account) -> str:
    """Name the language that messages about an account speak."""
    language = account.consumer.language[:2]
    return language if language in ("en", "es") else "en"


def values_of(agency: Agency, account: Account, owed: int, offer, language: str) -> dict[str, str]:
    """Say what the fields of a template are for one account, as the portal says it.

    :param owed: in cents, after own payments that the host does not show yet.
    """
    currency = account.currency
    said = {
        "first_name": _plain(account.consumer.first_name or str(account.consumer)),
        "agency": _plain(agency.name),
        "agency_phone": _plain(agency.phone),
        "agency_hours": _plain(agency.hours_in(language)),
        "creditor": _plain(account.original_creditor or account.client.name),
        "reference": _plain(account.reference),
        "description": _plain(account.description),
        "balance": _plain(format_cents(owed, currency, language)),
    }
    if offer is not None:
        amount = offer_cents(owed, offer)
        said["offer_amount"] = _plain(format_cents(amount, currency, language))
        said["offer_saving"] = _plain(format_cents(owed - amount, currency, language))
        said["offer_payments"] = str(offer.max_payments)
        said["offer_expires"] = _day(offer.expires_on, language)
    return said


def _plain(text: str) -> str:
    """Write on one line, with single spaces."""
    return " ".join(text.split())


@lru_cache(maxsize=256)
def _day(day: date | None, language: str) -> str:
    return "" if day is None else format_date(day, language)


def offer_cents(owed: int, offer) -> int:
    """Give an offer's amount as the portal's own pages work it out."""
    return min(offer.amount_cents, owed) if offer.percent_bps is None else share(owed, offer.percent_bps)
