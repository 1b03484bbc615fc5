"""Ports: what hosts may ask of the floor that keeps templates and campaigns. Empty, the API answers 503.

All run in the acting agency's scope; an id of another agency is not there. The same services serve the staff pages.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from accounts.refusals import Refusal

Made = dict[str, Any] | list[Refusal]
"""What was made, as the API tells it; or everything that is against it, and then nothing is written."""

templates: Callable[[], QuerySet] | None = None
"""Port: the agency's templates, to be filtered by `channel` and `kind` and paged by id."""

template: Callable[[Any], dict[str, Any]] | None = None
"""Port: `template(row)`: one template with its versions, the newest first, and what each says."""

ready: Callable[[], list[dict[str, Any]]] | None = None
"""Port: the library of ready templates, with their words."""

make_template: Callable[..., Made] | None = None
"""Port: `make_template(name=, ready=, kind=, channel=, words=, client=, litigation=, by=, now=)`: begin one with its
first draft, with a ready one's words or with `words`."""

save_words: Callable[..., Made] | None = None
"""Port: `save_words(template_id=, words=, by=, now=)`: keep words in its draft; the version that was written."""

publish: Callable[..., Made] | None = None
"""Port: `publish(template_id=, by=, now=)`: make its draft what is sent; or all that the linter has against it."""

retire: Callable[..., dict[str, Any]] | None = None
"""Port: `retire(template_id=, retired=, now=)`: take it out of use, or into it again; what was approved goes on."""

preview: Callable[..., Made] | None = None
"""Port: `preview(template_id=, number=, language=, account=)`: what a version will say; no number, the newest."""

campaigns: Callable[[], QuerySet] | None = None
"""Port: the agency's campaigns, to be filtered by `status` and paged by id."""

campaign: Callable[[Any], dict[str, Any]] | None = None
"""Port: `campaign(row)`: one campaign, with its audience, its offer and what became of it."""

all_campaigns: Callable[[Any], list[dict[str, Any]]] | None = None
"""Port: `all_campaigns(rows)`: some campaigns, each as `campaign` tells it, counted at once."""

draft_campaign: Callable[..., Made] | None = None
"""Port: `draft_campaign(values=, references=, by=, now=)`: begin one; nobody gets it before it is complete, handed on
and approved."""

change_campaign: Callable[..., Made] | None = None
"""Port: `change_campaign(campaign_id=, values=, references=, by=, now=)`: write a draft anew."""

audience: Callable[..., Made] | None = None
"""Port: `audience(campaign_id=, reason=, limit=, now=)`: how many accounts it reaches, how many not and why, and some
of those that are left out for `reason`, or of those it reaches."""

submit: Callable[..., list[Refusal]] | None = None
"""Port: `submit(campaign_id=, by=, now=)`: hand a draft on for approval by a person."""

take_back: Callable[..., list[Refusal]] | None = None
"""Port: `take_back(campaign_id=, reason=, by=, now=)`: make it a draft again."""

pause: Callable[..., list[Refusal]] | None = None
"""Port: `pause(campaign_id=, reason=, now=)`: hand nothing over for now."""

resume: Callable[..., list[Refusal]] | None = None
"""Port: `resume(campaign_id=, now=)`: go on."""

copy: Callable[..., dict[str, Any]] | None = None
"""Port: `copy(campaign_id=, by=, now=)`: begin a draft that says the same."""
