"use strict";
// Draws the charts whose specifications stand in #charts, one after the other, so that the page can be read meanwhile.
(async () => {
  const root = document.documentElement;
  const specifications = JSON.parse(document.getElementById("charts").textContent);
  const refuse = () => Promise.reject(new Error("a chart must not load anything"));
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    // Expressions are interpreted, so that the page needs no right to evaluate code.
    ast: true,
    actions: false,
    defaultStyle: false,
    loader: { load: refuse, sanitize: refuse, http: refuse, file: refuse },
  };
  const told = (value) =>
    value === null || value === undefined
      ? ""
      : typeof value === "object"
        ? Object.entries(value).map(([name, text]) => `${name}: ${text}`).join("\n")
        : String(value);
  let failed = 0;
  for (const [id, specification] of Object.entries(specifications)) {
    const place = document.getElementById(id);
    const tooltip = (handler, event, item, value) => { place.title = told(value); };
    try {
      await vegaEmbed(place, specification, { ...options, tooltip });
    } catch (error) {
      failed += 1;
      place.textContent = `The chart could not be drawn: ${error.message}. Its data are in the table below.`;
      console.error(error);
    }
    await new Promise((next) => setTimeout(next));
  }
  root.dataset.charts = failed ? "failed" : "drawn";
})();
