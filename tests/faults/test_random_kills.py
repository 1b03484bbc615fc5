"""Kills at random moments of each load, the small dose: the campaigns of `make kills` in one run of a few.

FAULTS_COUNT says how many runs. The seed is the run's number, so that a failure can be repeated; the moments are drawn
from it, what a process is doing at such a moment is not.
"""

import functools
import os

import pytest

from tests.faults import campaign, events, judge, messages, money
from tests.faults.victims import Victims

pytestmark = pytest.mark.faults

PAYMENTS, EVENTS, MESSAGES, KILLS = 100, 1_000, 500, 5
COUNT = int(os.environ.get("FAULTS_COUNT", "1"))


@pytest.mark.parametrize("turn", range(COUNT))
def test_after_five_kills_among_a_hundred_payments_three_books_say_the_same_to_the_cent(world, turn):
    money.furnish(world.stack)
    seed = f"small-{turn}"
    load = money.Money(world.stack, payments=PAYMENTS, name=f"S{turn:02d}", seed=seed, hands=8)
    figures: dict = {}
    with Victims(world.stack) as victims:
        line = campaign.run(
            victims, load, seed=seed, kills=KILLS, judge=functools.partial(money.judge, load, figures), say=print
        )
    assert judge.shorten(line["found"]) == []
    assert line["kills"] == KILLS
    assert figures["count"] >= PAYMENTS


@pytest.mark.parametrize("turn", range(COUNT))
def test_after_five_kills_among_a_thousand_events_each_host_has_each_once_and_in_order(world, turn):
    if turn == 0:
        events.furnish(world.stack)
    seed = f"small-{turn}"
    load = events.Events(world.stack, facts=EVENTS, name=f"E{turn:02d}", seed=seed)
    figures: dict = {}
    with Victims(world.stack) as victims:
        line = campaign.run(
            victims, load, seed=seed, kills=KILLS, judge=functools.partial(events.judge, load, figures), say=print
        )
    assert judge.shorten(line["found"]) == []
    assert line["kills"] == KILLS
    assert figures["count"] == EVENTS
    # The forgetful host did forget, or nothing of this was tried.
    assert figures["told_twice"][events.FORGETS] > 0


@pytest.mark.parametrize("turn", range(COUNT))
def test_after_five_kills_among_five_hundred_messages_nobody_got_one_twice_and_each_ended_right(world, turn):
    messages.furnish(world.stack)
    seed = f"small-{turn}"
    load = messages.Messages(world.stack, messages=MESSAGES, name=f"L{turn:02d}", seed=seed)
    figures: dict = {}
    with Victims(world.stack) as victims:
        line = campaign.run(
            victims, load, seed=seed, kills=KILLS, judge=functools.partial(messages.judge, load, figures), say=print
        )
    assert judge.shorten(line["found"]) == []
    assert line["kills"] == KILLS
    assert figures["count"] >= MESSAGES * 0.8
    # Answers were lost while no webhook came, or nothing of this was tried.
    assert figures["asked_in_silence"] > 0
