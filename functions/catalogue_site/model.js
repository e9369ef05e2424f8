// The page of one version: try it in the browser, see how it was measured, take its files.

import { details, link, Problem } from "./api.js";
import { bytes, h, notice, when } from "./dom.js";
import { drawingForm } from "./drawing.js";
import { fieldsForm } from "./fields.js";
import { badges, compareForm, history, limitOf, tiles } from "./listing.js";
import { comparison, drawFigure } from "./plots.js";
import { openModel } from "./predictor.js";
import { open } from "./store.js";

/** @type {Map<string, Promise<import("./predictor.js").Predictor>>} */
const predictors = new Map();

/**
 * @param {Model} model
 * @param {Model[]} models of the same workload
 */
export function modelPage(model, models) {
  const trial = h("section", { class: "trial", "aria-label": "Try it" });
  const measured = h("section", { class: "measured" });
  showTrial(model, trial);
  showMeasured(model, measured);
  return h(
    "div",
    {},
    h("p", { class: "over" }, model.title),
    h("h1", {}, `Version ${model.version}`, badges(model)),
    h("p", { class: "soft" }, `${[model.description, history(model)].filter(Boolean).join(". ")}.`),
    model.problem && notice("warn", model.problem),
    trial,
    measured,
    compareForm(models, model),
    files(model),
  );
}

/**
 * Opens the model, and shows its form, or why it cannot be used.
 * @param {Model} model
 * @param {HTMLElement} place
 */
async function showTrial(model, place) {
  const { form, formats } = model;
  if (!form || !formats.onnx) {
    place.replaceChildren(
      notice(
        "",
        form ? "This version has no file that runs in a browser." : "This model has no form: it cannot be tried here.",
      ),
    );
    return;
  }
  /** @param {unknown} problem */
  const fail = (problem) => place.prepend(trouble(problem, "The model could not predict this. Reload the page."));
  place.replaceChildren(h("p", { class: "waiting" }, `Opening the model, ${bytes(formats.onnx.bytes)}`));
  try {
    const { bytes: content, since } = await open(model, formats.onnx);
    const predictor = await predictorOf(formats.onnx, content, form);
    const shown = form.kind === "fields" ? fieldsForm(form, predictor, fail) : drawingForm(form, predictor, fail);
    const kept = since
      ? `This browser has kept version ${model.version} since ${when(since)}; it also works offline.`
      : `This browser could not keep version ${model.version}; it works as long as this page is open.`;
    place.replaceChildren(shown, h("p", { class: "hint kept" }, kept));
  } catch (problem) {
    const again = h("button", { type: "button", click: () => showTrial(model, place) }, "Try again");
    place.replaceChildren(
      trouble(problem, "This model cannot be opened in this browser."),
      h("p", { class: "buttons" }, again),
    );
  }
}

/**
 * Each model is opened once.
 * @param {StoredFile} file
 * @param {Uint8Array} content
 * @param {FieldsForm | DrawingForm} form
 */
async function predictorOf(file, content, form) {
  const opening = predictors.get(file.digest) ?? openModel(content, form);
  predictors.set(file.digest, opening);
  try {
    return await opening;
  } catch (problem) {
    predictors.delete(file.digest);
    throw problem;
  }
}

/**
 * @param {Model} model
 * @param {HTMLElement} place
 */
async function showMeasured(model, place) {
  const heading = [h("h2", {}, "Measured on the test rows"), tiles(model)];
  place.replaceChildren(...heading);
  try {
    const { evaluation } = await details(model);
    const warnings = (evaluation.warnings ?? []).map((text) => notice("warn", text));
    const figures = (evaluation.figures ?? []).map((figure) => drawFigure(figure)).filter((drawn) => drawn !== null);
    place.replaceChildren(
      ...heading,
      ...warnings,
      ...compared(model, evaluation),
      h("div", { class: "plots" }, ...figures),
    );
  } catch (problem) {
    place.replaceChildren(...heading, trouble(problem, "The figures of this version cannot be shown."));
  }
}

/**
 * The gate's metric of this version, of the one that was approved before, and of the simplest guess.
 * @param {Model} model
 * @param {Evaluation} evaluation
 */
function compared(model, evaluation) {
  const metric = model.metrics.find(({ name }) => name === model.gate?.metric);
  if (!metric) return [];
  /** @type {[string, number][]} */
  const rows = [[`version ${model.version}`, metric.value]];
  if (evaluation.champion) rows.push(["approved before", evaluation.champion.value]);
  if (evaluation.baseline) rows.push([evaluation.baseline.label, evaluation.baseline.value]);
  const [words, value] = [limitOf(model), model.gate?.at_least ?? model.gate?.at_most];
  const better = metric.better === "higher" ? "longer" : "shorter";
  return [
    h("h3", {}, "How it compares"),
    h("p", { class: "soft" }, `${metric.label} on the same test rows; ${better} is better.`),
    comparison(metric.label, rows, words && typeof value === "number" ? { value, words } : null),
  ];
}

/** @param {Model} model */
function files(model) {
  const said = h("div", { role: "status" });
  /**
   * @param {"native" | "onnx"} format
   * @param {StoredFile | null} file
   */
  const row = (format, file) => {
    if (!file) return [];
    const fetch = async () => {
      try {
        said.replaceChildren();
        location.assign((await link(model, format)).url);
      } catch (problem) {
        said.replaceChildren(trouble(problem, "The file cannot be downloaded."));
      }
    };
    const name = format === "onnx" ? "ONNX" : "SageMaker bundle";
    return [
      h("dt", {}, h("button", { type: "button", class: "link", click: fetch }, `Download ${name}`)),
      h("dd", {}, `${bytes(file.bytes)}, `, h("code", {}, file.digest)),
    ];
  };
  return h(
    "section",
    {},
    h("h2", {}, "Files"),
    said,
    h("dl", { class: "facts" }, ...row("onnx", model.formats.onnx), ...row("native", model.formats.native)),
  );
}

/**
 * What went wrong, in words. Only a Problem's own message is meant for people.
 * @param {unknown} problem
 * @param {string} otherwise
 */
export function trouble(problem, otherwise) {
  const text = problem instanceof Problem ? problem.message : typeof problem === "string" ? problem : otherwise;
  const shown = notice("bad", text);
  shown.setAttribute("role", "alert");
  return shown;
}
