// The first page: the approved models of each workload.

import { day, h, notice, number, when } from "./dom.js";

/**
 * All workloads, each with its live or newest version first.
 * @param {Model[]} models newest first
 * @param {(() => void) | null} more asks for older versions, if there are any
 */
export function listPage(models, more) {
  const names = [...new Set(models.map((model) => model.workload))];
  return h(
    "div",
    {},
    h("h1", {}, "Approved models"),
    h(
      "p",
      { class: "soft lead" },
      "Each of them was measured, and approved by a person. Open one to try it: it runs in this browser, and what you enter stays here.",
    ),
    names.length === 0 && notice("", "No model has been approved yet."),
    ...names.map((name) => workloadSection(models.filter((model) => model.workload === name))),
    more && h("p", { class: "buttons" }, h("button", { type: "button", click: more }, "Show older versions")),
  );
}

/**
 * Badges for a model's state.
 * @param {Model} model
 */
export function badges(model) {
  return model.live && h("span", { class: "badge" }, "live");
}

/**
 * What a model reached on its test rows.
 * @param {Model} model
 * @param {number} [most]
 */
export function tiles(model, most = Number.POSITIVE_INFINITY) {
  const shown = model.metrics.slice(0, most).map((metric) => {
    const limit = metric.name === model.gate?.metric ? limitOf(model) : null;
    return h(
      "div",
      {},
      h("dt", {}, metric.label),
      h(
        "dd",
        {},
        number(metric.value),
        h("small", {}, [metric.unit, limit && `good enough: ${limit}`].filter(Boolean).join(", ")),
      ),
    );
  });
  return h("dl", { class: "figures" }, ...shown);
}

/**
 * What the gate asks for, such as "at most 46".
 * @param {Model} model
 */
export function limitOf({ gate }) {
  if (typeof gate?.at_least === "number") return `at least ${number(gate.at_least)}`;
  return typeof gate?.at_most === "number" ? `at most ${number(gate.at_most)}` : null;
}

/**
 * Who approved a model and when, and since when it is live.
 * @param {Model} model
 */
export function history({ approved_by, approved_at, live, live_since }) {
  const approved = `Approved${approved_by ? ` by ${approved_by}` : ""}${approved_at ? ` on ${when(approved_at)}` : ""}`;
  return `${approved}, ${live ? `live since ${when(live_since)}` : "not live"}`;
}

/** @param {Model} model */
export function address(model) {
  return `#/${model.workload}/${model.version}`;
}

/**
 * A form to choose two versions; null if there is only one.
 * @param {Model[]} models of one workload
 * @param {Model} [chosen] then only the other one is chosen
 */
export function compareForm(models, chosen) {
  const [first, second] = chosen ? [chosen, models.find((model) => model !== chosen)] : models;
  if (!first || !second) return null;
  const left = chosen ? null : versions(models, first, "Compare version");
  const right = versions(
    models.filter((model) => model !== chosen),
    second,
    chosen ? "Compare it with version" : "with version",
  );
  return h(
    "form",
    {
      class: "compare",
      submit: (event) => {
        event.preventDefault();
        location.hash = `${address(first).replace(/\d+$/, left?.select.value ?? String(first.version))}/${right.select.value}`;
      },
    },
    left?.label,
    right.label,
    h("button", {}, "Compare"),
  );
}

/**
 * @param {Model[]} models
 * @param {Model} selected
 * @param {string} text
 */
function versions(models, selected, text) {
  const options = models.map((model) =>
    h("option", { value: model.version, selected: model === selected }, String(model.version)),
  );
  const select = h("select", {}, ...options);
  return { select, label: h("label", {}, text, select) };
}

/** @param {Model[]} models of one workload */
function workloadSection(models) {
  const first = models.find((model) => model.live) ?? models[0];
  if (!first) return null;
  return h(
    "section",
    { class: "workload" },
    h("h2", {}, first.title),
    h("p", { class: "soft" }, first.description),
    h(
      "div",
      { class: "card" },
      h("h3", {}, h("a", { href: address(first) }, `Version ${first.version}`), badges(first)),
      h("p", { class: "soft" }, history(first)),
      first.problem && notice("warn", first.problem),
      tiles(first, 3),
      h(
        "a",
        { class: "button primary", href: address(first) },
        first.form && first.formats.onnx ? "Try it" : "Look at it",
        h("span", { class: "unseen" }, `: ${first.title}`),
      ),
    ),
    table(models, first.title),
    compareForm(models),
  );
}

/**
 * @param {Model[]} models
 * @param {string} title
 */
function table(models, title) {
  const gate = models[0]?.metrics.find((metric) => metric.name === models[0]?.gate?.metric);
  const rows = models.map((model) => {
    const value = model.metrics.find((metric) => metric.name === gate?.name)?.value ?? Number.NaN;
    return h(
      "tr",
      {},
      h("td", {}, h("a", { href: address(model) }, `Version ${model.version}`), badges(model)),
      h("td", {}, day(model.approved_at)),
      h("td", {}, model.approved_by ?? "-"),
      h("td", { class: "number" }, number(value)),
    );
  });
  const head = ["Version", "Approved", "By"].map((text) => h("th", { scope: "col" }, text));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": `Versions: ${title}` },
    h(
      "table",
      { class: "versions" },
      h("thead", {}, h("tr", {}, ...head, h("th", { scope: "col", class: "number" }, gate?.label ?? ""))),
      h("tbody", {}, ...rows),
    ),
  );
}
