/* Sandbox stand-in for the Polaris web components: what every component shares.
   Only the local sandbox serves it. The files of this folder are joined, in order of their names, into one script. */

const SPACE = {
  none: "0", "small-500": "2px", "small-400": "4px", "small-300": "8px", "small-200": "8px", "small-100": "12px",
  small: "12px", base: "16px", "large-100": "20px", large: "20px", "large-200": "24px", "large-300": "32px",
  "large-400": "40px", "large-500": "48px",
};
const RADIUS = { none: "0", "small-200": "2px", "small-100": "4px", small: "4px", base: "8px", "large-100": "12px", large: "12px", "large-200": "16px", max: "999px" };
const TONES = {
  info: ["#00527c", "#eaf4ff", "#91d0ff"], success: ["#0c5132", "#cdfee1", "#92d0a8"], caution: ["#4f4700", "#fff8db", "#e5c800"],
  warning: ["#5e4200", "#fff1e3", "#ffb800"], critical: ["#8e1f0b", "#fee8eb", "#fda9b1"], neutral: ["#303030", "#ebebeb", "#c9c9c9"],
  auto: ["#303030", "#ebebeb", "#c9c9c9"], subdued: ["#616161", "#ebebeb", "#c9c9c9"], custom: ["#303030", "#ebebeb", "#c9c9c9"],
};
const BASE_CSS = `
  :host { box-sizing: border-box; font: 450 13px/20px Inter, system-ui, -apple-system, "Segoe UI", sans-serif; color: #303030; }
  :host([hidden]) { display: none !important; }
  *, *::before, *::after { box-sizing: border-box; }
  :focus-visible { outline: 2px solid #005bd3; outline-offset: 1px; }
`;

/** A component: a shadow tree from `markup()`, refreshed by `update()` whenever an attribute changes. */
class Part extends HTMLElement {
  static css = "";

  constructor() {
    super();
    this.attachShadow({ mode: "open", delegatesFocus: this.constructor.focusable === true });
    this.shadowRoot.innerHTML = `<style>${BASE_CSS}${this.constructor.css}</style><style id="own"></style>${this.markup()}`;
    this.watcher = new MutationObserver(() => this.update());
    // Children arrive after the element itself while a page is being parsed.
    this.shadowRoot.addEventListener("slotchange", () => this.update());
  }

  connectedCallback() {
    this.watcher.observe(this, { attributes: true });
    this.update();
  }

  disconnectedCallback() {
    this.watcher.disconnect();
  }

  markup() {
    return "<slot></slot>";
  }

  update() {}

  /** Writing what is there already must not wake the watcher again. */
  setAttribute(name, value) {
    if (this.getAttribute(name) !== String(value)) super.setAttribute(name, value);
  }

  attr(name, fallback = "") {
    return this.hasAttribute(name) ? this.getAttribute(name) : fallback;
  }

  /** Boolean attributes are on unless absent or "false". */
  flag(name) {
    return this.hasAttribute(name) && this.getAttribute(name) !== "false";
  }

  $(selector) {
    return this.shadowRoot.querySelector(selector);
  }

  own(css) {
    this.$("#own").textContent = css;
  }

  filled(slot) {
    return [...this.children].some((child) => child.slot === slot);
  }
}

/** Let properties mirror attributes, in both spellings that pages use. */
function reflect(kind, texts, flags = []) {
  for (const name of texts) {
    Object.defineProperty(kind.prototype, name, {
      configurable: true,
      get() { return this.getAttribute(name.toLowerCase()) ?? ""; },
      set(value) { value == null ? this.removeAttribute(name.toLowerCase()) : this.setAttribute(name.toLowerCase(), value); },
    });
  }
  for (const name of flags) {
    Object.defineProperty(kind.prototype, name, {
      configurable: true,
      get() { return this.hasAttribute(name.toLowerCase()) && this.getAttribute(name.toLowerCase()) !== "false"; },
      set(value) { this.toggleAttribute(name.toLowerCase(), Boolean(value)); },
    });
  }
}

