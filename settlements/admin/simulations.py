"""Staff pages of simulations: what a draft would do to the whole portfolio."""

from django.contrib import admin

from accounts.columns import status_of
from accounts.desk import FactAdmin
from settlements.models import Simulation

status = status_of({"done": "success", "running": "info", "failed": "danger", "stopped": "warning"})


@admin.register(Simulation)
class SimulationAdmin(FactAdmin):
    """A run of a rule set over the live portfolio."""

    list_display = ["made_at", "rule_set", status, "done", "total", "finished_at"]
    list_filter = ["status"]
