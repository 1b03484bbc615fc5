"""The page of one case - a budget, a pause, a form - that staff read and decide on, one button a decision."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import get_language, gettext

from accounts.columns import status_of
from accounts.desk import FactAdmin
from accounts.refusals import Refusal
from accounts.tenancy import acting_for

status = status_of(
    {
        "submitted": "info",
        "accepted": "success",
        "declined": "warning",
        "requested": "info",
        "granted": "success",
        "published": "success",
    }
)


def spoken(refusals: list[Refusal], *, pointers: bool = False) -> list[str]:
    """Say refusals to staff; with pointers, where in a definition each one is."""
    language = get_language() or "en"
    said = [(one.field or "/", one.say(gettext, language)) for one in refusals]
    return [f"{at}: {sentence}" if pointers else sentence for at, sentence in said]


class CaseAdmin(FactAdmin):
    """Show one row on a page of its own, with what may be decided beside it; each button posts one decision."""

    template = ""
    decides = ""

    class Media:
        css = {"all": ["portal/rules.css", "portal/care.css"]}

    def get_urls(self):
        decide = self.admin_site.admin_view(self.decide)
        name = f"{self.opts.app_label}_{self.opts.model_name}_decide"
        return [path("<path:object_id>/decide/", decide, name=name), *super().get_urls()]

    def has_decide_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, self.decides)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.row(request, object_id)
        if request.method == "POST" or not self.has_view_permission(request, row):
            raise PermissionDenied
        with acting_for(row.agency_id):
            return self.show(request, row)

    def show(self, request: HttpRequest, row, **more: Any) -> TemplateResponse:
        """Render the page; `more` is what a decision adds to it."""
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": row,
            "media": self.media,
            "title": str(row.account) if hasattr(row, "account") else str(row),
            "row": row,
            "status": status(row),
            "may": self.has_decide_permission(request),
            "decide": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_decide", args=[row.pk]),
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
        }
        response = TemplateResponse(request, self.template, context | self.case(request, row) | more)
        return response.render()

    def case(self, request: HttpRequest, row) -> dict[str, Any]:
        """Give what the page shows of a row."""
        raise NotImplementedError

    def decide(self, request: HttpRequest, object_id) -> HttpResponse:
        """Take one decision; what speaks against it is said and nothing is written."""
        row = self.row(request, object_id)
        if not self.has_decide_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return redirect(self._address(row))
        answer = self.take(request, row, request.POST.get("decision", ""))
        if isinstance(answer, HttpResponse):
            return answer
        refusals, done = answer
        for sentence in spoken(refusals):
            messages.error(request, sentence)
        if not refusals:
            messages.success(request, done)
        return redirect(self._address(row))

    def take(self, request: HttpRequest, row, decision: str) -> HttpResponse | tuple[list[Refusal], Any]:
        """Call the service of a decision; answer what it refused, and the sentence for when it refused nothing."""
        raise NotImplementedError
