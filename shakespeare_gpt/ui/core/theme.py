"""How Gradio's own controls look: its theme. The style sheets follow it."""

from __future__ import annotations

import gradio as gr

# Paper and ink, with the deep blue of the maps for what can be pressed; fonts of the visitor's own system.
THEME = gr.themes.Base(
    primary_hue=gr.themes.colors.indigo,
    neutral_hue=gr.themes.colors.stone,
    font=["ui-sans-serif", "system-ui", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "monospace"],
    radius_size=gr.themes.sizes.radius_md,
).set(
    body_background_fill="#fbfaf7",
    body_background_fill_dark="#15161a",
    block_background_fill="transparent",
    block_background_fill_dark="transparent",
    block_border_width="0px",
    block_shadow="none",
    block_padding="0px",
    form_gap_width="0px",
    color_accent="#2f3f8f",
    block_title_text_weight="600",
    block_title_text_color="*body_text_color",
    block_title_text_color_dark="*body_text_color",
    block_info_text_color="#57534e",
    block_info_text_color_dark="#a8a29e",
    input_background_fill="#ffffff",
    input_background_fill_dark="#1d1f25",
    input_border_width="1px",
    button_primary_background_fill="#2f3f8f",
    button_primary_background_fill_hover="#25337a",
    button_primary_background_fill_dark="#4c5fd0",
    button_primary_background_fill_hover_dark="#5d70e0",
    button_secondary_background_fill="#ffffff",
    button_secondary_background_fill_dark="#262932",
    button_secondary_border_color="#d6d3d1",
    button_secondary_border_color_dark="#44403c",
)
