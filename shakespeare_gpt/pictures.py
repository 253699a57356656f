"""Two pictures as SVG, written by hand: the decoder, and the loss while it was trained.

Both stand in assets/ for the README; the page shows the same drawing of the decoder, with parts that can be pressed.
In a file the colours follow the reader's light or dark theme; on the page, the page's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from shakespeare_gpt.model import GPTConfig
from shakespeare_gpt.published import FIVE_GRAM, NANOGPT
from shakespeare_gpt.record import text_of
from shakespeare_gpt.words import plural

STYLE = """<style>
svg { --ink: #1b2130; --quiet: #5a6172; --line: #b9bfcc; --fill: #f4f5f9; --accent: #2b4c9b; }
@media (prefers-color-scheme: dark) {
svg { --ink: #eceff5; --quiet: #aab1c1; --line: #4a5266; --fill: #1c212c; --accent: #9db7ff; } }
text { fill: var(--ink); font: 14px ui-sans-serif, system-ui, sans-serif; }
.shape, .tick { fill: var(--quiet); font-size: 12px; }
.box { fill: var(--fill); stroke: var(--line); }
.frame { fill: none; stroke: var(--line); stroke-dasharray: 5 4; }
.wire, .curve { fill: none; stroke: var(--quiet); stroke-width: 1.5; }
.stream { fill: none; stroke: var(--accent); stroke-width: 3; }
.tip { fill: var(--quiet); stroke: none; }
.plus { fill: var(--fill); stroke: var(--accent); stroke-width: 2; }
.rule { stroke: var(--line); }
.curve { stroke-width: 2; }
.validation { stroke: var(--accent); stroke-width: 2.5; }
.training { stroke-dasharray: 6 4; }
.other { stroke: var(--quiet); stroke-dasharray: 2 4; }
</style>"""


# --- the decoder ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A box of the drawing: what it is called, its tensor, a sentence about it, and where it stands."""

    key: str
    name: str
    shape: str
    sentence: str
    x: float
    y: float
    width: float
    height: float = 42

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


WIDTH, HEIGHT = 420, 908
STREAM = 40  # x of the residual stream
LEFT, RIGHT = 84, 404  # of the boxes


def parts(config: GPTConfig) -> dict[str, Part]:
    """The boxes by their key, from the top down; T stands for the length of the text."""
    c, heads, size = config.n_embd, config.n_head, config.head_size
    wide, third = RIGHT - LEFT, 100
    listed = (
        Part("text", "the text", "T characters", "The characters, each as its number.", LEFT, 8, wide),
        Part(
            "token_embedding",
            "token embedding",
            f"{config.vocab_size} × {c}",
            f"Each character is looked up: {c} learned numbers that stand for it.",
            LEFT, 78, wide,
        ),
        Part(
            "position_embedding",
            "position embedding",
            f"{config.context_length} × {c}",
            "Added to it: as many learned numbers that stand for its place in the text.",
            LEFT, 132, wide,
        ),
        Part(
            "residual",
            "residual stream",
            f"T × {c}",
            "What is known about each character so far; every branch reads it and adds to it.",
            12, 192, 250, 34,
        ),
        Part(
            "layers",
            f"layer, {config.n_layer} of them",
            f"{plural(heads, 'head')} each",
            "Two branches, one after the other."
            if config.n_layer == 1
            else f"The same two branches {config.n_layer} times, each time with weights of their own.",
            154, 256, 250, 30,
        ),
        Part(
            "norm",
            "layer norm",
            f"T × {c}",
            "Brings the numbers of each character to one scale before a branch reads them.",
            LEFT, 300, wide, 34,
        ),
        Part(
            "query",
            "query",
            f"T × {heads} × {size}",
            "What each character looks for, in each head.",
            LEFT, 352, third,
        ),
        Part(
            "key",
            "key",
            f"T × {heads} × {size}",
            "What each character offers, in each head.",
            LEFT + 110, 352, third,
        ),
        Part(
            "value",
            "value",
            f"T × {heads} × {size}",
            "What each character hands over to those that look at it.",
            LEFT + 220, 352, third,
        ),
        Part(
            "scores",
            f"query · key / √{size}",
            f"{heads} × T × T, then the mask",
            "How well each query fits each key; the mask takes the later characters out.",
            LEFT, 412, 210,
        ),
        Part(
            "softmax",
            "softmax: weights",
            f"{heads} × T × T",
            "The scores become shares that add up to 1: what each character looks at.",
            LEFT, 472, 210,
        ),
        Part(
            "mix",
            "weights × values",
            f"{heads} × T × {size}",
            "Each character receives the values of the others, by these shares.",
            LEFT, 532, wide,
        ),
        Part(
            "projection",
            "output projection",
            f"T × {c}",
            "The heads' results side by side, mixed, and added to the stream.",
            LEFT, 592, wide,
        ),
        Part(
            "norm_2",
            "layer norm",
            f"T × {c}",
            "As above, before the second branch.",
            LEFT, 650, wide, 34,
        ),
        Part(
            "feed_forward",
            "feed-forward",
            f"{c} → {4 * c} → {c}",
            "Two layers of an ordinary network, for each character alone; added to the stream.",
            LEFT, 700, wide,
        ),
        Part(
            "final_norm",
            "final layer norm",
            f"T × {c}",
            "One scale again, for the last time.",
            LEFT, 766, wide, 34,
        ),
        Part(
            "head",
            "output head",
            f"T × {config.vocab_size} logits",
            "The token embedding once more: a score for each character that could come next.",
            LEFT, 812, wide,
        ),
        Part(
            "draw",
            "softmax, then draw",
            f"{config.vocab_size} probabilities",
            "The last character's scores become probabilities, and the next character is drawn.",
            LEFT, 864, wide, 38,
        ),
    )  # fmt: skip
    return {part.key: part for part in listed}


def decoder_svg(config: GPTConfig, page: bool = False) -> str:
    """The decoder as a drawing.

    Args:
        page: for the page: each part a button (data-part names it), no style of its own; else a whole file.
    """
    boxes = parts(config)
    drawn = [
        f'<rect class="frame" x="4" y="242" width="{WIDTH - 8}" height="512" rx="12"/>',
        line("stream", (STREAM, boxes["token_embedding"].middle), (STREAM, boxes["final_norm"].middle)),
        arrow((STREAM, boxes["token_embedding"].middle), (LEFT, boxes["token_embedding"].middle), tip=False),
        arrow((STREAM, boxes["final_norm"].middle), (LEFT, boxes["final_norm"].middle)),
    ]
    for key in ("norm", "norm_2"):  # they read from the stream
        drawn.append(arrow((STREAM, boxes[key].middle), (LEFT, boxes[key].middle)))
    for key in ("position_embedding", "projection", "feed_forward"):  # they add to it
        drawn.append(arrow((LEFT, boxes[key].middle), (STREAM + 11, boxes[key].middle)))
        drawn.append(plus(STREAM, boxes[key].middle))
    down = (
        ("text", "token_embedding", 244), ("norm", "query", 134), ("norm", "key", 244), ("norm", "value", 354),
        ("query", "scores", 134), ("key", "scores", 244), ("scores", "softmax", 189), ("softmax", "mix", 189),
        ("value", "mix", 354), ("mix", "projection", 244), ("norm_2", "feed_forward", 244),
        ("final_norm", "head", 244), ("head", "draw", 244),
    )  # fmt: skip
    for upper, lower, x in down:
        drawn.append(arrow((x, boxes[upper].y + boxes[upper].height), (x, boxes[lower].y)))
    drawn += [box(part, page) for part in boxes.values()]
    title = (
        f"The decoder: {plural(config.n_layer, 'layer')} of {plural(config.n_head, 'attention head')} and a "
        "feed-forward network"
    )
    return svg(WIDTH, HEIGHT, title, drawn, page)


def box(part: Part, page: bool) -> str:
    """A part as a labelled box; on the page one that can be pressed."""
    lines = [
        f'<rect class="box" x="{part.x:g}" y="{part.y:g}" width="{part.width:g}" height="{part.height:g}" rx="7"/>'
    ]
    name, shape = escape(part.name), escape(part.shape)
    if part.width < 250 and part.height > 40:  # the shape stands under the name
        x = part.x + part.width / 2
        lines += [
            f'<text x="{x:g}" y="{part.middle - 3:g}" text-anchor="middle">{name}</text>',
            f'<text class="shape" x="{x:g}" y="{part.middle + 14:g}" text-anchor="middle">{shape}</text>',
        ]
    else:
        y = part.middle + 5
        lines += [
            f'<text x="{part.x + 12:g}" y="{y:g}">{name}</text>',
            f'<text class="shape" x="{part.x + part.width - 12:g}" y="{y:g}" text-anchor="end">{shape}</text>',
        ]
    if not page:
        return "<g>" + "".join(lines) + "</g>"
    label = escape(f"{part.name}, {part.shape}")
    return f'<g class="part" role="button" tabindex="0" data-part="{part.key}" aria-label="{label}">{"".join(lines)}</g>'


def line(name: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    return f'<path class="{name}" d="M{start[0]:g} {start[1]:g}L{end[0]:g} {end[1]:g}"/>'


def arrow(start: tuple[float, float], end: tuple[float, float], tip: bool = True) -> str:
    """A straight line, horizontal or vertical, with a tip at its end."""
    (x0, y0), (x1, y1) = start, end
    right, down = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
    drawn = line("wire", start, end)
    if not tip:
        return drawn
    back_x, back_y = x1 - 7 * right, y1 - 7 * down
    corners = (
        (x1, y1), (back_x + 4 * down, back_y + 4 * right), (back_x - 4 * down, back_y - 4 * right)
    )  # fmt: skip
    return drawn + f'<path class="tip" d="M{"L".join(f"{x:g} {y:g}" for x, y in corners)}Z"/>'


def plus(x: float, y: float) -> str:
    return (
        f'<circle class="plus" cx="{x:g}" cy="{y:g}" r="10"/>'
        + line("wire", (x - 5, y), (x + 5, y))
        + line("wire", (x, y - 5), (x, y + 5))
    )


# --- the loss ------------------------------------------------------------------------------------------------


def loss_svg(record: Mapping) -> str:
    """The loss while the model was trained, over the characters it had read.

    Args:
        record: training.json: "sha256", and "history", of which each entry has "characters",
            "training_loss" and "validation_loss" (nats a character). Those of others are drawn where they are of the same
            text: see `record.text_of`.

    Raises:
        ValueError: the history is empty.
    """
    history = record["history"]
    if not history:
        raise ValueError("There is no history to draw: the run was never scored.")
    width, height, left, right, top, bottom = 680, 380, 56, 20, 28, 48
    furthest = max(entry["characters"] for entry in history)
    highest = max(max(entry["training_loss"], entry["validation_loss"]) for entry in history)
    references = (FIVE_GRAM, NANOGPT) if text_of(record).compares else ()
    lowest = min(
        [min(entry["training_loss"], entry["validation_loss"]) for entry in history]
        + [other.value for other in references]
    )
    losses, millions_read = ticks(lowest, highest), ticks(0, furthest / 1e6)
    low, high = losses[0], losses[-1]

    def x(characters: float) -> float:
        return left + (width - left - right) * characters / furthest

    def y(loss: float) -> float:
        return top + (height - top - bottom) * (high - loss) / (high - low)

    drawn = [f"<!-- of the checkpoint with the sha256 {record['sha256']} -->"]
    for loss in losses:
        drawn.append(f'<path class="rule" d="M{left} {y(loss):.1f}H{width - right}"/>')
        drawn.append(tick(left - 8, y(loss) + 4, f"{loss:.1f}", "end"))
    for millions in millions_read:
        if millions * 1e6 <= furthest:
            drawn.append(tick(x(millions * 1e6), height - bottom + 20, f"{millions:g}", "middle"))
    drawn.append(tick((left + width - right) / 2, height - 8, "million characters read", "middle"))
    drawn.append(tick(8, 16, "loss, nats a character"))
    for other in references:
        drawn.append(f'<path class="other" d="M{left} {y(other.value):.1f}H{width - right}"/>')
        drawn.append(tick(left + 6, y(other.value) - 5, f"{other.name} {other.loss}"))
    for i, (name, words) in enumerate(
        (("validation", "text it never saw"), ("training", "text it learns from"))
    ):
        points = ((x(entry["characters"]), y(entry[f"{name}_loss"])) for entry in history)
        drawn.append(f'<path class="curve {name}" d="{path(points)}"/>')
        at = top + 18 + 20 * i
        drawn.append(f'<path class="curve {name}" d="M{width - 220} {at - 4}h34"/>')
        drawn.append(tick(width - 178, at, words))
    last, text = history[-1]["validation_loss"], text_of(record).name
    of = f" ({text})" if text else ""
    return svg(
        width, height, f"The loss while it was trained: {last:.4f} at the end on text it never saw{of}", drawn
    )


def tick(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def ticks(low: float, high: float) -> list[float]:
    """At most ten round numbers: the last one that is not above low, to the first one that is not below high."""
    steps = (base * 10.0**power for power in range(-6, 12) for base in (1, 2, 5))
    step = next(step for step in steps if (high - low) / step <= 8)
    return [round(i * step, 6) for i in range(math.floor(low / step), math.ceil(high / step) + 1)]


def svg(width: int, height: int, title: str, drawn: Sequence[str], page: bool = False) -> str:
    """The drawing as a whole: on the page a group of buttons, in a file one picture with its style."""
    role = f'role="group" aria-label="{escape(title)}"' if page else 'role="img"'
    namespace = "" if page else ' xmlns="http://www.w3.org/2000/svg"'
    head = "" if page else f"\n<title>{escape(title)}</title>\n{STYLE}"
    return f'<svg{namespace} viewBox="0 0 {width} {height}" {role}>{head}\n' + "\n".join(drawn) + "\n</svg>\n"
