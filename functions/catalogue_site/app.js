// Starts the page: reads the list of models, shows what the address asks for, and says how things stand.

import { list, Problem } from "./api.js";
import { comparePage } from "./compare.js";
import { h, notice, when } from "./dom.js";
import { address, listPage } from "./listing.js";
import { modelPage, trouble } from "./model.js";
import { forget } from "./store.js";

const main = part("main");
const standing = part("standing");
const notices = part("notices");

/** @type {{models: Model[], next: string | null, time: string, isCopy: boolean} | null} */
let known = null;
let worksOffline = false;

/** @param {string} id */
function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/** Shows what the address asks for. */
async function show() {
  const [workload, version, other] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  try {
    if (!known) await refresh();
    const model = workload ? await find(workload, Number(version)) : null;
    const second = other && workload ? await find(workload, Number(other)) : null;
    if (workload && (!model || (other && !second))) render(notFound(), "Not found");
    else if (model && second)
      render(comparePage(model, second), `${model.title}, versions ${model.version} and ${second.version}`);
    else if (model) render(modelPage(model, ofWorkload(model.workload)), `${model.title}, version ${model.version}`);
    else render(listPage(known?.models ?? [], known?.next ? more : null), "Approved models");
    showNewer(model);
  } catch (problem) {
    fail(problem);
  }
}

/**
 * @param {HTMLElement} element
 * @param {string} title
 */
function render(element, title) {
  const isFirst = document.title === "Model catalogue";
  document.title = `${title} - Model catalogue`;
  main.replaceChildren(element);
  if (isFirst) return;
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

/** Asks for the list again, and keeps the older pages' models. */
async function refresh() {
  const { content, keptAt } = await list();
  known = { models: content.models, next: content.next, time: content.generated_at, isCopy: keptAt !== null };
  showStanding();
}

async function more() {
  try {
    await readOlder();
    await show();
  } catch (problem) {
    fail(problem);
  }
}

async function readOlder() {
  if (!known?.next) return;
  const { content } = await list(known.next);
  known = { ...known, models: [...known.models, ...content.models], next: content.next };
}

/**
 * @param {string} workload
 * @param {number} version
 */
async function find(workload, version) {
  for (;;) {
    const model = ofWorkload(workload).find((found) => found.version === version);
    if (model || !known?.next) return model ?? null;
    await readOlder();
  }
}

/** @param {string} workload */
function ofWorkload(workload) {
  return (known?.models ?? []).filter((model) => model.workload === workload);
}

/** Looks for news, without disturbing what is shown. */
async function look() {
  const before = JSON.stringify(known?.models.slice(0, 1));
  try {
    await refresh();
    const [workload, version] = location.hash.replace(/^#\/?/, "").split("/");
    if (workload) showNewer(await find(workload, Number(version)));
    else if (JSON.stringify(known?.models.slice(0, 1)) !== before) await show();
  } catch (problem) {
    if (problem instanceof Problem && problem.ended) fail(problem);
    else showStanding(true);
  }
}

function showStanding(isCopy = known?.isCopy) {
  if (!known) return;
  standing.className = isCopy ? "offline" : "";
  standing.textContent = isCopy
    ? `Offline: the list of ${when(known.time)}`
    : `Up to date${worksOffline ? ", works offline" : ""}`;
}

/**
 * Says that a newer version is live than the one that is shown.
 * @param {Model | null} model
 */
function showNewer(model) {
  const live = model && ofWorkload(model.workload).find((found) => found.live && found.version > model.version);
  notices.replaceChildren(
    live
      ? notice(
          "",
          `Version ${live.version} is live since ${when(live.live_since)}; this is version ${model.version}. `,
          h("a", { href: address(live) }, `Open version ${live.version}`),
        )
      : "",
  );
}

/** @param {unknown} problem */
function fail(problem) {
  const isOver = problem instanceof Problem && problem.ended;
  const again = h("button", { type: "button", click: show }, "Try again");
  notices.replaceChildren();
  render(
    h(
      "div",
      {},
      h("h1", {}, isOver ? "This link no longer works" : "The models cannot be shown"),
      trouble(problem, "The page could not be shown. Reload it."),
      isOver ? "" : h("p", { class: "buttons" }, again),
    ),
    "Problem",
  );
  if (!isOver) return;
  known = null;
  standing.textContent = "";
  forget();
}

function notFound() {
  return h(
    "div",
    {},
    h("h1", {}, "There is no such version"),
    h("p", {}, "It may have been withdrawn. ", h("a", { href: "#/" }, "See all approved models")),
  );
}

async function keepForOffline() {
  try {
    await navigator.serviceWorker.register("worker.js", { updateViaCache: "none" });
    await navigator.serviceWorker.ready;
    worksOffline = true;
    showStanding();
  } catch {
    // The page works without; it only needs the network then.
  }
}

window.addEventListener("hashchange", () => {
  if (/^(#\/.*)?$/.test(location.hash)) show();
});
window.addEventListener("online", look);
window.addEventListener("offline", look);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") look();
});
await show();
await keepForOffline();
