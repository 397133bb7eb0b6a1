/** Lines over time, drawn by uPlot. The table below has the same numbers, for screen readers too. */

import { element, isolated } from "./elements.js";
import { LANGUAGE, numberOf, say } from "./messages.js";
import { surgeInWords } from "./surges.js";

/** @import { Answer } from "./charts.js" */

const HEIGHT = 240;
/** Colours of the style sheet, and dashes. */
const LINES = [["--accent", []], ["--high", [6, 3]], ["--good", [2, 3]], ["--dim", [10, 4, 2, 4]]];
const MAX_BINS = 5000;

export class LineChart {
  #place;
  #legend = element("ul", { className: "legend" });
  #surges = element("ul", { className: "surges" });
  #canvas = element("div", {});
  #plot = null;
  /** @type {?{columns: string[], data: number[][]}} */
  #shown = null;
  #shaded = [];
  /** The begin and the end of the time axis, in seconds since 1970. */
  #times = [0, 1];
  #usual = [];

  /** @param {HTMLElement} place @param {string} title */
  constructor(place, title) {
    this.#place = place;
    this.#canvas.setAttribute("role", "img");
    this.#canvas.ariaLabel = say("chart-drawn", { title });
    place.append(this.#legend, this.#canvas, this.#surges);
    new ResizeObserver(() => this.#fit()).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Draw an answer: lines, shaded surges with a list below, and a band of usual values. @param {Answer} answer */
  show({ columns, rows, bin_s: binSeconds, since, until, surges, usual }) {
    this.#times = [since, until];
    this.#shaded = surges;
    this.#usual = usual;
    this.#surges.replaceChildren(...surges.map(surgeInWords));
    this.#shown = rows.length ? withoutZeroLines(columns, filled(rows, columns.length, binSeconds)) : null;
    this.#draw();
  }

  #draw() {
    this.#plot?.destroy();
    this.#plot = null;
    if (this.#shown === null) return;
    const { columns, data } = this.#shown;
    const style = getComputedStyle(this.#place);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--faint") }, ticks: { stroke: colour("--line") } };
    const series = columns.slice(1).map((name, place) => {
      const [stroke, dash] = LINES[place];
      return { label: say(`column-${name}`), stroke: colour(stroke), dash, width: 2, points: { show: data[0].length === 1 } };
    });
    const ends = this.#usual.length ? [2, 0].map((end) => this.#usual.slice(0, data[0].length).map((each) => each[end])) : [];
    this.#legend.replaceChildren(
      ...series.map(({ label }, place) => element("li", { className: `line-${place}` }, [isolated(label)])),
      ...(ends.length ? [element("li", { className: "usual" }, [say("usual")])] : []),
    );
    const options = {
      width: this.#width(),
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { range: () => this.#times }, y: { range: (_, __, most) => [0, most * 1.05 || 1] } },
      axes: [
        { ...axis, values: (_, times) => timesOf(times) },
        { ...axis, size: 60, values: (_, values) => values.map((value) => numberOf(value)) },
      ],
      series: [{}, ...ends.map(() => ({ points: { show: false } })), ...series], // drawn first, so that the band is under the lines
      bands: ends.length ? [{ series: [1, 2], fill: colour("--arrival") }] : [],
      hooks: { drawClear: [(plot) => this.#shade(plot, colour("--high-back"))] },
    };
    this.#plot = new globalThis.uPlot(options, [data[0], ...ends, ...data.slice(1)], this.#canvas);
  }

  /** Shade the time of each surge, before the lines are drawn. */
  #shade(plot, fill) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = fill;
    for (const { since, ended } of this.#shaded) {
      const [from, to] = [since, ended ?? Infinity].map((at) =>
        Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(at, "x", true))));
      ctx.fillRect(from, bbox.top, Math.max(2, to - from), bbox.height);
    }
    ctx.restore();
  }

  #fit() {
    const width = this.#width();
    if (this.#plot !== null && width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #width() {
    return Math.floor(this.#place.clientWidth);
  }
}

/** Return the rows as columns, with zeros in bins without a row. */
function filled(rows, width, binSeconds) {
  const [first, last] = [rows[0][0], rows.at(-1)[0]];
  const bins = Math.min(MAX_BINS, Math.round((last - first) / binSeconds) + 1);
  const data = Array.from({ length: width }, () => new Array(bins).fill(0));
  for (let bin = 0; bin < bins; bin += 1) data[0][bin] = first + bin * binSeconds;
  for (const row of rows) {
    const bin = Math.round((row[0] - first) / binSeconds);
    if (bin < bins) for (let column = 1; column < width; column += 1) data[column][bin] = row[column];
  }
  return data;
}

/** Remove lines that are zero everywhere, except the first line. */
function withoutZeroLines(columns, data) {
  const kept = columns.map((_, place) => place < 2 || data[place].some((value) => value !== 0));
  return { columns: columns.filter((_, place) => kept[place]), data: data.filter((_, place) => kept[place]) };
}

/** The labels of the time axis: the time, and the day if it differs from the label before. */
function timesOf(times) {
  let day = null;
  return times.map((seconds) => {
    const moment = new Date(seconds * 1000);
    const date = moment.toLocaleDateString(LANGUAGE, { month: "short", day: "numeric" });
    const time = moment.toLocaleTimeString(LANGUAGE, { hour: "2-digit", minute: "2-digit", hour12: false });
    const isNew = date !== day;
    day = date;
    return isNew ? `${time}\n${date}` : time;
  });
}
