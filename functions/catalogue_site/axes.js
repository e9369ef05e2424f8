// Axes of plots: values to pixels, round numbers, the grid.

import { svg } from "./dom.js";

export const [WIDTH, HEIGHT] = [360, 290];
export const [LEFT, RIGHT, TOP, BOTTOM] = [46, 10, 12, 44];
const BARS_RIGHT = 340;
/** Values that differ by less count as equal. */
export const NOTHING = 1e-9;

/** @typedef {[low: number, high: number]} Bounds */

/**
 * @param {string} title
 * @param {...(SVGElement | null | false)} marks
 */
export function plot(title, ...marks) {
  return svg(
    "svg",
    { class: "plot", role: "img", viewBox: `0 0 ${WIDTH} ${HEIGHT}` },
    svg("title", {}, title),
    ...marks,
  );
}

/**
 * Grid, numbers and names of the axes.
 * @param {Axis} x
 * @param {Axis} y
 * @param {string} xLabel
 * @param {string} yLabel
 */
export function frame(x, y, xLabel, yLabel) {
  const [right, bottom, middle] = [WIDTH - RIGHT, HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2];
  const middled = { "text-anchor": "middle" };
  return svg(
    "g",
    {},
    ...x.ticks.flatMap(({ at, label }) => [
      svg("line", { class: "grid", x1: at, y1: TOP, x2: at, y2: bottom }),
      svg("text", { x: at, y: bottom + 16, ...middled }, label),
    ]),
    ...y.ticks.flatMap(({ at, label }) => [
      svg("line", { class: "grid", x1: LEFT, y1: at, x2: right, y2: at }),
      svg("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, label),
    ]),
    svg("text", { x: (LEFT + right) / 2, y: HEIGHT - 8, ...middled }, xLabel),
    svg("text", { x: 12, y: middle, ...middled, transform: `rotate(-90 12 ${middle})` }, yLabel),
  );
}

/** @typedef {{at: (value: number) => number, ticks: {at: number, label: string}[]}} Axis Maps values to pixels. */

/**
 * @param {Bounds} bounds
 * @param {number} start
 * @param {number} end
 * @returns {Axis}
 */
export function axis([low, high], start, end) {
  /** @param {number} value */
  const at = (value) => Math.round(10 * (start + ((value - low) / (high - low)) * (end - start))) / 10;
  const ticks = roundNumbers(low, high).map((value) => ({
    at: at(value),
    label: String(Number(value.toPrecision(6))),
  }));
  return { at, ticks };
}

/**
 * About four to eight round numbers within the bounds.
 * @param {number} low
 * @param {number} high
 */
export function roundNumbers(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999) ?? rough;
  const [first, last] = [Math.ceil(low / step), Math.floor(high / step)];
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/**
 * @param {number[]} values
 * @returns {Bounds}
 */
export function bounds(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = high - low > NOTHING ? (high - low) * 0.05 : 1;
  return [low - margin, high + margin];
}

/**
 * @param {number[]} values
 * @param {number} left
 */
export function fromZero(values, left) {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  return axis([low, high - low > NOTHING ? high : low + 1], left, BARS_RIGHT);
}
