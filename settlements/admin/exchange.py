"""Rule sets in and out: two versions compared, and the Collect! form as CSV or JSON."""

import json

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget, UnfoldBooleanSwitchWidget

from accounts.desk import acts_for_one
from accounts.models import Client
from accounts.tenancy import acting_for
from settlements.admin import levels
from settlements.admin.people import by
from settlements.models import RuleSet
from settlements.services import collect, rulesets

MOST_BYTES = 2 * 2**20
"""Six bands of a few thousand clients fit; a larger file is none of ours."""


class ImportForm(forms.Form):
    """Take a file, or its text, and what to do with it."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.json,text/csv,application/json"}),
        help_text=_("CSV or JSON, as it was exported here or by Collect!."),
    )
    text = forms.CharField(
        label=_("or its text"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
    )
    publish = forms.BooleanField(
        label=_("Publish at once"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("Otherwise every rule set in the file becomes a draft."),
    )

    def __init__(self, *args, may_publish: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not may_publish:
            del self.fields["publish"]

    def clean(self):
        cleaned = super().clean()
        file, text = cleaned.get("file"), cleaned.get("text") or ""
        if file and file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is too large."))
        if file:
            try:
                text = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise forms.ValidationError(_("The file is not a text in UTF-8.")) from None
        if not text.strip():
            raise forms.ValidationError(_("Choose a file or paste its text."))
        cleaned["text"] = text
        cleaned["format"] = "json" if text.lstrip().startswith(("{", "[")) else "csv"
        return cleaned


class Exchange:
    """Compare, export and import: the part of the rule sets' pages that moves whole versions."""

    def get_urls(self):
        export = self.admin_site.admin_view(self.export)
        return [path("export/<str:kind>/", export, name="settlements_ruleset_export"), *super().get_urls()]

    @action(description=_("Compare"), permissions=["view"], icon="compare_arrows")
    def compare(self, request, object_id):
        rule_set = self.row(request, object_id)
        with acting_for(rule_set.agency_id):
            return self._compared(request, rule_set)

    def _compared(self, request, rule_set: RuleSet) -> HttpResponse:
        others = [one.rule_set for one in rulesets.history(client=rule_set.client, now=request.now)]
        others = [one for one in others if one.pk != rule_set.pk]
        asked = request.GET.get("with", "")
        if asked and asked not in {str(one.pk) for one in others}:
            raise Http404
        other = next((one for one in others if str(one.pk) == asked), None) or self._before(rule_set, others)
        pair = sorted((rule_set, other), key=lambda one: one.version) if other else None
        return self._page(
            request,
            "compare",
            rule_set,
            title=_("Compare: %(name)s") % {"name": levels.title(rule_set)},
            others=others,
            other=other,
            pair=pair,
            changes=levels.spoken(rulesets.diff(*pair)) if pair else [],
            back=self._address(rule_set),
        )

    def _before(self, rule_set: RuleSet, others: list[RuleSet]) -> RuleSet | None:
        return next((one for one in others if one.version < rule_set.version), others[0] if others else None)

    def export(self, request, kind: str) -> HttpResponse:
        """Give one level's rules in force, or everybody's, as a file; whoever may read them may take them along."""
        if not (self.has_view_permission(request) and acts_for_one()):
            raise PermissionDenied
        if kind not in ("csv", "json"):
            raise Http404
        of = {"all_clients": True, "client": None} if "all" in request.GET else {"client": self._client(request)}
        if kind == "json":
            body = json.dumps(collect.export_json(**of), indent=2, ensure_ascii=False)
            answer = HttpResponse(body, content_type="application/json")
        else:
            answer = HttpResponse(collect.export_csv(**of), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="rules.{kind}"'
        return answer

    def _client(self, request) -> Client | None:
        if not (asked := request.GET.get("client")):
            return None
        try:
            return Client.objects.get(pk=asked)
        except (Client.DoesNotExist, ValidationError):
            raise Http404 from None

    @action(description=_("Import"), permissions=["import"], icon="upload")
    def import_rules(self, request):
        may_publish = self.has_publish_permission(request)
        sent = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = ImportForm(*sent, may_publish=may_publish)
        found = dropped = ()
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            imported = collect.import_forms(
                text=said["text"],
                format=said["format"],
                by=by(request),
                now=request.now,
                publish=said.get("publish", False),
            )
            if not imported.errors:
                count = {"count": len(imported.rule_sets)}
                messages.success(request, _("%(count)s rule sets are imported.") % count)
                if imported.unchanged:
                    count = {"count": imported.unchanged}
                    messages.info(request, _("%(count)s forms say what is in force already.") % count)
                if imported.unused_bands:
                    count = {"count": imported.unused_bands}
                    messages.info(request, _("%(count)s bands are all empty or zero: they were left out.") % count)
                if not imported.dropped:
                    return redirect(reverse("admin:settlements_ruleset_changelist"))
                form = ImportForm(may_publish=may_publish)
            found, dropped = imported.errors, imported.dropped
        return self._page(
            request,
            "import",
            title=_("Import rule sets"),
            form=form,
            errors=found,
            dropped=dropped,
            back=self._list(),
        )
