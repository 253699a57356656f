"""What others reached on the same task: tiny-shakespeare, character by character.

Only results on the standard task: 65 characters, the first nine tenths to train on, the loss of the last tenth, in
nats a character. Read from the places named as `source` in November 2026. nanoGPT's protocol (most rows) scores
random windows and reports the lowest value seen during training, which is a little kinder than scoring every
character of the last weights, as this project does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One published result.

    Attributes:
        name: what it is.
        loss: of the validation text, in nats a character, as its authors write it.
        parameters: in millions, as they write it; "" where nothing is learned by gradient descent.
        hardware: what it was trained on, and for how long, as far as they say.
        source: where it stands.
        value: the loss as a number; of a range, the better end.
    """

    name: str
    loss: str
    parameters: str
    hardware: str
    source: str

    @property
    def value(self) -> float:
        return float(self.loss.split()[0])


FIVE_GRAM = Result(
    "Counting runs of five characters",
    "1.6688",
    "",
    "one CPU core, 12 s",
    "measured here: training/baselines.py",
)
NANOGPT = Result("nanoGPT", "1.4697", "10.65M", "A100, 3 min", "karpathy/nanoGPT, README")
PUBLISHED = (
    Result("nanoGPT's recipe for a CPU", "1.88", "0.80M", "MacBook CPU, 3 min", "karpathy/nanoGPT, README"),
    FIVE_GRAM,
    Result(
        "A 4.8M model of the lecture's code",
        "1.4818",
        "4.8M",
        "Apple GPU, 25 min",
        "therealcharles/nanogpt-shakespeare, model card",
    ),
    NANOGPT,
    Result(
        "The best of nanoGPT's architecture",
        "1.4603 ± 0.0008",
        "10.65M",
        "one GPU, 76 s",
        "SakanaAI/AI-Scientist, rl_lr_adaptation, mean of 3 seeds",
    ),
    Result(
        "The best of any architecture",
        "1.391 to 1.407",
        "10.67M",
        "RTX 4070 Ti, about 73 s",
        "JiHa-Kim/tinyshakespeare-gpt, one seed; the upper figure is its re-evaluation",
    ),
)
