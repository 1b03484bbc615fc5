"""Ports: what hosts may ask of the floor that texts consumers. Empty, the API answers 503.

All run in the acting agency's scope; an id of another agency is not there.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from accounts.refusals import Refusal

conversations: Callable[[], QuerySet] | None = None
"""Port: the agency's conversations by text and e-mail, to be filtered by `status` and paged by id."""

shown: Callable[[Any], dict[str, Any]] | None = None
"""Port: `shown(row)`: one conversation with its texts, the oldest first."""

all_shown: Callable[[Any], list[dict[str, Any]]] | None = None
"""Port: `all_shown(rows)`: some conversations, each as `shown` gives it, read at once."""

ways: Callable[..., list[dict[str, Any]]] | None = None
"""Port: `ways(row, now=)`: by which media a conversation can be answered now, and what is against each."""

reply: Callable[..., "dict[str, Any] | list[Refusal] | None"] | None = None
"""Port: `reply(conversation_id=, template=, channel=, key=, by=, now=)`: answer in approved words, once per key."""

settle: Callable[..., bool] | None = None
"""Port: `settle(conversation_id=, closed=, assigned_to=)`: close or open it, give it to somebody; False: no such."""

revoke: Callable[..., "bool | list[Refusal] | None"] | None = None
"""Port: `revoke(conversation_id=, wish=, words=, by=, now=)`: write down what the consumer asked; False when it was so
already; None: no such."""

carrier: Callable[[], dict[str, Any]] | None = None
"""Port: the agency's carrier of texts without its keys, and what keeps it from sending; empty words where none is."""

put_carrier: Callable[..., "dict[str, Any] | list[Refusal]"] | None = None
"""Port: `put_carrier(values)`: set it up or change it; keys left out stay."""
