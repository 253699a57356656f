// Cividis, the scale of every map: even to the eye, and the same for colour-blind readers.

import { facts } from "./facts.js";
import { element, find } from "./text.js";

/** @import { Scale } from "./types.d.ts" */

/** @type {number[][] | null} */
let table = null;

/** 256 colours as [r, g, b], from weight 0 to 1, linear; made from the scale that facts.py took from Plotly. */
export function cividis() {
  table ??= resample(facts.colours.weights.linear, 256);
  return table;
}

/** @param {[at: number, colour: string][]} scale @param {number} count */
function resample(scale, count) {
  const stops = scale.map(([at, colour]) => ({ at, channels: (colour.match(/\d+/g) ?? []).map(Number) }));
  return Array.from({ length: count }, (_, i) => {
    const x = i / (count - 1);
    const after = Math.max(
      1,
      stops.findIndex(({ at }) => at >= x),
    );
    const [a, b] = [stops[after - 1], stops[after]];
    const share = (x - a.at) / (b.at - a.at);
    return a.channels.map((channel, c) => Math.round(channel + (b.channels[c] - channel) * share));
  });
}

/** What marks the chosen row in a map. */
export const MARK = facts.colours.mark;

/** The colours of the page as they are now, for what CSS cannot colour. */
export function pageColours(place = find(document, ".sg")) {
  const style = getComputedStyle(place);
  const forced = matchMedia("(forced-colors: active)").matches;
  const read = (/** @type {string} */ name) => {
    const said = style.getPropertyValue(`--sg-${name}`).trim();
    return forced && /^[a-z]+$/i.test(said) ? system(said) : said;
  };
  const [ink, quiet, line, accent, paper] = ["ink", "quiet", "line", "accent", "paper"].map(read);
  return { ink, quiet, line, accent, paper, shade: read("shade"), mattered: read("mattered") };
}

/** One of the visitor's own colours, such as CanvasText, in numbers: Plotly does not know their names. @param {string} name */
function system(name) {
  const probe = element("span", { style: `forced-color-adjust: none; color: ${name}` });
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** How strongly a weight is coloured, 0 to 1. @param {number} weight @param {Scale} scale */
export const strength = (weight, scale) => (scale === "linear" ? weight : Math.sqrt(weight));
