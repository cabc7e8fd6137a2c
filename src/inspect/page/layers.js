// The tab of predictions by layer: what the masked-LM head would say of every token after each layer.

function makeLayers(panel, data) {
  const { ids, probabilities } = data.by_layer, columns = ids.length, n = data.tokens.length;
  const word = (id) => data.vocabulary[id];
  const holder = element("div", { class: "scroll", tabindex: 0, role: "application",
    "aria-label": "A row a token, a column a layer. Arrow keys move." });
  holder.style.height = Math.min(640, (n + 1) * 26 + 4) + "px";
  const canvas = element("canvas"), tall = element("div", { class: "tall" });
  holder.append(tall, canvas);
  panel.append(element("div", { class: "panel" },
    element("p", { class: "soft" }, "The masked-LM head on the hidden states after each layer: the likeliest token at each place, shaded by its probability; bold where it is already what the last layer says. " +
      "The head was trained on the last layer only, so early columns say how near a state is to a word, not what the model \u201cthinks\u201d."),
    holder));
  const height = 26;
  let spot = null;
  const layout = () => {
    const width = holder.clientWidth, first = Math.min(130, width * 0.26);
    const each = Math.max(64, Math.floor((width - first - 2) / columns));
    return { width, first, each };
  };
  const draw = onFrame(() => {
    if (panel.hidden) return;
    const { width, first, each } = layout(), tallness = holder.clientHeight, top = holder.scrollTop, left = holder.scrollLeft;
    tall.style.height = (n + 1) * height + "px";
    tall.style.width = first + columns * each + "px";
    const context = sizeCanvas(canvas, width, tallness);
    context.textBaseline = "middle";
    const cut = (text, room) => {
      if (context.measureText(text).width <= room) return text;
      while (text.length > 1 && context.measureText(text + "\u2026").width > room) text = text.slice(0, -1);
      return text + "\u2026";
    };
    for (let t = Math.max(0, Math.floor(top / height) - 1); t < n && (t + 1) * height - top < tallness + height; ++t) {
      const y = (t + 1) * height - top;
      for (let c = 0; c < columns; ++c) {
        const x = first + c * each - left;
        if (x + each < first || x > width) continue;
        const p = probabilities[c][t][0], best = ids[c][t][0], final = best === ids[columns - 1][t][0];
        context.fillStyle = tint("heat", 0.75 * p);
        context.fillRect(x + 1, y + 1, each - 2, height - 2);
        context.font = (final ? "600 " : "") + "12.5px system-ui, sans-serif";
        context.fillStyle = final ? colours.ink : colours.soft;
        context.textAlign = "center";
        context.fillText(cut(visible(word(best)), each - 8), x + each / 2, y + height / 2);
        if (spot && spot[0] === t && spot[1] === c) {
          context.strokeStyle = colours.accent; context.lineWidth = 2;
          context.strokeRect(x + 1, y + 1, each - 2, height - 2);
        }
      }
      context.fillStyle = colours.panel;
      context.fillRect(0, y, first, height);
      context.font = "13px system-ui, sans-serif"; context.textAlign = "right";
      context.fillStyle = spot && spot[0] === t ? colours.accent : data.special[t] ? colours.faint : colours.ink;
      context.fillText(cut(visible(data.tokens[t]), first - 16), first - 10, y + height / 2);
    }
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif"; context.textAlign = "center";
    for (let c = 0; c < columns; ++c) {
      const x = first + c * each - left;
      if (x < first - each / 2) continue;
      context.fillStyle = spot && spot[1] === c ? colours.accent : colours.soft;
      context.fillText(c === 0 ? "input" : String(c), x + each / 2, height / 2);
    }
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, first, height);
    context.strokeStyle = colours.line; context.lineWidth = 1;
    context.beginPath(); context.moveTo(0, height - 0.5); context.lineTo(width, height - 0.5); context.stroke();
  });
  function show(x, y) {
    const [t, c] = spot;
    const lines = [[`${data.tokens[t]}, ${c === 0 ? "input" : "layer " + c}`, true]];
    ids[c][t].forEach((id, i) => lines.push([`${word(id)}  ${percent(probabilities[c][t][i])}`]));
    showTip(lines, x, y);
    draw();
  }
  holder.addEventListener("pointermove", (event) => {
    const box = holder.getBoundingClientRect(), { first, each } = layout();
    const y = event.clientY - box.top, x = event.clientX - box.left;
    const t = Math.floor((y + holder.scrollTop) / height) - 1, c = Math.floor((x + holder.scrollLeft - first) / each);
    if (x < first || y < height || t < 0 || t >= n || c < 0 || c >= columns) { leave(); return; }
    spot = [t, c];
    show(event.clientX, event.clientY);
  });
  function leave() { spot = null; hideTip(); draw(); }
  holder.addEventListener("pointerleave", leave);
  holder.addEventListener("blur", leave);
  holder.addEventListener("scroll", () => { hideTip(); draw(); }, { passive: true });
  holder.addEventListener("keydown", (event) => {
    const [dt, dc] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
    if (!dt && !dc) return;
    event.preventDefault();
    spot = spot ? [Math.min(n - 1, Math.max(0, spot[0] + dt)), Math.min(columns - 1, Math.max(0, spot[1] + dc))] : [0, 0];
    const { first, each } = layout(), box = holder.getBoundingClientRect();
    const y = (spot[0] + 1) * height, x = first + spot[1] * each;
    if (y - height < holder.scrollTop) holder.scrollTop = y - height;
    if (y + 2 * height > holder.scrollTop + holder.clientHeight) holder.scrollTop = y + 2 * height - holder.clientHeight;
    if (x - first < holder.scrollLeft) holder.scrollLeft = x - first;
    if (x + each > holder.scrollLeft + holder.clientWidth) holder.scrollLeft = x + each - holder.clientWidth;
    show(box.left + x + each - holder.scrollLeft, box.top + y - holder.scrollTop);
    const [t, c] = spot;
    announce(`${data.tokens[t]}, ${c === 0 ? "input" : "layer " + c}: ${word(ids[c][t][0])}, ${percent(probabilities[c][t][0])}`);
  });
  redraws.push(draw);
  addEventListener("resize", draw);
  return draw;
}
