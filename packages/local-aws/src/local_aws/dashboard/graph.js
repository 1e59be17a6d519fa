// A state machine's definition as a drawing: layers from the start down, nested machines in boxes.

const GAP_X = 22, GAP_Y = 40, PAD = 14, ROW = 40, TITLE = 26, DUMMY = 10;

/** Return what a state leads to: {to, kind}, where kind is "next", "catch". */
function leadsTo(state) {
  const found = [];
  if (state.Next) found.push({ to: state.Next, kind: "next" });
  for (const choice of state.Choices || []) if (choice.Next) found.push({ to: choice.Next, kind: "next" });
  if (state.Default) found.push({ to: state.Default, kind: "next" });
  for (const handler of state.Catch || []) if (handler.Next) found.push({ to: handler.Next, kind: "catch" });
  const seen = new Map();
  for (const edge of found) if (!seen.has(edge.to)) seen.set(edge.to, edge);
  return [...seen.values()];
}

/** Return the state machines within a state: one of a Map, one for each branch of a Parallel. */
export function inner(state) {
  const processor = state.ItemProcessor || state.Iterator;
  if (state.Type === "Map" && processor && processor.States) return [processor];
  return state.Type === "Parallel" ? state.Branches || [] : [];
}

/** Return the longest way from the start to each state, ways back left out. */
function layersOf(machine) {
  const depth = new Map(), onWay = new Set(), done = new Set(), order = [], back = new Set();
  const visit = (name) => {
    if (done.has(name) || !machine.States[name]) return;
    onWay.add(name);
    for (const { to } of leadsTo(machine.States[name])) {
      if (onWay.has(to)) back.add(`${name}\n${to}`);
      else visit(to);
    }
    onWay.delete(name);
    done.add(name);
    order.unshift(name);
  };
  visit(machine.StartAt);
  for (const name of Object.keys(machine.States)) visit(name);
  for (const name of order) {
    if (!depth.has(name)) depth.set(name, 0);
    for (const { to } of leadsTo(machine.States[name])) {
      if (back.has(`${name}\n${to}`) || !machine.States[to]) continue;
      depth.set(to, Math.max(depth.get(to) || 0, depth.get(name) + 1));
    }
  }
  return { depth, back };
}

function sizeOf(name, state) {
  const wide = Math.min(260, Math.max(148, name.length * 7.4 + 30));
  const parts = inner(state).map((machine) => layout(machine));
  if (!parts.length) return { w: wide, h: ROW, parts };
  const w = parts.reduce((sum, part) => sum + part.w, 0) + PAD * (parts.length + 1);
  return { w: Math.max(w, wide), h: Math.max(...parts.map((part) => part.h)) + TITLE + PAD, parts };
}

/** Return {w, h, nodes, edges} of a state machine; coordinates are from its upper left corner. */
export function layout(machine) {
  const { depth, back } = layersOf(machine);
  const items = new Map(), rows = [], edges = [];
  const put = (id, row, item) => {
    items.set(id, { id, row, ...item });
    (rows[row] = rows[row] || []).push(items.get(id));
  };
  for (const [name, row] of depth) {
    const state = machine.States[name];
    put(name, row, { name, state, ...sizeOf(name, state) });
  }
  for (const [name, row] of depth) {
    for (const { to, kind } of leadsTo(machine.States[name])) {
      if (!items.has(to)) continue;
      const points = [name];
      if (!back.has(`${name}\n${to}`)) {
        for (let at = row + 1; at < depth.get(to); at += 1) {
          const id = `\n${name}\n${to}\n${at}`;
          put(id, at, { w: DUMMY, h: 0, parts: [] });
          points.push(id);
        }
      }
      edges.push({ points: [...points, to], kind, back: back.has(`${name}\n${to}`) });
    }
  }
  arrange(rows, edges);
  return { ...place(rows, items, edges) };
}

/** Order each row by the middle of what leads to it, so that few lines cross. */
function arrange(rows, edges) {
  const parents = new Map();
  for (const { points, back } of edges) {
    if (back) continue;
    for (let i = 1; i < points.length; i += 1) {
      parents.set(points[i], [...(parents.get(points[i]) || []), points[i - 1]]);
    }
  }
  const rank = new Map();
  rows.forEach((row) => {
    const middle = (item) => {
      const of = (parents.get(item.id) || []).map((id) => rank.get(id)).filter((r) => r !== undefined);
      return of.length ? of.reduce((a, b) => a + b, 0) / of.length : 0.5;
    };
    const keyed = row.map((item, index) => ({ item, index, key: middle(item) }));
    keyed.sort((a, b) => a.key - b.key || a.index - b.index);
    row.splice(0, row.length, ...keyed.map((entry) => entry.item));
    row.forEach((item, index) => rank.set(item.id, (index + 0.5) / row.length));
  });
}

