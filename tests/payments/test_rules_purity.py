import subprocess
import sys

RULES = """
accounts.calendars accounts.money accounts.refusals accounts.statuses payments.rules.attempts
payments.rules.authorization payments.rules.bank payments.rules.cards payments.rules.changes payments.rules.gates
payments.rules.life payments.rules.meters payments.rules.notices payments.rules.retries payments.rules.returns
payments.rules.skips payments.rules.routing settlements.rules.offers settlements.rules.schedules
"""


def test_the_rules_load_no_framework_and_no_slow_table():
    script = f"import sys, {', '.join(RULES.split())}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    packages = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert not packages & {"django", "rest_framework", "celery", "psycopg2", "redis", "holidays", "zipcodes"}
