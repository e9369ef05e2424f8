// Builds elements and writes numbers and times for people. Texts only ever become text nodes.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number | boolean | undefined | ((event: Event) => void)>} Attributes */
/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An HTML element. A function is a listener of the event that it is named after.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * A message that stands out.
 * @param {"good" | "bad" | "warn" | ""} tone
 * @param {...Child} children
 */
export function notice(tone, ...children) {
  return h("p", { class: `notice ${tone}` }, ...children);
}

/**
 * A measurement, rounded as on the review page: 8.73, 0.9712.
 * @param {number} value
 */
export function number(value) {
  if (!Number.isFinite(value)) return "-";
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  if (Math.abs(value) >= 1)
    return value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return Number(value.toPrecision(Math.abs(value) >= 0.1 ? 4 : 3)).toString();
}

/**
 * A number with as many decimals as asked.
 * @param {number} value
 * @param {number} decimals
 */
export function fixed(value, decimals) {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

const DAYS = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const TIMES = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/**
 * A time in the reader's own time zone.
 * @param {string | null} time
 */
export function when(time, format = TIMES) {
  const read = new Date(time ?? Number.NaN);
  return Number.isNaN(read.getTime()) ? "an unknown time" : format.format(read);
}

/** @param {string | null} time */
export function day(time) {
  return when(time, DAYS);
}

/** @param {number} count */
export function bytes(count) {
  return count < 1e6 ? `${Math.max(1, Math.round(count / 1e3))} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

let pause = 0;

/**
 * Has a screen reader say a text, once things have come to rest.
 * @param {string} text
 */
export function say(text) {
  clearTimeout(pause);
  pause = setTimeout(() => document.getElementById("said")?.replaceChildren(text), 700);
}