function place(rows, items, edges) {
  const widths = rows.map((row) => row.reduce((sum, item) => sum + item.w, 0) + GAP_X * (row.length - 1));
  const w = Math.max(...widths, 112) + PAD * 2;
  let y = PAD;
  rows.forEach((row, index) => {
    let x = (w - widths[index]) / 2;
    const h = Math.max(...row.map((item) => item.h), 8);
    for (const item of row) {
      item.x = x;
      item.y = item.h ? y + (h - item.h) / 2 : y;
      if (!item.h) item.h = h;
      x += item.w + GAP_X;
    }
    y += h + GAP_Y;
  });
  const nodes = [...items.values()].filter((item) => item.name !== undefined);
  return { w, h: y - GAP_Y + PAD, nodes, edges: edges.map((edge) => ({ ...edge, line: line(edge, items) })) };
}

function line({ points, back }, items) {
  const at = points.map((id) => items.get(id));
  const middle = (item) => item.x + item.w / 2;
  if (back) {
    const [from, to] = at, right = Math.max(from.x + from.w, to.x + to.w) + 16;
    return `M${from.x + from.w},${from.y + from.h / 2} C${right},${from.y + from.h / 2} ${right},${to.y + to.h / 2} ${to.x + to.w + 6},${to.y + to.h / 2}`;
  }
  let path = `M${middle(at[0])},${at[0].y + at[0].h}`;
  for (let i = 1; i < at.length; i += 1) {
    const from = at[i - 1], to = at[i], last = i === at.length - 1;
    const y1 = from.y + from.h, y2 = to.y - (last ? 7 : 0), half = (y2 - y1) / 2;
    path += ` C${middle(from)},${y1 + half} ${middle(to)},${y2 - half} ${middle(to)},${y2}`;
    if (!last) path += ` L${middle(to)},${to.y + to.h}`;
  }
  return path;
}

const SVG = "http://www.w3.org/2000/svg";

export function shape(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * Return the drawing. `look(name)` gives {status, note}; `choose(name)` is called with a state.
 * Every text goes in as text, never as markup.
 */
export function draw(machine, look, choose, chosen) {
  const whole = layout(machine);
  const svg = shape("svg", {
    width: whole.w, height: whole.h, viewBox: `0 0 ${whole.w} ${whole.h}`,
    role: "group", "aria-label": "State graph",
  });
  // Smaller on a narrow screen, but never too small to read: then it is scrolled.
  svg.style.minWidth = `${whole.w * 0.75}px`;
  svg.append(shape("defs", {}, shape("marker", {
    id: "tip", viewBox: "0 0 8 8", refX: 1, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto",
  }, shape("path", { class: "tip", d: "M0,0 L8,4 L0,8 Z" }))));
  svg.append(group(whole, 0, 0, look, choose, chosen));
  return svg;
}

function group(part, x, y, look, choose, chosen) {
  const made = shape("g", { transform: `translate(${x},${y})` });
  for (const edge of part.edges) {
    made.append(shape("path", { class: `edge ${edge.kind}`, d: edge.line, "marker-end": "url(#tip)" }));
  }
  for (const node of part.nodes) made.append(box(node, look, choose, chosen));
  return made;
}

function box(node, look, choose, chosen) {
  const { status, note } = look(node.name);
  const kinds = ["node", status || "", status ? "visited" : "", node.parts.length ? "group" : "", node.name === chosen ? "chosen" : ""];
  const made = shape("g", { class: kinds.filter(Boolean).join(" "), transform: `translate(${node.x},${node.y})` });
  const hit = shape("g", {
    class: made.getAttribute("class"), tabindex: 0, role: "button", "data-state": node.name,
    "aria-pressed": String(node.name === chosen),
    "aria-label": `${node.state.Type} ${node.name}: ${status || "not entered"}${note ? `, ${note}` : ""}`,
  });
  made.setAttribute("class", "");
  hit.append(shape("rect", { class: "box", width: node.w, height: node.h, rx: node.state.Type === "Choice" ? 18 : 6 }));
  const short = node.name.length > 32 ? `${node.name.slice(0, 31)}…` : node.name;
  const left = node.parts.length ? 12 : node.w / 2, anchor = node.parts.length ? "start" : "middle";
  hit.append(shape("text", { x: left, y: 17, "text-anchor": anchor }, short));
  const kind = note ? `${node.state.Type} · ${note}` : node.state.Type;
  hit.append(node.parts.length
    ? shape("text", { class: "kind", x: node.w - 12, y: 17, "text-anchor": "end" }, kind)
    : shape("text", { class: "kind", x: left, y: 32, "text-anchor": anchor }, kind));
  hit.addEventListener("click", () => choose(node.name));
  hit.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(node.name);
  });
  made.append(hit);
  const wide = node.parts.reduce((sum, part) => sum + part.w, 0) + PAD * (node.parts.length - 1);
  let x = (node.w - wide) / 2;
  for (const part of node.parts) {
    made.append(group(part, x, TITLE, look, choose, chosen));
    x += part.w + PAD;
  }
  return made;
}
