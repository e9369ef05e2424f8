// Two versions of a model side by side.

import { details } from "./api.js";
import { day, h, number } from "./dom.js";
import { address, badges } from "./listing.js";
import { trouble } from "./model.js";
import { drawFigure } from "./plots.js";

/**
 * @param {Model} left
 * @param {Model} right
 */
export function comparePage(left, right) {
  const plots = h("div", { class: "pairs" });
  showPlots(left, right, plots);
  return h(
    "div",
    {},
    h("p", { class: "over" }, left.title),
    h("h1", {}, `Versions ${left.version} and ${right.version}`),
    h("p", { class: "soft" }, "Each version was measured on the test rows of its own upload."),
    metrics(left, right),
    h("h2", {}, "How they predict the test rows"),
    plots,
  );
}

/**
 * @param {Model} left
 * @param {Model} right
 */
function metrics(left, right) {
  const names = [...new Set([...left.metrics, ...right.metrics].map(({ name }) => name))];
  const rows = names.map((name) => {
    const [one, other] = [left, right].map((model) => model.metrics.find((metric) => metric.name === name));
    const metric = one ?? other;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, metric?.label ?? name, metric?.unit ? h("small", {}, `, ${metric.unit}`) : ""),
      cell(one, other),
      cell(other, one),
    );
  });
  const columns = [left, right].map((model) =>
    h(
      "th",
      { scope: "col" },
      h("a", { href: address(model) }, `Version ${model.version}`),
      badges(model),
      h("small", {}, `approved ${day(model.approved_at)}`),
    ),
  );
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Metrics" },
    h("table", { class: "versus" }, h("thead", {}, h("tr", {}, h("td"), ...columns)), h("tbody", {}, ...rows)),
  );
}

/**
 * @param {Metric | undefined} metric
 * @param {Metric | undefined} other
 */
function cell(metric, other) {
  if (!metric) return h("td", {}, "-");
  const ahead = other && (metric.better === "higher" ? metric.value > other.value : metric.value < other.value);
  return h("td", { class: ahead ? "better" : undefined }, number(metric.value), ahead && h("small", {}, "better"));
}

/**
 * @param {Model} left
 * @param {Model} right
 * @param {HTMLElement} place
 */
async function showPlots(left, right, place) {
  try {
    const [one, other] = await Promise.all([details(left), details(right)]);
    const [ones, others] = [one.evaluation.figures ?? [], other.evaluation.figures ?? []];
    const titles = [...new Set([...ones, ...others].map(({ title }) => title))];
    const pairs = titles.flatMap((title) => {
      const [a, b] = [ones, others].map((figures) => figures.find((figure) => figure.title === title));
      return [side(left, a, b), side(right, b, a)];
    });
    place.replaceChildren(...pairs);
  } catch (problem) {
    place.replaceChildren(trouble(problem, "The figures of these versions cannot be shown."));
  }
}

/**
 * @param {Model} model
 * @param {Figure | undefined} figure
 * @param {Figure | undefined} beside
 */
function side(model, figure, beside) {
  const drawn = figure && drawFigure(figure, beside);
  return h(
    "div",
    {},
    h("p", { class: "over" }, `Version ${model.version}`),
    drawn ?? h("p", { class: "soft" }, "This version has no such figure."),
  );
}
