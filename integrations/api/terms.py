"""How limits, payments and the source of every number are shown; the same in options, quotes and offers."""

from collections.abc import Sequence
from datetime import date

from rest_framework import serializers

from settlements.rules import offers
from settlements.rules.offers import PERIODS
from settlements.rules.schedules import Line


class Shown(serializers.Serializer):
    """Describe an answer; it is never read."""

    @classmethod
    def of(cls, row: object, **more: object) -> dict:
        """Show a row by its attributes of the same names; a link by its id."""
        return {name: more[name] if name in more else _value(row, name) for name in cls().fields}


def page_of(item: type[Shown]) -> type[Shown]:
    """Describe a page of a list."""
    next_one = serializers.CharField(allow_null=True, help_text="The next page's `cursor`; null on the last.")
    return type(item.__name__.removesuffix("Shown") + "Page", (Shown,), {"items": item(many=True), "next": next_one})


def _value(row: object, name: str) -> object:
    linked = f"{name}_id"
    return getattr(row, linked) if hasattr(row, linked) else getattr(row, name if name != "id" else "pk")


class Origin(Shown):
    number = serializers.CharField(help_text="Which number of the terms.")
    level = serializers.CharField(help_text="client, agency, global, host, staff, campaign, account or product.")
    version = serializers.CharField(allow_null=True, help_text="Of the rule set, the default offer, or the offer's id.")
    field = serializers.CharField(help_text="The field of that level which said it.")
    value = serializers.JSONField(help_text="What it said.")


class Breach(Shown):
    reinstates = serializers.ChoiceField(
        ["balance", "rest"], help_text="Owed again when it breaks: the balance less what was paid, or the rest of it."
    )
    cure_days = serializers.IntegerField()
    grace_days = serializers.IntegerField()
    failures = serializers.IntegerField(allow_null=True, help_text="Failed payments in a row that break it.")


class Minimum(Shown):
    frequency = serializers.CharField()
    most_payments = serializers.IntegerField()
    minimum_payment_cents = serializers.IntegerField()


class Terms(Shown):
    kind = serializers.CharField()
    level = serializers.CharField()
    version = serializers.CharField(allow_null=True)
    text = serializers.CharField(help_text="What the offer's maker wrote to the consumer.")
    balance_cents = serializers.IntegerField()
    amount_cents = serializers.IntegerField()
    saving_cents = serializers.IntegerField()
    max_payments = serializers.IntegerField()
    max_months = serializers.IntegerField(help_text="0: not limited.")
    last_on = serializers.DateField(help_text="When the first payment is today.")
    latest_first_on = serializers.DateField(allow_null=True)
    down_payment_cents = serializers.IntegerField()
    by_frequency = Minimum(many=True)
    breach = Breach(help_text="What a broken arrangement means; what was paid always counts.")
    trace = Origin(many=True)


def terms_shown(terms: offers.Terms) -> dict:
    """Show limits as they bind today."""
    return {
        "kind": terms.kind,
        "level": terms.level,
        "version": text(terms.version),
        "text": terms.text,
        "balance_cents": terms.balance_cents,
        "amount_cents": terms.amount_cents,
        "saving_cents": terms.saving_cents,
        "max_payments": terms.max_payments,
        "max_months": terms.max_months,
        "last_on": terms.last_date,
        "latest_first_on": terms.latest_first_on,
        "down_payment_cents": terms.down_payment_cents,
        "by_frequency": [
            {
                "frequency": frequency,
                "most_payments": terms.most_for(frequency),
                "minimum_payment_cents": terms.minimum_for(frequency),
            }
            for frequency in PERIODS
        ],
        "breach": breach_shown(terms.breach),
        "trace": trace_shown(terms.trace),
    }


def breach_shown(breach: offers.Breach) -> dict:
    """Show what a broken arrangement means."""
    return {name: getattr(breach, name) for name in ("reinstates", "cure_days", "grace_days", "failures")}


def trace_shown(trace: Sequence[Sequence]) -> list[dict]:
    """Show where numbers come from, of live terms or of frozen ones."""
    return [
        {"number": number, "level": level, "version": text(version), "field": field, "value": value}
        for number, level, version, field, value in trace
    ]


def lines_shown(lines: Sequence[Line]) -> list[dict[str, date | int]]:
    """Show payments."""
    return [{"due_on": line.due_on, "amount_cents": line.amount_cents} for line in lines]


def text(version: object) -> str | None:
    """Show a version as text: some are numbers, some are ids."""
    return None if version is None else str(version)
