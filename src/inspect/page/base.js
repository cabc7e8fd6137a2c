// What both pages share: elements, theme, tabs, tip, colours.

const $ = (selector, root = document) => root.querySelector(selector);

/** An element with attributes and children; text is always text, never HTML. */
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

/** Text with its invisible characters (controls, directions, zero widths) made visible. */
function visible(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (c) => {
    const code = c.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return "\u27e8" + code.toString(16).toUpperCase().padStart(4, "0") + "\u27e9";
  });
}

const percent = (p) =>
  p >= 0.9995 ? "100 %" : p >= 0.0995 ? (100 * p).toFixed(1) + " %" : p >= 0.001 ? (100 * p).toFixed(2) + " %" : "<0.1 %";
const signed = (value) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(Math.abs(value) < 10 ? 3 : 1);
const grouped = (count) => count.toLocaleString("en-US");

// Theme: the system's, unless the button chose; pages that draw listen.
const redraws = [];
const media = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = null;
function applyTheme() {
  document.documentElement.dataset.theme = chosenTheme ?? (media.matches ? "dark" : "light");
  readColours();
  for (const redraw of redraws) redraw();
}
media.addEventListener("change", applyTheme);
function toggleTheme() {
  chosenTheme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  applyTheme();
}

// Colours that canvases draw with, read from the style sheet.
const colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["bg", "panel", "ink", "soft", "faint", "line", "accent"]) {
    colours[name] = style.getPropertyValue("--" + name).trim();
  }
  for (const name of ["low", "mid", "high", "heat", "positive", "negative", "warm"]) {
    colours[name] = style.getPropertyValue("--" + name).split(",").map(Number);
  }
  // 256 shades from low over mid to high, as the bytes of a pixel.
  colours.ramp = new Uint32Array(256);
  const bytes = new Uint8Array(colours.ramp.buffer);
  for (let i = 0; i < 256; ++i) {
    const t = i / 255, [a, b, u] = t < 0.5 ? ["low", "mid", 2 * t] : ["mid", "high", 2 * t - 1];
    for (let c = 0; c < 3; ++c) bytes[4 * i + c] = Math.round(colours[a][c] * (1 - u) + colours[b][c] * u);
    bytes[4 * i + 3] = 255;
  }
}
const tint = (colour, strength) => `rgba(${colours[colour].join(",")},${Math.min(1, strength).toFixed(3)})`;

/** Tabs by the pattern of ARIA: arrows move, the panel of the chosen tab shows. */
function makeTabs(list, panels) {
  const tabs = panels.map(({ name, panel, shown }, index) => {
    const tab = element("button", { role: "tab", id: "tab-" + index, "aria-controls": panel.id }, name);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => choose(index));
    list.append(tab);
    return { tab, panel, shown };
  });
  function choose(index, focus) {
    tabs.forEach(({ tab, panel }, i) => {
      tab.setAttribute("aria-selected", i === index);
      tab.tabIndex = i === index ? 0 : -1;
      panel.hidden = i !== index;
    });
    if (focus) tabs[index].tab.focus();
    tabs[index].shown?.();
  }
  list.addEventListener("keydown", (event) => {
    const at = tabs.findIndex(({ tab }) => tab === document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    choose((to + tabs.length) % tabs.length, true);
  });
  choose(0);
}

/** Buttons of which one is on. */
function makeChoice(label, options, chosen, onChange) {
  const group = element("span", { class: "group", role: "radiogroup", "aria-label": label });
  const buttons = options.map(([value, text]) =>
    element("button", { type: "button", role: "radio", onclick: () => choose(value) }, text));
  function choose(value, quiet) {
    options.forEach(([other], i) => {
      buttons[i].setAttribute("aria-checked", other === value);
      buttons[i].tabIndex = other === value ? 0 : -1;
    });
    if (!quiet) onChange(value);
  }
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement);
    const to = (at + step + buttons.length) % buttons.length;
    choose(options[to][0]);
    buttons[to].focus();
  });
  group.append(...buttons);
  group.choose = choose;
  choose(chosen, true);
  return group;
}

// The tip beside the pointer (or a focused element).
function showTip(lines, x, y) {
  const tip = $("#tip");
  tip.replaceChildren(...lines.map(([text, dim]) => element("div", { class: dim ? "dim" : "" }, visible(text))));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = Math.max(6, Math.min(x + 14, innerWidth - width - 6)) + "px";
  tip.style.top = (y + 18 + height > innerHeight ? Math.max(6, y - height - 10) : y + 18) + "px";
}
const hideTip = () => { $("#tip").hidden = true; };

/** Gives the canvas `width` × `height` CSS pixels and returns its context in that scale. */
function sizeCanvas(canvas, width, height) {
  const scale = Math.min(devicePixelRatio || 1, 2);
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Runs `draw` once before the next frame, however often it is asked for. */
function onFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };
}

const announce = (text) => { $("#live").textContent = visible(text); };
