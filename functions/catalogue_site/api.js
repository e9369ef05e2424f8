// Asks the catalogue. What goes wrong becomes a Problem, whose message is for the person at the browser.

/** Something that a person should know. `ended`: the link is no longer valid. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {boolean} [ended]
   */
  constructor(message, ended = false) {
    super(message);
    this.ended = ended;
  }
}

/**
 * The approved models, newest first, with the time from which they are known if the catalogue cannot be reached.
 * @param {string | null} [next] the token of another page
 * @returns {Promise<{content: Listing, keptAt: string | null}>}
 */
export async function list(next = null) {
  const found = await getJson(next ? `models.json?next=${encodeURIComponent(next)}` : "models.json");
  if (Date.parse(found.content.expires_at) < Date.now()) throw ended();
  return found;
}

/**
 * A model with its evaluation.
 * @param {Model} model
 * @returns {Promise<ModelDetails>}
 */
export async function details(model) {
  return (await getJson(`${path(model)}.json`, model)).content;
}

/**
 * Where to read a model's file for some minutes, and what it must be.
 * @param {Model} model
 * @param {"native" | "onnx"} format
 * @returns {Promise<DownloadLink>}
 */
export async function link(model, format) {
  return (await getJson(`${path(model)}/${format}`, model)).content;
}

/** @param {Model} model */
function path(model) {
  return `models/${encodeURIComponent(model.workload)}/${model.version}`;
}

/**
 * @param {string} address
 * @param {Model | null} [model] the model that it is about
 * @returns {Promise<{content: any, keptAt: string | null}>}
 */
async function getJson(address, model = null) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(address, { credentials: "omit" });
  } catch {
    throw new Problem("The catalogue cannot be reached. Check your connection, then try again.");
  }
  if (response.status === 404 || response.status === 410) throw model ? await missing(model) : ended();
  if (response.status === 429)
    throw new Problem(`Too many requests with this link. Try again after ${retry(response)}.`);
  try {
    if (response.ok) return { content: await response.json(), keptAt: response.headers.get("X-Kept-At") };
  } catch {
    // An answer that is no JSON is an error like any other.
  }
  throw new Problem("The catalogue answered with an error. Try again in a minute.");
}

function ended() {
  return new Problem(
    "This link has expired or was revoked. Ask the person who gave it to you for a new one. " +
      "What this browser had kept has been deleted.",
    true,
  );
}

/**
 * Why a model is not found: with the link, or by itself.
 * @param {Model} model
 */
async function missing(model) {
  await list();
  return new Problem(`Version ${model.version} is no longer offered.`);
}

/** @param {Response} response */
function retry(response) {
  const after = response.headers.get("Retry-After") ?? "";
  const at = /^\d+$/.test(after) ? Date.now() + 1000 * Number(after) : Date.parse(after);
  return new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" }).format(Number.isNaN(at) ? Date.now() + 60_000 : at);
}
