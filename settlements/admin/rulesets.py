"""Staff pages of rule sets: every level with what is in force, a draft's editor and picture, a version's steps.

A page of a draft is a form; a published version is read, compared, withdrawn or rolled back to, never changed.
"""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.columns import status_of
from accounts.desk import Desk, acts_for_one
from accounts.models import Client
from accounts.tenancy import acting_for
from settlements.admin import exchange, levels
from settlements.admin.editor import MOST_ROWS, Editor
from settlements.admin.people import by, names
from settlements.admin.picture import draw
from settlements.models import RuleSet
from settlements.rules.coverage import coverage
from settlements.services import rulesets, simulate

STATES = {
    "draft": ("info", _("draft")),
    "waiting": ("warning", _("waits for a second person")),
    "discarded": ("", _("discarded")),
    "withdrawn": ("danger", _("withdrawn")),
    "scheduled": ("info", _("in force later")),
    "in_force": ("success", _("in force")),
    "superseded": ("", _("superseded")),
}
status = status_of({"published": "success", "draft": "info", "waiting": "warning"})


class WhenForm(forms.Form):
    """Ask from when a version is in force."""

    effective_at = forms.DateTimeField(
        label=_("In force from"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text=_("Empty: from now on. Otherwise a later day and time, in the agency's time zone."),
    )


class WhyForm(forms.Form):
    """Ask why; the reason stands in the event."""

    reason = forms.CharField(label=_("Reason"), max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))


