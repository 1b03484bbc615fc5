"""What the age of a debt changes: a notice before anything is paid, and no payments in parts (SOL-01 to SOL-04)."""

from datetime import date

# 23 NYCRR 1.3; other states join when their wording has been verified (SOL-03).
NOTICE_STATES = frozenset({"NY"})


def notice_needed(state: str, sol_status: str, sol_on: date | None, today: date) -> bool:
    """Tell whether a time-barred notice must be acknowledged before any payment (SOL-01, SOL-02).

    `sol_status` is live, expired or unknown; where the notice is required, anything but live counts as
    expired, and so does a live one whose date has come.
    """
    return state in NOTICE_STATES and (sol_status != "live" or (sol_on is not None and sol_on <= today))


def too_old(sol_status: str, sol_on: date | None, today: date) -> bool:
    """Tell whether the host says that nobody may sue for it any more."""
    return sol_status == "expired" or (sol_on is not None and sol_on <= today)


def parts_allowed(state: str, allowed_states: str) -> bool:
    """Tell whether payments in parts and promises, each of which may start the clock again, are allowed (SOL-04).

    :param allowed_states: where the agency's counsel says so, as `TX FL`.
    """
    return bool(state) and state in allowed_states.replace(",", " ").upper().split()


def no_parts(state: str, sol_status: str, sol_on: date | None, today: date, allowed_states: str) -> bool:
    """Tell whether a debt may be so old that nothing in parts is offered, unless the agency allows it there (SOL-04).

    Where it must be said that it may be, what nobody knows counts as too old (SOL-01).
    """
    age = sol_status or "unknown", sol_on
    if not too_old(*age, today) and (age[0] == "live" or not notice_needed(state, *age, today)):
        return False
    return not parts_allowed(state, allowed_states)
