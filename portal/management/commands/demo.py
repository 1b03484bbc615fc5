"""Start the whole product on this machine, walk the main job through it over HTTP, then stay up for a person to try."""

import signal
import sys
import time

from django.core.management.base import BaseCommand

from portal.local import HOME
from portal.local.browser import Broken
from portal.local.stack import PASSWORD, CannotStart, Stack, call, claim_port, introduce
from portal.local.walk import walk


class Command(BaseCommand):
    """make demo [ONCE=1] [PORT=8000]."""

    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser) -> None:
        parser.add_argument("--once", action="store_true", help="end after the walk, status 0 or 1")
        parser.add_argument("--port", type=int, help="refused when it is taken; without: the first free one from 8000")
        parser.add_argument("--redis-db", type=int, help="number of the Redis database, emptied first")

    def handle(self, *args, once: bool, port: int | None, redis_db: int | None, **options) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        began = time.monotonic()
        stack = None
        try:
            listener = claim_port(port)
            port = listener.getsockname()[1]
            stack = Stack(
                port=port,
                database=f"quittance_demo_{port}",
                redis_db=redis_db or 1 + port % 6,
                folder=HOME / f"demo-{port}",
                listener=listener,
            )
            self._say("Starting a processor, a mail provider, a carrier and five hosts, all sandboxes; then the site.")
            introduce(stack, further=True)
            self._say(f"Everything runs after {time.monotonic() - began:.1f} s. The walk:\n")
            walk(stack, say=self._say)
            if not once:
                self._stay(stack)
        except (CannotStart, Broken) as error:
            self.stderr.write(self.style.ERROR(f"error: {error}"))
            sys.exit(1)
        except KeyboardInterrupt:
            self._say("\nStopping.")
        finally:
            if stack is not None:
                stack.stop()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _stay(self, stack: Stack) -> None:
        web = f"localhost:{stack.port}"
        self._say(f"""
Try it (Ctrl-C stops everything):

  Consumer    http://acme.{web}/     {someone(stack, "acme", "100235")}
              the same in Spanish:        {someone(stack, "acme", "100238")}
  Consumer    http://birch.{web}/    {someone(stack, "birch", "100243")}
  Staff       http://{web}/admin/    acme-admin or birch-admin (own agency), platform (all); password: {PASSWORD}
              acme-campaigns writes campaigns, acme-approver approves them
  API         http://{web}/api/v1/docs/
  Mailbox     {stack.urls["mail"]}/     the codes and receipts arrive here
  Telephones  {stack.urls["carrier"]}/     texts arrive here; answer them: PAY, HELP, STOP, or your own words
  Host        {stack.urls["host-acme"]}/     what Acme's SCollect received; move its clock to charge post-dates
  Host        {stack.urls["host-birch"]}/
  Host        {stack.urls["host-acme-intelec"]}/     Intelec: arrangements and work queues
  Host        {stack.urls["host-birch-collect"]}/     Collect!: transactions and contact plans
  Host        {stack.urls["host-birch-smartcollect"]}/     SmartCollect: files by SFTP, activity back
  Host        {stack.urls["host-acme-ledger"]}/     a creditor's ledger: flags, fees, payments written back per invoice
  Processor   {stack.urls["processor"]}/     cards to try: 4000056655665556 (Visa debit), 5555555555554444
""")
        while True:
            time.sleep(1)
            for name, process in stack.processes.items():
                if process.poll() is not None:
                    raise CannotStart(f"{name} ended with status {process.returncode}; see {HOME / 'logs'}")


def someone(stack: Stack, slug: str, reference: str) -> str:
    """Give the three facts of a seeded consumer, as a person types them."""
    rows = call(stack.urls[f"host-{slug}"], "/_sandbox/accounts")["accounts"]
    record = next(row for row in rows if row["FileNumber"] == reference)
    third = f"last four {record['SSN'][-4:]}" if slug == "acme" else f"ZIP {record['Address']['Zip']}"
    return f"reference {reference}, last name {record['LastName']}, {third}"
