"""Staff pages of simulations: what a draft would do to the whole portfolio, while it is counted and afterwards."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.columns import status_of
from accounts.desk import FactAdmin
from accounts.money import format_cents
from accounts.tenancy import acting_for
from settlements.admin import levels
from settlements.admin.people import names
from settlements.models import Simulation
from settlements.rules.comparison import CHANGES
from settlements.rules.offers import MOST_PAYMENTS
from settlements.services import simulate

status = status_of({"done": "success", "running": "info", "queued": "info", "failed": "danger", "stopped": "warning"})
REFRESH_SECONDS = 2
MOST_ROWS = 200
"""Clients shown on the page; the file has them all."""
BY = (("clients", _("By client")), ("bands", _("By band of the draft")), ("states", _("By state")))
CHANGED = {
    "settlement_gained": _("Gets a settlement offer"),
    "settlement_lost": _("Loses the settlement offer"),
    "settlement_lower_amount": _("Settles for less"),
    "settlement_higher_amount": _("Settles for more"),
    "settlement_more_payments": _("Settles in more payments"),
    "settlement_fewer_payments": _("Settles in fewer payments"),
    "settlement_longer": _("Has longer to settle"),
    "settlement_shorter": _("Has less time to settle"),
    "settlement_lower_minimum": _("Settles in smaller payments"),
    "settlement_higher_minimum": _("Settles in larger payments"),
    "plan_gained": _("Gets a payment plan"),
    "plan_lost": _("Loses the payment plan"),
    "plan_more_payments": _("Plan with more payments"),
    "plan_fewer_payments": _("Plan with fewer payments"),
    "plan_longer": _("Longer plan"),
    "plan_shorter": _("Shorter plan"),
    "plan_lower_minimum": _("Plan with smaller payments"),
    "plan_higher_minimum": _("Plan with larger payments"),
    "methods_more": _("More ways to pay"),
    "methods_fewer": _("Fewer ways to pay"),
}
assert set(CHANGED) == set(CHANGES)


@admin.register(Simulation)
class SimulationAdmin(FactAdmin):
    """A run of a draft over the live portfolio."""

    list_display = ["made_at", "rule_set", status, "done", "total", "finished_at"]
    list_filter = ["status"]
    actions_detail = ["stop", "go_on"]

    class Media:
        css = {"all": ["portal/rules.css"]}

    def get_urls(self):
        file = self.admin_site.admin_view(self.file)
        return [path("<path:object_id>/<str:part>.csv", file, name="settlements_simulation_file"), *super().get_urls()]

    def has_run_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.add_simulation")

    def change_view(self, request, object_id, form_url="", extra_context=None):
        run = self.row(request, object_id)
        if request.method == "POST" or not self.has_view_permission(request, run):
            raise PermissionDenied
        with acting_for(run.agency_id):
            return self._show(request, run)

    def _show(self, request, run: Simulation) -> TemplateResponse:
        waiting = run.status in simulate.WAITING
        may = self.has_run_permission(request)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": run,
            "media": self.media,
            "title": _("%(name)s on the live portfolio") % {"name": levels.title(run.rule_set)},
            "run": run,
            "status": status(run),
            "waiting": waiting,
            "refresh": REFRESH_SECONDS if waiting else 0,
            "percent": min(100, 100 * run.done // run.total) if run.total else 0,
            "seconds": _took(run),
            "by": names([run.made_by])[run.made_by] if run.made_by else "",
            "may_stop": may and waiting,
            "may_go_on": may and run.status in (Simulation.Status.STOPPED, Simulation.Status.FAILED),
            "back": reverse("admin:settlements_ruleset_change", args=[run.rule_set_id]),
            "total": counted(simulate.rows(simulation=run, by="all")[0][1]),
            "parts": [] if waiting else [_part(run, by, title) for by, title in BY],
            "samples": [] if waiting else samples(run),
        }
        return TemplateResponse(request, "admin/settlements/simulation.html", context)

    def file(self, request, object_id, part: str) -> HttpResponse:
        """Give the sums, the samples or every changed account as CSV."""
        run = self.row(request, object_id)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        if part not in simulate.PARTS:
            raise Http404
        answer = StreamingHttpResponse(simulate.export(run, part=part), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="simulation-{part}.csv"'
        return answer

    @action(description=_("Stop"), permissions=["run"], icon="stop_circle")
    def stop(self, request, object_id):
        return self._step(
            request,
            object_id,
            simulate.stop,
            _("Stop the simulation"),
            _("What is counted so far stays."),
            _("Stop"),
            _("Stopped."),
        )

    @action(description=_("Go on"), permissions=["run"], icon="play_circle")
    def go_on(self, request, object_id):
        return self._step(
            request,
            object_id,
            simulate.resume,
            _("Go on with the simulation"),
            _("It goes on where it was, with the draft and the portfolio of when it was started."),
            _("Go on"),
            _("It goes on."),
        )

    def _step(self, request, object_id, call, title, text, button, done):
        run = self.row(request, object_id)

        def do(_form: forms.Form) -> None:
            call(simulation=run, now=request.now)
            messages.success(request, done)

        return self.ask(request, run, title=title, text=text, button=button, do=do)


def counted(cell: dict[str, int]) -> dict[str, Any]:
    """Give a cell as the page reads it: counts, sums in words, and what the change of the sums is."""
    more = cell["draft_cents"] - cell["live_cents"]
    return cell | {
        "live": format_cents(cell["live_cents"]),
        "draft": format_cents(cell["draft_cents"]),
        "owed": format_cents(cell["owed_cents"]),
        "more": ("+" if more > 0 else "") + format_cents(more),
        "sign": (more > 0) - (more < 0),
    }


def _part(run: Simulation, by: str, title: Any) -> dict[str, Any]:
    found = simulate.rows(simulation=run, by=by)
    rows = [{"label": label, **counted(cell)} for label, cell in found[:MOST_ROWS]]
    return {"by": by, "title": title, "rows": rows, "left": len(found) - len(rows)}


def samples(run: Simulation) -> list[dict[str, Any]]:
    """Group the sample accounts by what becomes of them, with links to their pages."""
    groups: dict[str, list[dict]] = {}
    for sample in run.samples:
        groups.setdefault(sample["change"], []).append(
            {
                "reference": sample["reference"],
                "link": reverse("admin:accounts_account_change", args=[sample["account"]]),
                "state": sample["state"] or "-",
                "owed": format_cents(sample["owed_cents"]),
                "live": _offer(sample["live"]),
                "draft": _offer(sample["draft"]),
            }
        )
    return [{"title": CHANGED[name], "rows": groups[name]} for name in CHANGES if name in groups]


def _offer(said: dict[str, Any]) -> str:
    """Say an account's offers in one line."""
    parts = []
    if said["settlement_cents"]:
        amount = format_cents(said["settlement_cents"])
        parts.append(
            _t("settle for %(amount)s %(times)s") % {"amount": amount, "times": _times(said["settlement_payments"])}
        )
    if said["plan_payments"]:
        parts.append(_t("plan %(times)s") % {"times": _times(said["plan_payments"])})
    return ", ".join(parts) or _t("in full or single amounts")


def _times(payments: int) -> str:
    if payments >= MOST_PAYMENTS:
        return _t("in any number of payments")
    return _t("in up to %(n)s payments") % {"n": payments} if payments > 1 else _t("at once")


def _took(run: Simulation) -> float | None:
    return (run.finished_at - run.started_at).total_seconds() if run.started_at and run.finished_at else None
