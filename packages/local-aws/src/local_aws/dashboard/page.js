// Asks the embedded AWS what runs, and shows it. All that comes from there is set as text.
import { draw, inner } from "./graph.js";

const ROOT = "/_local_aws/page/";
const SECOND = 1000;
const seen = { arn: "", path: [], state: "", execution: null, follows: true };
const shownBefore = new Map();

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== "" && child !== null));
  return made;
}

function badge(status) {
  const text = String(status);
  const shown = text === text.toUpperCase() ? text.toLowerCase().replaceAll("_", " ") : text;
  return make("span", { class: `badge ${text.toLowerCase().replace(/[^a-z_]/g, "")}` }, shown);
}

/** Put children into an element when what they show has changed; focus and scrolling stay. */
function show(id, data, build) {
  const key = JSON.stringify(data);
  if (shownBefore.get(id) === key) return;
  shownBefore.set(id, key);
  const element = document.getElementById(id);
  const focus = element.contains(document.activeElement) ? mark(document.activeElement) : null;
  const scrolled = [...element.querySelectorAll("[data-scroll]")].map((e) => [e.dataset.scroll, e.scrollTop, e.scrollLeft]);
  element.replaceChildren(...[build()].flat());
  for (const [name, top, left] of scrolled) {
    const again = [...element.querySelectorAll("[data-scroll]")].find((e) => e.dataset.scroll === name);
    if (again) [again.scrollTop, again.scrollLeft] = [top, left];
  }
  if (!scrolled.some(([name]) => name === "graph")) showVisited(element.querySelector("[data-scroll=graph]"));
  if (focus) [...element.querySelectorAll("[tabindex],button,select")].find((e) => mark(e) === focus)?.focus({ preventScroll: true });
}

/** Scroll a graph that is new on the page to the first state that was entered. */
function showVisited(graph) {
  const first = graph?.querySelector(".visited");
  if (!first) return;
  const [state, frame] = [first.getBoundingClientRect(), graph.getBoundingClientRect()];
  graph.scrollLeft += state.left + state.width / 2 - frame.left - frame.width / 2;
}

function mark(element) {
  return element.dataset.key || element.dataset.state || "";
}

async function ask(path) {
  const answer = await fetch(ROOT + path, { headers: { Accept: "application/json" } });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.message || `status ${answer.status}`);
  return content;
}

function span(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

function clock(time) {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? String(time) : at.toLocaleTimeString([], { hour12: false });
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function listExecutions(executions) {
  show("execution-list", [executions, seen.arn], () =>
    executions.map((execution) =>
      make("button", {
        type: "button", "data-key": execution.arn, title: execution.name,
        "aria-current": String(execution.arn === seen.arn),
        onclick: () => openExecution(execution.arn),
      },
      make("span", { class: "name" }, execution.machine),
      badge(execution.status),
      make("span", { class: "note name" }, execution.name),
      make("span", { class: "note when" }, `${clock(execution.started)} · ${span(execution.seconds)}`))));
}

async function openExecution(arn) {
  Object.assign(seen, { arn, path: [], state: "", execution: null, follows: false });
  await refresh();
}

/** Return the Maps of a state machine with the names of all states in each, the outer ones first. */
function mapsOf(machine, found = new Map()) {
  for (const [name, state] of Object.entries(machine.States)) {
    const machines = inner(state);
    if (state.Type === "Map" && machines.length) found.set(name, statesOf(machines[0]));
    for (const one of machines) mapsOf(one, found);
  }
  return found;
}

function statesOf(machine) {
  const names = new Set();
  for (const [name, state] of Object.entries(machine.States)) {
    names.add(name);
    for (const one of inner(state)) for (const other of statesOf(one)) names.add(other);
  }
  return names;
}

const WORST = ["failed", "running", "aborted", "caught", "succeeded"];

/** Return how a state is drawn: by the chosen iteration where it is in one, else by all. */
function lookOf(execution) {
  const maps = mapsOf(execution.definition);
  const last = new Map();
  for (const visit of execution.visits) last.set(visit.name, visit.status);
  return (name) => {
    const within = [...maps].filter(([, names]) => names.has(name)).map(([map]) => map);
    const counts = execution.counts[name];
    const chosen = within.every((map) => seen.path.some(([step]) => step === map));
    const status = chosen ? last.get(name) : WORST.find((one) => counts?.[one]);
    const note = !chosen && counts
      ? WORST.toReversed().filter((one) => counts[one]).map((one) => `${counts[one]} ${one === "succeeded" ? "ok" : one}`).join(", ")
      : iterationNote(execution, name, maps);
    return { status, note: note.length > 34 ? `${Object.values(counts).reduce((a, b) => a + b, 0)} visits` : note };
  };
}

function iterationNote(execution, name, maps) {
  if (!maps.has(name)) return "";
  const of = execution.iterations.filter(({ path }) => path.at(-1)[0] === name);
  if (!of.length) return "";
  const done = of.filter(({ status }) => status !== "running").length;
  return `${done}/${of.length} iterations`;
}

function showExecution(execution) {
  seen.execution = execution;
  show("execution", [execution, seen.path, seen.state], () => [
    make("div", { class: "head" },
      make("h3", {}, execution.machine), badge(execution.status),
      make("span", { class: "note" }, `${execution.name} · ${clock(execution.started)} · ${span(execution.seconds)}`)),
    make("div", { class: "work" },
      make("div", {}, graph(execution), legend(), ...maps(execution)),
      make("div", { class: "detail", "aria-live": "polite" }, ...(seen.state ? state(execution) : whole(execution)))),
  ]);
}

function graph(execution) {
  const drawn = draw(execution.definition, lookOf(execution), (name) => {
    seen.state = seen.state === name ? "" : name;
    showExecution(seen.execution);
  }, seen.state);
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "State graph", "data-scroll": "graph", "data-key": "graph" }, drawn);
}

