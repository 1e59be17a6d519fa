"use strict";

const find = (id) => document.getElementById(id);
let model = null;
// Only the newest picture's answers are shown, whichever comes first.
let turn = 0;

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text ?? "";
  return made;
}

function complain(sentence) {
  find("problem").textContent = sentence;
  find("problem").hidden = !sentence;
}

async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, body ? { method: "POST", body } : {});
  } catch {
    throw new Error("The page's task has ended; start `inv predict --page` again.");
  }
  const found = await response.json();
  if (!response.ok) throw new Error(found.error);
  return found;
}

function percent(value) {
  // Not 100 % for what is only nearly sure.
  const shown = (100 * value).toFixed(2);
  if (shown === "100.00" && value < 1) return ">\u00a099.99\u00a0%";
  if (shown === "0.00" && value > 0) return "<\u00a00.01\u00a0%";
  return `${shown}\u00a0%`;
}

function barOf({ label, probability }, first) {
  const row = element("li", "");
  const track = element("div", "track");
  const fill = element("div", "fill");
  fill.style.width = `${100 * probability}%`;
  track.append(fill);
  if (first) {
    const mark = element("div", "threshold");
    mark.style.left = `${100 * model.threshold}%`;
    mark.title = `threshold ${percent(model.threshold)}`;
    track.append(mark);
  }
  row.append(element("span", "label", label), element("span", "value", percent(probability)), track);
  return row;
}

function show(answer) {
  const [best] = answer.likeliest;
  find("seen").src = answer.seen;
  const decision = find("decision");
  decision.textContent = best.label;
  decision.append(element("span", answer.decision, answer.decision));
  const side = answer.decision === "accepted" ? "reaches" : "is below";
  const then = answer.decision === "accepted" ? "" : ": a person decides";
  find("reason").textContent =
    `${percent(best.probability)} ${side} the threshold of ${percent(model.threshold)}${then}.`;
  const leadsTo = answer.assignment;
  find("assignment").textContent = `${leadsTo[0]?.toUpperCase() ?? ""}${leadsTo.slice(1)}.`;
  find("assignment").hidden = !leadsTo;
  find("bars").replaceChildren(...answer.likeliest.map((each, place) => barOf(each, place === 0)));
  find("marked").hidden = true;
  find("result").hidden = false;
}

async function predict(file) {
  const own = ++turn;
  complain("");
  if (file.size > model.max_bytes) {
    complain(`${file.name} has ${file.size.toLocaleString("en")} bytes; at most ` +
      `${model.max_bytes.toLocaleString("en")} are taken.`);
    return;
  }
  find("result").classList.add("busy");
  try {
    const answer = await ask("/predict", file);
    if (own !== turn) return;
    show(answer);
    find("name").textContent = file.name;
    find("result").classList.remove("busy");
    const explained = await ask("/explain", file);
    if (own !== turn) return;
    find("marked").src = explained.marked;
    find("marked").hidden = false;
  } catch (error) {
    if (own !== turn) return;
    find("result").hidden = true;
    complain(error.message);
  } finally {
    if (own === turn) find("result").classList.remove("busy");
  }
}

function take(files) {
  const [file] = files;
  if (file) predict(file);
}

async function start() {
  try {
    model = await ask("/model");
  } catch (error) {
    complain(error.message);
    return;
  }
  find("model").textContent = `Answered by ${model.name}.`;
  find("size").textContent = `As the model sees it: ${model.width} × ${model.height} pixels` +
    (model.grey ? ", grey" : "");
  for (const id of ["file", "camera"]) {
    find(id).addEventListener("change", (event) => {
      take(event.target.files);
      // The same file may be chosen again.
      event.target.value = "";
    });
  }
  const drop = find("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
}

start();
