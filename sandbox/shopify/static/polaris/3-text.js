/* Words, numbers, pictures and small signs. */

class Heading extends Part {
  static css = ":host { display: block; font-size: 14px; font-weight: 650; } :host([fontsize='large']) { font-size: 18px; line-height: 24px; } h2, h3, h4 { font: inherit; margin: 0; overflow-wrap: anywhere; }";
  markup() { return "<h2><slot></slot></h2>"; }
  update() {
    const depth = this.parentElement?.closest("s-section") ? 3 : 2;
    if (this.attr("accessibilityrole") === "presentation" || this.attr("accessibilityrole") === "none") this.$("h2").setAttribute("role", "presentation");
    else this.$("h2").setAttribute("aria-level", String(depth));
  }
}

const SIZES = { "small-200": "11px", "small-100": "12px", small: "12px", base: "13px", "large-100": "16px", large: "16px", "large-200": "20px", "large-300": "24px", "large-400": "28px" };
function textCss(el) {
  const tone = el.attr("tone");
  const rules = [];
  if (TONES[tone] && !["auto", "neutral"].includes(tone)) rules.push(`color: ${TONES[tone][0]}`);
  if (el.attr("color") === "subdued") rules.push("color: #616161");
  if (el.attr("type") === "strong" || ["bold", "strong", "semibold"].includes(el.attr("fontweight"))) rules.push("font-weight: 650");
  if (el.attr("type") === "generic" && el.attr("fontweight") === "normal") rules.push("font-weight: 450");
  if (SIZES[el.attr("fontsize")]) rules.push(`font-size: ${SIZES[el.attr("fontsize")]}; line-height: 1.4`);
  if (el.attr("type") === "redundant") rules.push("text-decoration: line-through");
  if (el.attr("fontvariantnumeric") === "tabular-nums") rules.push("font-variant-numeric: tabular-nums");
  const clamp = el.attr("lineclamp");
  if (clamp) rules.push(`display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: ${Number(clamp)}; overflow: hidden`);
  if (el.attr("accessibilityvisibility") === "exclusive") rules.push("position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%)");
  if (el.attr("accessibilityvisibility") === "hidden") el.setAttribute("aria-hidden", "true");
  return `:host { ${rules.join("; ")} }`;
}
class Paragraph extends Part {
  static css = ":host { display: block; } p { margin: 0; overflow-wrap: anywhere; }";
  markup() { return "<p><slot></slot></p>"; }
  update() { this.own(textCss(this)); }
}
class Text extends Part {
  static css = ":host { display: inline; overflow-wrap: anywhere; }";
  update() { this.own(textCss(this)); }
}
class NumberText extends Part {
  static css = ":host { display: inline; font-variant-numeric: tabular-nums; }";
  update() { this.own(textCss(this)); }
}

class Badge extends Part {
  static css = ":host { display: inline-flex; align-items: center; padding: 0 8px; border-radius: 8px; font-size: 12px; line-height: 20px; font-weight: 550; white-space: nowrap; inline-size: fit-content; }";
  update() {
    const [colour, back] = TONES[this.attr("tone", "auto")] || TONES.auto;
    this.own(`:host { color: ${colour}; background: ${back}; }`);
  }
}

class Banner extends Part {
  static css = `
    :host { display: block; border-radius: 12px; border: 1px solid; overflow: hidden; }
    .head { display: flex; gap: 8px; align-items: center; padding: 8px 12px; font-weight: 650; } .head span { flex: 1; }
    .body { padding: 12px; background: #fff; color: #303030; display: flex; flex-direction: column; gap: 8px; }
    .body .actions { display: flex; flex-wrap: wrap; gap: 8px; } .body .actions[hidden] { display: none; }
    button { border: 0; background: none; font: inherit; color: inherit; cursor: pointer; padding: 2px 6px; border-radius: 6px; }
  `;
  markup() { return `<div class="head"><span></span><button type="button" aria-label="Dismiss">✕</button></div><div class="body"><slot></slot><div class="actions"><slot name="primary-action"></slot><slot name="secondary-actions"></slot></div></div>`; }
  connectedCallback() {
    super.connectedCallback();
    this.$("button").onclick = () => {
      this.dispatchEvent(new Event("dismiss"));
      this.hidden = true;
      this.dispatchEvent(new Event("afterhide"));
    };
  }
  update() {
    const [colour, back, line] = TONES[this.attr("tone", "info")] || TONES.info;
    this.own(`:host { border-color: ${line}; } .head { color: ${colour}; background: ${back}; }`);
    const names = { critical: "Error", warning: "Warning", caution: "Caution", success: "Success", info: "Information" };
    this.$("span").textContent = this.attr("heading") || names[this.attr("tone")] || "Information";
    this.$("button").hidden = !this.flag("dismissible");
    this.$(".actions").hidden = !this.filled("secondary-actions") && !this.filled("primary-action");
    this.$(".body").hidden = !this.textContent.trim() && this.$(".actions").hidden;
    const urgent = ["critical", "warning"].includes(this.attr("tone"));
    this.setAttribute("role", urgent ? "alert" : "status");
  }
}

