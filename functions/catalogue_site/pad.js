// A square to draw in, with mouse, pen, finger or keys. Knows no model.

import { Problem } from "./api.js";
import { h } from "./dom.js";

/** The side of the square in its own pixels. */
export const SIZE = 280;
const [PEN, STEP] = [22, 10];
// Fainter differences are the paper's.
const SHADE = 0.1;
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

/** @typedef {[number, number][] | HTMLCanvasElement} Part A stroke, or a picture. */

/** What has been drawn, in light strokes on black. */
export class Pad {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} changed
   */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    /** @type {Part[]} */
    this.parts = [];
    /** @type {[number, number]} */
    this.pen = [SIZE / 2, SIZE / 2];
    this.isDown = false;
    this.byKey = false;
    this.context = contextOf(canvas);
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.lift());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.lift());
  }

  isEmpty() {
    return this.parts.length === 0;
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.byKey = false;
    this.isDown = true;
    this.add([this.at(event)]);
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.isDown || this.byKey) return;
    // Fast strokes come as one event with the points between.
    const between = event.getCoalescedEvents?.() ?? [];
    for (const point of between.length ? between : [event]) this.extend(this.at(point));
    this.redraw();
  }

  lift() {
    this.isDown = false;
    this.redraw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const arrow = ARROWS[event.key];
    if (!arrow && event.key !== " ") return;
    event.preventDefault();
    this.byKey = true;
    if (arrow) {
      this.pen = [within(this.pen[0] + arrow[0]), within(this.pen[1] + arrow[1])];
      if (this.isDown) this.extend(this.pen);
    } else {
      this.isDown = !this.isDown;
      if (this.isDown) this.parts.push([this.pen]);
    }
    this.redraw();
  }

  /** @param {Part} part */
  add(part) {
    this.parts.push(part);
    this.redraw();
  }

  /** @param {ImageBitmap} image */
  paste(image) {
    this.parts = [];
    this.add(inked(image));
  }

  /** @param {[number, number]} point */
  extend(point) {
    const stroke = this.parts.at(-1);
    if (Array.isArray(stroke)) stroke.push(point);
  }

  undo() {
    this.parts.pop();
    this.lift();
  }

  clear() {
    this.parts = [];
    this.lift();
  }

  /**
   * @param {PointerEvent} event
   * @returns {[number, number]}
   */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      within(((event.clientX - box.left) / box.width) * SIZE),
      within(((event.clientY - box.top) / box.height) * SIZE),
    ];
  }

  redraw() {
    this.paint();
    this.changed();
  }

  /** Draws all parts, and the pen where keys move it. */
  paint(withPen = true) {
    const { context } = this;
    Object.assign(context, {
      fillStyle: "#000",
      strokeStyle: "#fff",
      lineWidth: PEN,
      lineCap: "round",
      lineJoin: "round",
    });
    context.fillRect(0, 0, SIZE, SIZE);
    for (const part of this.parts) {
      if (Array.isArray(part)) stroke(context, part);
      else context.drawImage(part, 0, 0);
    }
    if (!withPen || !this.byKey) return;
    Object.assign(context, { strokeStyle: this.isDown ? "#ffb454" : "#7fb0ff", lineWidth: 2 });
    context.beginPath();
    context.arc(...this.pen, PEN / 2, 0, 2 * Math.PI);
    context.stroke();
  }

  /** The drawing without the pen. */
  grey() {
    this.paint(false);
    const { data } = this.context.getImageData(0, 0, SIZE, SIZE);
    this.paint();
    return {
      data: Float32Array.from({ length: SIZE * SIZE }, (_, pixel) => data[4 * pixel] ?? 0),
      width: SIZE,
      height: SIZE,
    };
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number][]} points
 */
function stroke(context, points) {
  const [first = [0, 0]] = points;
  context.beginPath();
  context.moveTo(...first);
  // A tap is a dot.
  for (const point of points.length > 1 ? points : [first]) context.lineTo(...point);
  context.stroke();
}

/**
 * A picture that fits the square, as light ink on black. The paper is what the corners show.
 * @param {ImageBitmap} image
 */
function inked(image) {
  const canvas = h("canvas", { width: SIZE, height: SIZE });
  const context = contextOf(canvas);
  const scale = Math.min(SIZE / image.width, SIZE / image.height);
  const [width, height] = [Math.max(1, Math.floor(image.width * scale)), Math.max(1, Math.floor(image.height * scale))];
  context.drawImage(image, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height);
  const { data } = pixels;
  const grey = Float32Array.from({ length: width * height }, (_, at) => brightness(data, 4 * at));
  const paper = [0, width - 1, width * (height - 1), width * height - 1].reduce(
    (sum, at) => sum + (grey[at] ?? 0) / 4,
    0,
  );
  const most = grey.reduce((found, value) => Math.max(found, Math.abs(value - paper)), 1);
  grey.forEach((value, at) => {
    const ink = (255 * Math.max(0, Math.abs(value - paper) / most - SHADE)) / (1 - SHADE);
    data.set([ink, ink, ink, 255], 4 * at);
  });
  canvas.width = SIZE;
  context.putImageData(pixels, Math.floor((SIZE - width) / 2), Math.floor((SIZE - height) / 2));
  return canvas;
}

/**
 * @param {Uint8ClampedArray} data
 * @param {number} at
 */
function brightness(data, at) {
  return 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
}

/** @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Problem("This browser cannot draw.");
  return context;
}

/** @param {number} position */
function within(position) {
  return Math.max(0, Math.min(SIZE, position));
}
