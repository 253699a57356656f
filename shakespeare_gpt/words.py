"""Numbers in sentences."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """So many of something: "1 head", "6 heads", "1,000 characters"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
