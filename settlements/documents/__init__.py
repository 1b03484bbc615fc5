"""The bodies of this floor's papers; accounts/paper.py makes them."""

from pathlib import Path

BUDGET = Path(__file__).with_name("budget.typ").read_bytes()
