"""Lanes and the cache of Traces, without an app."""

from __future__ import annotations

import asyncio
import inspect
import threading

import numpy as np
import pytest

import shakespeare_gpt as sg
from launched import PATIENCE
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.ui.core.limits import Refused
from shakespeare_gpt.ui.core.traces import TraceCache, size
from shakespeare_gpt.ui.gradio_seam import lanes
from shakespeare_gpt.ui.gradio_seam.lanes import Lane
from support import run, small_gpt


def test_a_lane_keeps_signature_and_docstring():
    def fn(text: str, layer: int = 1) -> dict:
        """What it does."""

    lane = Lane("test")
    assert inspect.signature(lane.call(fn)) == inspect.signature(fn)
    assert lane.call(fn).__doc__ == fn.__doc__


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


def test_an_error_comes_out_of_a_lane():
    def fn(text: str) -> str:
        raise Refused("no")

    with pytest.raises(Refused):
        run(Lane("test").call(fn)("x"))


def test_who_gives_up_in_line_is_passed_over():
    lane, seen, begun, go = Lane("test"), [], threading.Event(), threading.Event()

    def work(name):
        seen.append(name)
        begun.set()
        go.wait(PATIENCE)

    async def some():
        first, second, third = (asyncio.ensure_future(lane.call(work)(name)) for name in "abc")
        await asyncio.to_thread(begun.wait, PATIENCE)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        go.set()
        await asyncio.gather(first, third)

    run(some())
    assert seen == ["a", "c"]


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
