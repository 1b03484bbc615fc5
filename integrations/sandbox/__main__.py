"""Run a sandbox host: python -m integrations.sandbox --style scollect --port 9301 --data DIR."""

import argparse
import contextlib
import signal
import sys
from pathlib import Path

from .collect.host import CollectHost
from .intelec.host import IntelecHost
from .ledger.host import LedgerHost
from .scollect.host import ScollectHost
from .server import Server
from .smartcollect.host import SmartCollectHost

STYLES = {host.style: host for host in (ScollectHost, IntelecHost, CollectHost, LedgerHost, SmartCollectHost)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="integrations.sandbox", description=__doc__)
    parser.add_argument("--style", choices=sorted(STYLES), default="scollect")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--data", type=Path, required=True, help="directory of the store")
    parser.add_argument("--seed", help="load this agency's demonstration accounts into an empty store")
    chosen = parser.parse_args()
    host = STYLES[chosen.style](chosen.data)
    try:
        if chosen.seed:
            host.seed({"agency": chosen.seed, "only_if_empty": True})
        server = Server(
            (chosen.host, chosen.port),
            routes=[*host.common_routes(), *host.routes()],
            take_fault=host.faults.take,
        )
    except (OSError, ValueError) as error:
        sys.exit(f"cannot start: {error}")
    host.start_worker()
    print(f"listening on http://{chosen.host}:{server.server_port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


main()
