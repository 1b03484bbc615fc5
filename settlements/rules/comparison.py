"""Two headlines of one account side by side: what a change of the rules gives and takes."""

from functools import lru_cache

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

_NAMES = ("changed", *(name for name in COUNTS if name not in ("accounts", "changed")))
_BIT = {name: 1 << place for place, name in enumerate(_NAMES)}
_SETTLEMENT = tuple(_BIT[f"settlement_{outcome}"] for outcome in OUTCOMES)
_PLAN = tuple(_BIT[f"plan_{outcome}"] for outcome in OUTCOMES)
_MOVES = sum(_BIT[name] for name in CHANGES)
_LESS_MORE = {
    name: (_BIT[less], _BIT[more])
    for name, less, more in (
        ("amount", "settlement_lower_amount", "settlement_higher_amount"),
        ("payments", "settlement_fewer_payments", "settlement_more_payments"),
        ("last", "settlement_shorter", "settlement_longer"),
        ("minimum", "settlement_lower_minimum", "settlement_higher_minimum"),
        ("plan payments", "plan_fewer_payments", "plan_more_payments"),
        ("plan months", "plan_shorter", "plan_longer"),
        ("plan minimum", "plan_lower_minimum", "plan_higher_minimum"),
        ("methods", "methods_fewer", "methods_more"),
    )
}
_AMOUNT, _PAYMENTS, _LAST, _MINIMUM, _P_PAYMENTS, _P_MONTHS, _P_MINIMUM, _METHODS = _LESS_MORE.values()
_CHANGED = _BIT["changed"]
_GAINED, _LOST, _ANOTHER, _SAME, _NONE = _SETTLEMENT
_P_GAINED, _P_LOST, _P_ANOTHER, _P_SAME, _P_NONE = _PLAN


def marks(live: Headline, draft: Headline) -> int:
    """Say in bits what becomes of an account; `names` reads them. Adding bits up is what a million accounts can pay."""
    if live is draft or live[:_NUMBERS] == draft[:_NUMBERS]:
        return (_SAME if live[0] else _NONE) | (_P_SAME if live[4] else _P_NONE)
    cents, payments, last_on, minimum, plan, plan_minimum, plan_months, methods, _level, _reason = live
    cents2, payments2, last_on2, minimum2, plan2, plan_minimum2, plan_months2, methods2, _level, _reason = draft
    found = 0
    if cents and cents2:
        if cents != cents2:
            found = _AMOUNT[cents2 > cents]
        if payments != payments2:
            found |= _PAYMENTS[payments2 > payments]
        if last_on != last_on2:
            found |= _LAST[last_on2 > last_on]
        if minimum != minimum2 and payments > 1 < payments2:
            found |= _MINIMUM[minimum2 > minimum]
        found |= _ANOTHER if found else _SAME
    elif cents:
        found = _LOST
    else:
        found = _GAINED if cents2 else _NONE
    if plan and plan2:
        moved = 0
        if plan != plan2:
            moved = _P_PAYMENTS[plan2 > plan]
        if plan_months != plan_months2:
            moved |= _P_MONTHS[(plan_months2 or _NO_LIMIT) > (plan_months or _NO_LIMIT)]
        if plan_minimum != plan_minimum2:
            moved |= _P_MINIMUM[plan_minimum2 > plan_minimum]
        found |= moved | (_P_ANOTHER if moved else _P_SAME)
    elif plan:
        found |= _P_LOST
    else:
        found |= _P_GAINED if plan2 else _P_NONE
    if methods != methods2:
        if set(methods2) - set(methods):
            found |= _METHODS[1]
        if set(methods) - set(methods2):
            found |= _METHODS[0]
    return found | _CHANGED if found & _MOVES else found


@lru_cache(maxsize=4_096)
def names(marked: int) -> tuple[str, ...]:
    """Name what was marked, in the order of COUNTS; the first name is `changed` where there is any change at all."""
    return tuple(name for name, bit in _BIT.items() if marked & bit)


def is_change(marked: int) -> bool:
    """Tell whether a consumer would be offered something else."""
    return bool(marked & _CHANGED)
