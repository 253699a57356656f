"""Lanes and the cache of Traces, without an app."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator

import numpy as np
import pytest

import shakespeare_gpt as sg
from launched import PATIENCE
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.ui.core.limits import Refused
from shakespeare_gpt.ui.core.traces import TraceCache, size
from shakespeare_gpt.ui.gradio_seam import lanes
from shakespeare_gpt.ui.gradio_seam.lanes import Lane
from shakespeare_gpt.ui.writing import api as writing
from shakespeare_gpt.ui.writing.api import pieces
from support import run, small_gpt


def test_a_lane_keeps_signature_and_docstring():
    def fn(text: str, layer: int = 1) -> dict:
        """What it does."""

    lane = Lane("test")
    assert inspect.signature(lane.call(fn)) == inspect.signature(fn)
    assert lane.call(fn).__doc__ == fn.__doc__


def test_a_stream_says_the_type_of_one_answer():
    def fn(text: str) -> Iterator[str]:
        yield text

    stream = Lane("test").stream(fn)
    assert inspect.signature(stream).return_annotation is str
    assert inspect.isasyncgenfunction(stream)


def test_calls_of_a_lane_run_one_at_a_time_and_in_turn():
    lane, seen = Lane("test"), []

    def work(i):
        seen.append((i, threading.get_ident()))
        return i

    async def all_of_them():
        return await asyncio.gather(*(lane.call(work)(i) for i in range(10)))

    assert run(all_of_them()) == list(range(10))
    assert [i for i, _ in seen] == list(range(10))
    assert len({thread for _, thread in seen}) == 1  # nothing runs beside itself


def test_streams_take_turns_piece_by_piece():
    lane, order = Lane("test"), []

    def fn(name: str) -> Iterator[str]:
        for i in range(3):
            order.append(name)
            yield f"{name}{i}"

    async def drain(name):
        return [piece async for piece in lane.stream(fn)(name)]

    async def both():
        return await asyncio.gather(drain("a"), drain("b"))

    assert run(both()) == [["a0", "a1", "a2"], ["b0", "b1", "b2"]]
    assert order == ["a", "b", "a", "b", "a", "b"]


def test_who_has_nothing_yet_comes_first():
    lane, order, begun, go = Lane("test"), [], threading.Event(), threading.Event()

    def fn(name: str) -> Iterator[str]:
        for i in range(3):
            order.append(f"{name}{i}")
            if name == "old" and i == 0:
                begun.set()
                go.wait(PATIENCE)  # until all the others are waiting
            yield name

    async def drain(name):
        async for _ in lane.stream(fn)(name):
            pass

    async def all_of_them():
        old = asyncio.ensure_future(drain("old"))
        await asyncio.to_thread(begun.wait, PATIENCE)
        others = [asyncio.ensure_future(drain(name)) for name in "ab"]
        await asyncio.sleep(0)  # each stands in line now
        go.set()
        await asyncio.gather(old, *others)

    run(all_of_them())
    assert order[:3] == ["old0", "a0", "b0"]


def test_a_full_lane_refuses_who_comes_and_finishes_what_has_begun(monkeypatch):
    monkeypatch.setattr(lanes, "MAX_WAITING", 2)
    lane, go = Lane("test"), threading.Event()

    def fn() -> Iterator[int]:
        yield from range(3)

    async def full():
        stream = lane.stream(fn)()
        seen = [await anext(stream)]
        blocked = [lane.submit(go.wait) for _ in range(4)]  # the first is at work, three wait
        rest = asyncio.ensure_future(anext(stream))
        for later in (False, True):
            with pytest.raises(Refused, match="Many people"):
                await lane.call(lambda: 1, later=later)()
        go.set()
        seen += [await rest] + [each async for each in stream]
        return seen, len(blocked)

    assert run(full()) == ([0, 1, 2], 4)


def test_single_calls_in_turn_do_not_keep_a_stream_waiting():
    lane, order, begun, go = Lane("test"), [], threading.Event(), threading.Event()

    def stream() -> Iterator[int]:
        for i in range(2):
            order.append(f"stream {i}")
            if i == 0:
                begun.set()
                go.wait(PATIENCE)
            yield i

    async def drain():
        return [each async for each in lane.stream(stream)()]

    async def all_of_them():
        drained = asyncio.ensure_future(drain())
        await asyncio.to_thread(begun.wait, PATIENCE)
        first = lane.call(lambda: order.append("call 0"), later=True)()
        waiting = asyncio.ensure_future(first)
        await asyncio.sleep(0)
        go.set()
        await waiting
        await lane.call(lambda: order.append("call 1"), later=True)()
        await drained

    run(all_of_them())
    assert order[:3] == ["stream 0", "call 0", "stream 1"]


def test_an_error_comes_out_of_a_lane():
    def fn(text: str) -> Iterator[str]:
        raise Refused("no")
        yield text

    async def drain():
        async for _ in Lane("test").stream(fn)("x"):
            pass

    with pytest.raises(Refused):
        run(drain())


@pytest.mark.parametrize("how", ["close", "cancel", "cancel in line"])
def test_an_ended_stream_ends_the_work_and_frees_the_lane(how):
    lane, closed, made = Lane("test"), threading.Event(), []
    begun, go = threading.Event(), threading.Event()

    def fn() -> Iterator[int]:
        try:
            for i in range(1000):
                made.append(i)
                begun.set()
                go.wait(PATIENCE)
                yield i
        finally:
            closed.set()

    async def end_it():
        stream = lane.stream(fn)()
        if how == "close":
            go.set()
            assert await anext(stream) == 0
        else:
            busy = lane.submit(go.wait) if how == "cancel in line" else None
            task = asyncio.ensure_future(anext(stream))
            await (asyncio.sleep(0) if busy else asyncio.to_thread(begun.wait, PATIENCE))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            go.set()
        await stream.aclose()
        return await lane.run(lambda: "free")

    assert run(end_it()) == "free"
    assert made == ([] if how == "cancel in line" else [0])
    assert closed.is_set() == bool(made)  # what never began has nothing to end


def test_too_many_waiting_calls_are_refused(monkeypatch):
    monkeypatch.setattr(lanes, "MAX_WAITING", 3)
    lane, begun, go = Lane("test"), threading.Event(), threading.Event()

    def work():
        begun.set()
        go.wait(PATIENCE)

    async def crowd():
        calls = [asyncio.ensure_future(lane.run(work))]
        await asyncio.sleep(0)
        assert begun.wait(PATIENCE)
        calls += [asyncio.ensure_future(lane.run(work)) for _ in range(3)]  # one works, three wait
        await asyncio.sleep(0)
        try:
            with pytest.raises(Refused, match="try again"):
                await lane.run(work)
        finally:
            go.set()
        await asyncio.gather(*calls)
        return await lane.run(lambda: "served")

    assert run(crowd()) == "served"


# --- the cache ---------------------------------------------------------------------------------------------------


def test_a_text_is_traced_once():
    model = small_gpt()
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    cache = TraceCache(model)
    first = cache("ROMEO:")
    assert cache("ROMEO:") is first and len(calls) == 1
    np.testing.assert_array_equal(first.attention, sg.trace(model, "ROMEO:").attention)


def test_an_intervention_is_another_trace():
    cache = TraceCache(small_gpt())
    plain, changed = cache("ROMEO:"), cache("ROMEO:", Intervention(no_scale=True))
    assert not np.allclose(plain.attention, changed.attention)
    assert cache("ROMEO:", Intervention(no_scale=True)) is changed
    assert cache("ROMEO:", Intervention()) is plain


def test_the_cache_is_bounded_and_forgets_the_oldest():
    model = small_gpt()
    one = size(sg.trace(model, "aaaa"))
    cache = TraceCache(model, limit=3 * one)
    texts = ["aaaa", "bbbb", "cccc"]
    kept = {text: cache(text) for text in texts}
    assert all(cache(text) is kept[text] for text in texts)
    assert cache("aaaa") is kept["aaaa"]  # now the most recent
    cache("dddd")
    assert cache("aaaa") is kept["aaaa"] and cache("cccc") is kept["cccc"]
    assert cache("bbbb") is not kept["bbbb"]


def test_the_size_counts_every_array():
    seen = sg.trace(small_gpt(), "ROMEO:")
    assert size(seen) >= seen.attention.nbytes + seen.residual.nbytes + seen.logits.nbytes


# --- pieces ------------------------------------------------------------------------------------------------------


def test_the_first_character_is_told_at_once_and_then_at_most_twenty_at_a_time(monkeypatch):
    monkeypatch.setattr(writing, "EVERY_SECONDS", 1000)
    rows = [[i] for i in range(75)]
    assert [len(piece) for piece in pieces(iter(rows))] == [1, 2, 4, 8, 16, 20, 20, 4]
    assert [row for piece in pieces(iter(rows)) for row in piece] == rows


def test_a_slow_stream_tells_what_there_is(monkeypatch):
    monkeypatch.setattr(writing, "EVERY_SECONDS", 0.0)
    assert [len(piece) for piece in pieces(iter([[1], [2], [3]]))] == [1, 1, 1]
    assert list(pieces(iter([]))) == []
