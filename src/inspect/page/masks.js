// The tab of masks: how surprised the model is by each token when it cannot see it.

function makeMasks(panel, data) {
  const { masks } = data, at = new Map(masks.positions.map((token, index) => [token, index]));
  const state = { hover: null, pinned: null };
  const flow = flowText(data, {
    onHover: (i) => { state.hover = i; draw(); },
    onPick: (i) => { state.pinned = state.pinned === i ? null : i; draw(); },
  });
  const most = Math.max(6, ...masks.surprise);
  const title = element("h2", { id: "masked-title" });
  const bars = element("ol", { class: "bars", id: "masked" });
  const legend = element("i");
  panel.append(element("div", { class: "columns" },
    element("div", { class: "panel" },
      element("div", { class: "row", style: "margin-bottom:14px" },
        element("span", { class: "legend" }, "expected", legend, `surprising (${(most / Math.LN2).toFixed(1)} bits)`)),
      flow.root,
      element("p", { class: "soft", style: "margin:14px 0 0" },
        `Each token was masked in turn and predicted from all others. Pseudo-perplexity ${masks.pseudo_perplexity < 1000 ? masks.pseudo_perplexity.toPrecision(4) : grouped(Math.round(masks.pseudo_perplexity))}: ` +
        `the exponential of the mean surprise over ${masks.positions.length} tokens. Pieces of one word see each other, so later pieces surprise less.`)),
    element("div", { class: "panel" }, title, bars)));
  const draw = onFrame(() => {
    const here = state.hover ?? state.pinned, index = at.get(here);
    flow.spans.forEach((span, i) => {
      const own = at.get(i);
      span.style.backgroundColor = own === undefined ? "" : tint("warm", 0.85 * (masks.surprise[own] / most) ** 0.9);
      span.classList.toggle("here", i === here);
    });
    legend.style.background = `linear-gradient(90deg, ${tint("warm", 0)}, ${tint("warm", 0.85)})`;
    if (index === undefined) {
      title.textContent = "Most surprising";
      const order = [...masks.surprise.keys()].sort((a, b) => masks.surprise[b] - masks.surprise[a]).slice(0, 12);
      fillBars(bars, order.map((i) => [data.tokens[masks.positions[i]], masks.surprise[i] / most, (masks.surprise[i] / Math.LN2).toFixed(1) + " bits", tint("warm", 0.85)]));
      return;
    }
    const own = data.tokens[here];
    title.textContent = `In place of ${visible(own)} (${percent(Math.exp(-masks.surprise[index]))}, ${(masks.surprise[index] / Math.LN2).toFixed(1)} bits)`;
    fillBars(bars, masks.ids[index].map((id, i) => [data.vocabulary[id], masks.probabilities[index][i], percent(masks.probabilities[index][i]),
      tint(data.vocabulary[id] === own ? "positive" : "heat", 0.85)]));
  });
  redraws.push(draw);
  return draw;
}
