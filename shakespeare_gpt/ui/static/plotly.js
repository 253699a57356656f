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
