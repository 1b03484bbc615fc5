"""One row, three readers: the audit line, the timeline, the outbox (the catalogue is in accounts/events.py)."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.account import Account
from accounts.models.consumer import Consumer
from accounts.tenancy import Row, TenantForeignKey


class Event(Row):
    """A fact, written in the transaction of what it tells. Only its place in the agency's sequence is given later."""

    # No indexes of their own: event_sequence_dense_per_account and event_by_consumer begin with them.
    account = TenantForeignKey(Account, null=True, related_name="events", db_index=False)
    consumer = TenantForeignKey(Consumer, null=True, related_name="events", db_index=False)
    account_seq = models.BigIntegerField(null=True)
    sequence = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=40)
    actor = models.CharField(max_length=80)
    request_id = models.CharField(max_length=36, blank=True)
    occurred_at = models.DateTimeField()
    data = models.JSONField(default=dict)

    class Meta(Row.Meta):
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(name="event_sequence_dense_per_account", fields=["account", "account_seq"]),
            models.UniqueConstraint(name="event_sequence_once_per_agency", fields=["agency", "sequence"]),
        ]
        indexes = [
            models.Index(name="event_unsequenced", fields=["id"], condition=models.Q(sequence__isnull=True)),
            models.Index(name="event_by_consumer", fields=["agency", "consumer", "-id"]),
        ]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="facts_never_change",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                # Asked by the condition, which costs a thirtieth of the same question inside the function.
                condition=pgtrigger.AnyChange(exclude=["sequence"]),
                func="RAISE EXCEPTION 'events are facts: append only';",
            ),
            pgtrigger.Trigger(
                name="sequence_given_once",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__sequence__isnull=False),
                func="RAISE EXCEPTION 'events are facts: append only';",
            ),
            pgtrigger.Trigger(
                name="no_truncate",
                operation=pgtrigger.Truncate,
                when=pgtrigger.Before,
                level=pgtrigger.Statement,
                func="RAISE EXCEPTION 'events are facts: append only';",
            ),
        ]

    def __str__(self) -> str:
        return self.kind


class ReaderPosition(Row):
    """How far one reader of the agency's events has come (`campaigns` has its own; hosts have deliveries)."""

    reader = models.CharField(max_length=40)
    sequence = models.BigIntegerField(default=0)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(name="one_position_per_reader", fields=["agency", "reader"])]
