// The one Plotly of the page: plotly.min.js, loaded by a tag in <head> (files.py says which it is).

/** A promise of window.Plotly. */
export const plotly = new Promise((resolve, reject) => {
  if (window.Plotly) return resolve(window.Plotly);
  const script = document.querySelector('script[src$="/plotly.min.js"]');
  if (!script) return reject(new Error("There is no tag for plotly.min.js."));
  script.addEventListener("load", () => resolve(window.Plotly));
  script.addEventListener("error", () => reject(new Error("plotly.min.js could not be loaded.")));
});

/** Nothing of Plotly's own around a figure: the page has its own controls. */
export const CONFIG = { displayModeBar: false, responsive: false, doubleClick: "reset", scrollZoom: false };

/** A deep copy of a figure's specification, to be filled. */
export const copy = (specification) => structuredClone(specification);

/**
 * The hover texts of a heatmap, made when they are asked for: T x T prepared strings would cost more than the map.
 * Plotly reads hovertext[row][column], and that is all it does with it.
 */
export const hoverTexts = (text) => indexed((row) => indexed((column) => text(row, column)));

/** An array, empty by its length, whose i-th element is item(i). */
const indexed = (item) =>
  new Proxy([], {
    get: (target, name) =>
      typeof name === "string" && /^\d+$/.test(name) ? item(Number(name)) : target[name],
  });
