"""What became of a campaign, step by step and by variant: sent, read, identified, offer seen, paid."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Count, Sum

from campaigns.models import Campaign, MailProvider, Message, Recipient, TextProvider
from campaigns.services.launch import WITH_PROVIDER

STEPS = ("chosen", "sent", "delivered", "opened", "clicked", "identified", "offer_seen", "paid")
PAID_WITHIN = timedelta(days=30)
"""A payment counts for a campaign when it is made so long after the message."""

RESULTS = """
SELECT r.campaign_id, r.variant,
  count(*) AS chosen,
  count(m.sent_at) AS sent,
  count(*) FILTER (WHERE m.status = 'delivered' OR m.opened_at IS NOT NULL OR m.status = 'complained') AS delivered,
  count(m.opened_at) AS opened,
  count(m.clicked_at) AS clicked,
  count(*) FILTER (WHERE r.identified_at IS NOT NULL OR v.seen) AS identified,
  count(o.viewed_at) AS offer_seen,
  count(*) FILTER (WHERE p.cents > 0) AS paid,
  coalesce(sum(p.cents), 0)::bigint AS paid_cents,
  count(*) FILTER (WHERE m.status = 'bounced') AS bounced,
  count(*) FILTER (WHERE m.status = 'complained') AS complained,
  count(*) FILTER (WHERE m.status = 'failed') AS failed
FROM campaigns_recipient r
LEFT JOIN campaigns_message m ON m.id = r.message_id
LEFT JOIN settlements_individualoffer o ON o.id = r.offer_id
LEFT JOIN LATERAL (
    SELECT true AS seen FROM accounts_visit v WHERE v.account_id = r.account_id AND v.started_at >= m.sent_at
      AND v.started_at < m.sent_at + %(within)s LIMIT 1
) v ON true
LEFT JOIN LATERAL (
    SELECT sum(y.amount_cents) AS cents FROM payments_payment y WHERE y.account_id = r.account_id
      AND y.status = 'succeeded' AND y.intended_at >= m.sent_at AND y.intended_at < m.sent_at + %(within)s
) p ON true
WHERE r.campaign_id = ANY(%(campaigns)s::uuid[]) AND r.status <> 'left_out'
GROUP BY r.campaign_id, r.variant ORDER BY r.variant
"""

WHERE_IT_IS = """
CASE WHEN m.sent_at IS NOT NULL THEN 'sent'
     WHEN m.status = 'failed' AND m.reason = 'no_answer' THEN 'no_answer'
     WHEN m.status = 'failed' THEN 'not_taken'
     WHEN m.status = 'queued' AND split_part(m.reason, ':', 1) IN (%(with_provider)s, 'no_answer') THEN 'with_provider'
     WHEN r.status = 'left_out' THEN 'left_out'
     ELSE 'not_sent' END
"""
WHEREABOUTS = ("sent", "with_provider", "no_answer", "not_taken", "not_sent", "left_out")
"""Where a recipient's message is: the provider took it; is being asked, and has it or will not; was asked and never
answered; said no; was never asked and never will be once the campaign is stopped; and accounts that get none."""
PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Count one variant's recipients at each step, and the money."""

    variant: str
    steps: dict[str, int]
    paid_cents: int
    bounced: int
    complained: int
    failed: int

    def rate(self, step: str) -> float:
        """Give the share of those sent that reached a step, in percent."""
        return 100 * self.steps[step] / self.steps["sent"] if self.steps["sent"] else 0.0


def outcomes(campaign: Campaign) -> list[Outcome]:
    """Count a campaign's results, a line per variant."""
    return outcomes_of([campaign.pk])[campaign.pk]


def outcomes_of(ids: Collection[UUID]) -> dict[UUID, list[Outcome]]:
    """Count the results of campaigns, all at once."""
    with connection.cursor() as cursor:
        cursor.execute(RESULTS, {"campaigns": list(ids), "within": PAID_WITHIN})
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    found = defaultdict(list)
    for row in rows:
        outcome = Outcome(
            variant=row["variant"],
            steps={step: row[step] for step in STEPS},
            paid_cents=row["paid_cents"],
            bounced=row["bounced"],
            complained=row["complained"],
            failed=row["failed"],
        )
        found[row["campaign_id"]].append(outcome)
    return found


def left_out(campaign: Campaign) -> dict[str, int]:
    """Count the accounts that got no message, by reason."""
    return left_out_of([campaign.pk])[campaign.pk]


def left_out_of(ids: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """Count the accounts that got no message of campaigns, all at once."""
    rows = Recipient.objects.filter(campaign__in=ids, status=Recipient.Status.LEFT_OUT)
    found = defaultdict(dict)
    for pk, reason, number in (
        rows.values_list("campaign_id", "reason").annotate(number=Count("pk")).order_by("-number")
    ):
        found[pk][reason] = number
    return found


def progress(campaign: Campaign) -> dict[str, int]:
    """Count recipients by where they are."""
    return progress_of([campaign.pk])[campaign.pk]


def progress_of(ids: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """Count the recipients of campaigns, all at once."""
    rows = Recipient.objects.filter(campaign__in=ids).values_list("campaign_id", "status").annotate(number=Count("pk"))
    found = defaultdict(lambda: {"waiting": 0, "left_out": 0, "leaving": 0})
    for pk, status, number in rows:
        found[pk][status] = number
    return found


def whereabouts(campaign: Campaign) -> dict[str, int]:
    """Count exactly where each recipient's message is; of a stopped campaign: who was sent to and who was not."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {WHERE_IT_IS} AS place, count(*) FROM campaigns_recipient r "  # noqa: S608 - own text
            "LEFT JOIN campaigns_message m ON m.id = r.message_id WHERE r.campaign_id = %(campaign)s GROUP BY 1",
            {"campaign": campaign.pk, "with_provider": WITH_PROVIDER},
        )
        found = dict(cursor.fetchall())
    return {place: found.get(place, 0) for place in WHEREABOUTS}


def each(campaign: Campaign) -> Iterator[tuple[str, str, str, datetime | None]]:
    """Give every account of a campaign: reference, where its message is, why, and when it was sent."""
    after: UUID | None = None
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT r.id, a.reference, {WHERE_IT_IS}, coalesce(nullif(r.reason, ''), m.reason, ''), m.sent_at "  # noqa: S608 - own text
                "FROM campaigns_recipient r JOIN accounts_account a ON a.id = r.account_id "
                "LEFT JOIN campaigns_message m ON m.id = r.message_id WHERE r.campaign_id = %(campaign)s "
                "AND (%(after)s::uuid IS NULL OR r.id > %(after)s::uuid) ORDER BY r.id LIMIT %(page)s",
                {"campaign": campaign.pk, "with_provider": WITH_PROVIDER, "after": after, "page": PAGE},
            )
            rows = cursor.fetchall()
        yield from (row[1:] for row in rows)
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def cost_cents(campaign: Campaign, found: list[Outcome]) -> int:
    """Give what the provider charges for what was sent, rounded up to the cent; texts are charged by segment."""
    if campaign.channel == "text":
        carrier = TextProvider.objects.filter(is_active=True).first()
        went = Message.objects.filter(recipients__campaign=campaign).exclude(sent_at=None)
        segments = went.aggregate(number=Sum("segments"))["number"] or 0
        return -(-segments * carrier.cents_per_thousand // 1000) if carrier else 0
    provider = MailProvider.objects.filter(is_active=True).first()
    sent = sum(outcome.steps["sent"] for outcome in found)
    return -(-sent * provider.cents_per_thousand // 1000) if provider else 0
