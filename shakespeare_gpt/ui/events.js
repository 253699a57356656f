// What Gradio's events call: gradio_seam/events.py writes the calls, and knows these names.

export { gradioText as typed } from "./gradio_seam/pickers.js";
export { settings as linkSettings } from "./take_away/link.js";
export { copy, failed, result, sampling, writeOn } from "./writing/run.js";
