"""The Plotly figures before their numbers: what stands where, and how the colours follow the weights."""

from __future__ import annotations

import itertools
import json
import re

import plotly.graph_objects as go
import pytest
from plotly.colors import sample_colorscale

from shakespeare_gpt.ui.core.figures import colorscale, figures, head_map, layer_maps


def channels(colour: str) -> list[float]:
    return [float(n) for n in re.findall(r"[\d.]+", colour)]


def colour_of(weight: float, scale: list[list]) -> list[float]:
    """As Plotly does: linear between two stops."""
    for (a, first), (b, second) in itertools.pairwise(scale):
        if a <= weight <= b:
            share = (weight - a) / (b - a)
            return [x + share * (y - x) for x, y in zip(channels(first), channels(second), strict=True)]
    raise AssertionError(weight)


@pytest.mark.parametrize("weight", [0, 0.0004, 0.01, 0.05, 0.3, 0.77, 1])
def test_the_square_root_scale_shows_a_weight_as_linear_cividis_shows_its_root(weight):
    expected = channels(sample_colorscale("Cividis", [weight**0.5])[0])
    assert colour_of(weight, colorscale("sqrt")) == pytest.approx(expected, abs=3)
    assert colour_of(weight, colorscale("linear")) == pytest.approx(
        channels(sample_colorscale("Cividis", [weight])[0]), abs=3
    )


@pytest.mark.parametrize("columns", [6, 3])
def test_all_heads_stand_in_one_figure_with_one_scale(columns):
    figure = layer_maps(6, columns)
    assert len(figure["data"]) == 6
    assert {trace["type"] for trace in figure["data"]} == {"heatmap"}
    assert {trace["coloraxis"] for trace in figure["data"]} == {"coloraxis"}
    assert (figure["layout"]["coloraxis"]["cmin"], figure["layout"]["coloraxis"]["cmax"]) == (0, 1)
    boxes = []
    for trace in figure["data"]:
        x = figure["layout"]["xaxis" + trace["xaxis"][1:]]
        y = figure["layout"]["yaxis" + trace["yaxis"][1:]]
        boxes.append((x["domain"], y["domain"]))
    for ends in zip(*boxes, strict=True):  # all of one size
        assert len({round(end - begin, 9) for begin, end in ends}) == 1
    assert len({tuple(map(tuple, box)) for box in boxes}) == 6
    for first in range(0, 6, columns):
        for ((left, right), _), ((next_left, _), _) in itertools.pairwise(boxes[first : first + columns]):
            assert left < right < next_left
    assert boxes[0][1][1] == 1 and boxes[0][0][0] < boxes[1][0][0]  # head 1 at the top left


def test_any_number_of_heads_fits():
    for n_head in (1, 2, 5, 8):
        told = figures(n_head)
        assert all(len(figure["data"]) == n_head for figure in told["layer_maps"].values())
        assert str(n_head) in told["layer_maps"] and str(-(-n_head // 2)) in told["layer_maps"]


def test_the_colour_bar_says_what_the_colour_follows():
    told = figures(6)
    assert told["colorbar"]["title"] and not head_map()["layout"]["coloraxis"]["showscale"]
    assert "square root" in told["colorbar_titles"]["sqrt"]
    assert "square root" not in told["colorbar_titles"]["linear"]


@pytest.mark.parametrize("name", ["head_map", "layer_maps"])
def test_json_carries_the_whole_figure_and_nothing_in_it_points_nowhere(name):
    """Filled as the browser fills it; every axis and colour scale that a trace names is in the layout."""
    told = json.loads(json.dumps(figures(6)))
    for figure in [told["head_map"]] if name == "head_map" else told["layer_maps"].values():
        for trace in figure["data"]:
            for axis in (trace["xaxis"], trace["yaxis"]):
                figure["layout"][f"{axis[0]}axis{axis[1:]}"]["range"] = [0.5, 2.5]
            trace.update(z=[[1, None], [0.2, 0.8]], x0=1, dx=1, y0=1, dy=1)
        drawn = go.Figure(figure).to_dict()  # Plotly refuses names and values that it does not know
        for trace in drawn["data"]:
            assert trace["coloraxis"] in drawn["layout"] and trace["z"][1] == [0.2, 0.8]
            assert list(drawn["layout"][f"xaxis{trace['xaxis'][1:]}"]["range"]) == [0.5, 2.5]


def test_a_gap_in_the_matrix_has_no_hover():
    assert all(trace["hoverongaps"] is False for trace in layer_maps(6, 6)["data"] + head_map()["data"])
