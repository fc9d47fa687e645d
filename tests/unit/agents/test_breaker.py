"""The breaker against a model of it, under any order of questions, ends, cancellations and passing time."""

import asyncio

import pytest
from hypothesis import given, settings, strategies

from sluicegate.agents.breaker import Circuit, CircuitBreaker, CircuitOpen, Question

WINDOW_S, MINIMUM, SHARE, OPEN_S = 10.0, 4, 0.5, 5.0
OUTCOMES = ((True, False), (True, False), (False, False), (None, False), (True, True))
"""How a question ends: did it fail (None: it said nothing), and does it open the circuit at once."""


class Model:
    """What may happen, recorded in the plainest way, next to the breaker to which it happens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.breaker = CircuitBreaker(
            open_s=OPEN_S, window_s=WINDOW_S, minimum=MINIMUM, share=SHARE, clock=lambda: self.now
        )
        self.state = Circuit.CLOSED
        self.open_until = 0.0
        self.outcomes: list[tuple[float, bool]] = []
        self.counted: list[Question] = []
        """Questions under way that began in the present closed state."""
        self.stale: list[Question] = []
        self.probe: Question | None = None

    def pass_time(self, number: int) -> None:
        self.now += number % 97 / 8
        if self.state is Circuit.OPEN and self.now >= self.open_until:
            self.state = Circuit.HALF_OPEN

    def ask(self, _: int) -> None:
        allowed = self.state is Circuit.CLOSED or (self.state is Circuit.HALF_OPEN and self.probe is None)
        assert self.breaker.refuses() is not allowed
        if not allowed:
            with pytest.raises(CircuitOpen):
                self.breaker.question()
            return
        question = self.breaker.question().__enter__()
        if self.state is Circuit.HALF_OPEN:
            self.probe = question
        else:
            self.counted.append(question)

    def end_one(self, number: int) -> None:
        failed, opens = OUTCOMES[number % len(OUTCOMES)]
        if not self.counted:
            return
        end(self.counted.pop(number % len(self.counted)), failed, opens=opens)
        if failed is None:
            return
        self.outcomes.append((self.now, failed))
        recent = [bad for when, bad in self.outcomes if when > self.now - WINDOW_S]
        if failed and (opens or (len(recent) >= MINIMUM and sum(recent) >= SHARE * len(recent))):
            self.open()

    def end_one_of_another_time(self, number: int) -> None:
        if self.stale:
            failed, opens = OUTCOMES[number % len(OUTCOMES)]
            end(self.stale.pop(), failed, opens=opens)

    def end_the_probe(self, number: int) -> None:
        if not self.probe:
            return
        failed, opens = OUTCOMES[number % len(OUTCOMES)]
        end(self.probe, failed, opens=opens)
        self.probe = None
        if failed:
            self.open()
        elif failed is False:
            self.state = Circuit.CLOSED

    def open(self) -> None:
        self.state, self.open_until = Circuit.OPEN, self.now + OPEN_S
        self.outcomes.clear()
        self.stale += self.counted
        self.counted.clear()


STEPS = (
    *(Model.pass_time, Model.ask, Model.ask, Model.ask, Model.end_one, Model.end_one, Model.end_one),
    *(Model.end_one_of_another_time, Model.end_the_probe),
)


@settings(max_examples=200, deadline=None)
@given(strategies.binary(min_size=60, max_size=200))
def test_it_is_always_in_the_state_of_its_model(choices: bytes) -> None:
    model = Model()
    for step, number in zip(choices[::2], choices[1::2], strict=False):
        STEPS[step % len(STEPS)](model, number)
        assert model.breaker.circuit is model.state


def end(question: Question, failed: bool | None, *, opens: bool = False) -> None:
    if failed:
        question.failed(opens=opens)
    elif failed is False:
        question.succeeded()
    question.__exit__(None, None, None)


async def test_of_many_tasks_one_at_a_time_probes_also_when_probes_are_cancelled() -> None:
    now = 0.0
    breaker = CircuitBreaker(open_s=OPEN_S, clock=lambda: now)
    with breaker.question() as question:
        question.failed(opens=True)
    now = OPEN_S
    probing, most, probes = 0, 0, 0

    async def ask() -> None:
        nonlocal probing, most, probes
        with breaker.question():
            probing += 1
            most, probes = max(most, probing), probes + 1
            try:
                await asyncio.sleep(3600)
            finally:
                probing -= 1

    for turn in range(20):
        tasks = [asyncio.create_task(ask()) for _ in range(10)]
        await asyncio.sleep(0)
        assert breaker.circuit is Circuit.HALF_OPEN
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(each, CircuitOpen) for each in ended) == 9
        assert probes == turn + 1
    assert most == 1


def test_a_few_failures_do_not_open_it_and_old_ones_are_forgotten() -> None:
    now = 0.0
    breaker = CircuitBreaker(open_s=OPEN_S, window_s=WINDOW_S, minimum=MINIMUM, clock=lambda: now)
    for _ in range(3):
        end(breaker.question(), True)
        now += 4
    end(breaker.question(), True)
    assert not breaker.refuses(), "the first failure is out of the window, so there are only three"
    end(breaker.question(), True)
    assert breaker.refuses()
