/* Page, sections and the boxes that arrange things. */

class Page extends Part {
  static css = `
    :host { display: block; max-inline-size: 998px; margin: 0 auto; padding: 16px; container-type: inline-size; }
    :host([inlinesize="large"]) { max-inline-size: 1400px; } :host([inlinesize="small"]) { max-inline-size: 662px; }
    .head { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin-block-end: 16px; } .head[hidden] { display: none; }
    h1 { font-size: 20px; line-height: 28px; font-weight: 650; margin: 0; flex: 1 1 auto; overflow-wrap: anywhere; }
    .actions { display: flex; flex-wrap: wrap; gap: 8px; }
    .columns { display: grid; gap: 16px; } .main, .aside { display: flex; flex-direction: column; gap: 16px; min-inline-size: 0; }
    @container (inline-size > 768px) { .columns.two { grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); align-items: start; } }
    @container (inline-size < 500px) { .actions { inline-size: 100%; } }
  `;
  markup() {
    return `<div class="head"><slot name="breadcrumb-actions"></slot><h1></h1><div class="actions"><slot name="secondary-actions"></slot><slot name="primary-action"></slot></div></div>
      <div class="columns"><div class="main"><slot name="supplemental-start"></slot><slot></slot></div><div class="aside"><slot name="aside"></slot></div></div>`;
  }
  update() {
    this.$("h1").textContent = this.attr("heading");
    this.$("h1").hidden = !this.attr("heading");
    if (!document.querySelector("main, [role='main']")) this.setAttribute("role", "main");
    const aside = this.filled("aside");
    this.$(".columns").classList.toggle("two", aside);
    this.$(".aside").hidden = !aside;
    this.$(".head").hidden = !this.attr("heading") && !["primary-action", "secondary-actions", "breadcrumb-actions"].some((name) => this.filled(name));
  }
}

class Section extends Part {
  static css = `
    :host { display: block; background: #fff; border-radius: 12px; padding: 16px; box-shadow: 0 1px 0 rgb(26 26 26 / 7%), 0 0 0 1px rgb(227 227 227); container-type: inline-size; }
    :host([padding="none"]) { padding: 0; overflow: hidden; } :host([padding="none"]) .head { padding: 16px 16px 0; }
    :host(.inner) { background: none; box-shadow: none; padding: 0; border-radius: 0; }
    .head { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
    .head > div { flex: 1 1 auto; } .head[hidden] { display: none; }
    [role="heading"] { font-size: 14px; font-weight: 650; } p { margin: 0; color: #616161; }
    .body { display: flex; flex-direction: column; gap: 16px; } .head:not([hidden]) + .body { margin-block-start: 12px; }
  `;
  markup() {
    return `<div class="head"><slot name="graphic"></slot><div><div role="heading"></div><p></p></div><slot name="accessory"></slot><slot name="secondary-actions"></slot><slot name="primary-action"></slot></div><div class="body"><slot></slot><slot name="supplemental"></slot></div>`;
  }
  update() {
    const inner = Boolean(this.parentElement?.closest("s-section"));
    this.classList.toggle("inner", inner);
    const heading = this.$('[role="heading"]');
    heading.textContent = this.attr("heading");
    heading.setAttribute("aria-level", inner ? "3" : "2");
    heading.hidden = !this.attr("heading");
    this.$("p").textContent = this.attr("subheading");
    this.$("p").hidden = !this.attr("subheading");
    this.$(".head").hidden = !this.attr("heading") && !this.attr("subheading") && !["accessory", "primary-action", "secondary-actions", "graphic"].some((name) => this.filled(name));
    const label = this.attr("accessibilitylabel") || this.attr("heading");
    if (label) { this.setAttribute("role", "region"); this.setAttribute("aria-label", label); }
  }
}

class Box extends Part {
  static css = ":host { display: block; }";
  update() { this.own(boxCss(this)); }
}

const ALIGN = { start: "flex-start", end: "flex-end" };
class Stack extends Part {
  static css = ":host { display: flex; flex-direction: column; min-inline-size: 0; } :host([direction='inline']) { flex-flow: row wrap; align-items: flex-start; }";
  update() {
    const inline = /inline/.test(this.attr("direction"));
    const rules = [responsive("gap", space(this.attr("gap") || "none").replace(/\b(base|none|(?:small|large)(?:-\d+)?)\b/g, (w) => SPACE[w] ?? w))];
    for (const [name, property] of [["alignitems", "align-items"], ["justifycontent", "justify-content"], ["aligncontent", "align-content"]]) {
      if (this.attr(name)) rules.push(responsive(property, ALIGN[this.attr(name)] || this.attr(name)));
    }
    if (this.attr("rowgap")) rules.push(responsive("row-gap", space(this.attr("rowgap"))));
    if (this.attr("columngap")) rules.push(responsive("column-gap", space(this.attr("columngap"))));
    if (this.attr("direction").startsWith("@")) rules.push(responsive("flex-direction", this.attr("direction").replace(/\binline\b(?!-)/g, "row").replace(/\bblock\b/g, "column")));
    else if (!inline) rules.push(":host { flex-wrap: nowrap; }");
    this.own(rules.join("\n") + boxCss(this));
  }
}

class Grid extends Part {
  static css = ":host { display: grid; min-inline-size: 0; }";
  update() {
    const rules = [];
    for (const [name, property] of [["gap", "gap"], ["rowgap", "row-gap"], ["columngap", "column-gap"]]) {
      if (this.attr(name)) rules.push(responsive(property, space(this.attr(name))));
    }
    for (const [name, property] of [["gridtemplatecolumns", "grid-template-columns"], ["gridtemplaterows", "grid-template-rows"], ["alignitems", "align-items"], ["justifyitems", "justify-items"], ["placeitems", "place-items"], ["justifycontent", "justify-content"], ["aligncontent", "align-content"]]) {
      if (this.attr(name)) rules.push(responsive(property, this.attr(name)));
    }
    this.own(rules.join("\n") + boxCss(this));
  }
}

class GridItem extends Part {
  static css = ":host { display: block; min-inline-size: 0; }";
  update() {
    const rules = [];
    if (this.attr("gridcolumn")) rules.push(responsive("grid-column", this.attr("gridcolumn")));
    if (this.attr("gridrow")) rules.push(responsive("grid-row", this.attr("gridrow")));
    this.own(rules.join("\n") + boxCss(this));
  }
}

class Divider extends Part {
  static css = ":host { display: block; block-size: 1px; background: #e3e3e3; inline-size: 100%; } :host([direction='block']) { inline-size: 1px; block-size: auto; align-self: stretch; }";
  update() { this.setAttribute("role", "separator"); }
}

class QueryContainer extends Part {
  static css = ":host { display: block; container-type: inline-size; }";
}

class ScrollBox extends Part {
  static css = ":host { display: block; overflow: auto; }";
  update() {
    this.own(boxCss(this));
    this.setAttribute("tabindex", "0");
  }
}

for (const [name, kind] of Object.entries({ "s-page": Page, "s-section": Section, "s-box": Box, "s-stack": Stack, "s-grid": Grid, "s-grid-item": GridItem, "s-divider": Divider, "s-query-container": QueryContainer, "s-scroll-box": ScrollBox })) define(name, kind);
