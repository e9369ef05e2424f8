// A form of fields: the prediction follows every change, with a curve of it over one of the fields.

import { roundNumbers } from "./axes.js";
import { fixed, h, say } from "./dom.js";
import { curve } from "./plots.js";

const MOST_POINTS = 400;

/**
 * The form and its live prediction.
 * @param {FieldsForm} form
 * @param {import("./predictor.js").Predictor} predictor
 * @param {(problem: unknown) => void} fail
 */
export function fieldsForm(form, predictor, fail) {
  /** @type {Row} */
  const row = Object.fromEntries(form.fields.map((field) => [field.name, field.default]));
  const value = h("output", { class: "value", for: form.fields.map((field) => id(field)).join(" ") });
  const drawn = h("div", { class: "live" });
  const curved = form.fields.find((field) => field.name === form.curve?.field && !field.choices);
  const rows = curved && !curved.choices ? curveRows(curved) : () => [];
  const showCurve = curved && !curved.choices ? curveDrawer(form, curved) : null;
  const { output } = form;

  async function predict() {
    const asked = { ...row };
    const points = rows(asked);
    const [now = Number.NaN, ...over] = await predictor.predictRows(form, [asked, ...points]);
    const shown = fixed(now, output.decimals);
    value.replaceChildren(shown, output.unit ? h("small", {}, ` ${output.unit}`) : "");
    if (showCurve) drawn.replaceChildren(showCurve(asked, points, over, now));
    say(`${output.label}: ${shown} ${output.unit ?? ""}`);
  }
  const update = latest(predict, fail);
  update();
  const controls = form.fields.map((field) =>
    control(field, (changed) => {
      row[field.name] = changed;
      update();
    }),
  );
  return h(
    "div",
    { class: "try fields" },
    h("form", { class: "controls", submit: (event) => event.preventDefault() }, ...controls),
    h("div", { class: "answer" }, h("p", { class: "result" }, h("span", {}, output.label), value), drawn),
  );
}

/**
 * Calls a function for the newest change only: while it runs, further calls become one.
 * @param {() => Promise<void>} work
 * @param {(problem: unknown) => void} fail
 */
export function latest(work, fail) {
  let [running, again] = [false, false];
  return async function update() {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await work();
        // Lets the browser draw, also while a slider moves.
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    } catch (problem) {
      fail(problem);
    } finally {
      running = false;
    }
  };
}

/**
 * The rows of the curve, one for each step of the slider: all else stays as it is.
 * @param {RangeField} field
 * @returns {(row: Row) => Row[]}
 */
function curveRows({ name, minimum, maximum, step }) {
  const count = Math.min(MOST_POINTS, Math.round((maximum - minimum) / step));
  const values = Array.from({ length: count + 1 }, (_, at) => minimum + (at * (maximum - minimum)) / count);
  return (row) => values.map((value) => ({ ...row, [name]: value }));
}

/**
 * Draws the curve. Its axis only ever grows, so that it does not jump while a slider moves.
 * @param {FieldsForm} form
 * @param {RangeField} field
 */
function curveDrawer({ output }, field) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  /**
   * @param {Row} row
   * @param {Row[]} points
   * @param {number[]} over
   * @param {number} now
   */
  return (row, points, over, now) => {
    [low, high] = [Math.min(low, now, ...over), Math.max(high, now, ...over)];
    const at = row[field.name] ?? Number.NaN;
    return curve({
      title: `${output.label} over ${field.label}`,
      x_label: named(field.label, field.unit),
      y_label: named(output.label, output.unit),
      points: points.map((point, index) => [point[field.name] ?? 0, over[index] ?? Number.NaN]),
      y_bounds: rounded(low, high),
      now: Number.isNaN(at) ? null : [at, now],
    });
  };
}

/**
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
function rounded(low, high) {
  if (high - low < 1e-9) return [low - 1, high + 1];
  const [first = low, second = high] = roundNumbers(low, high);
  const step = second - first;
  return [Math.floor(low / step) * step, Math.ceil(high / step) * step];
}

/**
 * A field with its label. `change` gets each valid value, NaN for an unknown one.
 * @param {Field} field
 * @param {(value: number) => void} change
 */
function control(field, change) {
  return field.choices ? choice(field, change) : range(field, change);
}

/**
 * @param {ChoiceField} field
 * @param {(value: number) => void} change
 */
function choice(field, change) {
  const unknown = field.optional ? [h("option", { value: "" }, "unknown")] : [];
  const options = field.choices.map(({ value, label }) =>
    h("option", { value, selected: value === field.default }, label),
  );
  const select = h(
    "select",
    { id: id(field), change: () => change(select.value ? Number(select.value) : Number.NaN) },
    ...options,
    ...unknown,
  );
  return h("div", { class: "field" }, h("label", { for: id(field) }, named(field.label, field.unit)), select);
}

/**
 * @param {RangeField} field
 * @param {(value: number) => void} change
 */
function range(field, change) {
  const { minimum: min, maximum: max, step } = field;
  const error = h("p", { id: `${id(field)}-error`, class: "error", role: "alert" });
  const typed = h("input", {
    id: id(field),
    type: "number",
    inputmode: "decimal",
    min,
    max,
    step: "any",
    value: field.default,
    required: true,
    "aria-describedby": error.id,
    input: () => {
      if (valid()) {
        slider.value = typed.value;
        change(typed.valueAsNumber);
      }
    },
  });
  const slider = h("input", {
    type: "range",
    min,
    max,
    step,
    value: field.default,
    "aria-label": `${named(field.label, field.unit)}, slider`,
    input: () => {
      typed.value = slider.value;
      valid();
      change(slider.valueAsNumber);
    },
  });
  const unknown = h("input", {
    type: "checkbox",
    change: () => {
      typed.disabled = slider.disabled = unknown.checked;
      if (unknown.checked) change(Number.NaN);
      else if (valid()) change(typed.valueAsNumber);
    },
  });

  function valid() {
    const fits = typed.validity.valid;
    error.textContent = fits ? "" : `Enter a number from ${min} to ${max}.`;
    if (fits) typed.removeAttribute("aria-invalid");
    else typed.setAttribute("aria-invalid", "true");
    return fits;
  }

  const toggle =
    field.optional &&
    h(
      "label",
      { class: "unknown" },
      unknown,
      h("span", {}, "unknown", h("span", { class: "unseen" }, ` ${field.label}`)),
    );
  return h(
    "div",
    { class: "field" },
    h("label", { for: id(field) }, field.label, field.unit ? h("small", {}, ` ${field.unit}`) : ""),
    toggle,
    typed,
    slider,
    error,
  );
}

/** @param {Field} field */
function id(field) {
  return `field-${field.name}`;
}

/**
 * @param {string} label
 * @param {string} [unit]
 */
function named(label, unit) {
  return unit ? `${label}, ${unit}` : label;
}
