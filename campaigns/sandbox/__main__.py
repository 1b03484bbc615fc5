"""Run the mail sandbox: a stand-in for Mailgun with a mailbox page, for demonstrations and tests.

`python -m campaigns.sandbox --port 8025 --data DIR` keeps everything in DIR and prints its address.
"""

import argparse
import contextlib

from .server import Server
from .store import Store
from .worker import start


def main():
    parser = argparse.ArgumentParser(prog="python -m campaigns.sandbox", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8025, help="0 picks a free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data", required=True, help="folder for the store")
    options = parser.parse_args()
    store = Store(options.data)
    server = Server((options.host, options.port), store)
    start(store)
    print(f"listening on http://{options.host}:{server.server_port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


main()
