// "Take it away": what is shown, as a picture. One SVG holds a heading, the text with its shading and arcs, and the
// large map with its selection, in the colours of the page. Every word of it is a text node.

import { facts } from "../core/facts.js";
import { arc, linked } from "../core/arcs.js";
import { selected } from "../core/cursor.js";
import { promptLength, session, windowNow } from "../core/session.js";
import { focus, links } from "../core/focus.js";
import { MARK, pageColours, strength } from "../core/colours.js";
import { lensNames } from "../core/lenses.js";
import { headFigure } from "../core/head_figure.js";
import { plotly } from "../core/plotly.js";
import { sentence, sureness } from "../core/said.js";
import { view, zoom } from "../core/store.js";
import { glyph } from "../core/text.js";

/**
 * @import { Focus } from "../core/types.d.ts"
 * @typedef {ReturnType<typeof pageColours>} Colours
 */

const WIDTH = 900, // all lengths in px
  EDGE = 28;
const CELL = 11, // of a character of the text
  LINE = 34,
  SIZE = 17; // of its letters
const MAP = 760; // height of the map
const LETTERS = 118; // of a line of the sentence
const SVG = "http://www.w3.org/2000/svg";
/** @type {Record<string, number>} */
const MARKS = { "sg-row": 1, "sg-cell": 2 }; // how thick a mark in the map is drawn

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function draw(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** The picture: an <svg> element. */
export async function picture() {
  const now = focus();
  if (!now) throw new Error("The first text is not here yet.");
  const colours = pageColours();
  const root = draw("svg", {
    xmlns: SVG,
    width: WIDTH,
    "font-family": "system-ui, sans-serif",
    fill: colours.ink,
  });
  const ground = root.appendChild(draw("rect", { width: "100%", height: "100%", fill: colours.paper }));
  const names = lensNames(now.lens);
  let y = EDGE + 16;
  const write = (/** @type {string} */ words, /** @type {Record<string, string | number>} */ attributes) => {
    root.append(draw("text", { x: EDGE, y, ...attributes }, words));
    y += 22;
  };
  write(`${facts.title}: layer ${now.layer}, head ${now.head}`, { "font-size": 20, "font-weight": 600 });
  for (const line of wrapped(`${sentence()}${names.length ? " (altered view)" : ""}`))
    write(line, { "font-size": 14 });
  const [text, height] = strip(now, colours);
  root.append(text);
  text.setAttribute("transform", `translate(${EDGE} ${y + 16})`);
  y += 16 + height + 12;
  const map = root.appendChild(await headMap(now, colours));
  map.setAttribute("y", String(y));
  map.setAttribute("x", String(EDGE));
  y += MAP + 24;
  const { checkpoint, start, length } = windowNow();
  const from = checkpoint ? `Checkpoint ${checkpoint.slice(0, 16)}.` : "";
  const seen = `Characters ${start + 1} to ${start + length} of ${session.get().text.length}.`;
  write(`${seen} ${from}`, { "font-size": 12, fill: colours.quiet });
  root.setAttribute("height", String(y));
  root.setAttribute("viewBox", `0 0 ${WIDTH} ${y}`);
  ground.setAttribute("height", String(y));
  return root;
}

/** Lines of at most LETTERS letters, broken at spaces. @param {string} text */
const wrapped = (text) =>
  Array.from(text.matchAll(new RegExp(`.{1,${LETTERS}}(?=\\s|$)|\\S{${LETTERS}}`, "g")), ([line]) =>
    line.trim(),
  );

/**
 * The characters that the model saw, in cells of one size.
 * @param {Focus} now
 * @param {Colours} colours
 * @returns {[strip: Element, height: number]}
 */
function strip(now, colours) {
  const seen = windowNow();
  const group = draw("g", {
    "font-family": "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
    "font-size": SIZE,
  });
  const perLine = Math.floor((WIDTH - 2 * EDGE) / CELL);
  const sure = now.direction === "how sure";
  const weights = sure ? null : links(now);
  /** @type {{x: number, y: number}[]} */
  const corners = [];
  let column = 0,
    row = 0;
  seen.characters.forEach((character) => {
    if (column === perLine) [column, row] = [0, row + 1];
    corners.push({ x: column * CELL, y: row * LINE });
    if (character === "\n") [column, row] = [0, row + 1];
    else column++;
  });
  seen.characters.forEach((character, i) => {
    const position = seen.start + i;
    const { x, y } = corners[i];
    const alpha = sure ? (sureness(position)?.[0] ?? 0) : strength(weights?.[i] ?? 0, view.get().scale);
    if (alpha > 0)
      group.append(
        draw("rect", {
          x,
          y,
          width: CELL,
          height: 24,
          fill: rgb(colours.shade),
          "fill-opacity": alpha.toFixed(4),
        }),
      );
    const chosen = position >= now.chosen && position <= now.end;
    const marked = chosen ? colours.accent : position === now.other ? colours.ink : null;
    if (marked)
      group.append(
        draw("rect", { x, y, width: CELL, height: 24, fill: "none", stroke: marked, "stroke-width": 2 }),
      );
    if (character === " ") return;
    const letter = draw("text", { x: x + CELL / 2, y: y + 17, "text-anchor": "middle" }, glyph(character));
    if (position >= promptLength()) letter.setAttribute("font-style", "italic"); // what the model wrote
    group.append(letter);
  });
  if (weights) {
    const top = (/** @type {number} */ position) => ({
      x: corners[position].x + CELL / 2,
      y: corners[position].y + 3,
    });
    for (const index of linked(weights)) {
      const path = arc(top(now.chosen - seen.start), top(index), weights[index]);
      path.setAttribute("fill", "none");
      path.setAttribute("stroke", colours.accent);
      group.append(path);
    }
  }
  return [group, (row + 1) * LINE];
}

/** CSS writes "247 190 54"; SVG in other programs wants commas. @param {string} channels */
const rgb = (channels) => `rgb(${channels.split(/\s+/).join(",")})`;

/**
 * The large map as an <svg> element, drawn by Plotly; zoomed as on the page.
 * @param {Focus} now
 * @param {Colours} colours
 */
async function headMap(now, colours) {
  const figure = headFigure(now, await session.layer(now.layer), MAP - 140);
  delete figure.data[0].hovertext; // nobody points at a picture
  const { x, y } = zoom.get();
  if (x) figure.layout.xaxis.range = x;
  if (y) figure.layout.yaxis.range = y;
  figure.layout.coloraxis.colorscale = facts.colours.weights[now.lens.scale];
  figure.layout.font = { color: colours.ink, family: "system-ui, sans-serif", size: 12 };
  Object.assign(figure.layout, { width: WIDTH - 2 * EDGE, height: MAP });
  figure.layout.shapes = selected(now).map(([x0, y0, x1, y1, name]) => ({
    type: "rect",
    x0,
    y0,
    x1,
    y1,
    line: { color: MARK, width: MARKS[name] },
  }));
  const { toImage } = await plotly();
  const drawn = await toImage(figure, {
    format: "svg",
    width: WIDTH - 2 * EDGE,
    height: MAP,
    imageDataOnly: true,
  });
  return new DOMParser().parseFromString(drawn, "image/svg+xml").documentElement;
}

/** The picture as the text of an SVG file. */
export const svg = async () => new XMLSerializer().serializeToString(await picture());

/** The picture as the Blob of a PNG file, two pixels for one. @returns {Promise<Blob>} */
export async function png() {
  const drawn = new Image();
  drawn.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(await svg())}`;
  await drawn.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * drawn.width, 2 * drawn.height];
  canvas.getContext("2d")?.drawImage(drawn, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("It is too large."))), "image/png"),
  );
}
