// Cividis, the scale of every map: even to the eye, and the same for colour-blind readers.

import { session } from "./session.js";

let table = null;

/** 256 colours as [r, g, b], from weight 0 to 1, linear; made from the scale that figures.py took from Plotly. */
export function cividis() {
  table ??= resample(session.get().figures.colorscales.linear, 256);
  return table;
}

function resample(scale, count) {
  const stops = scale.map(([at, colour]) => [at, colour.match(/\d+/g).map(Number)]);
  return Array.from({ length: count }, (_, i) => {
    const x = i / (count - 1);
    const after = Math.max(
      1,
      stops.findIndex(([at]) => at >= x),
    );
    const [[from, a], [to, b]] = [stops[after - 1], stops[after]];
    return a.map((channel, c) => Math.round(channel + ((b[c] - channel) * (x - from)) / (to - from)));
  });
}

/** What marks the chosen row in a map, as in explorer.css. */
export const MARK = "#ff5d5d";

/** The colours of the page as they are now, for what CSS cannot colour. */
export function pageColours(element = document.querySelector(".sg")) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(`--sg-${name}`).trim();
  const [ink, quiet, line, accent, paper, shade] = ["ink", "quiet", "line", "accent", "paper", "shade"].map(
    read,
  );
  return { ink, quiet, line, accent, paper, shade };
}

/** How strongly a weight is coloured, 0 to 1. */
export const strength = (weight, scale) => (scale === "linear" ? weight : Math.sqrt(weight));
