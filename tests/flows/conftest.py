"""The shop of the payment tests (real sandbox processor), and a consumer's browser in it on the cast's Tuesday."""

import pytest
import time_machine

from tests.conftest import NOW
from tests.payments.conftest import (  # noqa: F401 - fixtures
    _scollect_routes,
    open_shop,
    other_shop,
    processor,
    processor_program,
    shop,
)
from tests.visitor import Visitor


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def visitor(shop, other_shop, clock) -> Visitor:  # noqa: F811
    """Somebody who gave three facts."""
    return Visitor(shop.agency).sign_in(shop.account)


@pytest.fixture
def sure(visitor, shop) -> Visitor:  # noqa: F811
    """The same after the six-digit code."""
    visitor.step_up(shop.account)
    return visitor
