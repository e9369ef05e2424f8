// Draws an evaluation's figures as the review page does (functions/web/plots.py), and the curve of a live prediction.

import { axis, BOTTOM, bounds, frame, fromZero, HEIGHT, LEFT, NOTHING, plot, RIGHT, TOP, WIDTH } from "./axes.js";
import { h, number, svg } from "./dom.js";

// A comparison has its names above the bars; many bars have them on the left, with that much room at most.
const [TALL_ROW, FLAT_ROW, NAMES, LETTER] = [44, 24, 110, 10];
const [DOTS_SHOWN, BARS_SHOWN, LABELS_SHOWN, PICTURES_SHOWN] = [1000, 100, 100, 48];

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {import("./axes.js").Bounds} Bounds */

/**
 * A figure with its title and caption; null if there is nothing to draw. Two versions' dots share their axes.
 * @param {Figure} figure
 * @param {Figure} [beside] the same figure of another version
 */
export function drawFigure(figure, beside) {
  const drawn = draw(figure, beside);
  if (!drawn) return null;
  const caption = figure.caption ? h("figcaption", {}, figure.caption) : null;
  return h("figure", { class: figure.kind }, h("h3", {}, figure.title), drawn, caption);
}

/**
 * @param {Figure} figure
 * @param {Figure} [beside]
 */
function draw(figure, beside) {
  switch (figure.kind) {
    case "scatter":
      return figure.points.length ? scatter(figure, beside?.kind === "scatter" ? beside.points : []) : null;
    case "bars":
      return figure.rows.length ? bars(figure) : null;
    case "matrix":
      return figure.labels.length && figure.labels.length <= LABELS_SHOWN ? matrix(figure) : null;
    case "pictures":
      return pictures(figure);
    default:
      return null;
  }
}

/**
 * @param {Scatter} figure
 * @param {[number, number][]} others
 */
function scatter(figure, others) {
  const points = figure.points.slice(0, DOTS_SHOWN);
  const xs = [...points, ...others].map(([x]) => x);
  const ys = [...points, ...others].map(([, y]) => y);
  let [across, up] = [bounds(xs), bounds(ys)];
  if (figure.line === "diagonal") across = up = bounds([...xs, ...ys]);
  if (figure.line === "zero") {
    const reach = Math.max(...ys.map(Math.abs)) * 1.08;
    up = reach > NOTHING ? [-reach, reach] : [-1, 1];
  }
  const [x, y] = [axis(across, LEFT, WIDTH - RIGHT), axis(up, HEIGHT - BOTTOM, TOP)];
  /** @type {Bounds} */
  const ends = figure.line === "diagonal" ? up : [0, 0];
  const ideal =
    figure.line && svg("line", { class: "ideal", x1: LEFT, y1: y.at(ends[0]), x2: WIDTH - RIGHT, y2: y.at(ends[1]) });
  const dots = points.map(([a, b]) => svg("circle", { cx: x.at(a), cy: y.at(b), r: 3.5 }));
  return plot(figure.title, frame(x, y, figure.x_label, figure.y_label), ideal, ...dots);
}

/**
 * A curve of a prediction over a field, and the current point.
 * @param {{title: string, x_label: string, y_label: string, points: [number, number][], y_bounds: Bounds,
 *   now: [number, number] | null}} shown
 */
export function curve({ title, x_label, y_label, points, y_bounds, now }) {
  const xs = points.map(([x]) => x);
  const x = axis([Math.min(...xs), Math.max(...xs)], LEFT, WIDTH - RIGHT);
  const y = axis(y_bounds, HEIGHT - BOTTOM, TOP);
  const path = points.map(([a, b]) => `${x.at(a)},${y.at(b)}`).join(" ");
  const marks = now
    ? [
        svg("line", { class: "now", x1: x.at(now[0]), y1: TOP, x2: x.at(now[0]), y2: HEIGHT - BOTTOM }),
        svg("circle", { class: "now", cx: x.at(now[0]), cy: y.at(now[1]), r: 6 }),
      ]
    : [];
  return plot(title, frame(x, y, x_label, y_label), svg("polyline", { class: "curve", points: path }), ...marks);
}

/**
 * Named values as bars from zero, the first of them marked, and the limit that they have to meet.
 * @param {string} title
 * @param {[string, number][]} rows
 * @param {{value: number, words: string} | null} limit
 */
