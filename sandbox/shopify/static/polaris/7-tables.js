/* Tables, which turn into lists where they are narrow. */

class Table extends Part {
  static css = `
    :host { display: block; container-type: inline-size; } .scroll { overflow-x: auto; } .table { display: table; inline-size: 100%; border-collapse: collapse; }
    .foot { display: flex; justify-content: center; gap: 8px; padding: 8px; border-block-start: 1px solid #e3e3e3; } .foot[hidden] { display: none; }
    .foot button { border: 0; background: #f1f1f1; border-radius: 8px; min-inline-size: 36px; min-block-size: 28px; cursor: pointer; } .foot button:disabled { opacity: 0.4; cursor: default; }
    @container (inline-size < 490px) { .table { display: block; } }
  `;
  markup() { return `<slot name="filters"></slot><div class="scroll"><div class="table" role="table"><slot></slot></div></div><div class="foot" hidden><button type="button" class="previous" aria-label="Previous page">‹</button><button type="button" class="next" aria-label="Next page">›</button></div>`; }
  connectedCallback() {
    this.rows = new MutationObserver(() => this.label());
    this.rows.observe(this, { childList: true, subtree: true });
    super.connectedCallback();
    this.$(".previous").onclick = () => this.dispatchEvent(new Event("previouspage"));
    this.$(".next").onclick = () => this.dispatchEvent(new Event("nextpage"));
    this.label();
  }
  label() {
    const heads = [...this.querySelectorAll("s-table-header")];
    for (const row of this.querySelectorAll("s-table-row")) {
      [...row.children].forEach((cell, at) => {
        const head = heads[at];
        if (!head) return;
        if (cell.dataset.label !== head.textContent.trim()) cell.dataset.label = head.textContent.trim();
        const place = head.getAttribute("listslot") || "";
        if (cell.dataset.place !== place) cell.dataset.place = place;
        const format = head.getAttribute("format") || "";
        if ((cell.dataset.format || "") !== format) cell.dataset.format = format;
      });
    }
  }
  update() {
    // A list in a padded section lines up with what is around it.
    const flush = this.closest("s-section")?.getAttribute("padding") !== "none";
    this.style.setProperty("--inset", flush ? "0px" : "16px");
    this.$(".foot").hidden = !this.flag("paginate");
    this.$(".previous").disabled = !this.flag("haspreviouspage");
    this.$(".next").disabled = !this.flag("hasnextpage");
    this.$(".table").setAttribute("aria-busy", String(this.flag("loading")));
  }
}
const role = (name, css) => class extends Part {
  static css = css;
  connectedCallback() { super.connectedCallback(); this.setAttribute("role", name); }
};
const HeaderRow = role("row", ":host { display: table-row; background: #f7f7f7; } @container (inline-size < 490px) { :host { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); } }");
const Header = role("columnheader", ":host { display: table-cell; padding: 8px 12px; text-align: start; font-size: 12px; font-weight: 550; color: #616161; white-space: nowrap; } :host([format='numeric']), :host([format='currency']) { text-align: end; }");
const Body = role("rowgroup", ":host { display: table-row-group; } @container (inline-size < 490px) { :host { display: block; } }");
const Cell = role("cell", `
  :host { display: table-cell; padding: 10px 12px; border-block-start: 1px solid #ebebeb; vertical-align: middle; } :host([data-format="numeric"]), :host([data-format="currency"]) { text-align: end; font-variant-numeric: tabular-nums; }
  @container (inline-size < 490px) { :host { display: flex; justify-content: space-between; gap: 16px; border: 0; padding: 2px var(--inset, 16px); text-align: end; } :host::before { content: attr(data-label); color: #616161; } :host([data-place="primary"]) { font-weight: 650; text-align: start; padding-inline-end: 120px; } :host([data-place="secondary"]) { text-align: start; } :host([data-place="primary"])::before, :host([data-place="secondary"])::before, :host([data-place="inline"])::before { content: none; } :host([data-place="inline"]) { position: absolute; inset: 10px 0 auto auto; } }
`);
class Row extends role("row", ":host { display: table-row; } :host([clickdelegate]) { cursor: pointer; } :host(:hover) { background: #f7f7f7; } @container (inline-size < 490px) { :host { display: block; position: relative; padding-block: 10px; border-block-start: 1px solid #e3e3e3; } }") {
  connectedCallback() {
    super.connectedCallback();
    this.onclick = (event) => {
      const target = document.getElementById(this.attr("clickdelegate"));
      if (target && !event.composedPath().includes(target) && !event.composedPath().some((el) => el.localName?.match(/^(a|button|input|s-button|s-link|s-checkbox)$/))) target.click();
    };
  }
}
for (const [name, kind] of Object.entries({ "s-table": Table, "s-table-header-row": HeaderRow, "s-table-header": Header, "s-table-body": Body, "s-table-row": Row, "s-table-cell": Cell })) define(name, kind);
