"use strict";

const KEYS = 9;
const POLL_MS = 4000;
const LOADING_MS = 300;
const RETRY_MS = 3000;
const element = (id) => document.getElementById(id);

let state = null;
let busy = false;
let shownAt = 0;
let hiddenSince = 0;
let hiddenMs = 0;
let chosen = 0;
let timer = 0;
const pictures = new Map();

class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function request(path, body) {
  const post = { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(path, body === undefined ? {} : post);
  if (!answer.ok) {
    const found = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, found.error || `The server answered ${answer.status}.`);
  }
  return answer;
}

const requestJson = async (path, body) => (await request(path, body)).json();

/* Images are kept as blobs, decoded before they are shown: the server allows no cache. */
function picture(id) {
  if (!pictures.has(id)) {
    const loading = request(`/api/image/${id}`)
      .then((answer) => answer.blob())
      .then(async (blob) => {
        const image = new Image();
        image.src = URL.createObjectURL(blob);
        await image.decode();
        return image;
      });
    loading.catch(() => pictures.delete(id));
    pictures.set(id, loading);
  }
  return pictures.get(id);
}

function forgetPictures(wanted) {
  for (const [id, loading] of pictures) {
    if (!wanted.has(id)) {
      pictures.delete(id);
      loading.then((image) => URL.revokeObjectURL(image.src)).catch(() => {});
    }
  }
}

async function fill(image, id) {
  image.dataset.id = id;
  const found = await picture(id);
  if (image.dataset.id !== id) return;
  image.src = found.src;
  // Small images are shown with their pixels; photographs are only made smaller.
  image.classList.toggle("enlarged", Math.max(found.naturalWidth, found.naturalHeight) <= 512);
}

