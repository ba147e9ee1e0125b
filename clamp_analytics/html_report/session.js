"use strict";
// The dialog of a session: its figures, violations, values in the charts, and anchors. Data are in #sessions.
const createSessionDialog = (specifications, embed) => {
  const data = JSON.parse(document.getElementById("sessions").textContent);
  const dialog = document.getElementById("session");
  const body = document.getElementById("session-body");
  const title = document.getElementById("session-title");
  const MOST_LISTED = 200;
  const LANE = 18;

  const element = (name, text, children = []) => {
    const node = document.createElement(name);
    if (text !== null) {
      node.textContent = text;
    }
    node.append(...children);
    return node;
  };

  const button = (index, text) => {
    const node = element("button", text);
    node.dataset.session = index;
    return node;
  };

  const time = (milliseconds) => `${new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ")} UTC`;

  const terms = (pairs) =>
    element("dl", null, pairs.map(([name, value]) => element("div", null, [element("dt", name), element("dd", String(value))])));

  const nameOf = ([source, , labels]) => labels?.[data.label] ?? source.split("/").at(-1).replace(/\.json$/, "");

  const tableOf = (caption, heads, rows) => {
    const head = element("tr", null, heads.map((name) => element("th", name)));
    const lines = rows.map((row) => element("tr", null, row.map((value) => element("td", null, [value ?? "-"]))));
    const table = element("table", null, [element("caption", caption), element("thead", null, [head]), element("tbody", null, lines)]);
    const box = element("div", null, [table]);
    box.className = "scroll";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", caption);
    return box;
  };

  const withUnit = (value, unit) => {
    const number = value === undefined ? null : String(Number(value.toPrecision(4)));
    return number !== null && unit === "ms" ? `${number} ms` : number;
  };

  // The points of a series: an outlier has a letter (k), and the points of a change have no index (i).
  const pointsOf = (figure) => {
    const chart = specifications[figure.querySelector(".chart").id];
    return Object.values(chart.datasets).flat().filter((row) => row.v !== undefined && row.i !== undefined && row.k === undefined);
  };

  const fillTable = (part) => {
    if (part.querySelector("table")) {
      return;
    }
    const figure = part.closest("figure");
    const { unit, metric, group } = figure.dataset;
    const points = pointsOf(figure);
    const binned = points.some((row) => row.n !== undefined);
    const heads = binned ? ["time", "average", "5th to 95th percentile", "sessions", "from, to"] : ["time", "value", "session"];
    const rows = points.map((row) => {
      const start = [time(row.t), withUnit(row.v, unit)];
      if (!binned) {
        return [...start, button(row.i, data.sessions[row.i] ? nameOf(data.sessions[row.i]) : row.s)];
      }
      const span = button(row.i, String(row.n));
      span.dataset.last = row.j;
      return [...start, `${withUnit(row.lo, unit)} to ${withUnit(row.hi, unit)}`, span, row.s];
    });
    part.append(tableOf(`${metric} of ${group}`, heads, rows));
  };

  const valuesTable = (index) => {
    const rows = [];
    for (const figure of document.querySelectorAll("figure[data-metric]")) {
      const point = pointsOf(figure).find((row) => row.i === index && row.j === undefined);
      if (point) {
        rows.push([figure.dataset.group, figure.dataset.metric, withUnit(point.v, figure.dataset.unit)]);
      }
    }
    return rows.length ? [element("h3", "Values in the charts"), tableOf("Values of this session", ["group", "metric", "value"], rows)] : [];
  };

  // Names are data: they are values of fields of our own, and the explicit domain of their axis.
  const timelineOf = ({ threads, contexts, rows }) => {
    const lanes = [];
    const bars = [];
    const held = [];
    for (const [thread, context, start, length] of rows) {
      const lane = `T${thread + 1} ${contexts[context]}`;
      if (!lanes.includes(lane)) {
        lanes.push(lane);
      }
      const bar = { l: lane, t: threads[thread], s: start / 1000 };
      if (length === null) {
        held.push(bar);
      } else {
        bars.push({ ...bar, e: (start + length) / 1000, d: length / 1000 });
      }
    }
    const x = { field: "s", type: "quantitative", title: "milliseconds since the first acquisition", axis: { tickCount: 6 } };
    const y = { field: "l", type: "nominal", title: null, sort: null, scale: { domain: lanes }, axis: { labelLimit: 150, ticks: false, domain: false } };
    const tooltip = [
      { field: "l", type: "nominal", title: "lane" },
      { field: "t", type: "nominal", title: "thread" },
      { field: "s", type: "quantitative", title: "acquired, ms" },
    ];
    const duration = { field: "d", type: "quantitative", title: "held, ms" };
    // An empty layer has no extent, of which Vega warns.
    const layer = [];
    if (bars.length) {
      const mark = { type: "bar", height: 9, color: "var(--data)" };
      layer.push({ data: { name: "bars" }, mark, encoding: { x, x2: { field: "e" }, y, tooltip: [...tooltip, duration] } });
    }
    if (held.length) {
      const mark = { type: "point", shape: "triangle-right", size: 90, color: "var(--change)" };
      layer.push({ data: { name: "held" }, mark, encoding: { x, y, tooltip } });
    }
    return {
      datasets: { bars, held },
      layer,
      width: "container",
      height: LANE * lanes.length,
      autosize: { type: "fit-x", contains: "padding" },
    };
  };

  const show = (heading, parts) => {
    title.textContent = heading;
    body.replaceChildren(...parts);
    if (!dialog.open) {
      dialog.showModal();
    }
    dialog.scrollTop = 0;
  };

  const open = async (index) => {
    const row = data.sessions[index];
    if (!row) {
      show("Session", [element("p", "This page has no details of this session: it is not one of the latest ones.")]);
      return;
    }
    const [source, start, labels, records, inFlight, mean, faults] = row;
    const figures = [["started", time(start)], ...Object.entries(labels ?? {}), ["records", records], ["in flight", inFlight], ["mean stability", mean]];
    const parts = [element("p", `${data.folder}${source}`), terms(figures.filter(([, value]) => value !== null && value !== undefined))];
    parts.push(element("h3", "Violations"));
    const list = (faults ?? []).map(([severity, rule, times]) => element("li", `${severity} ${rule}${times > 1 ? ` (${times} times)` : ""}`));
    parts.push(list.length ? element("ul", null, list) : element("p", "None."));
    parts.push(element("h3", "Anchors by thread and context"));
    const anchors = data.anchors[index];
    const chart = element("div", null);
    parts.push(anchors ? chart : element("p", `This page has no anchors of this session. Draw them with: clamp-analytics trace FILE`));
    if (anchors?.more) {
      parts.push(element("p", `… and ${anchors.more} more anchors of this session`));
    }
    parts.push(...valuesTable(index));
    const near = [["← earlier", index - 1], ["later →", index + 1]].filter(([, other]) => data.sessions[other]);
    parts.push(element("p", null, near.map(([text, other]) => button(other, text))));
    show(nameOf(row), parts);
    if (anchors) {
      chart.className = "chart";
      chart.setAttribute("role", "img");
      chart.setAttribute("aria-label", `${anchors.rows.length} anchors on ${anchors.threads.length} threads`);
      await embed(chart, timelineOf(anchors));
    }
    dialog.dataset.shown = index;
  };

  const openSpan = (first, last) => {
    const known = Object.keys(data.sessions).map(Number).filter((index) => first <= index && index <= last);
    const items = known.slice(0, MOST_LISTED).map((index) => element("li", null, [button(index, nameOf(data.sessions[index])), ` ${time(data.sessions[index][1])}`]));
    const left = last - first + 1 - items.length;
    const parts = [element("ul", null, items)];
    if (left > 0) {
      parts.push(element("p", `… and ${left} more`));
    }
    show(`${last - first + 1} sessions`, parts);
  };

  const saveTrace = (identifier) => {
    const link = element("a", null);
    link.href = URL.createObjectURL(new Blob([data.traces[identifier].trace], { type: "application/json" }));
    link.download = `clamp-trace-${identifier}.json`;
    link.click();
    URL.revokeObjectURL(link.href);
  };

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    if (pressed?.dataset.last) {
      openSpan(Number(pressed.dataset.session), Number(pressed.dataset.last));
    } else if (pressed?.dataset.session) {
      open(Number(pressed.dataset.session));
    } else if (pressed?.dataset.trace) {
      saveTrace(pressed.dataset.trace);
    } else if (pressed?.id === "session-close" || event.target === dialog) {
      dialog.close();
    }
  });

  const openSession = (datum) => {
    if (datum?.j !== undefined && datum.j !== datum.i) {
      openSpan(datum.i, datum.j);
    } else if (datum?.i !== undefined) {
      open(datum.i);
    }
  };
  return { openSession, fillTable };
};
