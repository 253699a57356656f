// What Gradio's events call: gradio_seam/events.py writes the calls, and knows these names.

export { gradioText as typed } from "./gradio_seam/pickers.js";
export { copy, failed, generate, result, writeOn } from "./writing/run.js";
