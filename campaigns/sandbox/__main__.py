"""Run the mail sandbox: a stand-in for Mailgun with a mailbox page, for demonstrations and tests.

`python -m campaigns.sandbox --port 8025 --data DIR` keeps everything in DIR and prints its address.
"""

from .program import main
from .server import Handler
from .store import Store
from .worker import start

main(name="campaigns.sandbox", text=__doc__.splitlines()[0], port=8025, store=Store, handler=Handler, begin=start)
