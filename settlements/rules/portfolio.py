"""The numbers of an account's offers that a whole portfolio is compared by: nothing more, so that it is fast."""

from datetime import date
from typing import NamedTuple

from settlements.rules.bands import Compiled
from settlements.rules.offers import Allowed, GlobalOffer, HostSettlement
from settlements.rules.quotes import Facts, offered


class Headline(NamedTuple):
    """Give what is open to one account today; two of them are equal when a consumer would be offered the same.

    A settlement of 0 cents is none, and `reason` is the code why; its payments are 1 where it is paid at once only.
    Plan payments of 0 are no plan. Minimums are what each of several monthly payments must reach, months of 0 are no
    limit, `methods` are those of a single payment, `level` is whose settlement it is. Amounts are cents.
    """

    settlement_cents: int = 0
    settlement_payments: int = 0
    settlement_last_on: date | None = None
    settlement_minimum_cents: int = 0
    plan_payments: int = 0
    plan_minimum_cents: int = 0
    plan_months: int = 0
    methods: tuple[str, ...] = ()
    level: str = ""
    reason: str = ""


EVERYTHING = Allowed()


def headline(
    rules: Compiled | None,
    owed_cents: int,
    listed_on: date | None,
    today: date,
    individual: HostSettlement | None = None,
    global_offer: GlobalOffer | None = None,
    allowed: Allowed = EVERYTHING,
) -> Headline:
    """Work out the numbers of `settlements.rules.quotes.offered` for one account of many.

    Pass the same `rules`, `global_offer` and `allowed` objects for all accounts that share them: what depends on them
    alone is worked out once.
    """
    at = offered(Facts(owed_cents, today, listed_on, individual, rules, global_offer, allowed))
    settlement, plan = at.settlement, at.plan
    return Headline(
        settlement_cents=settlement.amount_cents if settlement else 0,
        settlement_payments=(settlement.max_payments if "parts" not in at.closed else 1) if settlement else 0,
        settlement_last_on=settlement.last_date if settlement else None,
        settlement_minimum_cents=settlement.minimum_for("monthly") if settlement else 0,
        plan_payments=plan.max_payments if plan else 0,
        plan_minimum_cents=plan.minimum_for("monthly") if plan else 0,
        plan_months=plan.max_months if plan else 0,
        methods=at.allowed.single_methods,
        level=settlement.level if settlement else "",
        reason=at.closed["settlement"][0].code if "settlement" in at.closed else "",
    )
