"""Run the sandbox processor: ``python -m payments.sandbox --port 8010 --data .local/processor``."""

import argparse
import contextlib
from pathlib import Path

from .server import start


def main() -> None:
    parser = argparse.ArgumentParser(description="A card and bank debit processor without internet, Stripe-shaped.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8010, help="0 picks a free port")
    parser.add_argument("--data", type=Path, required=True, help="directory of the store")
    options = parser.parse_args()
    server = start(host=options.host, port=options.port, data=options.data)
    print("listening on http://{}:{}".format(*server.server_address[:2]), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
