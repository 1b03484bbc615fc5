"""When complaints pause a campaign and when they end it (EML-03): mailboxes punish senders from 0.3 percent on."""

PAUSE_BPS, STOP_BPS = 20, 30
LEAST = 1_000
"""Fewer messages count as this many: one complaint of a hundred says little, three of any number say enough."""


def verdict(*, sent: int, complained: int) -> str:
    """Say `stop`, `pause` or nothing."""
    bps = complained * 10_000 / max(sent, LEAST)
    return "stop" if bps >= STOP_BPS else "pause" if bps >= PAUSE_BPS else ""
