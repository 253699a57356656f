"""Pieces of the page: a gr.HTML with a static template each, that a script of ours fills and keeps alive."""

from __future__ import annotations

from typing import Any

import gradio as gr

from shakespeare_gpt.ui.gradio_seam import files

# Not needed before the visitor asks for it, or loaded by a tag of its own.
LATER = (
    "core/plotly.min.js", "standalone.js", "take_away/standalone_api.js", "take_away/standalone_file.js",
)  # fmt: skip


def piece(template: str, value: Any = None, trigger: bool = False, **options: Any) -> gr.HTML:
    """A piece of the page; main.js knows by the template's `data-piece` which scripts it belongs to.

    Args:
        template: static HTML. It holds no data: Gradio evaluates `{{...}}` and `${...}` in it, and would run a
            visitor's text.
        value: what the scripts are told, ready for JSON.
        trigger: whether they fire events of the component.
    """
    # By an address that does not depend on Gradio's own files.
    main = f'import(new URL("{files.url("main.js")}", document.baseURI))'
    arguments = "element, props.value, trigger" if trigger else "element, props.value"
    return gr.HTML(
        value,
        html_template=template,
        js_on_load=f"{main}.then(main => main.mount({arguments}));",
        apply_default_css=False,
        **options,
    )


def head_tags(*styles: str) -> str:
    """Tags for the page's <head>: Plotly, which may arrive when it likes, the style sheets, and all modules early."""
    modules = [name for name in files.served() if name.endswith(".js") and name not in LATER]
    tags = [
        f'<script type="module" src="{files.url("core/plotly.js")}"></script>',  # which fetches plotly.min.js
        *(f'<link rel="stylesheet" href="{files.url(name)}">' for name in styles),
        *(f'<link rel="modulepreload" href="{files.url(name)}">' for name in modules),
    ]
    return "\n".join(tags)
