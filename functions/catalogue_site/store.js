// Fetches model files, and keeps those that were opened in this browser, by digest, for use without a network.

import { link, Problem } from "./api.js";

/** @typedef {{bytes: Uint8Array<ArrayBuffer>, since: string | null}} Kept since: when it came here; null if not kept */

// One catalogue's link cannot see what another's has kept.
const NAME = `models ${location.pathname}`;

/**
 * A model's ONNX file, which matches its digest.
 * @param {Model} model
 * @param {StoredFile} file
 * @returns {Promise<Kept>}
 */
export async function open(model, file) {
  const kept = await find(file);
  if (kept) return kept;
  const bytes = await download(model, file);
  return { bytes, since: await keep(file, bytes) };
}

/** Deletes all that was kept for this link. */
export async function forget() {
  try {
    await caches.delete(NAME);
  } catch {
    // A browser that keeps nothing has nothing to delete.
  }
}

/**
 * @param {Model} model
 * @param {StoredFile} file
 */
async function download(model, file) {
  const found = await link(model, "onnx");
  const bytes = await read(found.url);
  if (bytes.length === 0) throw new Problem(`The file of version ${model.version} is empty. ${TELL}`);
  if ((await digest(bytes)) !== file.digest) {
    throw new Problem(
      `The file of version ${model.version} is not the one that was approved: its SHA-256 differs. ${TELL}`,
    );
  }
  return bytes;
}

const TELL = "It is not used. Tell the people who run this catalogue.";

/** @param {string} url */
async function read(url) {
  try {
    const response = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Problem("The model's file cannot be reached. Check your connection, then try again.");
  }
  throw new Problem("The model's file could not be read. Try again.");
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256:${Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * @param {StoredFile} file
 * @returns {Promise<Kept | null>}
 */
async function find(file) {
  try {
    const response = await (await caches.open(NAME)).match(place(file));
    if (!response) return null;
    const bytes = new Uint8Array(await response.arrayBuffer());
    return (await digest(bytes)) === file.digest ? { bytes, since: response.headers.get("X-Kept-At") } : null;
  } catch {
    return null;
  }
}

/**
 * @param {StoredFile} file
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
async function keep(file, bytes) {
  const since = new Date().toISOString();
  try {
    await (await caches.open(NAME)).put(place(file), new Response(bytes, { headers: { "X-Kept-At": since } }));
    return since;
  } catch {
    // A private window or a full disk: the model works as long as the page is open.
    return null;
  }
}

/** @param {StoredFile} file */
function place(file) {
  return `kept/${file.digest.replace(":", "-")}`;
}
