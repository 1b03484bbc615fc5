"""When not to write: the consumer's own inconvenient times, added and taken away."""

import datetime as dt
import uuid

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed
from accounts.models import QuietTime
from accounts.services import quiet

EVERY_DAY = "all"
HOURS = range(8, 22)
"""Outside of these nothing is sent anyway (RF-01)."""


def spoken(at: dt.time) -> str:
    """Say an hour as people here do."""
    if at.minute:
        return f"{at:%H:%M}"
    return (_("%(hour)s am") if at.hour < 12 else _("%(hour)s pm")) % {"hour": at.hour % 12 or 12}


class TimesForm(forms.Form):
    """A weekday and its hours."""

    weekday = forms.ChoiceField(label=gettext_lazy("Day"), initial=EVERY_DAY)
    starts = forms.ChoiceField(label=gettext_lazy("From"))
    ends = forms.ChoiceField(label=gettext_lazy("Until"), initial="21:00")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        hours = [(f"{hour:02}:00", spoken(dt.time(hour))) for hour in HOURS]
        self.fields["weekday"].choices = [(EVERY_DAY, _("Every day")), *QuietTime.Weekday.choices]
        self.fields["starts"].choices, self.fields["ends"].choices = hours[:-1], hours[1:]

    def clean(self) -> dict:
        said = super().clean()
        if said.get("starts") and said.get("ends") and said["starts"] >= said["ends"]:
            self.add_error("ends", forms.ValidationError(_("Choose a later hour than the first."), "ends_too_early"))
        return said


@require_http_methods(["GET", "POST"])
@confirmed
def preferences(request: HttpRequest) -> HttpResponse:
    """List the times that do not suit the consumer; add some, or take one away."""
    consumer = request.visit.consumer
    live = QuietTime.objects.filter(consumer=consumer, ended_at=None).order_by("weekday", "starts")
    form = TimesForm(request.POST if request.POST.get("action") == "add" else None)
    if request.method == "POST" and request.POST.get("action") == "remove":
        if (row := live.filter(pk=_uuid(request.POST.get("time", ""))).first()) is not None:
            quiet.end(row=row, now=request.now)
        return redirect("accounts:preferences")
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        days = range(7) if said["weekday"] == EVERY_DAY else [int(said["weekday"])]
        try:
            quiet.add(
                consumer=consumer,
                weekdays=days,
                starts=dt.time.fromisoformat(said["starts"]),
                ends=dt.time.fromisoformat(said["ends"]),
                source="page",
                now=request.now,
            )
        except quiet.TooMany:
            form.add_error(None, _("These are many times. Remove some first, or stop messages altogether."))
        else:
            return redirect("accounts:preferences")
    context = {"form": form, "times": [_shown(row) for row in live]}
    return render(request, "accounts/preferences.html", context, status=422 if form.errors else 200)


def _shown(row: QuietTime) -> dict[str, object]:
    return {"id": row.pk, "day": row.get_weekday_display(), "starts": spoken(row.starts), "ends": spoken(row.ends)}


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
