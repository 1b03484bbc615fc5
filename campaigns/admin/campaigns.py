"""Staff pages of campaigns: write one, see whom it reaches and why others not, hand it on, watch it, stop it."""

import csv
import io

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.columns import status_of
from accounts.desk import Desk, FactAdmin, ReasonForm
from accounts.money import format_cents
from accounts.tenancy import acting_for
from campaigns.admin.forms import NAMES, CampaignForm, put
from campaigns.admin.templates import preview
from campaigns.models import Campaign, Recipient
from campaigns.rules import audience as rules
from campaigns.services import audience, campaigns, results
from settlements.admin.people import by, names

Status = Campaign.Status
status = status_of(
    {
        "draft": "info",
        "waiting": "warning",
        "scheduled": "info",
        "freezing": "info",
        "sending": "info",
        "paused": "warning",
        "stopped": "danger",
        "finished": "success",
    }
)
STEPS = {
    "sent": _("Sent"),
    "delivered": _("Delivered"),
    "opened": _("Opened"),
    "clicked": _("Followed the link"),
    "identified": _("Identified"),
    "offer_seen": _("Saw the offer"),
    "paid": _("Paid"),
}
REASONS = {
    "no_address": _("no e-mail address"),
    "bad_address": _("the address does not work"),
    "opted_out": _("the consumer stopped messages"),
    "stream_stopped": _("the consumer stopped offers and reminders"),
    "medium_stopped": _("the consumer stopped this medium altogether"),
    "no_route": _("nobody can say how the address came to us"),
    "unconfirmed": _("the address is not confirmed"),
    "validation_missing": _("no validation notice was sent yet"),
    "offer_accepted_stands": _("an accepted offer stands"),
    "has_arrangement": _("an arrangement runs"),
    "nothing_owed": _("nothing is owed"),
    "dispute": _("a dispute is open"),
    "hardship": _("a hardship pause runs"),
    "unknown_reference": _("we know no such reference"),
    "too_often": _("enough messages this week"),
    "consent_ny": _("New York: no consent for this debt"),
    "consent_nyc": _("New York City: no consent"),
    "consent_dc": _("District of Columbia: no consent"),
    "employer_address": _("the address may be an employer's"),
    "too_old_for_suit": _("it speaks of a suit, and the debt may be too old for one"),
    "age_notice_no_room": _("the text has no room for the notice that the debt is old (SOL-01)"),
    "offer_overshadows": _("the offer would end within the validation period"),
    "offer_below_minimum": _("the rules allow no such offer: it is too low"),
    "text_consent_old": _("the consent to texts is older than sixty days and was not renewed"),
    "no_text_consent": _("the consumer did not agree to texts"),
    "not_a_mobile": _("the number is not a mobile"),
    "no_text_sender": _("no carrier of texts is in use"),
    "provider_forbids": _("the carrier's terms forbid collection for others"),
    "sender_not_registered": _("the carrier's registration is not there yet"),
    "revoked_all": _("the consumer stopped messages on every matter"),
    "campaign_halted": _("the campaign was stopped or paused before its turn"),
}


def why(reason: str) -> str:
    """Say a reason for leaving out in words; one that nobody gave words stands as it is."""
    if reason.startswith("status_"):
        return _("the account is closed to messages: %(status)s") % {"status": reason.removeprefix("status_")}
    return str(REASONS.get(reason, reason.replace("_", " ")))


PLACES = {
    "sent": _("Sent"),
    "with_provider": _("With the provider, no answer yet"),
    "no_answer": _("Asked of the provider, never answered"),
    "not_taken": _("Not taken by the provider"),
    "not_sent": _("Not sent"),
    "left_out": _("Left out"),
}
REFRESH_SECONDS = 3


