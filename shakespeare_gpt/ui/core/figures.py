"""Plotly figures without their numbers: what the browser fills with a window's weights and draws.

Rows are the looking character, the first at the top; columns the looked-at one. Axes are numeric and count
positions in the whole text: categories would merge equal characters.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

STOPS = 33  # of a colour scale; between two of them Plotly interpolates
BARE = {"visible": False, "fixedrange": True}  # an axis that only places its cells
TICKS = [0, 0.1, 0.25, 0.5, 0.75, 1]


def colorscale(scale: str) -> list[list]:
    """Cividis over the weights from 0 to 1.

    Args:
        scale: "linear", or "sqrt": a weight w has the colour that sqrt(w) has in the linear scale. The
            numbers stay plain weights; only the stops move.
    """
    shades = [i / (STOPS - 1) for i in range(STOPS)]
    colours = sample_colorscale("Cividis", shades)
    return [[s * s if scale == "sqrt" else s, colour] for s, colour in zip(shades, colours, strict=True)]


def axis(**more: Any) -> dict[str, Any]:
    """What all axes that are seen share; the browser adds the range."""
    return {
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "constrain": "domain",
        "fixedrange": False,
        **more,
    }


def heatmap(number: int) -> go.Heatmap:
    """The trace of the number-th head of a figure, from 1."""
    return go.Heatmap(
        xaxis=f"x{number if number > 1 else ''}",
        yaxis=f"y{number if number > 1 else ''}",
        coloraxis="coloraxis",
        hoverongaps=False,  # nothing above the diagonal: no colour, no hover
        hoverinfo="text",
        name=f"head {number}",
    )


def layout(**more: Any) -> go.Layout:
    """What both figures share."""
    return go.Layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        hoverlabel={
            "align": "left",
            "bgcolor": "#1c2230",
            "bordercolor": "#1c2230",
            "font": {"color": "#fff"},
        },
        coloraxis={"cmin": 0, "cmax": 1, "colorscale": colorscale("sqrt"), "showscale": False},
        **more,
    )


def layer_maps(n_head: int, columns: int) -> dict[str, Any]:
    """All heads of a layer in one figure, with one colour scale, `columns` of them side by side.

    Nothing but the cells: the margin at the top and the gap between two rows leave room for the heads' names, which
    the browser writes, and the height that it gives the figure makes the cells square. Axes, annotations and
    `scaleanchor` would do the same and take a third of the time in which Plotly draws.
    """
    rows = -(-n_head // columns)
    gap_x = 0.1 / columns
    gap_y = 0.08 if rows > 1 else 0
    height = (1 - gap_y * (rows - 1)) / rows
    axes = {}
    for i in range(n_head):
        row, column = divmod(i, columns)
        left, top = column / columns, 1 - row * (height + gap_y)
        number = i + 1 if i else ""
        domain_x = [left + gap_x / 2, left + 1 / columns - gap_x / 2]
        axes[f"xaxis{number}"] = {"domain": domain_x, "anchor": f"y{number}", **BARE}
        axes[f"yaxis{number}"] = {"domain": [max(0, top - height), top], "anchor": f"x{number}", **BARE}
    # In one go: Plotly checks everything again at each update.
    whole = layout(margin={"l": 4, "r": 4, "t": 26, "b": 4, "autoexpand": False}, **axes)
    return go.Figure([heatmap(i + 1) for i in range(n_head)], whole).to_plotly_json()


def head_map() -> dict[str, Any]:
    """One head, large; the browser adds the colour bar where there is one."""
    figure = go.Figure(heatmap(1), layout(margin={"l": 40, "r": 6, "t": 6, "b": 40}))
    figure.update_layout(
        xaxis=axis(title={"text": "character that is looked at", "standoff": 6}, constraintoward="left"),
        yaxis=axis(
            title={"text": "character that looks", "standoff": 6}, scaleanchor="x", constraintoward="top"
        ),
    )
    return figure.to_plotly_json()


def colorbar() -> dict[str, Any]:
    """The colour bar of the large map, below it; its title names the scale, and the browser sets it."""
    return {
        "orientation": "h",
        "yref": "container",
        "y": 0,
        "yanchor": "bottom",
        "title": {"side": "top"},
        "thickness": 10,
        "outlinewidth": 0,
        "tickmode": "array",
        "tickvals": TICKS,
        "ticktext": [f"{tick:g}" for tick in TICKS],
    }


def figures(n_head: int) -> dict[str, Any]:
    """Everything that the browser needs to draw attention."""
    return {
        "layer_maps": {str(columns): layer_maps(n_head, columns) for columns in (n_head, -(-n_head // 2))},
        "head_map": head_map(),
        "colorbar": colorbar(),
        "colorbar_titles": {
            "sqrt": "weight (the colour follows its square root)",
            "linear": "weight (the colour follows it, 0 to 1)",
        },
    }