const ICONS = {
  "check": "M5 10.5l3.2 3.2L15 7", "check-circle": "M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15zM6.8 10.2l2.3 2.3 4-4.4", "x": "M6 6l8 8M14 6l-8 8",
  "alert-circle": "M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15zM10 6.5v4M10 13.2v.3", "alert-triangle": "M10 3.5l7 12.5H3zM10 8.5v3.5M10 14v.2", "info": "M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15zM10 9.5v4M10 6.5v.2",
  "plus": "M10 4v12M4 10h12", "minus": "M4 10h12", "edit": "M4 16l1-4 8-8 3 3-8 8z", "delete": "M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10", "search": "M9 4a5 5 0 100 10A5 5 0 009 4zM13 13l4 4",
  "star": "M10 3l2.2 4.6 5 .7-3.6 3.5.9 5L10 14.4 5.500 16.800l.9-5L2.800 8.300l5-.7z", "gift-card": "M3 6h14v9H3zM3 9h14M8 6v9", "person": "M10 4a3 3 0 100 6 3 3 0 000-6zM4 16c1-3 3.500-4 6-4s5 1 6 4", "settings": "M10 7a3 3 0 100 6 3 3 0 000-6zM10 3v2M10 15v2M3 10h2M15 10h2",
  "arrow-left": "M16 10H4M9 5l-5 5 5 5", "arrow-right": "M4 10h12M11 5l5 5-5 5", "chevron-down": "M5 8l5 5 5-5", "chevron-right": "M8 5l5 5-5 5", "chevron-left": "M12 5l-5 5 5 5", "external": "M8 4H4v12h12v-4M11 4h5v5M16 4l-8 8", "refresh": "M16 7a6.500 6.500 0 10.5 5M16 3v4h-4", "email": "M3 5h14v10H3zM3 6l7 5 7-5", "clock": "M10 3a7 7 0 100 14 7 7 0 000-14zM10 6v4l3 2",
};
class Icon extends Part {
  static css = ":host { display: inline-flex; vertical-align: middle; } svg { inline-size: 20px; block-size: 20px; fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; } :host([size='small']) svg { inline-size: 16px; block-size: 16px; }";
  markup() { return `<svg viewBox="0 0 20 20" aria-hidden="true"><path></path></svg>`; }
  update() {
    this.$("path").setAttribute("d", ICONS[this.attr("type")] || "M10 4a6 6 0 100 12 6 6 0 000-12z");
    this.own(textCss(this));
  }
}

class Spinner extends Part {
  static css = ":host { display: inline-block; } div { inline-size: 20px; block-size: 20px; border-radius: 50%; border: 2px solid #d4d4d4; border-top-color: #303030; animation: turn 0.9s linear infinite; } :host([size^='large']) div { inline-size: 44px; block-size: 44px; } @keyframes turn { to { transform: rotate(1turn); } } @media (prefers-reduced-motion: reduce) { div { animation-duration: 4s; } }";
  markup() { return `<div role="status"></div>`; }
  update() { this.$("div").setAttribute("aria-label", this.attr("accessibilitylabel", "Loading")); }
}

class Progress extends Part {
  static css = ":host { display: block; } .track { block-size: 8px; border-radius: 4px; background: #e3e3e3; overflow: hidden; } .bar { block-size: 100%; background: #303030; border-radius: 4px; transition: inline-size 0.2s; }";
  markup() { return `<div class="track" role="progressbar" aria-valuemin="0"><div class="bar"></div></div>`; }
  update() {
    const most = Number(this.attr("max", "1")) || 1;
    const value = Math.min(most, Math.max(0, Number(this.attr("value", "0")) || 0));
    const track = this.$(".track");
    track.setAttribute("aria-valuemax", String(most));
    track.setAttribute("aria-valuenow", String(value));
    track.setAttribute("aria-label", this.attr("accessibilitylabel", "Progress"));
    const tone = { critical: "#c70a24", success: "#047b5d", info: "#005bd3" }[this.attr("tone")] || "#303030";
    this.own(`.bar { inline-size: ${(100 * value) / most}%; background: ${tone}; }`);
  }
}