@admin.register(Campaign)
class CampaignAdmin(Desk):
    """One message to many accounts."""

    list_display = ["name", status, "purpose", "made_at", "started_at", "ended_at", "reason"]
    list_filter = ["status"]
    actions = None
    actions_list = ["start"]
    actions_detail = ["submit", "approve", "take_back", "pause", "resume", "stop", "copy", "everybody"]

    class Media:
        css = {"all": ["portal/rules.css", "portal/campaigns.css"]}

    # Who may ------------------------------------------------------------------------------------------------------

    def has_add_permission(self, request, *args) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return self.has_write_permission(request)

    def has_write_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "campaigns.change_campaign")

    def has_start_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "campaigns.add_campaign")

    def has_approve_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "campaigns.approve_campaign")

    def has_take_back_permission(self, request, object_id=None) -> bool:
        """Let its author think better of it, and whoever approves say no."""
        return self.has_write_permission(request) or self.has_approve_permission(request)

    def has_stop_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "campaigns.stop_campaign")

    # Steps --------------------------------------------------------------------------------------------------------

    @action(description=_("New campaign"), permissions=["start"], icon="add")
    def start(self, request):
        form = CampaignForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            made = campaigns.draft(by=by(request), now=request.now, **form.values(Campaign()))
            self._list(request, made, form)
            return redirect(self._address(made))
        return self._page(request, None, form)

    @action(description=_("Hand on for approval"), permissions=["write"], icon="send")
    def submit(self, request, object_id):
        return self._step(
            request,
            object_id,
            lambda row, _form: campaigns.submit(campaign=row, by=by(request), now=request.now),
            title=_("Hand on for approval"),
            text=_("Somebody else looks at it before anything is sent. It cannot be changed meanwhile."),
            button=_("Hand on"),
        )

    @action(description=_("Approve"), permissions=["approve"], icon="task_alt")
    def approve(self, request, object_id):
        row = self.row(request, object_id)
        found = audience.count(row, now=request.now)
        return self._step(
            request,
            object_id,
            lambda row, _form: campaigns.approve(campaign=row, by=by(request), now=request.now),
            title=_("Approve this campaign"),
            text=_("%(number)s accounts get a message, from the moment it starts. You can stop it at any moment.")
            % {"number": f"{found.get('', 0):,}"},
            button=_("Approve and let it go"),
        )

    @action(description=_("Back to draft"), permissions=["take_back"], icon="undo")
    def take_back(self, request, object_id):
        return self._step(
            request,
            object_id,
            lambda row, form: campaigns.take_back(
                campaign=row, by=by(request), reason=form.cleaned_data["reason"], now=request.now
            ),
            title=_("Back to draft"),
            text=_("Nothing is sent until it is approved again."),
            button=_("Make it a draft"),
            form_class=ReasonForm,
        )

    @action(description=_("Pause"), permissions=["stop"], icon="pause")
    def pause(self, request, object_id):
        return self._step(
            request,
            object_id,
            lambda row, form: campaigns.pause(campaign=row, reason=form.cleaned_data["reason"], now=request.now),
            title=_("Pause this campaign"),
            text=_("What is with the provider arrives; nothing more is handed over until you go on."),
            button=_("Pause"),
            form_class=ReasonForm,
        )

    @action(description=_("Go on"), permissions=["stop"], icon="play_arrow")
    def resume(self, request, object_id):
        return self._step(
            request,
            object_id,
            lambda row, _form: campaigns.resume(campaign=row, now=request.now),
            title=_("Go on with this campaign"),
            text=_("It goes on where it was."),
            button=_("Go on"),
        )

    @action(description=_("Stop for good"), permissions=["stop"], icon="block")
    def stop(self, request, object_id):
        return self._step(
            request,
            object_id,
            lambda row, form: campaigns.stop(campaign=row, reason=form.cleaned_data["reason"], now=request.now),
            title=_("Stop this campaign for good"),
            text=_("When this page answers, nothing more is handed over. It cannot go on again."),
            button=_("Stop"),
            form_class=ReasonForm,
        )

    @action(description=_("Copy"), permissions=["start"], icon="content_copy")
    def copy(self, request, object_id):
        row = self.row(request, object_id)
        if request.method == "POST":
            return redirect(self._address(campaigns.copy(campaign=row, by=by(request), now=request.now)))
        return self.ask(
            request, row, title=_("Copy this campaign"), text=_("A new draft that says the same."), button=_("Copy"),
            do=lambda form: None,
        )  # fmt: skip

    @action(description=_("Save the list of everybody"), permissions=["write"], icon="download")
    def everybody(self, request, object_id):
        row = self.row(request, object_id)
        file = io.StringIO(newline="")
        lines = csv.writer(file)
        lines.writerow(["reference", "where", "why", "sent_at"])
        for reference, place, reason, sent_at in results.each(row):
            # What a spreadsheet would take for a formula is made text.
            shown = f"'{reference}" if reference[:1] in "=+-@" else reference
            lines.writerow([shown, place, reason, sent_at.isoformat() if sent_at else ""])
        self.log_change(request, row, "Saved the list of everybody.")
        answer = HttpResponse(file.getvalue(), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="campaign-{row.pk}.csv"'
        return answer

    def _step(self, request, object_id, do, **page) -> HttpResponse:
        row = self.row(request, object_id)

        def run(form):
            if refused := do(row, form):
                for one in refused:
                    messages.error(request, one.sentence)
                return None
            self.log_change(request, row, str(page["title"]))
            messages.success(request, _("Done."))
            return None

        return self.ask(request, row, do=run, **page)

    # The page -----------------------------------------------------------------------------------------------------

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.row(request, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        draft = row.status == Campaign.Status.DRAFT and self.has_write_permission(request)
        if request.method == "POST":
            if not draft:
                raise PermissionDenied
            form = CampaignForm(request.POST, request.FILES)
            if form.is_valid():
                refused = campaigns.save(campaign=row, values=form.values(row), by=by(request), now=request.now)
                if not refused:
                    row.refresh_from_db()
                    self._list(request, row, form)
                    messages.success(request, _("Saved. Nothing is sent until somebody else approves it."))
                    return redirect(self._address(row))
                put(form, refused)
            return self._page(request, row, form)
        for one in rules.check(row.audience):
            messages.error(request, one.sentence)
        return self._page(request, row, CampaignForm(initial=CampaignForm.of(row)) if draft else None)

    def _list(self, request, row: Campaign, form: CampaignForm) -> None:
        """Take an uploaded list in and say how much of it we know."""
        if file := form.cleaned_data["references"]:
            lines = file.read().decode("utf-8", "replace").splitlines()
            number, known = audience.set_lines(row, lines)
            messages.info(
                request, _("%(number)s references, %(known)s of them known.") % {"number": number, "known": known}
            )

    def _page(self, request, row: Campaign | None, form: CampaignForm | None) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": row.name if row else _("New campaign"),
            "opts": self.opts,
            "original": row,
            "media": self.media,
            "form": form,
            "steps": self._steps(request, row) if row else [],
            "back": reverse("admin:campaigns_campaign_changelist"),
        }
        if row is not None:
            with acting_for(row.agency_id):
                context |= self._about(request, row)
        return TemplateResponse(request, "admin/campaigns/campaign.html", context)

    def _steps(self, request, row: Campaign) -> list[dict]:
        """List what this person may do next with it, the likeliest first."""
        wrote = by(request) in (row.made_by, row.submitted_by)
        offered = {
            Status.DRAFT: ["submit"],
            Status.WAITING: ["take_back"] if wrote else ["approve", "take_back"],
            Status.SCHEDULED: ["pause", "stop", "take_back"],
            Status.FREEZING: ["pause", "stop"],
            Status.SENDING: ["pause", "stop"],
            Status.PAUSED: ["resume", "stop"],
        }.get(row.status, [])
        listed = ["everybody"] if row.frozen_at or row.frozen_to else []
        known = {name: getattr(self, name) for name in (*offered, "copy", *listed)}
        return [
            {
                "title": step.short_description,
                "icon": step.icon,
                "link": reverse(f"admin:campaigns_campaign_{name}", args=[row.pk]),
                "main": name == offered[0] if offered else False,
            }
            for name, step in known.items()
            if all(getattr(self, f"has_{one}_permission")(request) for one in step.allowed_permissions)
        ]

    def _about(self, request, row: Campaign) -> dict:
        open_ = row.frozen_at is None
        found = audience.count(row, now=request.now) if open_ else {}
        outcomes = [] if open_ else results.outcomes(row)
        progress = results.progress(row)
        left = {reason: n for reason, n in found.items() if reason} if open_ else results.left_out(row)
        total = sum(progress.values())
        versions = [version for version in (row.version_a, row.version_b) if version]
        people = names([row.made_by, row.submitted_by, row.approved_by])
        moving = row.status in Campaign.RUNNING
        return {
            "campaign": row,
            "status": status(row),
            "refresh": REFRESH_SECONDS if moving else 0,
            "places": [(PLACES[name], number) for name, number in results.whereabouts(row).items()]
            if row.status in (Status.PAUSED, Status.STOPPED) and row.started_at
            else [],
            "reach": found.get("", 0) if open_ else progress["waiting"] + progress["leaving"],
            "sample": audience.sample(row, now=request.now) if open_ else [],
            "ends_on": campaigns.expires_on(row.offer),
            "left_out": [(why(reason), number) for reason, number in left.items()],
            "done": progress["leaving"] + progress["left_out"],
            "total": total,
            "percent": 100 * (total - progress["waiting"]) // total if total else 0,
            "people": {name: people.get(getattr(row, name), "") for name in ("made_by", "submitted_by", "approved_by")},
            "previews": [preview(version, language) for version in versions for language in NAMES],
            "outcomes": [
                {
                    "variant": one.variant.upper(),
                    "template": row.version_b if one.variant == "b" else row.version_a,
                    "paid": format_cents(one.paid_cents),
                    "bounced": one.bounced,
                    "complained": one.complained,
                    "failed": one.failed,
                }
                for one in outcomes
            ],
            "cost": format_cents(results.cost_cents(row, outcomes)),
            "steps_reached": [
                (text, [(one.steps[step], one.rate(step), one.variant) for one in outcomes])
                for step, text in STEPS.items()
            ],
        }


@admin.register(Recipient)
class RecipientAdmin(FactAdmin):
    """One account of a campaign, with its message, or the reason why it has none."""

    list_display = ["campaign", "account", "variant", "state", "reason", "message", "identified_at"]
    list_filter = ["status", "campaign"]
    hidden = ("link_hash",)

    def state(self, recipient) -> str:
        return recipient.get_status_display()

    state.short_description = _("status")
