// The attribution tab: the text shaded by what each word did for the answer.

function makeAttribution(panel, data) {
  const { attribution, prediction, words } = data;
  const state = { method: "integrated_gradients", hover: null };
  const method = makeChoice("Method", [["integrated_gradients", "Integrated gradients"], ["gradient_x_input", "Gradient \u00d7 input"]],
    state.method, (value) => { state.method = value; update(); });
  const sumOf = (word) => {
    let sum = 0;
    for (let i = word.begin; i < word.end; ++i) sum += attribution[state.method][i];
    return sum;
  };

  const text = element("div", { class: "text" + (data.tokens.length > 160 ? " long" : ""), role: "group", "aria-label": "Words" });
  let part = null, sequence = null;
  const spans = words.map((word, index) => {
    if (data.type_ids[word.begin] !== sequence) {
      sequence = data.type_ids[word.begin];
      part = element("p", { class: "part" });
      text.append(part);
    } else if (word.space || word.sequence < 0) part.append(" ");
    const explained = prediction.token >= word.begin && prediction.token < word.end;
    const span = element("span", { class: "token begin end" + (word.sequence < 0 ? " special" : "") + (explained ? " here" : ""),
      tabindex: index === 0 ? 0 : -1, "data-i": index }, visible(word.text));
    part.append(span);
    return span;
  });
  const showAt = (index, x, y) => showTip([[words[index].text], [`${signed(sumOf(words[index]))} of ${signed(attribution.score - attribution.baseline_score)}`, true]], x, y);
  text.addEventListener("pointermove", (event) => {
    const span = event.target.closest(".token");
    if (span) showAt(Number(span.dataset.i), event.clientX, event.clientY); else hideTip();
  });
  text.addEventListener("pointerleave", hideTip);
  text.addEventListener("focusin", (event) => {
    const box = event.target.getBoundingClientRect(), index = Number(event.target.dataset.i);
    showAt(index, box.left, box.bottom - 12);
    announce(`${words[index].text} ${signed(sumOf(words[index]))}`);
  });
  text.addEventListener("focusout", hideTip);
  text.addEventListener("keydown", (event) => {
    const at = Number(event.target.dataset.i);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: spans.length - 1 }[event.key];
    if (to === undefined || !spans[to]) return;
    event.preventDefault();
    spans[at].tabIndex = -1;
    spans[to].tabIndex = 0;
    spans[to].focus();
  });

  const list = element("ol", { class: "bars diverging", id: "words" });
  const candidates = element("ol", { class: "bars" });
  const questions = { label: "The label of the text", tag: "The tag of a token", answer: "The answer", mask: "The token at [MASK]", next: "The second text" };
  const change = attribution.score - attribution.baseline_score;
  const note = element("p", { class: "soft", style: "margin:14px 0 0" });
  const legend = element("i");
  panel.append(element("div", { class: "columns" },
    element("div", { class: "panel" },
      element("div", { class: "row", style: "margin-bottom:14px" }, method,
        element("span", { class: "legend" }, "against", legend, "for the answer")),
      text, note),
    element("div", { class: "stack" },
      element("div", { class: "panel" }, element("h2", {}, questions[prediction.question]),
        element("div", { class: "answer" }, visible(prediction.answer)),
        element("p", { class: "soft" }, "value" in prediction ? "a value" : percent(prediction.probability)), candidates),
      element("div", { class: "panel" }, element("h2", {}, "Strongest words"), list))));

  function update() {
    const sums = words.map(sumOf), greatest = Math.max(...sums.map(Math.abs), 1e-12);
    spans.forEach((span, i) => {
      span.style.backgroundColor = tint(sums[i] < 0 ? "negative" : "positive", 0.85 * (Math.abs(sums[i]) / greatest) ** 0.8);
    });
    legend.style.background = `linear-gradient(90deg, ${tint("negative", 0.85)}, ${tint("positive", 0)} 50%, ${tint("positive", 0.85)})`;
    const order = [...sums.keys()].filter((i) => sums[i] !== 0).sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a])).slice(0, 14);
    fillBars(list, order.map((i) => [words[i].text, 0, signed(sums[i]), ""]));
    [...list.children].forEach((row, at) => {
      const value = sums[order[at]], width = (50 * Math.abs(value)) / greatest, fill = $(".fill", row);
      fill.style.cssText = `width:${width}%;left:${value < 0 ? 50 - width : 50}%;background:${tint(value < 0 ? "negative" : "positive", 0.9)}`;
    });
    fillBars(candidates, prediction.candidates.map((c) => [c.answer, c.probability, percent(c.probability), tint("heat", 0.85)]));
    const sum = attribution[state.method].reduce((a, b) => a + b, 0);
    note.textContent = state.method === "integrated_gradients"
      ? `Explained is ${visible(prediction.score)}: ${attribution.score.toFixed(3)} for this text, ${attribution.baseline_score.toFixed(3)} with ${attribution.baseline} in place of every word. ` +
        `The words add up to ${signed(sum)} of ${signed(change)}: a completeness gap of ${(100 * attribution.completeness_gap).toFixed(2)} % after ${attribution.steps} steps.`
      : `Explained is ${visible(prediction.score)}: ${attribution.score.toFixed(3)} for this text. Gradient \u00d7 input is the slope at this text alone; its values need not add up to anything.`;
  }
  redraws.push(() => { if (!panel.hidden) update(); });
  return update;
}
