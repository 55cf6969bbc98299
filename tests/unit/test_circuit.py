"""The circuit breaker, with a clock that the tests move."""

from __future__ import annotations

from tasks.circuit import Circuit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def open_circuit(clock: Clock) -> Circuit:
    circuit = Circuit(failures=2, rest_seconds=5, clock=clock)
    circuit.failed()
    circuit.failed()
    return circuit


def test_a_single_failure_stops_nobody() -> None:
    circuit = Circuit(failures=2)
    circuit.failed()
    assert circuit.admits()


def test_a_success_forgets_the_failures_before_it() -> None:
    circuit = Circuit(failures=2)
    circuit.failed()
    circuit.succeeded()
    circuit.failed()
    assert circuit.admits()


def test_after_repeated_failure_nobody_is_admitted_until_the_rest_is_over() -> None:
    clock = Clock()
    circuit = open_circuit(clock)
    assert not circuit.admits()
    clock.now = 4.9
    assert not circuit.admits()


def test_after_the_rest_one_tries_and_the_others_wait_for_how_that_ends() -> None:
    clock = Clock()
    circuit = open_circuit(clock)
    clock.now = 5
    assert [circuit.admits(), circuit.admits()] == [True, False]
    circuit.failed()
    assert not circuit.admits()
    clock.now = 10
    assert circuit.admits()
    circuit.succeeded()
    assert [circuit.admits(), circuit.admits()] == [True, True]
