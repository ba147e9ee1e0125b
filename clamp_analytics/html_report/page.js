"use strict";
// Draws the charts, connects their time axes, and filters the page by name. Specifications are in #charts.
(() => {
  const root = document.documentElement;
  const { config, specifications } = JSON.parse(document.getElementById("charts").textContent);
  const tooltip = document.getElementById("tooltip");
  const reset = document.getElementById("reset");
  const refuse = () => Promise.reject(new Error("a chart must not load anything"));
  // How far from the window a chart is drawn.
  const NEAR = "600px 0px";
  const AXIS_HEIGHT = 43;
  // The signals in which Vega-Lite keeps the zoomed span of a series, and the brushed span of the strip.
  const ZOOM = "zoom_t";
  const BRUSH = "brush_t";
  const started = new Set();
  const series = new Map();
  let strip = null;
  let span = null;
  let pending = 0;
  let failed = 0;
  root.classList.add("scripted");

  const showTooltip = (handler, event, item, value) => {
    if (value === null || value === undefined || value === "") {
      tooltip.hidden = true;
      return;
    }
    // A dialog covers all other elements of the page, so a tooltip of its chart must be inside.
    (document.querySelector("dialog[open]") ?? document.body).append(tooltip);
    const lines = typeof value === "object" ? Object.entries(value) : [["", value]];
    tooltip.replaceChildren(
      ...lines.flatMap(([name, text]) => {
        const key = document.createElement("span");
        const content = document.createElement("span");
        key.textContent = name;
        content.textContent = String(text);
        return [key, content];
      }),
    );
    tooltip.hidden = false;
    const box = tooltip.getBoundingClientRect();
    const left = Math.min(event.clientX + 14, root.clientWidth - box.width - 4);
    const top = event.clientY + 18 + box.height > root.clientHeight ? event.clientY - box.height - 10 : event.clientY + 18;
    tooltip.style.left = `${Math.max(left, 4)}px`;
    tooltip.style.top = `${Math.max(top, 4)}px`;
  };

  const equal = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  const applySpan = () => {
    pending = 0;
    for (const view of series.values()) {
      if (!equal(view.signal(ZOOM) ?? null, span)) {
        view.signal(ZOOM, span).runAsync();
      }
    }
  };

  const setSpan = (value) => {
    const wanted = value && value.length ? value.map(Number) : null;
    if (equal(wanted, span)) {
      return;
    }
    span = wanted;
    if (reset) {
      reset.disabled = span === null;
    }
    pending ||= requestAnimationFrame(applySpan);
  };

  const embed = (element, specification) =>
    vegaEmbed(element, { ...specification, config }, {
      mode: "vega-lite",
      renderer: "svg",
      // Expressions are interpreted, so that the page does not need the right to evaluate code.
      ast: true,
      actions: false,
      defaultStyle: false,
      tooltip: showTooltip,
      loader: { load: refuse, sanitize: refuse, http: refuse, file: refuse },
    });
  const { openSession, fillTable } = createSessionDialog(specifications, embed);

  const draw = async (element) => {
    started.add(element.id);
    try {
      const { view } = await embed(element, specifications[element.id]);
      if (element.dataset.kind === "series") {
        series.set(element.id, view);
        view.addSignalListener(ZOOM, (name, value) => setSpan(value));
        view.addEventListener("click", (event, item) => openSession(item?.datum));
        if (span) {
          applySpan();
        }
      } else if (element.dataset.kind === "sessions") {
        strip = view;
        view.addSignalListener(BRUSH, (name, value) => setSpan(value));
      }
    } catch (error) {
      failed += 1;
      root.dataset.charts = "failed";
      element.textContent = `The chart could not be drawn: ${error.message}. The table below has its data.`;
      console.error(error);
    }
  };

  // A chart is drawn when it comes near the window, so that a page of a hundred charts opens as quickly as one of five.
  // One in a closed part of the page has no width, and is drawn when that part is opened.
  const waiting = new Set();
  const drawWaiting = async () => {
    for (const element of waiting) {
      waiting.delete(element);
      if (!started.has(element.id)) {
        await draw(element);
        await new Promise((next) => setTimeout(next));
      }
    }
    root.dataset.charts = failed ? "failed" : "drawn";
  };
  let drawing = Promise.resolve();
  const nearby = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        nearby.unobserve(target);
        waiting.add(target);
      }
    }
    root.dataset.charts = "drawing";
    drawing = drawing.then(drawWaiting);
  }, { rootMargin: NEAR });
  // Printing waits for the promises of this listener, but for no timer.
  const drawAll = () => {
    for (const element of document.querySelectorAll(".chart[id]")) {
      if (!started.has(element.id) && element.checkVisibility()) {
        draw(element);
      }
    }
  };

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let part = target?.parentElement; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") {
        part.open = true;
      }
    }
    target?.scrollIntoView({ block: "nearest" });
  };

  const filter = document.getElementById("filter");
  const matches = document.getElementById("matches");
  const applyFilter = () => {
    const text = filter.value.trim().toLowerCase();
    const names = new Set();
    const matching = new Set();
    for (const element of document.querySelectorAll("[data-group]")) {
      const name = element.dataset.group;
      const matched = name.toLowerCase().includes(text);
      element.hidden = !matched;
      names.add(name);
      if (matched) {
        matching.add(name);
      }
    }
    for (const block of document.querySelectorAll(".incident")) {
      block.hidden = !block.querySelector("[data-group]:not([hidden])");
    }
    matches.textContent = text ? `${matching.size} of ${names.size}` : "";
    if (text) {
      for (const part of document.querySelectorAll("details.groups, details.unchanged-charts")) {
        part.open = true;
      }
    }
  };

  filter.addEventListener("input", applyFilter);
  reset?.addEventListener("click", () => {
    setSpan(null);
    strip?.signal("brush_tuple", null).runAsync();
  });
  for (const part of document.querySelectorAll("details")) {
    part.addEventListener("toggle", () => {
      if (part.classList.contains("points") && part.open) {
        fillTable(part);
      }
    });
  }
  addEventListener("hashchange", reveal);
  addEventListener("scroll", () => { tooltip.hidden = true; }, { passive: true });
  if (filter.value) {
    applyFilter();
  }
  if (location.hash) {
    reveal();
  }
  addEventListener("beforeprint", drawAll);
  const charts = document.querySelectorAll(".chart[id]");
  for (const element of charts) {
    // The room of the chart and its axis, so that nothing moves when it is drawn.
    element.style.minHeight = `${specifications[element.id].height + AXIS_HEIGHT}px`;
    nearby.observe(element);
  }
  if (!charts.length) {
    root.dataset.charts = "drawn";
  }
})();
