// A form of drawing: a square for mouse, pen, finger or keys, and the probabilities while drawing.

import { h, say, svg } from "./dom.js";
import { latest } from "./fields.js";
import { Pad, SIZE } from "./pad.js";
import { picture } from "./raster.js";

/**
 * The square, and the model's live answer.
 * @param {DrawingForm} form
 * @param {import("./predictor.js").Predictor} predictor
 * @param {(problem: unknown) => void} fail
 */
export function drawingForm(form, predictor, fail) {
  const canvas = h("canvas", {
    width: SIZE,
    height: SIZE,
    tabindex: 0,
    role: "application",
    "aria-label": "Drawing area",
    "aria-describedby": "drawing-keys",
  });
  const pad = new Pad(canvas, () => update());
  const seen = h("canvas", {
    width: form.width,
    height: form.height,
    role: "img",
    "aria-label": "The picture that the model gets",
  });
  const top = h("strong", {});
  const bars = form.output.labels.map((label) => probabilityBar(label));

  async function predict() {
    const small = picture(pad.grey(), form);
    show(seen, small);
    const found = pad.isEmpty() ? form.output.labels.map(() => 0) : await predictor.predictPicture(form, small.data);
    const best = found.indexOf(Math.max(...found));
    for (const [index, bar] of bars.entries()) bar.set(found[index] ?? 0, !pad.isEmpty() && index === best);
    top.textContent = pad.isEmpty() ? "–" : (form.output.labels[best] ?? "");
    say(
      pad.isEmpty() ? "The drawing area is empty." : `It looks like ${top.textContent}, ${percent(found[best] ?? 0)}.`,
    );
  }
  const update = latest(predict, fail);
  update();
  const square = h("div", { class: "controls" }, canvas, help(), buttons(pad, fail));
  return h(
    "div",
    { class: "try drawing" },
    square,
    h(
      "div",
      { class: "answer" },
      h(
        "div",
        { class: "result" },
        h("span", {}, "It looks like"),
        top,
        h("figure", {}, seen, h("figcaption", {}, "what the model sees")),
      ),
      h("ol", { class: "probabilities" }, ...bars.map((bar) => bar.element)),
    ),
  );
}

function help() {
  return h(
    "p",
    { id: "drawing-keys", class: "hint" },
    "Draw with mouse, pen or finger. By keyboard: arrow keys move the pen, space puts it down or lifts it.",
  );
}

/**
 * @param {Pad} pad
 * @param {(problem: unknown) => void} fail
 */
function buttons(pad, fail) {
  const file = h("input", {
    type: "file",
    accept: "image/*",
    change: async () => {
      const chosen = file.files?.[0];
      if (!chosen) return;
      try {
        pad.paste(await createImageBitmap(chosen));
      } catch {
        fail("This file is no picture that the browser can read. Choose a PNG or JPEG file.");
      }
      file.value = "";
    },
  });
  return h(
    "div",
    { class: "buttons" },
    h("button", { type: "button", click: () => pad.undo() }, "Undo"),
    h("button", { type: "button", click: () => pad.clear() }, "Clear"),
    h("label", { class: "button" }, "Open image", file),
  );
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./raster.js").Grey} grey
 */
function show(canvas, { data, width, height }) {
  const pixels = new ImageData(width, height);
  for (const [at, value] of data.entries()) pixels.data.set([value, value, value, 255], 4 * at);
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}

/** @param {string} label */
function probabilityBar(label) {
  const length = svg("rect", { height: 10, rx: 2, width: 0 });
  const value = h("span", { class: "percent" }, percent(0));
  const drawn = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, length);
  const element = h("li", {}, h("span", { class: "label" }, label), drawn, value);
  return {
    element,
    /**
     * @param {number} probability
     * @param {boolean} best
     */
    set(probability, best) {
      length.setAttribute("width", String(100 * probability));
      value.textContent = percent(probability);
      element.classList.toggle("best", best);
    },
  };
}

/** @param {number} probability */
function percent(probability) {
  return `${Math.round(100 * probability)} %`;
}