const percent = (value) => (value === null || value === undefined ? "" : ` ${value.toFixed(2)}`);

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function build(tag, text, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

/* What the page shows. */

async function show(next, said) {
  state = next;
  const { progress, item } = next;
  element("reviewer").textContent = next.reviewer;
  const done = progress.answered + progress.answered_before;
  const words = [`${done} answered`, `${progress.left} left`];
  if (progress.skipped) words.push(`${progress.skipped} skipped`);
  if (progress.not_uploaded) words.push(`${progress.not_uploaded} uploading`);
  element("progress-text").textContent = words.join(" · ");
  element("progress").max = Math.max(1, done + progress.left + progress.skipped);
  element("progress").value = done;
  warn(next.trouble);
  if (said !== undefined) element("status").textContent = said;
  showChoices();
  showLeftOut(next.left_out);
  showUnusable(next);
  for (const id of [item && item.id, ...next.next]) if (id) picture(id).catch(() => {});
  forgetPictures(new Set([item && item.id, ...next.next, ...next.history.map((one) => one.id)]));
  element("undo").disabled = !next.can_undo;
  element("skip").disabled = !item;
  element("figure").hidden = !item;
  element("empty").hidden = Boolean(item);
  clearTimeout(timer);
  if (item) {
    const changed = element("image").dataset.id !== item.id;
    await fill(element("image"), item.id).catch((error) => warn(error.message));
    element("guess").hidden = !("guess" in item);
    if ("guess" in item) {
      element("guess").textContent = `Model: ${item.guess || "unknown"}${percent(item.confidence)}`;
    }
    if (changed) {
      shownAt = performance.now();
      hiddenMs = 0;
    }
  } else {
    element("image").dataset.id = "";
    showEmpty(next);
    timer = setTimeout(refresh, next.loading ? LOADING_MS : POLL_MS);
  }
  if (item && (progress.not_uploaded || next.trouble)) {
    clearTimeout(timer);
    timer = setTimeout(refresh, POLL_MS);
  }
  showHistory(next.history);
}

function showEmpty(next) {
  const { progress } = next;
  const done = progress.answered + progress.answered_before;
  const skipped = element("resume");
  skipped.hidden = !progress.skipped;
  skipped.textContent = `Show the ${plural(progress.skipped, "skipped image")} again (Enter)`;
  if (next.loading) {
    element("empty-title").textContent = "Loading images";
    element("empty-text").textContent = "";
    return;
  }
  element("empty-title").textContent = done || progress.skipped
    ? `All done: ${plural(done, "image")} answered`
    : "No image waits for review";
  const words = [];
  if (next.note) words.push(next.note);
  if (next.grows) words.push("New images appear here by themselves.");
  words.push("Next: stop inv review with Ctrl-C; inv etl --add adds the answers to the training images.");
  element("empty-text").textContent = words.join(" ");
}

function showChoices() {
  const many = state.labels.length > KEYS;
  element("search-label").hidden = !many;
  element("classes").classList.toggle("long", many);
  element("keys").textContent = many
    ? "Type to search a class, Enter answers, ↑ ↓ choose. While nothing is typed: 1–9 answer, "
      + "space skips, backspace undoes."
    : "1–9 answer, space skips, backspace undoes, d compares.";
  const labels = matching();
  chosen = Math.min(chosen, Math.max(0, labels.length - 1));
  const buttons = labels.map((label, index) => {
    const button = build("button");
    button.type = "button";
    if (index < KEYS) button.append(build("kbd", String(index + 1)), " ");
    button.append(label);
    button.disabled = !state.item;
    button.classList.toggle("chosen", many && index === chosen && searching() !== "");
    button.addEventListener("click", () => answer(label));
    return button;
  });
  element("classes").replaceChildren(...buttons);
  if (many && !labels.length) element("classes").append(build("p", "No class has that in its name."));
}

const searching = () => element("search").value.trim().toLowerCase();

function matching() {
  const typed = searching();
  const found = state.labels.filter((label) => label.toLowerCase().includes(typed));
  // What begins with the text comes first.
  return typed ? found.sort((a, b) => a.toLowerCase().indexOf(typed) - b.toLowerCase().indexOf(typed)) : found;
}

function verdict(one) {
  if (!one.label) return "";
  if (!one.guess) return "";
  const same = one.label === one.guess;
  return same ? `= model${percent(one.confidence)}` : `≠ model: ${one.guess}${percent(one.confidence)}`;
}

function showHistory(decisions) {
  const rows = decisions.map((one) => {
    const image = build("img");
    image.alt = "";
    fill(image, one.id).catch(() => {});
    const small = [verdict(one), `${one.seconds.toFixed(1)} s`].filter(Boolean).join(" · ");
    return build("li", "", image, build("span", one.label || "skipped", build("small", small)));
  });
  if (!rows.length) rows.push(build("li", "None yet."));
  element("history").replaceChildren(...rows);
}

function showLeftOut(reasons) {
  const box = element("left-out");
  box.hidden = !reasons.length;
  box.querySelector("summary").textContent = `Left out, by ${plural(reasons.length, "reason")}`;
  box.querySelector("ul").replaceChildren(...reasons.map((reason) => build("li", reason)));
}

function showUnusable(next) {
  const count = next.progress.unusable;
  const box = element("unusable");
  box.hidden = !count;
  box.querySelector("summary").textContent = `${plural(count, "image")} cannot be shown`;
  const rows = next.unusable.map((one) => {
    const guess = one.guess ? `, model: ${one.guess}` : "";
    return build("li", "", build("span", one.place, build("small", `${one.reason}${guess}`)));
  });
  if (rows.length < count) rows.push(build("li", `and ${count - rows.length} more`));
  box.querySelector("ul").replaceChildren(...rows);
  element("close-unusable").hidden = !next.grows || !next.progress.closable;
}

function closeUnusable() {
  const { closable } = state.progress;
  const asked = `Nobody can decide ${plural(closable, "image")} any more. Take them out of the queue?`;
  if (window.confirm(asked)) act("/api/close", {}, `Closed: ${closable}`);
}

function warn(sentence) {
  element("alert").hidden = !sentence;
  element("alert").textContent = sentence || "";
}

async function compare() {
  const { pairs } = await requestJson("/api/agreement");
  const parts = pairs.map((pair) => {
    const kappa = pair.kappa === null ? "not defined" : pair.kappa.toFixed(2);
    const head = `${pair.other}: Cohen's kappa ${kappa}, ${pair.agreed} of ${pair.n} equal (n = ${pair.n})`;
    const rows = pair.disagreements.map((one) => {
      const image = build("img");
      image.alt = "";
      picture(one.id).then((found) => {
        image.src = found.src;
        image.classList.add("enlarged");
      }).catch(() => {});
      return build("li", "", image, build("span", `you: ${one.own} · ${pair.other}: ${one.other}`));
    });
    const section = build("section", "", build("p", head), build("ul", "", ...rows));
    section.className = "pair";
    return section;
  });
  if (!parts.length) {
    parts.push(build("p", "No other reviewer has labelled an image that you have labelled (n = 0)."));
  }
  element("pairs").replaceChildren(...parts);
  element("agreement").showModal();
}

/* What a reviewer does. */

function seconds() {
  return Math.max(0, (performance.now() - shownAt - hiddenMs) / 1000);
}

async function act(path, body, said) {
  if (busy) return;
  busy = true;
  try {
    await show(await requestJson(path, body), said);
    element("search").value = "";
    chosen = 0;
    showChoices();
  } catch (error) {
    await failed(error);
  } finally {
    busy = false;
  }
}

async function failed(error) {
  if (!(error instanceof Refused)) {
    warn("The review is not running any more, so your last key was not saved; all before it is. "
      + "Start inv review again and open the address that it prints.");
    clearTimeout(timer);
    timer = setTimeout(refresh, RETRY_MS);
    return;
  }
  if (error.status === 409) await show(await requestJson("/api/state"));
  warn(error.message);
}

async function refresh() {
  if (busy) {
    timer = setTimeout(refresh, RETRY_MS);
    return;
  }
  try {
    await show(await requestJson("/api/state"));
  } catch (error) {
    await failed(error);
  }
}

function answer(label) {
  if (state && state.item) act("/api/answer", { item: state.item.id, label, seconds: seconds() }, `Saved: ${label}`);
}

function skip() {
  if (state && state.item) act("/api/skip", { item: state.item.id, seconds: seconds() }, "Skipped");
}

function undo() {
  if (state && state.can_undo) act("/api/undo", {}, "Taken back");
}

function resume() {
  if (state && state.progress.skipped) act("/api/resume", {}, "");
}

function onKey(event) {
  if (!state || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (element("agreement").open) return;
  const target = document.activeElement;
  const typing = target === element("search");
  const many = state.labels.length > KEYS;
  const empty = searching() === "";
  // A button that was reached by keyboard keeps its own keys.
  const onButton = ["BUTTON", "SUMMARY"].includes(target.tagName) && target.matches(":focus-visible");
  const labels = matching();
  const done = (action) => {
    event.preventDefault();
    action();
  };
  if (/^[1-9]$/.test(event.key) && empty) {
    const label = labels[Number(event.key) - 1];
    return done(() => label && answer(label));
  }
  if (event.key === " " && empty && !onButton) return done(skip);
  if (event.key === "Backspace" && empty) return done(undo);
  if (event.key === "Enter" && !onButton) {
    if (!state.item) return done(resume);
    if (many && !empty && labels[chosen]) return done(() => answer(labels[chosen]));
    return undefined;
  }
  if (many) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      return done(() => {
        chosen = Math.max(0, Math.min(labels.length - 1, chosen + (event.key === "ArrowDown" ? 1 : -1)));
        showChoices();
        const button = element("classes").children[chosen];
        if (button) button.scrollIntoView({ block: "nearest" });
      });
    }
    if (event.key === "Escape") {
      element("search").value = "";
      return showChoices();
    }
    if (event.key.length === 1 && event.key !== " " && !typing) element("search").focus();
    return undefined;
  }
  if (event.key === "d") return done(() => compare().catch(failed));
  return undefined;
}

async function open() {
  try {
    await show(await requestJson("/api/state"), "");
  } catch (error) {
    await failed(error);
  }
}

document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenSince = performance.now();
  else if (hiddenSince) hiddenMs += performance.now() - hiddenSince;
});
element("undo").addEventListener("click", undo);
element("skip").addEventListener("click", skip);
element("resume").addEventListener("click", resume);
element("close-unusable").addEventListener("click", closeUnusable);
element("compare").addEventListener("click", () => compare().catch(failed));
element("search").addEventListener("input", () => {
  chosen = 0;
  showChoices();
});
open();
