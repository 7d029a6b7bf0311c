import json

import pytest

from bench.figures import Report, Spread, exponent, percentile


def test_a_cost_in_proportion_to_the_work_has_the_exponent_one_and_a_quadratic_one_two():
    assert exponent({10: 50.0, 40: 200.0, 160: 800.0}) == pytest.approx(1)
    assert exponent({10: 100.0, 40: 1600.0, 160: 25600.0}) == pytest.approx(2)


@pytest.mark.parametrize("cost", [{}, {10: 5.0}, {10: 5.0, 40: 0.0}, {10: -1.0, 40: 5.0}], ids=str)
def test_no_exponent_is_made_up_where_there_is_none(cost):
    assert exponent(cost) is None


def test_the_slowest_of_a_few_is_their_99th_percentile_and_no_value_is_made_up_between_two():
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([4.0, 1.0, 2.0, 3.0], 0.5) == 2.0
    assert percentile([7.0], 0.5) == 7.0


def test_a_spread_says_the_median_and_both_ends():
    assert Spread.of([3.0, 1.0, 2.0]).text(1) == "2.0 (1.0 to 3.0)"
    assert Spread.of([3.0]).text() == "3"


def _report():
    report = Report("cycles", "cycles")
    for number, (own, bare) in enumerate([(200.0, 100.0), (900.0, 300.0), (400.0, 100.0)], start=1):
        for what, cpu_ms in (("cycle", own), ("bare", bare)):
            report.runs.append({"what": what, "round": number, "work": 8, "cpu_ms": cpu_ms})
    return report


def test_a_ratio_is_that_of_each_round_so_that_a_busy_machine_counts_on_both_sides():
    assert _report().beside("cycle", "bare", 8, "cpu_ms", "ms").endswith(": 3.00 (2.00 to 4.00) times")


def test_the_file_has_each_run_and_the_machine_it_ran_on(tmp_path):
    report = _report()
    report.write(tmp_path / "new" / "cycles.json")
    written = json.loads((tmp_path / "new" / "cycles.json").read_text())
    assert written["runs"] == report.runs
    assert written["machine"]["cores"] >= 1
    assert written["bench"] == "cycles"
