// The attention tab: thumbnails of all heads (model view), and the chosen head as text, lines or matrix.

/** The tokens of a text as they flow, a span each; `pick(index)` on hover and focus. */
function flowText(data, { onHover, onPick }) {
  const spans = [];
  const root = element("div", { class: "text" + (data.tokens.length > 160 ? " long" : ""), role: "group", "aria-label": "Tokens" });
  let part = null, sequence = null;
  for (const word of data.words) {
    const type = data.type_ids[word.begin];
    if (type !== sequence) {
      part = element("p", { class: "part" });
      root.append(part);
      sequence = type;
    } else if (word.space || word.sequence < 0) part.append(" ");
    for (let i = word.begin; i < word.end; ++i) {
      const special = data.special[i] === 1;
      const shown = special ? data.tokens[i] : word.end - word.begin === 1 ? word.text : data.tokens[i].replace(/^##/, "");
      const classes = ["token", special && "special", i === word.begin && "begin", i === word.end - 1 && "end"];
      const span = element("span", { class: classes.filter(Boolean).join(" "), tabindex: i === 0 ? 0 : -1, role: "button", "data-i": i },
        visible(shown));
      spans.push(span);
      part.append(span);
    }
  }
  const indexOf = (event) => {
    const span = event.target.closest?.(".token");
    return span ? Number(span.dataset.i) : null;
  };
  root.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") onHover(indexOf(event), event); });
  root.addEventListener("pointerleave", () => onHover(null));
  root.addEventListener("click", (event) => { const i = indexOf(event); if (i != null) onPick(i); });
  root.addEventListener("focusin", (event) => { const i = indexOf(event); if (i != null && event.target.matches(":focus-visible")) onHover(i); });
  root.addEventListener("keydown", (event) => {
    const at = indexOf(event);
    if (at == null) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); onPick(at); return; }
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: spans.length - 1 }[event.key];
    if (to === undefined || !spans[to]) return;
    event.preventDefault();
    spans[at].tabIndex = -1;
    spans[to].tabIndex = 0;
    spans[to].focus();
  });
  return { root, spans };
}

/** The rows of a list of bars: [name, share, value, colour]. */
function fillBars(list, rows) {
  list.replaceChildren(...rows.map(([name, share, value, colour]) => {
    const fill = element("span", { class: "fill" });
    fill.style.cssText = `left:0;width:${(100 * Math.min(1, share)).toFixed(1)}%;background:${colour}`;
    return element("li", {}, element("span", { class: "name", title: visible(name) }, visible(name)),
      element("span", { class: "track" }, fill), element("span", { class: "value" }, value));
  }));
}