class Picture extends Part {
  static css = ":host { display: inline-block; max-inline-size: 100%; } img { display: block; max-inline-size: 100%; block-size: auto; }";
  markup() { return "<img>"; }
  update() {
    const image = this.$("img");
    for (const name of ["src", "srcset", "sizes", "loading"]) if (this.attr(name)) image.setAttribute(name, this.attr(name));
    image.alt = this.attr("alt");
    this.own(`img { aspect-ratio: ${this.attr("aspectratio", "auto")}; object-fit: ${this.attr("objectfit", "contain")}; ${this.attr("inlinesize") === "fill" ? "inline-size: 100%;" : ""} }` + boxCss(this));
  }
}
class Thumbnail extends Part {
  static css = ":host { display: inline-block; } img { inline-size: 40px; block-size: 40px; object-fit: cover; border-radius: 8px; border: 1px solid #e3e3e3; background: #f7f7f7; }";
  markup() { return "<img>"; }
  update() {
    this.$("img").alt = this.attr("alt");
    if (this.attr("src")) this.$("img").src = this.attr("src");
  }
}
class Avatar extends Part {
  static css = ":host { display: inline-flex; } span { display: grid; place-items: center; inline-size: 32px; block-size: 32px; border-radius: 8px; background: #d5ebff; color: #00527c; font-weight: 650; }";
  markup() { return `<span role="img"></span>`; }
  update() {
    this.$("span").textContent = this.attr("initials").slice(0, 2);
    this.$("span").setAttribute("aria-label", this.attr("alt") || this.attr("initials") || "Avatar");
  }
}

class List extends Part {
  static css = ":host { display: block; padding-inline-start: 20px; list-style: disc; } ::slotted(*) { margin-block-end: 4px; }";
  connectedCallback() { super.connectedCallback(); this.setAttribute("role", "list"); }
}
class OrderedList extends List {
  static css = ":host { display: block; padding-inline-start: 20px; list-style: decimal; } ::slotted(*) { margin-block-end: 4px; }";
}
class ListItem extends Part {
  static css = ":host { display: list-item; }";
  connectedCallback() { super.connectedCallback(); this.setAttribute("role", "listitem"); }
}

class EmptyState extends Part {
  static css = ":host { display: flex; flex-direction: column; align-items: center; text-align: center; gap: 12px; padding: 32px 16px; } [role='heading'] { font-size: 16px; font-weight: 650; } .actions { display: flex; flex-wrap: wrap; gap: 8px; justify-content: center; } .text { color: #616161; max-inline-size: 420px; }";
  markup() { return `<slot name="graphic"></slot><div role="heading" aria-level="2"></div><div class="text"><slot name="subheading"></slot><slot></slot></div><div class="actions"><slot name="secondary-actions"></slot><slot name="primary-action"></slot></div>`; }
  update() { this.$('[role="heading"]').textContent = this.attr("heading"); }
}

class Chip extends Part {
  static css = ":host { display: inline-flex; gap: 4px; align-items: center; padding: 2px 8px; border-radius: 8px; background: #ebebeb; font-size: 12px; } button { border: 0; background: none; cursor: pointer; font: inherit; }";
  markup() { return `<slot name="graphic"></slot><slot></slot><button type="button" aria-label="Remove" hidden>✕</button>`; }
  update() {
    this.$("button").hidden = !this.flag("removable");
    this.$("button").onclick = (event) => { event.stopPropagation(); this.dispatchEvent(new Event("remove")); };
  }
}

for (const [name, kind] of Object.entries({ "s-heading": Heading, "s-paragraph": Paragraph, "s-text": Text, "s-number": NumberText, "s-badge": Badge, "s-banner": Banner, "s-icon": Icon, "s-spinner": Spinner, "s-progress": Progress, "s-image": Picture, "s-thumbnail": Thumbnail, "s-avatar": Avatar, "s-unordered-list": List, "s-ordered-list": OrderedList, "s-list-item": ListItem, "s-empty-state": EmptyState, "s-chip": Chip })) define(name, kind);
reflect(Banner, ["heading", "tone"], ["dismissible"]);
reflect(Progress, ["value", "max", "tone"]);