export function comparison(title, rows, limit) {
  const scale = fromZero([...rows.map(([, value]) => value), ...(limit ? [limit.value] : [])], 0);
  const height = TALL_ROW * rows.length + (limit ? 22 : 0);
  const drawn = rows.map(([name, value], index) => {
    const top = TALL_ROW * index;
    return bar(name, value, scale, { name: top + 14, bar: top + 20, value: top + 32 }, index === 0);
  });
  if (limit) {
    const mark = scale.at(limit.value);
    const anchor = mark > 130 ? "end" : "start";
    drawn.push(
      svg(
        "g",
        {},
        svg("line", { class: "limit", x1: mark, y1: 2, x2: mark, y2: height - 18 }),
        svg("text", { class: "limit-name", x: mark, y: height - 4, "text-anchor": anchor }, limit.words),
      ),
    );
  }
  return barsOf(listed(title, rows, limit?.words), height, drawn);
}

/** @param {Bars} figure */
function bars(figure) {
  /** @type {[string, number][]} */
  const rows = figure.rows
    .slice(0, BARS_SHOWN)
    .map(([name, value]) => [name.length > 16 ? `${name.slice(0, 15)}…` : name, value]);
  const room = Math.min(NAMES, LETTER * (1 + Math.max(...rows.map(([name]) => name.length))));
  const scale = fromZero(
    rows.map(([, value]) => value),
    room,
  );
  const drawn = rows.map(([name, value], index) => {
    const top = FLAT_ROW * index;
    return bar(name, value, scale, { name: top + 15, bar: top + 4, value: top + 15 }, false);
  });
  return barsOf(listed(figure.title, rows), FLAT_ROW * rows.length, drawn);
}

/**
 * @param {string} title
 * @param {[string, number][]} rows
 * @param {string} [limit]
 */
function listed(title, rows, limit) {
  return `${title}: ${[...rows.map(([name, value]) => `${name} ${number(value)}`), ...(limit ? [limit] : [])].join(", ")}`;
}

/**
 * @param {string} title
 * @param {number} height
 * @param {SVGElement[]} drawn
 */
function barsOf(title, height, drawn) {
  return svg("svg", { class: "bars", role: "img", viewBox: `0 0 400 ${height}` }, svg("title", {}, title), ...drawn);
}

/**
 * @param {string} name
 * @param {number} value
 * @param {Axis} scale
 * @param {{name: number, bar: number, value: number}} y
 * @param {boolean} marked
 */
function bar(name, value, scale, y, marked) {
  const [zero, end] = [scale.at(0), scale.at(value)];
  const width = Math.max(1, Math.abs(end - zero));
  return svg(
    "g",
    { class: marked ? "bar this" : "bar" },
    svg("text", { x: 0, y: y.name }, name),
    svg("rect", { x: Math.min(zero, end), y: y.bar, width, height: 14, rx: 3 }),
    svg("text", { x: Math.max(zero, end) + 6, y: y.value }, number(value)),
  );
}

/** @param {Matrix} figure */
function matrix(figure) {
  const { labels } = figure;
  const rows = figure.counts.map((counts, row) => {
    const total = counts.reduce((sum, count) => sum + count, 0) || 1;
    const cells = counts.map((count, column) => {
      const tenths = Math.max(0, Math.min(10, Math.ceil((10 * count) / total)));
      const cell = h("td", { class: count === 0 ? "none" : row === column ? "right" : "wrong" }, String(count));
      cell.style.setProperty("--tenths", String(tenths));
      return cell;
    });
    return h("tr", {}, h("th", { scope: "row" }, labels[row]), ...cells);
  });
  const head = [
    h("tr", {}, h("td"), h("th", { scope: "colgroup", colspan: labels.length }, figure.x_label)),
    h("tr", {}, h("th", { scope: "col" }, figure.y_label), ...labels.map((label) => h("th", { scope: "col" }, label))),
  ];
  // Focusable, so that it can be scrolled by keyboard.
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": figure.title },
    h("table", { class: "matrix" }, h("thead", {}, ...head), h("tbody", {}, ...rows)),
  );
}

/** @param {Pictures} figure */
function pictures(figure) {
  const shown = figure.pictures
    .filter(({ png }) => /^iVBORw0KGgo[A-Za-z0-9+/]*={0,2}$/.test(png))
    .slice(0, PICTURES_SHOWN);
  const items = shown.map(({ png, caption }) =>
    h(
      "li",
      {},
      h("img", { src: `data:image/png;base64,${png}`, alt: caption }),
      h("span", { "aria-hidden": "true" }, caption),
    ),
  );
  return items.length ? h("ul", { class: "pictures" }, ...items) : null;
}
