"""Run the carrier sandbox: a stand-in for Twilio with a page of telephones, for demonstrations and tests.

`python -m campaigns.sandbox.carrier --port 8035 --data DIR` keeps everything in DIR and prints its address.
"""

from ..program import main
from .server import Handler
from .store import Store
from .worker import start

main(
    name="campaigns.sandbox.carrier", text=__doc__.splitlines()[0], port=8035, store=Store, handler=Handler, begin=start
)
