"""Simulations: a draft held against the whole live portfolio, by a worker, with its progress."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.base import Endpoint, answer, one
from integrations.api.bodies import Form, Refuse
from integrations.api.document import example, operation
from integrations.api.terms import Shown
from settlements.models import RuleSet, Simulation
from settlements.services import simulate


class Nothing(Form):
    """A body without fields."""


class SimulationShown(Shown):
    id = serializers.UUIDField()
    rule_set = serializers.UUIDField()
    status = serializers.ChoiceField(Simulation.Status.values)
    total = serializers.IntegerField(help_text="Accounts to compare; 0 until it has begun.")
    done = serializers.IntegerField()
    tallies = serializers.DictField(help_text="Sums so far: all, and by client, band and state.")
    samples = serializers.ListField(help_text="Accounts for every kind of change.")
    error = serializers.CharField()
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


def simulation_shown(row: Simulation) -> dict:
    """Show how far a simulation is and what it found so far."""
    fields = SimulationShown().fields.keys() - {"id", "rule_set"}
    shown = {name: getattr(row, name) for name in SimulationShown().fields if name in fields}
    return {"id": row.pk, "rule_set": row.rule_set_id} | shown


class RuleSetSimulations(Endpoint):
    """Simulations of a draft."""

    @operation(
        "simulate",
        "Hold a draft against the live portfolio",
        scope="rules:write",
        said="A worker does it; ask for the simulation until it is done.",
        form=Nothing,
        answers=SimulationShown,
        status=201,
        once=True,
        problems={409: "`not_a_draft`: what is published is in force already."},
        examples=[example("Nothing to say", {})],
    )
    def post(self, request: Request, rule_set_id: UUID) -> HttpResponse:
        rule_set = one(RuleSet, rule_set_id)
        self.read(Nothing)
        try:
            made = simulate.start(rule_set=rule_set, by=self.by, now=self.now)
        except simulate.NotADraft as error:
            raise Refuse(409, "not_a_draft", str(error)) from error
        return answer(simulation_shown(made), status=201, headers={"Location": f"/api/v1/simulations/{made.pk}"})


class OneSimulation(Endpoint):
    """One simulation."""

    @operation("get_simulation", "Read a simulation", scope="rules:read", answers=SimulationShown)
    def get(self, request: Request, simulation_id: UUID) -> HttpResponse:
        self.asked()
        return answer(simulation_shown(one(Simulation, simulation_id)))


class StopSimulation(Endpoint):
    """Enough."""

    @operation(
        "stop_simulation", "Stop a simulation", scope="rules:write", form=Nothing, answers=SimulationShown, once=True
    )
    def post(self, request: Request, simulation_id: UUID) -> HttpResponse:
        row = one(Simulation, simulation_id)
        self.read(Nothing)
        return answer(simulation_shown(simulate.stop(simulation=row, now=self.now)))


class ResumeSimulation(Endpoint):
    """Go on."""

    @operation(
        "resume_simulation",
        "Go on with a stopped simulation",
        scope="rules:write",
        form=Nothing,
        answers=SimulationShown,
        once=True,
    )
    def post(self, request: Request, simulation_id: UUID) -> HttpResponse:
        row = one(Simulation, simulation_id)
        self.read(Nothing)
        return answer(simulation_shown(simulate.resume(simulation=row, now=self.now)))
