"""How long a clock that is being moved is waited for: as long as it goes on."""

from datetime import UTC, datetime

from chaos.patience import Patience

BEGUN = datetime(2026, 3, 1, tzinfo=UTC).timestamp()


class Machine:
    """Real time, which this test moves."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


def waited(moves, *, still=90.0, longest=1200.0):
    """Whether patience is over after each of (real seconds, seconds of the moved clock) that pass."""
    machine = Machine()
    patience, clock, said = Patience(still, longest, machine), BEGUN, []
    for real, moved in moves:
        machine.seconds += real
        clock += moved
        said.append(patience.is_over(datetime.fromtimestamp(clock, UTC)))
    return said


def test_a_clock_that_only_keeps_time_with_the_wall_is_given_up():
    assert waited([(30, 30)] * 5) == [False, False, False, False, True]


def test_a_clock_that_goes_on_step_by_step_is_waited_for_however_long_each_takes():
    assert waited([(60, 65)] * 15) == [False] * 15


def test_a_clock_that_always_goes_on_and_never_arrives_is_given_up_in_the_end():
    assert waited([(60, 65)] * 21)[-1]
