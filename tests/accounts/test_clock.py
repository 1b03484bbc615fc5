"""The clock: the machine's own, unless a file says how far ahead it is."""

import datetime as dt

import pytest

from accounts import clock

DAY = dt.timedelta(days=1)


def test_without_a_file_the_clock_is_the_machines(settings):
    settings.CLOCK_FILE = ""
    assert abs(clock.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=5)


def test_a_file_moves_the_clock_forward_and_never_back(settings, tmp_path):
    settings.CLOCK_FILE = str(tmp_path / "clock")
    assert abs(clock.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=5), "no file yet"
    there = clock.now() + 90 * DAY
    clock.move(there)
    assert dt.timedelta() <= clock.now() - there < dt.timedelta(seconds=5)
    with pytest.raises(ValueError, match="forward only"):
        clock.move(there - DAY)
    assert clock.now() >= there
