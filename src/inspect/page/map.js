// A scatter of texts: pan, zoom, hover, search, labels.

const data = JSON.parse($("#data").textContent);
const { texts, labels, components, explained } = data, labelOf = data.label_of, count = texts.length;
const named = labels.some((label) => label !== "");
document.title = visible(data.title) + " \u00b7 cloze embed-map";
$("#name").textContent = visible(data.title);
$("#meta").textContent = `${grouped(count)} texts` + (named ? ` \u00b7 ${labels.length} labels` : "");
$("#theme").addEventListener("click", toggleTheme);

// Hues that stay apart for most eyes (Okabe and Ito), then a turn of the colour wheel.
const hues = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8f7ee7", "#a6a000"];
const darkHues = ["#4aa8e0", "#f0b429", "#2fc79a", "#e39bc2", "#f07f3c", "#8fd0f5", "#b3a6ff", "#d0ca3a"];
const colourOf = (label) => {
  const dark = document.documentElement.dataset.theme === "dark";
  if (!named) return colours.accent;
  return label < hues.length ? (dark ? darkHues : hues)[label] : `hsl(${(label * 137.5) % 360} 55% ${dark ? 65 : 45}%)`;
};

const state = { x: 0, y: Math.min(1, components.length - 1), hidden: new Set(), found: null, hover: -1, scale: 1, left: 0, top: 0 };
const canvas = $("#map");
let width = 0, height = 0, px = new Float32Array(count), py = new Float32Array(count);

const axis = (label, which) => {
  const node = element("select", { "aria-label": label, onchange: () => { state[which] = Number(node.value); fit(); } },
    ...components.map((_, i) => element("option", { value: i, selected: i === state[which] }, `component ${i + 1} (${(100 * explained[i]).toFixed(1)} %)`)));
  return element("label", {}, label, node);
};
const search = element("input", { type: "search", id: "search", placeholder: "Search texts", "aria-label": "Search texts" });
const foundText = element("span", { class: "soft", id: "found", "aria-live": "polite" });
search.addEventListener("input", () => {
  const wanted = search.value.trim().toLocaleLowerCase();
  state.found = wanted === "" ? null : new Set([...texts.keys()].filter((i) => texts[i].toLocaleLowerCase().includes(wanted)));
  foundText.textContent = state.found ? `${grouped(state.found.size)} found` : "";
  draw();
});
$("#controls").append(search, foundText, axis("Across", "x"), axis("Up", "y"), element("button", { type: "button", id: "all", onclick: () => fit() }, "Show all"));

const sideTitle = element("h2", {}, ""), near = element("ol", { class: "near" }), swatches = [];
if (named) {
  const box = element("div", { class: "labels" });
  labels.forEach((label, i) => {
    const swatch = element("i");
    swatches.push(swatch);
    const button = element("button", { type: "button", "aria-pressed": "true", onclick: () => {
      const shown = state.hidden.delete(i);
      if (!shown) state.hidden.add(i);
      button.setAttribute("aria-pressed", shown);
      draw();
    } }, swatch, visible(label) || "(none)");
    box.append(button);
  });
  $("#side").append(element("h2", {}, "Labels"), box);
}
$("#side").append(sideTitle, near);
$("#note").textContent = `Principal component analysis: the two axes hold ${(100 * (explained[0] + (explained[1] ?? 0))).toFixed(1)} % of the variance of the vectors, so texts that are apart in other directions may lie on one another here. ` +
  "There is no UMAP or t-SNE in this page; cloze embed-map --projector writes the files that TensorBoard's projector shows with both.";

