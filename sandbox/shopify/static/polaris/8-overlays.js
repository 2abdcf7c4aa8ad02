/* What lies above the page: modals, popovers, menus, tooltips. */

class Overlay extends Part {
  open() { return false; }
  showOverlay(source) {
    if (this.open()) return;
    this.dispatchEvent(new Event("show"));
    this.reveal(source);
    this.dispatchEvent(new Event("aftershow"));
  }
  hideOverlay() {
    if (!this.open()) return;
    this.conceal();
    this.gone();
  }
  gone() {
    this.dispatchEvent(new Event("hide"));
    this.dispatchEvent(new Event("afterhide"));
  }
  toggleOverlay(source) { this.open() ? this.hideOverlay() : this.showOverlay(source); }
  show() { this.showOverlay(); }
  hide() { this.hideOverlay(); }
}

class Modal extends Overlay {
  static css = `
    :host { display: contents; } dialog { border: 0; border-radius: 12px; padding: 0; inline-size: min(620px, calc(100vw - 32px)); max-block-size: calc(100vh - 48px); box-shadow: 0 8px 40px rgb(0 0 0 / 35%); color: inherit; }
    :host([size^="small"]) dialog { inline-size: min(380px, calc(100vw - 32px)); } :host([size^="large"]) dialog { inline-size: min(980px, calc(100vw - 32px)); } dialog::backdrop { background: rgb(0 0 0 / 45%); }
    header { display: flex; align-items: center; padding: 12px 16px; background: #f3f3f3; border-block-end: 1px solid #e3e3e3; } h2 { flex: 1; margin: 0; font-size: 14px; } header button { border: 0; background: none; font-size: 14px; cursor: pointer; padding: 4px 8px; border-radius: 6px; }
    .body { padding: 16px; display: flex; flex-direction: column; gap: 12px; } :host([padding="none"]) .body { padding: 0; } footer { display: flex; flex-wrap: wrap; gap: 8px; justify-content: flex-end; padding: 12px 16px; border-block-start: 1px solid #e3e3e3; } footer[hidden] { display: none; }
  `;
  markup() { return `<dialog aria-labelledby="title"><header><h2 id="title"></h2><button type="button" aria-label="Close">✕</button></header><div class="body"><slot></slot></div><footer><slot name="secondary-actions"></slot><slot name="primary-action"></slot></footer></dialog>`; }
  connectedCallback() {
    super.connectedCallback();
    this.$("header button").onclick = () => this.hideOverlay();
    this.$("dialog").addEventListener("cancel", () => this.gone());
  }
  open() { return this.$("dialog").open; }
  reveal() { this.$("dialog").showModal(); }
  conceal() { this.$("dialog").close(); }
  update() {
    this.$("h2").textContent = this.attr("heading");
    if (this.attr("accessibilitylabel")) this.$("dialog").setAttribute("aria-label", this.attr("accessibilitylabel"));
    this.$("footer").hidden = !this.filled("primary-action") && !this.filled("secondary-actions");
  }
}

class Popover extends Overlay {
  static css = ":host { display: contents; } .panel { margin: 0; border: 1px solid #e3e3e3; border-radius: 12px; padding: 8px; background: #fff; box-shadow: 0 4px 16px rgb(0 0 0 / 20%); max-inline-size: min(420px, 95vw); color: inherit; }";
  markup() { return `<div class="panel" popover><slot></slot></div>`; }
  open() { return this.$(".panel").matches(":popover-open"); }
  reveal(source) {
    const panel = this.$(".panel");
    panel.showPopover();
    if (!source) return;
    const at = source.getBoundingClientRect();
    panel.style.inset = `${Math.min(at.bottom + 4, innerHeight - panel.offsetHeight - 8)}px auto auto ${Math.max(8, Math.min(at.left, innerWidth - panel.offsetWidth - 8))}px`;
  }
  conceal() { this.$(".panel").hidePopover(); }
  connectedCallback() {
    super.connectedCallback();
    this.$(".panel").addEventListener("toggle", (event) => { if (event.newState === "closed") this.gone(); });
  }
  hideOverlay() { if (this.open()) this.conceal(); }
}
class Menu extends Popover {
  connectedCallback() {
    super.connectedCallback();
    this.$(".panel").setAttribute("role", "group");
    this.$(".panel").setAttribute("aria-label", this.attr("accessibilitylabel", "Menu"));
    this.addEventListener("click", () => this.hideOverlay());
  }
}
class Tooltip extends Part {
  static css = ":host { display: none; position: fixed; z-index: 10; padding: 4px 8px; border-radius: 8px; background: #303030; color: #fff; font-size: 12px; max-inline-size: 240px; } :host(.on) { display: block; }";
  connectedCallback() {
    super.connectedCallback();
    this.setAttribute("role", "tooltip");
    for (const source of document.querySelectorAll(`[interestfor="${CSS.escape(this.id)}"]`)) {
      const show = () => {
        const at = source.getBoundingClientRect();
        this.style.insetBlockStart = `${at.bottom + 6}px`;
        this.style.insetInlineStart = `${at.left}px`;
        this.classList.add("on");
      };
      source.addEventListener("mouseenter", show);
      source.addEventListener("focusin", show);
      source.addEventListener("mouseleave", () => this.classList.remove("on"));
      source.addEventListener("focusout", () => this.classList.remove("on"));
    }
  }
}
for (const [name, kind] of Object.entries({ "s-modal": Modal, "s-popover": Popover, "s-menu": Menu, "s-tooltip": Tooltip })) define(name, kind);
reflect(Modal, ["heading", "size"]);
document.head.append(Object.assign(document.createElement("style"), { textContent: "body { margin: 0; background: #f1f1f1; }" }));
