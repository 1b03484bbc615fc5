"""Two headlines of one account side by side: what a change of the rules gives and takes."""

from settlements.rules.portfolio import Headline

OUTCOMES = ("gained", "lost", "changed", "same", "none")
"""Of a settlement or a plan: there is one now, there was one, another one, the same one, neither then nor now."""
CHANGES = (
    "settlement_gained",
    "settlement_lost",
    "settlement_lower_amount",
    "settlement_higher_amount",
    "settlement_more_payments",
    "settlement_fewer_payments",
    "settlement_longer",
    "settlement_shorter",
    "settlement_lower_minimum",
    "settlement_higher_minimum",
    "plan_gained",
    "plan_lost",
    "plan_more_payments",
    "plan_fewer_payments",
    "plan_longer",
    "plan_shorter",
    "plan_lower_minimum",
    "plan_higher_minimum",
    "methods_more",
    "methods_fewer",
)
"""Every way in which a consumer would be offered something else; one account can have several."""
COUNTS = (
    "accounts",
    "changed",
    *(f"settlement_{outcome}" for outcome in OUTCOMES),
    *(f"plan_{outcome}" for outcome in OUTCOMES),
    *(name for name in CHANGES if not name.endswith(("_gained", "_lost"))),
)
CENTS = ("owed_cents", "live_cents", "draft_cents")
_NO_LIMIT = 10**6
_NUMBERS = Headline._fields.index("level")
"""Fields before it are numbers of the offer; whose rule gave them, and why there is none, changes nothing."""


def named(live: Headline, draft: Headline) -> tuple[str, ...]:
    """Name what becomes of an account: the outcome of its settlement and of its plan, then every change.

    The first name is `changed` where there is any change at all.
    """
    settlement = _outcome(live.settlement_cents, draft.settlement_cents)
    plan = _outcome(live.plan_payments, draft.plan_payments)
    if live is draft or live[:_NUMBERS] == draft[:_NUMBERS]:
        return ("settlement_" + settlement, "plan_" + plan)
    found: list[str] = []
    if settlement == "same":
        _compare(found, "settlement_{}_amount", live.settlement_cents, draft.settlement_cents, "lower", "higher")
        _compare(found, "settlement_{}_payments", live.settlement_payments, draft.settlement_payments, "fewer", "more")
        _compare(found, "settlement_{}", live.settlement_last_on, draft.settlement_last_on, "shorter", "longer")
        if min(live.settlement_payments, draft.settlement_payments) > 1:
            least, drafted = live.settlement_minimum_cents, draft.settlement_minimum_cents
            _compare(found, "settlement_{}_minimum", least, drafted, "lower", "higher")
        settlement = "changed" if found else "same"
    before = len(found)
    if plan == "same":
        _compare(found, "plan_{}_payments", live.plan_payments, draft.plan_payments, "fewer", "more")
        _compare(found, "plan_{}", live.plan_months or _NO_LIMIT, draft.plan_months or _NO_LIMIT, "shorter", "longer")
        _compare(found, "plan_{}_minimum", live.plan_minimum_cents, draft.plan_minimum_cents, "lower", "higher")
        plan = "changed" if len(found) > before else "same"
    if set(draft.methods) - set(live.methods):
        found.append("methods_more")
    if set(live.methods) - set(draft.methods):
        found.append("methods_fewer")
    about = ("settlement_" + settlement, "plan_" + plan)
    moved = found or settlement in ("gained", "lost") or plan in ("gained", "lost")
    return ("changed", *about, *found) if moved else about


def _outcome(live: int, draft: int) -> str:
    if live:
        return "same" if draft else "lost"
    return "gained" if draft else "none"


def _compare(found: list[str], name: str, live, draft, less: str, more: str) -> None:
    if live != draft:
        found.append(name.format(less if draft < live else more))
