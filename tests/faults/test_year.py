"""A quarter of a simulated year with fifty consumers: the dose for CI (`make year` lives through all of it)."""

import json
import os
import subprocess
import sys

import pytest

from portal.local import HOME
from tests.faults.world import CHECKOUT, PLACE

pytestmark = pytest.mark.faults

CONSUMERS = int(os.environ.get("YEAR_CONSUMERS", "50"))
DAYS = int(os.environ.get("YEAR_DAYS", "90"))
PATIENCE = 3_600


@pytest.mark.skipif(HOME != PLACE, reason="it has servers of its own: `make faults`")
def test_a_quarter_of_it_leaves_books_that_tie_and_nothing_that_was_not_allowed(tmp_path):
    report = tmp_path / "year.json"
    words = ["--consumers", str(CONSUMERS), "--days", str(DAYS), "--seed", "11", "--report", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    said = json.loads(report.read_text())
    assert said["findings"] == []
    agreed = sum(
        count for what, count in said["visits"].items() if what.startswith("agree: ") and "refused" not in what
    )
    assert agreed >= CONSUMERS * 0.7
    # Most pay at once when they agree, and half of the plans have had several payments by then.
    assert said["charges"] >= CONSUMERS * 3 // 2
