"""One person with several names - their own and those of the keys they made - is one where two are needed (AUTH-15)."""

import pytest

from accounts.services.people import is_another
from tests.integrations.api_caller import Caller

pytestmark = pytest.mark.django_db
ANN, BEA = "staff:ann", "staff:bea"


@pytest.fixture
def actors(acting, agency, other_agency) -> dict[str, str]:
    made = {
        "ann's": Caller(agency, by=ANN),
        "ann's second": Caller(agency, by=ANN),
        "bea's": Caller(agency, by=BEA),
        "nobody's": Caller(agency, by="platform"),
        "another agency's": Caller(other_agency, by=BEA),
    }
    return {"ann": ANN, "bea": BEA, "no key": "key:1"} | {name: f"key:{caller.key.pk}" for name, caller in made.items()}


@pytest.mark.parametrize(
    ("by", "hands", "another"),
    [
        ("ann", ["ann"], False),
        ("ann", ["bea"], True),
        ("ann", ["ann's"], False),
        ("ann's", ["ann"], False),
        ("ann's", ["ann's second"], False),
        ("ann's", ["bea"], True),
        ("bea", ["ann's", "ann's second"], True),
        ("bea's", ["ann's", "bea"], False),
        # A key that nobody known made may be anybody's, on either side.
        ("nobody's", ["ann"], False),
        ("bea", ["ann", "nobody's"], False),
        ("another agency's", ["ann"], False),
        ("no key", ["ann"], False),
    ],
)
def test_a_key_is_the_person_who_made_it(actors, by, hands, another):
    assert is_another(actors[by], *(actors[one] for one in hands)) is another


def test_who_had_no_hand_in_it_is_not_counted(acting):
    assert is_another(ANN, "", BEA) is True
    assert is_another(ANN, "consumer:1", "system") is True


def test_people_alone_are_compared_without_a_query(acting, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert is_another(ANN, BEA) is True
