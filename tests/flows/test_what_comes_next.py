"""What a page says after something was done on it, and what comes next."""

import pytest

from payments.models import Arrangement
from tests.payments.test_life import three_parts
from tests.visitor import text


@pytest.fixture
def plan(sure, shop) -> Arrangement:
    """$250.00 of a settlement of $750.00 are paid, $250.00 each are planned for January 4 and February 4."""
    return three_parts(shop)


@pytest.mark.parametrize(
    ("values", "said"),
    [({}, "You get a copy of what you signed"), ({"authorization": None, "method": None}, "Your plan is changed.")],
)
def test_a_copy_of_what_was_signed_is_announced_only_where_something_was_signed(sure, shop, plan, values, said):
    Arrangement.objects.filter(pk=plan.pk).update(**values)
    page = text(sure.get(f"/plan/{plan.pk}/?done=move"))
    assert said in page
    assert ("signed by message" in page) == (not values)