function legend() {
  const names = ["succeeded", "failed", "running", "caught", "aborted"];
  return make("ul", { class: "legend", "aria-label": "Colours" },
    ...names.map((name) => make("li", {}, badge(name))), make("li", { class: "note" }, "dashed: not entered"));
}

/** Return a row of cells for each Map that the chosen iteration leads to. */
function maps(execution) {
  const groups = new Map();
  for (const { path, status } of execution.iterations) {
    const outer = path.slice(0, -1);
    if (JSON.stringify(outer) !== JSON.stringify(seen.path.slice(0, outer.length))) continue;
    const key = JSON.stringify([outer, path.at(-1)[0]]);
    groups.set(key, [...(groups.get(key) || []), { path, status }]);
  }
  return [...groups].map(([key, cells]) => {
    const name = cells[0].path.at(-1)[0];
    return make("div", { class: "map" },
      make("span", { class: "note" }, `${name}: ${cells.length} iterations, choose one`),
      make("div", { class: "cells", "data-scroll": key }, ...cells.map(({ path, status }) => cell(path, status))));
  });
}

function cell(path, status) {
  const [name, index] = path.at(-1);
  const chosen = JSON.stringify(seen.path.slice(0, path.length)) === JSON.stringify(path);
  return make("button", {
    type: "button", class: status, "aria-pressed": String(chosen), "data-key": JSON.stringify(path),
    "aria-label": `${name} ${index}: ${status}`, title: `${index}: ${status}`,
    onclick: () => {
      seen.path = chosen ? path.slice(0, -1) : path;
      refresh();
    },
  });
}

function block(title, text) {
  return text ? [make("div", {}, make("h4", {}, title), make("pre", { tabindex: 0, "data-scroll": title, "data-key": title }, pretty(text)))] : [];
}

// Lambda's causes are objects, whose message is what a reader looks for.
function reason(cause) {
  try {
    return JSON.parse(cause).errorMessage || "";
  } catch {
    return "";
  }
}

function said(error, cause) {
  return [error, reason(cause) || cause].filter(Boolean).join(": ");
}

function whole(execution) {
  return [
    make("p", { class: "note" }, "Choose a state to see what went in and came out."),
    ...(execution.error ? [make("p", { class: "fault" }, said(execution.error, execution.cause))] : []),
    ...(reason(execution.cause) ? block("Cause", execution.cause) : []),
    ...block("Execution input", execution.input),
    ...block("Execution output", execution.output),
  ];
}

function state(execution) {
  const visits = execution.visits.filter((visit) => visit.name === seen.state);
  const title = make("h3", {}, seen.state);
  if (!visits.length) {
    const counts = execution.counts[seen.state];
    return [title, make("p", { class: "note" }, counts ? "Choose an iteration to see its input and output." : "This state was not entered.")];
  }
  const visit = visits.at(-1);
  const ended = visit.exited ? span((new Date(visit.exited) - new Date(visit.entered)) / SECOND) : "";
  return [
    make("div", { class: "head" }, title, badge(visit.status), make("span", { class: "note" }, `${clock(visit.entered)} ${ended}`),
      visits.length > 1 ? make("span", { class: "note" }, `visit ${visits.length} of ${visits.length}`) : ""),
    ...(visit.error ? [make("p", { class: "fault" }, said(visit.error, reason(visit.cause)))] : []),
    ...block("Cause", visit.cause), ...block("Input", visit.input), ...block("Output", visit.output),
    ...block("Assigned variables", visit.assigned),
    make("div", {}, make("h4", {}, "Events"), make("div", { class: "table" }, table(["time", "event"], visit.events.map(([at, kind]) => [clock(at), kind])))),
  ];
}

