"""What an agency, its clients and its hosts offer, and what was quoted from it. The rules are in settlements/rules/."""

from settlements.models.affordability import (
    Affordability,
    AffordabilityForm,
    Evidence,
    EvidencePart,
    Hardship,
    HardshipPolicy,
)
from settlements.models.offers import GlobalOffer, IndividualOffer
from settlements.models.quotes import Quote, Simulation
from settlements.models.rulesets import RuleSet

__all__ = [
    "Affordability",
    "AffordabilityForm",
    "Evidence",
    "EvidencePart",
    "GlobalOffer",
    "Hardship",
    "HardshipPolicy",
    "IndividualOffer",
    "Quote",
    "RuleSet",
    "Simulation",
]