function define(name, kind) {
  if (!customElements.get(name)) customElements.define(name, kind);
}

const escapeText = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const space = (text) => text.split(/\s+/).map((word) => SPACE[word] ?? word).join(" ");
const size = (text) => (text === "" || text === "auto" ? "auto" : text);

/** A value may depend on the container: "@container (inline-size > 500px) A, B". */
function responsive(property, value) {
  const match = value.match(/^@container\s*([\w-]*)\s*(\([^)]*\)(?:\s*and\s*\([^)]*\))*)\s*([^,]+(?:\([^)]*\)[^,]*)*),\s*(.+)$/);
  if (!match) return `:host { ${property}: ${value}; }`;
  return `:host { ${property}: ${match[4]}; } @container ${match[2]} { :host { ${property}: ${match[3].trim()}; } }`;
}

/** The style of box-like components from their attributes. */
function boxCss(el) {
  const rules = [];
  const set = (property, value) => value !== "" && rules.push(responsive(property, value));
  for (const side of ["", "block", "blockstart", "blockend", "inline", "inlinestart", "inlineend"]) {
    const value = el.attr(`padding${side}`);
    const name = { "": "padding", block: "padding-block", blockstart: "padding-block-start", blockend: "padding-block-end", inline: "padding-inline", inlinestart: "padding-inline-start", inlineend: "padding-inline-end" }[side];
    if (value) set(name, value.startsWith("@") ? value.replace(/\b(none|(?:small|large)(?:-\d+)?|base)\b/g, (w) => SPACE[w]) : space(value));
  }
  const background = { base: "#fff", subdued: "#f7f7f7", strong: "#ebebeb", transparent: "transparent" }[el.attr("background")];
  if (background) set("background", background);
  const border = el.attr("border");
  if (border && border !== "none") {
    const colour = { subdued: "#ebebeb", strong: "#8a8a8a" }[el.attr("bordercolor") || border.split(" ")[1]] || "#e3e3e3";
    const style = /dashed|dotted/.exec(`${border} ${el.attr("borderstyle")}`)?.[0] || "solid";
    set("border", `${/large/.test(border) ? 2 : 1}px ${style} ${colour}`);
  }
  const radius = el.attr("borderradius");
  if (radius) set("border-radius", radius.split(/\s+/).map((word) => RADIUS[word] ?? word).join(" "));
  for (const [name, property] of [["inlinesize", "inline-size"], ["mininlinesize", "min-inline-size"], ["maxinlinesize", "max-inline-size"], ["blocksize", "block-size"], ["minblocksize", "min-block-size"], ["maxblocksize", "max-block-size"]]) {
    if (el.hasAttribute(name)) set(property, size(el.attr(name)));
  }
  if (el.attr("overflow") === "hidden") set("overflow", "hidden");
  if (el.attr("display") && el.attr("display") !== "auto") set("display", el.attr("display"));
  if (el.attr("accessibilityrole")) el.setAttribute("role", { main: "main", section: "region", navigation: "navigation", status: "status", alert: "alert", "list-item": "listitem", "unordered-list": "list", "ordered-list": "list" }[el.attr("accessibilityrole")] || el.attr("accessibilityrole"));
  if (el.attr("accessibilitylabel") && el.attr("accessibilityrole")) el.setAttribute("aria-label", el.attr("accessibilitylabel"));
  return rules.join("\n");
}

/** Do what a button's command says to the element it names. */
function runCommand(el) {
  const target = document.getElementById(el.attr("commandfor"));
  if (!target) return false;
  const verb = { "--show": "showOverlay", "--hide": "hideOverlay", "--toggle": "toggleOverlay" }[el.attr("command", "--auto")] || "toggleOverlay";
  if (typeof target[verb] !== "function") return false;
  target[verb](el);
  return true;
}
