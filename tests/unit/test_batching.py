"""One batch for all who write: everybody gets the text of his own seed, whoever comes, stays and goes beside him."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import aclosing
from types import SimpleNamespace

import pytest

import shakespeare_gpt as sg
from launched import PATIENCE
from shakespeare_gpt import batching
from shakespeare_gpt.batching import Engine, Full, Run
from shakespeare_gpt.generation import Row, Writer, rows_of
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.sampling import Sampling
from support import TEXT, run, small_gpt

MODEL = small_gpt()
T = MODEL.config.context_length
HOW = Sampling(0.9, 30, 0.95)
HEADS_OFF = Intervention(heads_off={(0, 1)})


async def texts(pieces) -> list[str]:
    """What the texts of a run say, each whole."""
    steps = [row async for piece in pieces for row in piece]
    return ["".join(step.character for step in of_one) for of_one in zip(*steps, strict=True)]


def alone(prompt: str, count: int, seed: int, change: Intervention | None = None) -> str:
    return sg.generate(MODEL, prompt, count, 0.9, 30, 0.95, seed, change)


class Told(Run):
    """A run of a test, which keeps what it is told."""

    def __init__(self, length: float, prompt: str = TEXT[:3], num_samples: int = 1, seed: int = 0) -> None:
        self.news: list = []
        super().__init__(rows_of(MODEL, prompt, num_samples, HOW, seed), length, None, self.news.append)

    @property
    def written(self) -> list[int]:
        return [len(piece) for piece in self.news if piece]


@pytest.fixture
def engine(monkeypatch) -> Engine:
    """One that a test takes from step to step: its thread does nothing."""
    monkeypatch.setattr(Engine, "_work", lambda self: None)
    return Engine(MODEL)


def step(engine: Engine) -> set[Run]:
    """Those that went on."""
    turn = engine._turn()
    engine.step(list(turn))
    return set(turn)


def test_thirty_at_once_write_what_each_writes_alone():
    """Of other prompts, lengths and numbers of texts; some with heads off."""
    asked = [
        (TEXT[i : 3 * i + 1], 1 + i % 3, T + 3 * i, i, HEADS_OFF if i % 5 == 4 else None) for i in range(30)
    ]

    async def all_of_them():
        engine = Engine(MODEL)
        runs = [
            texts(engine.pieces(prompt, count, length, HOW, seed, change))
            for prompt, count, length, seed, change in asked
        ]
        told = await asyncio.gather(*runs)
        assert engine.runs == []
        return told

    for (prompt, count, length, seed, change), told in zip(asked, run(all_of_them()), strict=True):
        assert told == [alone(prompt, length, seed + i, change) for i in range(count)]


def test_a_piece_is_one_character_then_two_then_four_and_at_most_twenty(engine, monkeypatch):
    monkeypatch.setattr(batching, "EVERY_SECONDS", 1000)
    one = Told(75)
    engine.join(one)
    while engine.runs:
        step(engine)
    assert one.written == [1, 2, 4, 8, 16, 20, 20, 4]
    assert one.news[-1] is None


def test_a_slow_run_tells_what_there_is(engine, monkeypatch):
    monkeypatch.setattr(batching, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(batching, "EVERY_SECONDS_EACH", 0.0)
    one = Told(6)
    engine.join(one)
    while engine.runs:
        step(engine)
    assert one.written == [1] * 6


def test_who_comes_writes_in_the_next_step_and_who_has_gone_in_none(engine):
    old, new = Told(100), Told(3)
    engine.join(old)
    step(engine)
    engine.join(new)
    assert step(engine) == {old, new}
    engine.leave(old)
    assert step(engine) == {new} and step(engine) == {new}
    assert engine.runs == [] and new.news[-1] is None
    assert step(engine) == set()


def test_a_few_windows_are_read_in_a_step_while_the_others_go_on(engine):
    old = Told(100)
    engine.join(old)
    step(engine)
    crowd = [Told(100, TEXT[:i]) for i in range(1, 11)]
    for one in crowd:
        engine.join(one)
    for count in (4, 8, 10):
        assert old in step(engine)
        assert [one.begun for one in crowd] == [i < count for i in range(10)]


def test_all_who_begin_with_the_same_prompt_begin_at_once(engine):
    crowd = [Told(100, seed=seed) for seed in range(30)]
    for one in crowd:
        engine.join(one)
    assert step(engine) == set(crowd)


def test_who_has_nothing_yet_comes_before_those_whose_window_is_full(engine):
    full = [Told(1000, TEXT[:T]) for _ in range(8)]
    for one in full:
        engine.join(one)
    step(engine)  # each has read a full window
    new = Told(1000)
    engine.join(new)
    assert sum(one.reads for one in full) == 8
    turn = step(engine)
    assert new in turn and len(turn) == batching.READS


def test_so_many_texts_at_once_and_the_others_wait_for_a_place(engine, monkeypatch):
    monkeypatch.setattr(batching, "TEXTS", 5)
    monkeypatch.setattr(batching, "READS", 100)
    first, second, third = Told(5, num_samples=3), Told(100, num_samples=4), Told(100)
    for one in (first, second, third):
        engine.join(one)
    assert step(engine) == {first}  # nobody overtakes the second, who needs four places
    while first in engine.runs:
        step(engine)
    assert step(engine) == {second, third}
    many = Told(2, num_samples=9)
    engine.runs.clear()
    engine.join(many)
    assert step(engine) == {many}  # more than there are places, but alone


def test_a_full_house_is_refused_with_a_sentence(engine, monkeypatch):
    monkeypatch.setattr(batching, "RUNS", 2)
    engine.join(Told(9))
    engine.join(Told(9))

    async def third():
        return await texts(engine.pieces(TEXT, 1, 9, HOW, 1))

    with pytest.raises(Full, match="Many people are writing right now"):
        run(third())
    assert len(engine.runs) == 2


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_an_ended_stream_leaves_the_batch_and_its_memory_goes(how, monkeypatch):
    """Nobody else notices."""
    usual = Writer.write
    rows: set[int] = set()

    def watched(self, written: list[Row]):
        rows.clear()
        rows.update(id(row) for row in written)
        return usual(self, written)

    monkeypatch.setattr(Writer, "write", watched)

    async def end_it():
        engine = Engine(MODEL)
        async with aclosing(engine.pieces(TEXT, 1, 10**9, HOW, 1)) as endless:
            await anext(endless)
            other = asyncio.ensure_future(texts(engine.pieces(TEXT, 1, 500, HOW, 2)))
            if how == "cancel":
                task = asyncio.ensure_future(texts(endless))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        assert await other == [alone(TEXT, 500, 2)]
        assert engine.runs == [] and len(rows) == 1

    run(end_it())


def test_an_error_reaches_who_asked_and_the_next_one_is_served(monkeypatch):
    usual = Writer.write

    def broken(self, rows):
        if len(rows[0].text) == len(TEXT) + 5:
            raise ArithmeticError("no")
        return usual(self, rows)

    monkeypatch.setattr(Writer, "write", broken)

    async def both():
        engine = Engine(MODEL)
        with pytest.raises(ArithmeticError):
            await texts(engine.pieces(TEXT, 1, 50, HOW, 1))
        return await texts(engine.pieces(TEXT[:3], 1, 20, HOW, 1))

    assert run(both()) == [alone(TEXT[:3], 20, 1)]


def test_the_time_limit_counts_from_the_first_character(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(batching, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 100))

    async def long():
        return await texts(Engine(MODEL).pieces(TEXT, 1, 10**9, HOW, 1, time_limit=0.3))

    (text,) = run(long())
    assert 10 < len(text) < 30 and text == alone(TEXT, len(text), 1)


def test_a_closed_event_loop_harms_nobody():
    """Who asked is gone with his loop; the thread writes on for the others."""
    engine = Engine(MODEL)

    async def begin():
        await anext(engine.pieces(TEXT, 1, 400, HOW, 1))

    async def ask():
        return await texts(engine.pieces(TEXT, 1, 30, HOW, 2))

    run(begin())
    assert run(ask()) == [alone(TEXT, 30, 2)]


def test_the_thread_goes_when_nobody_writes_and_comes_again():
    async def ask(engine):
        return await texts(engine.pieces(TEXT, 1, 5, HOW, 1))

    engine = Engine(MODEL)
    for _ in range(3):
        assert run(ask(engine)) == [alone(TEXT, 5, 1)]
        writers = [thread for thread in threading.enumerate() if thread.name == "writing"]
        for thread in writers:
            thread.join(PATIENCE)
        assert not engine._working


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"length": 0}, "length"), ({"num_samples": 0}, "num_samples"), ({"seed": -1}, "seed"),
     ({"intervention": Intervention(heads_off={(9, 0)})}, "layer")],
)  # fmt: skip
def test_a_wrong_argument_is_refused(changed, says):
    asked = {"prompt": TEXT, "num_samples": 1, "length": 5, "sampling": HOW, "seed": 1, **changed}
    with pytest.raises(ValueError, match=says):
        run(texts(Engine(MODEL).pieces(**asked)))
