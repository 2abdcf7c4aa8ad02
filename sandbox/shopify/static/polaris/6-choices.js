/* Things that are ticked: checkbox, switch, and lists of choices. */

const TICK_CSS = `
  :host { display: block; } .row { display: flex; gap: 8px; align-items: flex-start; } input { flex: none; margin: 2px 0 0; inline-size: 16px; block-size: 16px; accent-color: #303030; }
  label { cursor: pointer; } label[hidden] { display: block; position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); } .details { color: #616161; } .details:empty { display: none; } .error { color: #8e1f0b; } .error:empty { display: none; }
`;
class Checkbox extends Part {
  static formAssociated = true;
  static focusable = true;
  static css = TICK_CSS;
  constructor() {
    super();
    this.internals = this.attachInternals();
    this.control = this.$("input");
    this.control.addEventListener("input", () => this.sync());
    this.control.addEventListener("change", () => { this.sync(); this.dispatchEvent(new Event("change", { bubbles: true })); });
  }
  markup() { return `<div class="row"><input id="control" type="checkbox"><div><label for="control"></label><div class="details" id="details"></div><div class="error" id="error"></div></div></div>`; }
  connectedCallback() {
    if (!this.started) { this.started = true; this.control.checked = this.flag("checked"); }
    super.connectedCallback();
    this.sync();
  }
  get checked() { return this.control.checked; }
  set checked(value) { this.control.checked = Boolean(value); this.sync(); }
  get value() { return this.attr("value", "on"); }
  set value(value) { this.setAttribute("value", value); }
  get form() { return this.internals.form; }
  formResetCallback() { this.checked = this.flag("checked"); }
  checkValidity() { return this.internals.checkValidity(); }
  sync() {
    this.internals.setFormValue(this.control.checked ? this.value : null);
    if (this.flag("required") && !this.control.checked) this.internals.setValidity({ valueMissing: true }, "Tick this box.", this.control);
    else this.internals.setValidity({});
  }
  update() {
    this.$("label").textContent = this.attr("label") || this.attr("accessibilitylabel");
    this.$("label").hidden = this.attr("labelaccessibilityvisibility") === "exclusive";
    this.$(".details").textContent = this.attr("details");
    this.$(".error").textContent = this.attr("error");
    this.control.disabled = this.flag("disabled");
    this.control.indeterminate = this.flag("indeterminate");
    this.control.setAttribute("aria-describedby", "details error");
    this.sync();
  }
}
class Switch extends Checkbox {
  static css = TICK_CSS + "input { appearance: none; inline-size: 32px; block-size: 18px; border-radius: 9px; background: #8a8a8a; position: relative; cursor: pointer; } input::after { content: ''; position: absolute; inset-block-start: 2px; inset-inline-start: 2px; inline-size: 14px; block-size: 14px; border-radius: 50%; background: #fff; transition: translate 0.15s; } input:checked { background: #303030; } input:checked::after { translate: 14px 0; } input:disabled { opacity: 0.5; }";
  connectedCallback() { super.connectedCallback(); this.control.setAttribute("role", "switch"); }
}

class Choice extends Part {
  static focusable = true;
  static css = TICK_CSS;
  markup() { return `<div class="row"><input id="control" type="radio"><div><label for="control"><slot></slot></label><div class="details"><slot name="details"></slot></div><slot name="secondary-content"></slot></div></div>`; }
  connectedCallback() {
    super.connectedCallback();
    this.control = this.$("input");
    this.control.onchange = () => this.closest("s-choice-list")?.picked(this);
    this.control.onkeydown = (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (step && this.control.type === "radio") { event.preventDefault(); this.closest("s-choice-list")?.move(this, step); }
    };
    this.closest("s-choice-list")?.refresh?.();
  }
  update() {
    const list = this.closest("s-choice-list");
    this.$("input").type = list?.hasAttribute("multiple") && list.getAttribute("multiple") !== "false" ? "checkbox" : "radio";
    this.$("input").disabled = this.flag("disabled") || Boolean(list?.hasAttribute("disabled"));
    if (this.attr("accessibilitylabel")) this.$("input").setAttribute("aria-label", this.attr("accessibilitylabel"));
  }
  get value() { return this.attr("value"); }
  get selected() { return this.$("input").checked; }
  set selected(value) { this.$("input").checked = Boolean(value); this.closest("s-choice-list")?.sync(); }
}
class ChoiceList extends Part {
  static formAssociated = true;
  static css = ":host { display: block; } fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-direction: column; gap: 8px; } legend { padding: 0; margin-block-end: 4px; } .details { color: #616161; } .details:empty, .error:empty { display: none; } .error { color: #8e1f0b; }";
  constructor() { super(); this.internals = this.attachInternals(); }
  markup() { return `<fieldset><legend></legend><div class="details"></div><slot></slot><div class="error"></div></fieldset>`; }
  get choices() { return [...this.querySelectorAll("s-choice")]; }
  get values() { return this.choices.filter((choice) => choice.shadowRoot && choice.selected).map((choice) => choice.value); }
  set values(wanted) { for (const choice of this.choices) choice.$("input").checked = wanted.includes(choice.value); this.sync(); }
  get value() { return this.values[0] ?? ""; }
  get form() { return this.internals.form; }
  refresh() {
    for (const choice of this.choices) {
      if (choice.shadowRoot && !choice.begun) { choice.begun = true; choice.$("input").checked = choice.flag("selected"); }
    }
    this.sync();
  }
  picked(choice) {
    if (!this.flag("multiple")) for (const other of this.choices) if (other !== choice) other.$("input").checked = false;
    this.sync();
    this.dispatchEvent(new Event("input", { bubbles: true }));
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }
  move(choice, step) {
    const open = this.choices.filter((one) => !one.$("input").disabled);
    const next = open[(open.indexOf(choice) + step + open.length) % open.length];
    next.$("input").checked = true;
    next.focus();
    this.picked(next);
  }
  sync() {
    const data = new FormData();
    for (const value of this.values) data.append(this.attr("name"), value);
    this.internals.setFormValue(this.attr("name") ? data : null);
    const open = this.choices.filter((choice) => choice.shadowRoot);
    const at = open.find((choice) => choice.selected) || open[0];
    if (!this.flag("multiple")) for (const choice of open) choice.$("input").tabIndex = choice === at ? 0 : -1;
  }
  formResetCallback() { for (const choice of this.choices) choice.$("input").checked = choice.flag("selected"); this.sync(); }
  update() {
    this.$("legend").textContent = this.attr("label") || this.attr("accessibilitylabel");
    this.$(".details").textContent = this.attr("details");
    this.$(".error").textContent = this.attr("error");
    for (const choice of this.choices) choice.update?.();
    this.refresh();
  }
}

for (const [name, kind] of Object.entries({ "s-checkbox": Checkbox, "s-switch": Switch, "s-choice-list": ChoiceList, "s-choice": Choice })) define(name, kind);
reflect(Checkbox, ["name", "label", "details", "error"], ["disabled", "required"]);
reflect(ChoiceList, ["name", "label", "details", "error"], ["disabled", "multiple"]);