class StartForm(forms.Form):
    """Ask for which level a draft begins."""

    client = forms.ModelChoiceField(
        label=_("Rules of"),
        queryset=Client.objects.none(),
        required=False,
        empty_label=_("the whole agency"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("A client's rules inherit what they leave empty from the agency's."),
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["client"].queryset = Client.objects.order_by("name", "number")


@admin.register(RuleSet)
class RuleSetAdmin(exchange.Exchange, Desk):
    """What consumers may arrange for themselves: the agency's rules, and those of its clients."""

    list_display = ["__str__", status, "effective_at", "made_at", "published_at", "withdrawn_at", "note"]
    list_filter = ["status"]
    ordering = ["-made_at"]
    list_before_template = "admin/settlements/levels.html"
    actions = None
    actions_list = ["start", "import_rules"]

    actions_detail = ["submit", "publish", "discard", "withdraw", "roll_back", "compare", "simulate"]

    class Media:
        css = {"all": ["portal/rules.css"]}

    # Who may ------------------------------------------------------------------------------------------------------

    def has_add_permission(self, request, *args) -> bool:
        return False  # a draft begins for a level, see start()

    def has_change_permission(self, request, obj=None) -> bool:
        return self.has_role(request, "settlements.change_ruleset") and (obj is None or obj.status in RuleSet.OPEN)

    def has_start_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.add_ruleset")

    def has_draft_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.change_ruleset")

    def has_publish_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.publish_ruleset")

    def has_import_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.import_ruleset")

    def has_simulate_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.add_simulation")

    # Lists --------------------------------------------------------------------------------------------------------

    def changelist_view(self, request, extra_context=None):
        shown = {
            "levels": levels.read(request.now) if acts_for_one() else [],
            "may_start": self.has_start_permission(request),
        }
        return super().changelist_view(request, (extra_context or {}) | shown)

    @action(description=_("Start a draft"), permissions=["start"], icon="add")
    def start(self, request):
        form = StartForm(request.POST or None, initial={"client": request.GET.get("client")})
        if request.method == "POST" and form.is_valid():
            made = rulesets.draft(client=form.cleaned_data["client"], by=by(request), now=request.now)
            return redirect(self._address(made))
        return self._page(
            request,
            "step",
            title=_("Start a draft"),
            text=_("It begins as what is in force and changes nothing until somebody publishes it."),
            button=_("Start"),
            form=form,
            back=self._list(),
        )

    # One version ----------------------------------------------------------------------------------------------------

    def change_view(self, request, object_id, form_url="", extra_context=None):
        rule_set = self.row(request, object_id)
        if not self.has_view_permission(request, rule_set):
            raise PermissionDenied
        if request.method == "POST":
            return self._post(request, rule_set)
        if not acts_for_one():
            with acting_for(rule_set.agency_id):
                return self._show(request, rule_set, None, platform=True)
        editor = Editor(rule_set, levels.above(rule_set, request.now)) if self._edits(request, rule_set) else None
        return self._show(request, rule_set, editor)

    def _edits(self, request, rule_set: RuleSet) -> bool:
        return self.has_change_permission(request, rule_set) and len(rule_set.bands) <= MOST_ROWS

    def _post(self, request, rule_set: RuleSet) -> HttpResponse:
        if not self._edits(request, rule_set):
            raise PermissionDenied
        above = levels.above(rule_set, request.now)
        if "add_band" in request.POST or "remove_band" in request.POST:
            return self._show(request, rule_set, Editor.rearranged(rule_set, above, request.POST), typed=True)
        editor = Editor(rule_set, above, request.POST)
        if read := editor.check():
            values, bands = read
            refused = rulesets.save_draft(
                rule_set=rule_set, values=values, bands=bands, by=by(request), now=request.now
            )
            if not refused:
                self.log_change(request, rule_set, f"Saved the draft of version {rule_set.version}.")
                messages.success(request, _("Saved. Nothing changes for consumers until it is published."))
                return redirect(self._address(rule_set))
            editor.refuse(refused)
        return self._show(request, rule_set, editor, refused=True)

    def _show(
        self, request, rule_set: RuleSet, editor: Editor | None, *, typed=False, refused=False, platform=False
    ) -> HttpResponse:
        """Show a version; the platform looks at it in its agency's scope and is offered no step."""
        chapters = rulesets.history(client=rule_set.client, now=request.now)
        mine = next(one for one in chapters if one.rule_set.pk == rule_set.pk)
        people = names(name for one in chapters for name in (one.rule_set.made_by, one.rule_set.published_by))
        return self._page(
            request,
            "ruleset",
            rule_set,
            title=levels.title(rule_set),
            editor=editor,
            typed=typed,
            refused=refused,
            most_rows=MOST_ROWS,
            state=STATES[mine.state],
            chapter=mine,
            scheduled=self._scheduled(rule_set, chapters),
            steps=[] if platform else self._steps(request, rule_set, mine.state),
            versions=[
                {
                    "row": one.rule_set,
                    "state": STATES[one.state],
                    "ended_at": one.ended_at,
                    "by": people.get(one.rule_set.published_by or one.rule_set.made_by, ""),
                }
                for one in chapters
            ],
            table=levels.table(rule_set, request.now),
            too_many=len(rule_set.bands) > MOST_ROWS and rule_set.status in RuleSet.OPEN,
            **self._picture(request, rule_set),
        )

    def _scheduled(self, rule_set: RuleSet, chapters: list[rulesets.Chapter]) -> RuleSet | None:
        """Find the version that will take over from a draft that is published now."""
        if rule_set.status not in RuleSet.OPEN:
            return None
        later = [one.rule_set for one in chapters if one.state == "scheduled"]
        return min(later, key=lambda one: (one.effective_at, -one.version), default=None)

    def _picture(self, request, rule_set: RuleSet) -> dict:
        own = rulesets.value(rule_set)
        said = levels.inherited(rule_set, request.now)
        inherited = () if said is None or own.replace_all else said.bands
        return {
            "picture": draw(own, levels.above(rule_set, request.now)),
            "warnings": [one.sentence for one in coverage(bands=own.bands, inherited=inherited).sentences],
        }

    def _steps(self, request, rule_set: RuleSet, state: str) -> list[dict]:
        """List what this person may do next with this version."""
        is_open, published = rule_set.status in RuleSet.OPEN, rule_set.status == RuleSet.Status.PUBLISHED
        two = levels.needs_two(rule_set)
        offered = (
            (
                "simulate",
                _("Try on the live portfolio"),
                "experiment",
                is_open,
                self.has_simulate_permission,
            ),
            ("submit", _("Submit"), "send", two and state == "draft", self.has_draft_permission),
            (
                "publish",
                _("Publish"),
                "publish",
                is_open and (not two or state == "waiting"),
                self.has_publish_permission,
            ),
            ("discard", _("Discard"), "delete", is_open, self.has_draft_permission),
            ("withdraw", _("Withdraw"), "undo", published and not rule_set.withdrawn_at, self.has_publish_permission),
            (
                "roll_back",
                _("Roll back to this"),
                "history",
                state in ("superseded", "withdrawn"),
                self.has_publish_permission,
            ),
            ("compare", _("Compare"), "compare_arrows", True, self.has_view_permission),
        )
        return [
            {"title": title, "icon": icon, "link": self._step(name, rule_set), "main": name == "publish"}
            for name, title, icon, fits, may in offered
            if fits and may(request)
        ]

    def history_view(self, request, object_id, extra_context=None):
        self.row(request, object_id)
        return super().history_view(request, object_id, extra_context)

    # Steps ----------------------------------------------------------------------------------------------------------

    @action(description=_("Submit"), permissions=["draft"], icon="send")
    def submit(self, request, object_id):
        return self._ask_step(
            request,
            object_id,
            rulesets.submit,
            title=_("Submit: %(name)s"),
            text=_("Somebody else reads and publishes it. A change takes it back to a draft."),
            button=_("Submit"),
            done=_("It waits for a second person."),
        )

    @action(description=_("Publish"), permissions=["publish"], icon="publish")
    def publish(self, request, object_id):
        return self._ask_step(
            request,
            object_id,
            rulesets.publish,
            form_class=WhenForm,
            title=_("Publish: %(name)s"),
            text=_("Consumers are offered by these rules from then on. What they accepted before stays as it is."),
            button=_("Publish"),
            done=_("Published."),
        )

    @action(description=_("Discard"), permissions=["draft"], icon="delete")
    def discard(self, request, object_id):
        return self._ask_step(
            request,
            object_id,
            rulesets.discard,
            title=_("Discard: %(name)s"),
            text=_("The draft is given up. It stays readable; what is in force does not change."),
            button=_("Discard"),
            done=_("The draft is discarded."),
        )

    @action(description=_("Withdraw"), permissions=["publish"], icon="undo")
    def withdraw(self, request, object_id):
        return self._ask_step(
            request,
            object_id,
            rulesets.withdraw,
            form_class=WhyForm,
            title=_("Withdraw: %(name)s"),
            text=_("The version before it is in force again at once. Where there was none, the default offer applies."),
            button=_("Withdraw"),
            done=_("Withdrawn."),
        )

    @action(description=_("Roll back to this"), permissions=["publish"], icon="history")
    def roll_back(self, request, object_id):
        return self._ask_step(
            request,
            object_id,
            lambda rule_set, **who: rulesets.roll_back(to=rule_set, **who),
            title=_("Roll back to: %(name)s"),
            text=_("A copy of it is published as a new version, in force at once."),
            button=_("Roll back"),
            done=_("A copy is published as a new version."),
        )

    def _ask_step(self, request, object_id, call, *, title, text, button, done, form_class=forms.Form):
        """Show what a step means, and on POST take it; what the service refuses is said on the version's page."""
        rule_set = self.row(request, object_id)
        form = form_class(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            return self._take_step(request, rule_set, call, form.cleaned_data, done)
        return self._page(
            request,
            "step",
            rule_set,
            title=title % {"name": levels.title(rule_set)},
            text=text,
            button=button,
            form=form,
            back=self._address(rule_set),
            changes=levels.changes(rule_set, request.now),
            **self._picture(request, rule_set),
        )

    def _take_step(self, request, rule_set, call, asked, done) -> HttpResponse:
        try:
            row = call(rule_set=rule_set, by=by(request), now=request.now, **asked)
        except rulesets.Refused as refused:
            for refusal in refused.refusals:
                messages.error(request, refusal.sentence)
            return redirect(self._address(rule_set))
        self.log_change(request, row, str(done))
        messages.success(request, done)
        return redirect(self._address(row))

    @action(description=_("Try on the live portfolio"), permissions=["simulate"], icon="experiment")
    def simulate(self, request, object_id):
        rule_set = self.row(request, object_id)
        if request.method == "POST":
            try:
                run = simulate.start(rule_set=rule_set, by=by(request), now=request.now)
            except simulate.NotADraft:
                messages.error(request, _("Only a draft is tried; what is published is in force."))
                return redirect(self._address(rule_set))
            return redirect(reverse("admin:settlements_simulation_change", args=[run.pk]))
        return self._page(
            request,
            "step",
            rule_set,
            title=_("Try on the live portfolio: %(name)s") % {"name": levels.title(rule_set)},
            text=_("Every open account is worked out twice, by these rules and by those in force. Nothing is changed."),
            button=_("Start"),
            form=forms.Form(),
            back=self._address(rule_set),
        )

    # Pages ----------------------------------------------------------------------------------------------------------

    def _page(self, request, template: str, rule_set: RuleSet | None = None, **context) -> TemplateResponse:
        around = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": rule_set,
            "rule_set": rule_set,
            "media": self.media,
            "has_view_permission": True,
        }
        return TemplateResponse(request, f"admin/settlements/{template}.html", around | context)

    def _step(self, name: str, rule_set: RuleSet) -> str:
        return reverse(f"admin:settlements_ruleset_{name}", args=[rule_set.pk])

    def _list(self) -> str:
        return reverse("admin:settlements_ruleset_changelist")
