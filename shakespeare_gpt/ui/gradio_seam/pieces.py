"""Pieces of the page: a gr.HTML with a static template each, that a script of ours fills and keeps alive."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from shakespeare_gpt.ui.gradio_seam import files

NAME = re.compile(r'data-piece="([\w-]+)"')


# What the scripts of a piece are told, and its name: not as Gradio's value, which would stand in the document.
_told: WeakKeyDictionary[gr.HTML, tuple[str, Any]] = WeakKeyDictionary()


def piece(template: str, told: Any = None, **options: Any) -> gr.HTML:
    """A piece of the page; main.js knows by the template's `data-piece` which scripts it belongs to.

    Args:
        template: static HTML. It holds no data: Gradio evaluates `{{...}}` and `${...}` in it, and would run a
            visitor's text.
        told: what the scripts are told, ready for JSON: see files.Told.
    """
    # By an address that does not depend on Gradio's own files.
    main = f'import(new URL("{files.url(files.SCRIPT)}", document.baseURI))'
    made = gr.HTML(
        html_template=template,
        js_on_load=f"{main}.then(main => main.mount(element));",
        apply_default_css=False,
        **options,
    )
    if told is not None:
        _told[made] = NAME.findall(template)[0], told
    return made


def told_to(blocks: Iterable[Any]) -> dict[str, Any]:
    """What the pieces among these blocks are told, by their names."""
    return dict(_told[block] for block in blocks if block in _told)
