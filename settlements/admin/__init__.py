"""Staff pages of offers: the default and the individual ones, the rule sets, what a draft would do, what was quoted."""

from settlements import admin_affordability, admin_hardship  # noqa: F401 - they register their pages
from settlements.admin import offers, quotes, rulesets, simulations  # noqa: F401 - they register their pages