function table(heads, rows, numbers = []) {
  const kind = (index) => (numbers.includes(index) ? "number" : index === (heads.length === 2 ? 1 : 0) ? "long" : "");
  return make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head, i) => make("th", { scope: "col", class: kind(i) }, head)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((value, i) => make("td", { class: kind(i) }, String(value ?? "–")))))));
}

function empty(text) {
  return [make("p", { class: "empty" }, text)];
}

function showEndpoints(endpoints) {
  show("endpoint-list", endpoints, () => (endpoints.length ? endpoints.map((endpoint) =>
    make("article", { class: "card" },
      make("div", { class: "head" }, make("h3", {}, endpoint.name), badge(endpoint.status)),
      make("p", { class: "note" }, endpoint.configuration || ""),
      endpoint.reason ? make("p", { class: "fault" }, endpoint.reason) : "",
      make("div", { class: "table" }, table(
        ["variant", "weight", "instances", "requests", "errors", "p50 ms", "p95 ms"],
        endpoint.variants.map((v) => [v.name, v.weight, v.instances, v.requests, v.errors, v.p50_ms, v.p95_ms]),
        [1, 2, 3, 4, 5, 6])))) : empty("No endpoint is deployed.")));
}

function showJobs(jobs) {
  show("job-list", jobs, () => (jobs.length ? jobs.map((job) =>
    make("article", { class: "card" },
      make("div", { class: "head" }, make("h3", {}, job.name), badge(job.status),
        make("span", { class: "note" }, [job.kind, job.seconds ? span(job.seconds) : job.step].filter(Boolean).join(", "))),
      job.message ? make("p", { class: "note" }, job.message) : "",
      job.reason ? make("p", { class: "fault" }, job.reason) : "",
      job.metrics.length ? make("div", { class: "table" }, table(["metric", "value"], job.metrics.map((m) => [m.name, m.value]), [1])) : ""))
    : empty("No job has run.")));
}

function showFunctions(functions) {
  show("function-list", functions, () => (functions.length
    ? [table(["function", "runtime", "memory MB", "processes"], functions.map((f) => [f.name, f.runtime, f.memory_mb, f.processes]), [2, 3])]
    : empty("No function is deployed.")));
}

function showCaptures(captures) {
  show("capture-list", captures, () => (captures.length ? captures.map((capture) =>
    make("figure", { title: `${capture.endpoint} ${capture.id}` },
      capture.image ? make("img", { src: capture.image, alt: capture.label || "captured image" }) : make("div", { class: "blank note" }, capture.reason),
      make("figcaption", {}, capture.label || "no label",
        capture.confidence === null ? "" : make("span", { class: "note" }, ` ${(capture.confidence * 100).toFixed(1)}\u00a0%`),
        make("div", { class: "note" }, clock(capture.time))))) : empty("Nothing was captured yet.")));
}

async function refresh() {
  const overview = await ask("overview");
  const newest = overview.executions[0];
  // The newest is followed until somebody chooses one.
  if (newest && (seen.follows || !overview.executions.some(({ arn }) => arn === seen.arn))) {
    if (seen.arn !== newest.arn) Object.assign(seen, { arn: newest.arn, path: [], state: "" });
  }
  listExecutions(overview.executions);
  showEndpoints(overview.endpoints);
  showFunctions(overview.functions);
  showJobs(overview.jobs);
  if (seen.arn) {
    const query = new URLSearchParams({ arn: seen.arn, path: JSON.stringify(seen.path) });
    const { arn, path } = seen;
    const execution = await ask(`execution?${query}`);
    if (arn === seen.arn && path === seen.path) showExecution(execution);
  }
  return overview.executions.some((execution) => execution.running);
}

async function live() {
  const sign = document.getElementById("live");
  let busy = false;
  try {
    busy = await refresh();
    showCaptures(await ask("captures"));
    sign.textContent = `Live, ${clock(Date.now())}`;
    sign.className = "";
  } catch (error) {
    sign.textContent = `No answer (${error.message}); trying again`;
    sign.className = "lost";
  }
  setTimeout(live, document.hidden ? 10 * SECOND : busy ? SECOND : 2 * SECOND);
}

live();
