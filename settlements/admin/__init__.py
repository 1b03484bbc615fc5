"""Staff pages of offers: the default and the individual ones, the rule sets, what a draft would do, what was quoted."""

from settlements import admin_affordability  # noqa: F401 - registers its pages
from settlements.admin import offers, quotes, rulesets, simulations  # noqa: F401 - they register their pages
