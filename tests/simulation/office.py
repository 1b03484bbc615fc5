"""What an agency's own system does for its consumers: commands of the public API, over HTTP, with a key of its own."""

import json
import re

from portal.local.stack import call

from .cast import Person
from .visits import Refused
from .world import PATIENCE, World


class Office:
    """One agency's system, with all that its key may do."""

    def __init__(self, world: World, agency: str) -> None:
        self.world = world
        self.headers = {
            "Host": world.site.environment["PORTAL_DOMAIN"],
            "Authorization": f"Bearer {world.site.keys[agency]['api_key']}",
        }

    def ask(self, path: str, body: object = None, *, key: str = "") -> dict:
        """Ask the API.

        :param key: names a write, so that it is done once.
        :raises Refused: with the codes of the answer.
        """
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        try:
            return call(self.world.site.urls["web"], f"/api/v1/{path}", body, headers=headers, timeout=PATIENCE)
        except OSError as error:
            said = re.search(r": 4(?:09|22) (.*)", str(error), re.S)
            if said is None:
                raise
            raise Refused(",".join(dict.fromkeys(re.findall(r'"code": ?"(\w+)"', said[1]))) or said[1][:80]) from error

    def agree(self, person: Person) -> str:
        """Agree for somebody who called: a quote, read out, and their yes. They pay by themselves."""
        (account,) = self.ask(f"accounts?reference={person.reference}")["items"]
        wish = {"choice": "plan", "method": "card", "frequency": person.frequency, "parts": person.count}
        name = f"{person.reference}-{self.world.now():%Y-%m-%d}"
        quote = self.ask(f"accounts/{account['id']}/quotes", wish, key=f"quote-{name}")
        answer = self.ask(f"quotes/{quote['id']}/accept", {"language": person.language}, key=f"yes-{name}")
        assert answer["arrangement"], json.dumps(answer)[:300]
        return "planned by the office"
