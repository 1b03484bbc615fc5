"""Staff pages to watch: the live event stream, and how every receiver is."""

from typing import Any

from django.db.models import Q
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.models import Event
from accounts.timeline import line
from integrations.admin.webhooks import circuit_of
from integrations.models import HostConnection, WebhookEndpoint
from integrations.services import health

NEWEST = 50
"""Events on the stream's page."""


_PAGES = {
    HostConnection: "admin:integrations_hostconnection_change",
    WebhookEndpoint: "admin:integrations_webhookendpoint_change",
}


class Watch:
    """Two pages above the list of deliveries."""

    actions_list = ["stream", "health"]

    @action(description=_("Live event stream"), permissions=["view"], icon="stream", url_path="stream")
    def stream(self, request):
        """Show the newest events; htmx asks again every two seconds, without JavaScript a link does."""
        kinds = request.GET.get("kinds", "").strip()[:200]
        rows = Event.objects.filter(sequence__isnull=False).select_related("account")
        if wanted := [kind.strip() for kind in kinds.split(",") if kind.strip()]:
            sieve = Q(kind__in=wanted)
            for kind in wanted:
                if kind.endswith(".*"):
                    sieve |= Q(kind__startswith=kind[:-1])
            rows = rows.filter(sieve)
        shown = [
            line(event) | {"sequence": event.sequence, "account": event.account}
            for event in rows.order_by("-sequence")[:NEWEST]
        ]
        return self._page(request, "admin/stream.html", title=_("Live event stream"), lines=shown, kinds=kinds)

    @action(description=_("Health of receivers"), permissions=["view"], icon="monitor_heart", url_path="health")
    def health(self, request):
        """Show every host connection and webhook endpoint: circuit, queue, answers of the last hour."""
        rows = [
            {
                "one": one,
                "circuit": circuit_of(one.receiver),
                "kind": _("host") if isinstance(one.receiver, HostConnection) else _("webhook"),
                "pushed_at": getattr(one.receiver, "last_push_at", None),
                "address": reverse(
                    f"admin:integrations_{one.receiver._meta.model_name}_change", args=[one.receiver.pk]
                ),
                "waiting": self._list(one.receiver, "waiting"),
                "parked": self._list(one.receiver, "parked"),
            }
            for one in health.of_all()
        ]
        return self._page(request, "admin/health.html", title=_("Health of receivers"), rows=rows)

    def _list(self, receiver, status: str) -> str:
        side = "connection" if isinstance(receiver, HostConnection) else "endpoint"
        found = reverse("admin:integrations_delivery_changelist")
        return f"{found}?{side}__id__exact={receiver.pk}&status__exact={status}"

    def _page(self, request, template: str, **context: Any) -> TemplateResponse:
        shared = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, template, shared | context, headers={"Cache-Control": "no-store"})