function fit() {
  const xs = components[state.x], ys = components[state.y] ?? xs;
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  state.scale = 0.9 * Math.min(width / Math.max(x1 - x0, 1e-9), height / Math.max(y1 - y0, 1e-9));
  state.left = width / 2 - ((x0 + x1) / 2) * state.scale;
  state.top = height / 2 + ((y0 + y1) / 2) * state.scale;
  draw();
}
const shown = (i) => !state.hidden.has(labelOf[i]);
const draw = onFrame(() => {
  const context = sizeCanvas(canvas, width, height), xs = components[state.x], ys = components[state.y] ?? xs;
  context.strokeStyle = colours.line; context.lineWidth = 1;
  context.beginPath();
  context.moveTo(state.left, 0); context.lineTo(state.left, height);
  context.moveTo(0, state.top); context.lineTo(width, state.top);
  context.stroke();
  const radius = count > 5000 ? 2.5 : count > 800 ? 3.5 : 5;
  const dot = (i, alpha, size) => {
    context.globalAlpha = alpha;
    context.fillStyle = colourOf(labelOf[i]);
    context.beginPath(); context.arc(px[i], py[i], size, 0, 7); context.fill();
  };
  for (let i = 0; i < count; ++i) {
    px[i] = state.left + xs[i] * state.scale;
    py[i] = state.top - ys[i] * state.scale;
    if (!shown(i) || px[i] < -9 || py[i] < -9 || px[i] > width + 9 || py[i] > height + 9) continue;
    if (!state.found) dot(i, 0.78, radius);
    else if (!state.found.has(i)) dot(i, 0.12, radius);
  }
  if (state.found) for (const i of state.found) if (shown(i)) dot(i, 1, radius + 1.5);
  if (state.hover >= 0) {
    dot(state.hover, 1, radius + 2);
    context.strokeStyle = colours.ink; context.lineWidth = 2;
    context.stroke();
  }
  context.globalAlpha = 1;
  swatches.forEach((swatch, i) => { swatch.style.background = colourOf(i); });
  listNear();
});
/** The texts that lie nearest in the picture. */
function listNear() {
  const from = state.hover;
  sideTitle.textContent = from < 0 ? (state.found ? "Found" : "Point at a text") : "Nearest in this picture";
  const all = from >= 0
    ? [...texts.keys()].filter(shown).sort((a, b) => Math.hypot(px[a] - px[from], py[a] - py[from]) - Math.hypot(px[b] - px[from], py[b] - py[from]))
    : state.found ? [...state.found] : [];
  near.replaceChildren(...all.slice(0, 12).map((i) => element("li", {}, visible(texts[i]))));
}
function nearest(x, y, most) {
  let best = -1, distance = most;
  for (let i = 0; i < count; ++i) {
    if (!shown(i)) continue;
    const d = Math.hypot(px[i] - x, py[i] - y);
    if (d < distance) { distance = d; best = i; }
  }
  return best;
}
function hover(i) {
  if (state.hover === i) return;
  state.hover = i;
  draw();
}
function tipFor(i) {
  const box = canvas.getBoundingClientRect();
  showTip([[texts[i]], ...(labels[labelOf[i]] ? [[labels[labelOf[i]], true]] : [])], box.left + px[i], box.top + py[i]);
}
const pointers = new Map();
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
});
canvas.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId), now = [event.offsetX, event.offsetY];
  if (!before) {
    const i = nearest(...now, 18);
    hover(i);
    if (i >= 0) tipFor(i); else hideTip();
    return;
  }
  canvas.classList.add("moving");
  hideTip();
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    zoom(Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1])), ...other);
  } else {
    state.left += now[0] - before[0];
    state.top += now[1] - before[1];
  }
  pointers.set(event.pointerId, now);
  draw();
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => { pointers.delete(event.pointerId); canvas.classList.remove("moving"); });
canvas.addEventListener("pointerleave", () => { hideTip(); hover(-1); });
canvas.addEventListener("blur", () => { hideTip(); hover(-1); });
function zoom(factor, x, y) {
  state.left = x - (x - state.left) * factor;
  state.top = y - (y - state.top) * factor;
  state.scale *= factor;
  draw();
}
canvas.addEventListener("wheel", (event) => { event.preventDefault(); hideTip(); zoom(Math.exp(-event.deltaY * 0.0015), event.offsetX, event.offsetY); }, { passive: false });
canvas.addEventListener("keydown", (event) => {
  if (event.key === "+" || event.key === "=") return zoom(1.25, width / 2, height / 2);
  if (event.key === "-") return zoom(0.8, width / 2, height / 2);
  if (event.key === "0") return fit();
  const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
  if (!way) return;
  event.preventDefault();
  let best = -1;
  if (state.hover < 0) best = nearest(width / 2, height / 2, Infinity);
  else {
    let least = Infinity;
    for (let i = 0; i < count; ++i) {
      const dx = px[i] - px[state.hover], dy = py[i] - py[state.hover], along = dx * way[0] + dy * way[1];
      if (!shown(i) || along <= 0.5) continue;
      const cost = along + 2.5 * Math.abs(dx * way[1] + dy * way[0]);
      if (cost < least) { least = cost; best = i; }
    }
  }
  if (best >= 0) { hover(best); tipFor(best); announce(texts[best]); }
});
function resize() {
  const next = $("#holder").clientWidth, tall = Math.max(340, Math.min(640, innerHeight - 220));
  if (next === width && tall === height) return;
  width = next; height = tall;
  fit();
}
addEventListener("resize", onFrame(resize));
redraws.push(draw);
applyTheme();
resize();
document.documentElement.dataset.ready = "yes";
