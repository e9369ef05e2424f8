// The service worker of one catalogue link: after the first visit, the page works without a network.
// The network comes first, so a page is never older than it has to be; model files are kept by store.js.

/** @type {ServiceWorkerGlobalScope} */
const worker = /** @type {any} */ (self);
const SCOPE = new URL(worker.registration.scope).pathname;
const CACHE = `page ${SCOPE}`;
const MODELS = `models ${SCOPE}`;
const RUNTIME = "/assets/onnxruntime-web-1.30.0";
const FILES = `api.js app.js axes.js catalogue.css compare.js dom.js drawing.js fields.js icon.svg listing.js
  manifest.webmanifest model.js pad.js plots.js predictor.js raster.js store.js`.split(/\s+/);
const SHELL = [
  SCOPE,
  `${SCOPE}models.json`,
  ...FILES.map((name) => `/assets/${name}`),
  `${RUNTIME}.mjs`,
  `${RUNTIME}.wasm`,
];

worker.addEventListener("install", (event) => {
  event.waitUntil(keepShell());
});
worker.addEventListener("activate", (event) => {
  event.waitUntil(worker.clients.claim());
});
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (pathname.startsWith(RUNTIME)) event.respondWith(keptFirst(request));
  // A download link is good for some minutes only.
  else if (!/\/models\/[^/]+\/\d+\/\w+$/.test(pathname)) event.respondWith(networkFirst(request, event));
});

async function keepShell() {
  const cache = await caches.open(CACHE);
  await Promise.all(SHELL.map(async (path) => keep(cache, new Request(path), await fetch(path))));
  await worker.skipWaiting();
}

/** @param {Request} request */
async function keptFirst(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.url);
  if (kept) return kept;
  const response = await fetch(request);
  await keep(cache, request, response.clone());
  return response;
}

/**
 * @param {Request} request
 * @param {ExtendableEvent} event
 */
async function networkFirst(request, event) {
  const cache = await caches.open(CACHE);
  let response;
  try {
    response = await fetch(request);
  } catch {
    return (await cache.match(request.url)) ?? Response.error();
  }
  if (isOver(request, response)) event.waitUntil(Promise.all([caches.delete(CACHE), caches.delete(MODELS)]));
  else event.waitUntil(keep(cache, request, response.clone()));
  return response;
}

/**
 * Whether the link has expired or was revoked: then nothing of it stays here.
 * @param {Request} request
 * @param {Response} response
 */
function isOver(request, response) {
  const asked = new URL(request.url).pathname;
  return [404, 410].includes(response.status) && [SCOPE, `${SCOPE}models.json`].includes(asked);
}

/**
 * Keeps an answer, with the time at which it came: who reads it knows how old it is, and that it is a copy.
 * @param {Cache} cache
 * @param {Request} request
 * @param {Response} response
 */
async function keep(cache, request, response) {
  if (response.status !== 200) return;
  const headers = new Headers(response.headers);
  // The body is kept unpacked.
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name);
  headers.set("X-Kept-At", new Date().toISOString());
  await cache.put(request.url, new Response(response.body, { status: 200, headers }));
}