function makeHeads(panel, data, attention) {
  const n = attention.tokens, { layers, heads } = attention;
  const pair = data.type_ids.includes(1);
  const state = { layer: 0, head: 0, view: "text", from: true, filter: "all", special: true, hover: null, pinned: null };
  const here = () => state.hover ?? state.pinned;
  const tokenName = (i) => data.tokens[i];

  // What is looked at after the filters: values outside are zero.
  let filtered = null, filteredKey = "";
  function matrix() {
    const key = [state.layer, state.head, state.filter, state.special].join();
    if (key === filteredKey) return filtered;
    filteredKey = key;
    const whole = attention.matrix(state.layer, state.head);
    if (state.filter === "all" && state.special) return (filtered = whole);
    filtered = new Float32Array(whole.length);
    const [q, k] = state.filter === "all" ? [-1, -1] : [...state.filter].map((side) => (side === "A" ? 0 : 1));
    for (let i = 0; i < n; ++i) {
      if ((q >= 0 && data.type_ids[i] !== q) || (!state.special && data.special[i])) continue;
      for (let j = 0; j < n; ++j) {
        if ((k >= 0 && data.type_ids[j] !== k) || (!state.special && data.special[j])) continue;
        filtered[i * n + j] = whole[i * n + j];
      }
    }
    return filtered;
  }
  /** What token i looks at (or is looked at by); without a token the mean over all. */
  function profile(i) {
    const values = matrix(), result = new Float32Array(n);
    if (i == null) {
      for (let q = 0; q < n; ++q) for (let k = 0; k < n; ++k) result[state.from ? k : q] += values[q * n + k] / n;
      return result;
    }
    for (let j = 0; j < n; ++j) result[j] = state.from ? values[i * n + j] : values[j * n + i];
    return result;
  }

  // Controls.
  const select = (label, options, onChange) => {
    const node = element("select", { onchange: () => onChange(Number(node.value)) },
      ...options.map(([value, text]) => element("option", { value }, text)));
    return [node, element("label", {}, label, node)];
  };
  const numbers = (count, mean) => [...Array(count).keys()].map((i) => [i, String(i + 1)]).concat([[-1, mean]]);
  const [layerSelect, layerLabel] = select("Layer", numbers(layers, "mean of all"), (v) => choose(v, v < 0 ? -1 : state.head));
  const [headSelect, headLabel] = select("Head", numbers(heads, "mean of all"), (v) => choose(v < 0 ? state.layer : Math.max(0, state.layer), v));
  layerSelect.id = "layer"; headSelect.id = "head";
  const views = makeChoice("View", [["text", "Text"], ["lines", "Lines"], ["matrix", "Matrix"]], state.view, (v) => { state.view = v; update(); });
  const direction = makeChoice("Direction", [[true, "Looks at"], [false, "Is looked at by"]], true, (v) => { state.from = v; update(); });
  const filters = pair ? makeChoice("Between texts", [["all", "All"], ...["AA", "AB", "BA", "BB"].map((f) => [f, f[0] + "\u2192" + f[1]])], "all",
    (v) => { state.filter = v; update(); }) : null;
  const special = element("input", { type: "checkbox", checked: true, id: "special", onchange: () => { state.special = special.checked; update(); } });
  const controls = element("div", { class: "panel controls row" }, layerLabel, headLabel, views, direction, filters,
    element("label", {}, special, "[CLS], [SEP]"));

  // Model view.
  const thumbnails = element("canvas", { id: "thumbnails", tabindex: 0, role: "application",
    "aria-label": "All heads: a row a layer, a column a head. Arrow keys choose, Enter shows the matrix." });
  const kept = data.attention.kept >= 0.99995 ? "" :
    ` To keep this page small, probabilities below ${(100 * data.attention.threshold).toPrecision(2)} % were dropped but for the greatest of each row; ` +
    `what remains is ${(100 * data.attention.kept).toFixed(1)} % of all attention, and the rest of a row is shown as spread evenly over its other tokens.`;
  const step = (100 / 2 ** (attention.mantissa + 1)).toPrecision(2);
  const modelPanel = element("div", { class: "panel" }, element("h2", {}, "All heads"),
    element("div", {}, thumbnails),
    element("p", { class: "soft", style: "margin:10px 0 0" },
      `A row a layer, a column a head; in each, a row is a token and a column what it looks at. Shades follow the square root. Values are within ${step} % of the model's.` + kept));
  const headTitle = element("h2", { id: "head-title" });
  const view = element("div", { class: "view" });
  const bars = element("ol", { class: "bars", id: "top" });
  const barsTitle = element("h2", { id: "top-title" });
  const headPanel = element("div", { class: "panel" }, headTitle, view, barsTitle, bars);
  panel.append(controls, modelPanel, headPanel);

  let cell = 0, labels = 20, thumbs = null;
  function drawThumbnails() {
    const width = Math.min(440, modelPanel.clientWidth - 36);
    if (width < 50) return;
    const next = Math.max(8, Math.floor((width - labels) / heads) - 3);
    if (next !== cell || !thumbs) {
      cell = next;
      const pixels = Math.min(64, Math.round(cell * Math.min(devicePixelRatio || 1, 2)));
      thumbs = [];
      for (let l = 0; l < layers; ++l) for (let h = 0; h < heads; ++h) thumbs.push({ pixels, values: attention.thumbnail(l, h, pixels) });
    }
    const context = sizeCanvas(thumbnails, labels + heads * (cell + 3), labels + layers * (cell + 3));
    context.imageSmoothingEnabled = false;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center"; context.textBaseline = "middle";
    for (let h = 0; h < heads; ++h) {
      context.fillStyle = h === state.head ? colours.accent : colours.faint;
      context.fillText(h + 1, labels + h * (cell + 3) + cell / 2, 9);
    }
    for (let l = 0; l < layers; ++l) {
      context.fillStyle = l === state.layer ? colours.accent : colours.faint;
      context.fillText(l + 1, 9, labels + l * (cell + 3) + cell / 2);
      for (let h = 0; h < heads; ++h) {
        const thumb = thumbs[l * heads + h], x = labels + h * (cell + 3), y = labels + l * (cell + 3);
        if (thumb.theme !== colours.panel) { thumb.image = picture(thumb.values, thumb.pixels, thumb.pixels); thumb.theme = colours.panel; }
        context.drawImage(thumb.image, x, y, cell, cell);
        const on = (l === state.layer || state.layer < 0) && (h === state.head || state.head < 0);
        context.strokeStyle = on ? colours.accent : colours.line;
        context.lineWidth = on ? 2 : 1;
        context.strokeRect(x - (on ? 1 : 0.5), y - (on ? 1 : 0.5), cell + (on ? 2 : 1), cell + (on ? 2 : 1));
      }
    }
  }
  const headAt = (event) => {
    const box = thumbnails.getBoundingClientRect();
    const scale = (labels + heads * (cell + 3)) / box.width;
    const h = Math.floor(((event.clientX - box.left) * scale - labels) / (cell + 3));
    const l = Math.floor(((event.clientY - box.top) * scale - labels) / (cell + 3));
    return h >= 0 && h < heads && l >= 0 && l < layers ? [l, h] : null;
  };
  thumbnails.addEventListener("click", (event) => { const at = headAt(event); if (at) choose(...at); });
  thumbnails.addEventListener("dblclick", (event) => { const at = headAt(event); if (at) { state.view = "matrix"; views.choose("matrix", true); choose(...at); } });
  thumbnails.addEventListener("pointermove", (event) => {
    const at = headAt(event);
    if (at) showTip([[`Layer ${at[0] + 1}, head ${at[1] + 1}`]], event.clientX, event.clientY); else hideTip();
  });
  thumbnails.addEventListener("pointerleave", hideTip);
  thumbnails.addEventListener("keydown", (event) => {
    const [dl, dh] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
    if (event.key === "Enter") { state.view = "matrix"; views.choose("matrix", true); update(); }
    if (!dl && !dh) return;
    event.preventDefault();
    choose(Math.min(layers - 1, Math.max(0, state.layer + dl)), Math.min(heads - 1, Math.max(0, state.head + dh)));
  });

  // Text view.
  const flow = flowText(data, { onHover: (i) => hover(i), onPick: pick });
  function drawText() {
    const i = here(), values = profile(i);
    const strongest = Math.max(...values, 1e-9), scale = i == null ? 1 / strongest : 1;
    flow.spans.forEach((span, j) => {
      span.style.backgroundColor = tint("heat", 0.8 * Math.sqrt(values[j] * scale));
      span.classList.toggle("here", j === i);
    });
  }

  // Lines view: only what can be seen is drawn.
  const lines = element("div", { class: "scroll", tabindex: 0, "aria-label": "Lines from each token to what it looks at" });
  const linesCanvas = element("canvas"), tall = element("div", { class: "tall" });
  lines.append(tall, linesCanvas);
  const rowHeight = 20;
  const drawLines = onFrame(() => {
    if (!lines.isConnected) return;
    const width = lines.clientWidth, height = lines.clientHeight, top = lines.scrollTop, column = Math.min(150, width * 0.3);
    tall.style.height = n * rowHeight + "px";
    const context = sizeCanvas(linesCanvas, width, height), values = matrix(), i = here();
    context.font = "13px system-ui, sans-serif"; context.textBaseline = "middle";
    const y = (token) => token * rowHeight + rowHeight / 2 - top;
    const seen = (token) => y(token) > -rowHeight && y(token) < height + rowHeight;
    const line = (q, k, p) => {
      context.strokeStyle = tint("heat", Math.min(1, 0.06 + 0.94 * p));
      context.lineWidth = 0.6 + 2.6 * p;
      context.beginPath();
      context.moveTo(column, y(q));
      context.bezierCurveTo(width / 2, y(q), width / 2, y(k), width - column, y(k));
      context.stroke();
    };
    const least = n > 64 ? 0.04 : 0.01;
    for (let q = 0; q < n; ++q) {
      if (i != null && state.from && q !== i) continue;
      if (i == null && !seen(q)) continue;
      for (let k = 0; k < n; ++k) {
        if (i != null && !state.from && k !== i) continue;
        const p = values[q * n + k];
        if (p >= (i == null ? least : 0.004)) line(q, k, p);
      }
    }
    const values1 = i == null ? null : profile(i);
    for (let t = 0; t < n; ++t) {
      if (!seen(t)) continue;
      const marked = [t === i && state.from, t === i && !state.from];
      [0, 1].forEach((side) => {
        const other = i != null && (side === 1) === state.from;
        if (other) {
          context.fillStyle = tint("heat", 0.75 * Math.sqrt(values1[t]));
          context.fillRect(side ? width - column + 4 : 0, y(t) - rowHeight / 2 + 1, column - 4, rowHeight - 2);
        }
        context.fillStyle = marked[side] ? colours.accent : data.special[t] ? colours.faint : colours.ink;
        context.textAlign = side ? "left" : "right";
        context.fillText(visible(tokenName(t)), side ? width - column + 8 : column - 8, y(t), column - 12);
      });
    }
  });
  const tokenAtLine = (event) => {
    const at = Math.floor((event.clientY - lines.getBoundingClientRect().top + lines.scrollTop) / rowHeight);
    return at >= 0 && at < n ? at : null;
  };
  lines.addEventListener("scroll", drawLines, { passive: true });
  lines.addEventListener("pointermove", (event) => { if (event.pointerType !== "touch") hover(tokenAtLine(event)); });
  lines.addEventListener("pointerleave", () => hover(null));
  lines.addEventListener("click", (event) => { const at = tokenAtLine(event); if (at != null) pick(at); });

  // Matrix view.
  const matrixCanvas = element("canvas", { id: "matrix", tabindex: 0, role: "application", "aria-label": "Matrix: rows look at columns. Arrow keys move." });
  const matrixHolder = element("div", { class: "matrix-holder" }, matrixCanvas);
  let side = 0, margin = 0, image = null, imageKey = "", spot = null;
  const drawMatrix = onFrame(() => {
    if (!matrixCanvas.isConnected) return;
    const room = Math.min(view.clientWidth, 720);
    margin = n <= 48 ? Math.min(84, room * 0.18) : 0;
    side = Math.floor(room - margin);
    const key = filteredKey + colours.panel + n, values = matrix();
    if (imageKey !== filteredKey + colours.panel + n || !image) { image = picture(values, n, n); imageKey = filteredKey + colours.panel + n; }
    const context = sizeCanvas(matrixCanvas, margin + side, margin + side);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, margin, margin, side, side);
    context.strokeStyle = colours.line;
    context.strokeRect(margin + 0.5, margin + 0.5, side - 1, side - 1);
    const size = side / n;
    if (margin) {
      context.font = Math.max(9, Math.min(12, size * 0.8)) + "px system-ui, sans-serif";
      context.textBaseline = "middle"; context.textAlign = "right";
      for (let t = 0; t < n; ++t) {
        context.fillStyle = spot && spot[0] === t ? colours.accent : data.special[t] ? colours.faint : colours.ink;
        context.fillText(visible(tokenName(t)), margin - 5, margin + (t + 0.5) * size, margin - 8);
        context.save();
        context.translate(margin + (t + 0.5) * size, margin - 5);
        context.rotate(Math.PI / 2);
        context.fillStyle = spot && spot[1] === t ? colours.accent : data.special[t] ? colours.faint : colours.ink;
        context.fillText(visible(tokenName(t)), 0, 0, margin - 8);
        context.restore();
      }
    }
    if (spot) {
      context.fillStyle = tint("heat", 0.1);
      context.fillRect(margin, margin + spot[0] * size, side, size);
      context.fillRect(margin + spot[1] * size, margin, size, side);
      context.strokeStyle = colours.accent; context.lineWidth = 1.5;
      context.strokeRect(margin + spot[1] * size, margin + spot[0] * size, Math.max(2, size), Math.max(2, size));
    }
  });
  function showSpot(x, y) {
    const p = matrix()[spot[0] * n + spot[1]];
    const text = `${tokenName(spot[0])} \u2192 ${tokenName(spot[1])}`;
    showTip([[text], [`${percent(p)}, tokens ${spot[0]} and ${spot[1]}`, true]], x, y);
    hover(state.from ? spot[0] : spot[1]);
  }
  matrixCanvas.addEventListener("pointermove", (event) => {
    const box = matrixCanvas.getBoundingClientRect(), size = side / n;
    const k = Math.floor((event.clientX - box.left - margin) / size), q = Math.floor((event.clientY - box.top - margin) / size);
    if (q < 0 || k < 0 || q >= n || k >= n) { leaveMatrix(); return; }
    spot = [q, k];
    showSpot(event.clientX, event.clientY);
  });
  function leaveMatrix() { spot = null; hideTip(); hover(null); }
  matrixCanvas.addEventListener("pointerleave", leaveMatrix);
  matrixCanvas.addEventListener("blur", leaveMatrix);
  matrixCanvas.addEventListener("click", () => { if (spot) pick(state.from ? spot[0] : spot[1]); });
  matrixCanvas.addEventListener("keydown", (event) => {
    const [dq, dk] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
    if (!dq && !dk) return;
    event.preventDefault();
    spot = spot ? [Math.min(n - 1, Math.max(0, spot[0] + dq)), Math.min(n - 1, Math.max(0, spot[1] + dk))] : [0, 0];
    const box = matrixCanvas.getBoundingClientRect(), size = side / n;
    showSpot(box.left + margin + spot[1] * size, box.top + margin + spot[0] * size);
    announce(`${tokenName(spot[0])} looks at ${tokenName(spot[1])}: ${percent(matrix()[spot[0] * n + spot[1]])}`);
  });

  function drawBars() {
    const i = here(), values = profile(i);
    const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, 10).filter((j) => values[j] > 0);
    barsTitle.textContent = i == null
      ? (state.from ? "Most looked at, mean over all tokens" : "Looks most, mean over all tokens")
      : `${visible(tokenName(i))} (token ${i}) ${state.from ? "looks at" : "is looked at by"}`;
    fillBars(bars, order.map((j) => [`${tokenName(j)}`, values[j] / Math.max(values[order[0]], 1e-9), percent(values[j]), tint("heat", 0.85)]));
  }
  const drawHere = onFrame(() => {
    if (state.view === "text") drawText();
    else if (state.view === "lines") drawLines();
    else drawMatrix();
    drawBars();
  });
  function hover(i) {
    if (state.hover === i && i != null && state.view !== "matrix") return;
    state.hover = i;
    drawHere();
  }
  function pick(i) {
    state.pinned = state.pinned === i ? null : i;
    if (state.pinned != null) {
      const values = profile(i), best = values.indexOf(Math.max(...values));
      announce(`${tokenName(i)} ${state.from ? "looks most at" : "is most looked at by"} ${tokenName(best)}, ${percent(values[best])}`);
    }
    drawHere();
  }
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { state.pinned = state.hover = null; drawHere(); }
  });

  function choose(layer, head) {
    state.layer = layer;
    state.head = layer < 0 ? -1 : head;
    announce(title());
    update();
  }
  const title = () => state.layer < 0 ? "Mean of all layers and heads"
    : state.head < 0 ? `Layer ${state.layer + 1}, mean of its heads` : `Layer ${state.layer + 1}, head ${state.head + 1}`;
  function update() {
    layerSelect.value = state.layer;
    headSelect.value = state.head;
    headTitle.textContent = title();
    const shown = { text: flow.root, lines, matrix: matrixHolder }[state.view];
    if (view.firstChild !== shown) view.replaceChildren(shown);
    matrix();
    drawHere();
    drawThumbnails();
  }
  redraws.push(() => { if (!panel.hidden) update(); });
  addEventListener("resize", onFrame(() => { if (!panel.hidden) update(); }));
  return update;
}
