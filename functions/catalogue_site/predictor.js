// Runs a model in the browser.

import { Problem } from "./api.js";

/** @typedef {import("./onnxruntime-web-1.30.0.mjs").InferenceSession} InferenceSession */
/** @typedef {typeof import("./onnxruntime-web-1.30.0.mjs")} Runtime */

const VERSION = "1.30.0";

/** A model that is ready to predict. */
export class Predictor {
  /**
   * @param {Runtime} runtime
   * @param {InferenceSession} session
   */
  constructor(runtime, session) {
    this.runtime = runtime;
    this.session = session;
  }

  /**
   * The first output of each row of a form of fields, in a single run.
   * @param {FieldsForm} form
   * @param {Row[]} rows
   * @returns {Promise<number[]>}
   */
  async predictRows(form, rows) {
    const feeds = Object.fromEntries(
      form.tensors.map(({ name, type, fields }) => {
        const values = rows.flatMap((row) => fields.map((field) => row[field] ?? Number.NaN));
        return [name, new this.runtime.Tensor(type, typed(type, values), [rows.length, fields.length])];
      }),
    );
    const output = await this.run(feeds, form.output.tensor);
    const width = output.length / rows.length;
    return rows.map((_, row) => output[row * width] ?? Number.NaN);
  }

  /**
   * The outputs for one picture, a value for each label.
   * @param {DrawingForm} form
   * @param {Float32Array} pixels row by row, from 0 to 255
   */
  async predictPicture(form, pixels) {
    const { name, type } = form.tensor;
    return this.run(
      { [name]: new this.runtime.Tensor(type, pixels, [1, form.height, form.width]) },
      form.output.tensor,
    );
  }

  /**
   * @param {Record<string, import("./onnxruntime-web-1.30.0.mjs").Tensor>} feeds
   * @param {string} wanted
   * @returns {Promise<number[]>}
   */
  async run(feeds, wanted) {
    const output = (await this.session.run(feeds))[wanted];
    return output ? Array.from(output.data, Number) : [];
  }

  async close() {
    await this.session.release();
  }
}

/**
 * Opens a model's ONNX file and checks that it has the form's tensors.
 * @param {Uint8Array} bytes
 * @param {FieldsForm | DrawingForm} form
 */
export async function openModel(bytes, form) {
  const runtime = await load();
  /** @type {InferenceSession} */
  let session;
  try {
    session = await runtime.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  } catch {
    throw new Problem("This model's file is damaged: it cannot be opened. Tell the people who run this catalogue.");
  }
  const inputs = form.kind === "fields" ? form.tensors.map((tensor) => tensor.name) : [form.tensor.name];
  const fits =
    inputs.every((name) => session.inputNames.includes(name)) && session.outputNames.includes(form.output.tensor);
  if (!fits)
    throw new Problem("This model takes other values than its form has. Tell the people who run this catalogue.");
  return new Predictor(runtime, session);
}

/** @returns {Promise<Runtime>} */
async function load() {
  try {
    const runtime = await import("./onnxruntime-web-1.30.0.mjs");
    // Threads would need an isolated page; a small model gains nothing by them.
    runtime.env.wasm.numThreads = 1;
    runtime.env.wasm.wasmPaths = { wasm: new URL(`onnxruntime-web-${VERSION}.wasm`, import.meta.url).href };
    runtime.env.logLevel = "error";
    return runtime;
  } catch {
    throw new Problem("What runs models in the browser could not be loaded. Check your connection, then try again.");
  }
}

/**
 * @param {ElementType} type
 * @param {number[]} values
 */
function typed(type, values) {
  if (type === "int64") return BigInt64Array.from(values, (value) => BigInt(Math.round(value)));
  return type === "float64" ? Float64Array.from(values) : Float32Array.from(values);
}
