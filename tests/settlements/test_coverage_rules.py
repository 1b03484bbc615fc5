"""What bands cover, said and drawn before anyone publishes them."""

import pytest

from settlements.rules.bands import HIGHEST_CENTS, Band, RuleSet
from settlements.rules.coverage import coverage, picture, place


def said(*bands: Band, inherited=()):
    return [(one.code, one.field) for one in coverage(bands=bands, inherited=inherited).sentences]


def test_six_bands_that_meet_leave_nothing_to_say():
    edges = [0, 500_00, 1_000_00, 2_500_00, 5_000_00, 10_000_00]
    upper = [*(edge - 1 for edge in edges[1:]), HIGHEST_CENTS]
    found = coverage(bands=[Band(low, high) for low, high in zip(edges, upper, strict=True)])
    assert found.complete
    assert found.sentences == ()


def test_a_gap_is_named_to_the_cent_with_its_consequence():
    found = coverage(bands=[Band(0, 999_99), Band(1_500_00, 2_000_00)])
    assert [(gap.from_cents, gap.to_cents) for gap in found.gaps] == [(1_000_00, 1_499_99), (2_000_01, HIGHEST_CENTS)]
    assert found.gaps[0].sentence.sentence == (
        "No band covers $1,000.00 to $1,499.99. Consumers there can arrange neither a plan nor a settlement by"
        " themselves; they can pay in full or a single amount."
    )


def test_a_clients_gap_that_the_agency_fills_says_so():
    found = coverage(bands=[Band(0, 99_99)], inherited=[Band(100_00, 199_99)])
    assert [(gap.from_cents, gap.to_cents, gap.sentence.code) for gap in found.gaps] == [
        (100_00, 199_99, "gap_inherited"),
        (200_00, HIGHEST_CENTS, "gap"),
    ]


def test_without_bands_nothing_is_covered():
    assert said() == [("nothing_covered", None)]


def test_an_overlap_names_the_winner_even_where_three_bands_meet():
    found = coverage(bands=[Band(0, 10_00), Band(5_00, 20_00), Band(7_00, HIGHEST_CENTS)])
    assert [(one.winner, one.loser, one.from_cents, one.to_cents) for one in found.overlaps] == [
        (0, 1, 5_00, 10_00),
        (0, 2, 7_00, 10_00),
        (1, 2, 10_01, 20_00),
    ]
    assert found.overlaps[2].sentence.sentence == (
        "Bands 2 and 3 both cover $10.01 to $20.00. The lower one counts there: band 2, which begins at $5.00."
    )


def test_the_shared_boundary_of_the_collect_warning_is_one_cent_wide():
    overlap = coverage(bands=[Band(0, 1_000_00), Band(1_000_00, HIGHEST_CENTS)]).overlaps[0]
    assert (overlap.from_cents, overlap.to_cents, overlap.sentence.code) == (1_000_00, 1_000_00, "overlap_of_a_cent")


@pytest.mark.parametrize(
    ("band", "warning"),
    [
        (Band(500_00, 100_00), ("band_reversed", "/bands/1/owing_to_cents")),
        (Band(5_00, 10_00), ("band_never_used", "/bands/1")),
        (Band(0, HIGHEST_CENTS + 1), ("band_outside", "/bands/1")),
        (
            Band(0, HIGHEST_CENTS, months_before_settlement=6, months_until_settlement=6),
            ("window_never_opens", "/bands/1/months_until_settlement"),
        ),
        (
            Band(0, HIGHEST_CENTS, minimum_settlement_bps=80_00, offered_settlement_bps=70_00),
            ("offered_below_minimum", "/bands/1/offered_settlement_bps"),
        ),
        (Band(0, HIGHEST_CENTS, card_disabled=True, ach_disabled=True), ("no_way_to_pay", "/bands/1/ach_disabled")),
        (Band(0, HIGHEST_CENTS, max_payments=1), ("one_payment_plan", "/bands/1/max_payments")),
    ],
)
def test_a_slip_is_named_at_its_field(band, warning):
    found = coverage(bands=[Band(0, 100_00), band])
    assert [(one.code, one.field) for one in found.warnings] == [warning]
    assert not found.complete


def test_the_picture_fills_every_balance_and_age_once():
    bands = (
        Band(0, 1_000_00, minimum_settlement_bps=80_00, months_before_settlement=3, months_until_settlement=24),
        Band(1_000_00, 2_500_00, minimum_cents=100_00),
        Band(5_000_00, HIGHEST_CENTS, minimum_settlement_bps=50_00),
    )
    found = picture(RuleSet("agency", 1, bands))
    assert [
        (one.kind, one.band, one.from_cents, one.to_cents, one.from_months, one.to_months) for one in found.rectangles
    ] == [
        ("plan", 0, 0, 1_000_00, 0, 3),
        ("settlement", 0, 0, 1_000_00, 3, 24),
        ("plan", 0, 0, 1_000_00, 24, None),
        ("plan", 1, 1_000_01, 2_500_00, 0, None),
        ("gap", None, 2_500_01, 4_999_99, 0, None),
        ("settlement", 2, 5_000_00, HIGHEST_CENTS, 0, None),
    ]
    assert [one.settlement_bps for one in found.rectangles] == [0, 80_00, 0, 0, 0, 50_00]
    area = sum((one.right - one.left) * (one.top - one.bottom) for one in found.rectangles)
    assert area == pytest.approx(1.0)
    assert [tick.value for tick in found.ages] == [0, 12, 24, 36]
    assert found.balances[0].at == 0.0
    assert found.balances[-1].at == 1.0


def test_balances_are_placed_by_their_logarithm():
    assert place(0) == 0.0
    assert place(10_00) == pytest.approx(0.1)
    assert place(HIGHEST_CENTS) == pytest.approx(1.0)
    assert place(1_000_00) - place(100_00) == pytest.approx(place(100_00) - place(10_00))


def test_a_clients_picture_shows_what_it_inherits():
    agency = RuleSet("agency", 1, (Band(0, HIGHEST_CENTS, minimum_settlement_bps=80_00),))
    client = RuleSet("client", 1, (Band(0, 100_00, minimum_cents=10_00),))
    found = picture(client, agency)
    assert [(one.kind, one.band) for one in found.rectangles] == [("settlement", 0), ("settlement", None)]
    replaced = picture(RuleSet("client", 1, client.bands, replace_all=True), agency)
    assert [(one.kind, one.band) for one in replaced.rectangles] == [("plan", 0), ("gap", None)]
