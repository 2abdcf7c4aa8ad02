/* Fields that are typed into. All take part in forms: name, value, required, validity, reset. */

const FIELD_CSS = `
  :host { display: block; min-inline-size: 0; } label { display: block; margin-block-end: 4px; } label[hidden] { display: block; position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
  .control { display: flex; align-items: center; gap: 6px; border: 1px solid #8a8a8a; border-radius: 8px; background: #fdfdfd; padding: 0 12px; min-block-size: 32px; }
  .control:focus-within { outline: 2px solid #005bd3; outline-offset: -1px; } .control span:empty { display: none; } .control span { color: #616161; white-space: nowrap; }
  input, textarea, select { flex: 1; min-inline-size: 0; inline-size: 100%; border: 0; outline: none; background: none; font: inherit; color: inherit; padding: 5px 0; } input:not([type="color"]) { box-sizing: content-box; block-size: 20px; } textarea { resize: vertical; }
  input[type="color"] { padding: 2px 0; block-size: 28px; max-inline-size: 48px; }
  .details { color: #616161; margin-block-start: 4px; } .error { color: #8e1f0b; margin-block-start: 4px; display: flex; gap: 4px; } .error::before { content: "⚠"; } .details:empty, .error[hidden] { display: none; }
  :host([error]:not([error=""])) .control { border-color: #c70a24; background: #fff5f5; } :host([disabled]) .control { background: #f1f1f1; border-color: #ebebeb; }
  @media (pointer: coarse) { .control { min-block-size: 40px; } input, textarea, select { font-size: 16px; } }
`;

class Field extends Part {
  static formAssociated = true;
  static focusable = true;
  static css = FIELD_CSS;

  constructor() {
    super();
    this.internals = this.attachInternals();
    this.control = this.$("#control");
    this.control.addEventListener("input", () => this.took());
    this.control.addEventListener("change", () => {
      this.took();
      this.dispatchEvent(new Event("change", { bubbles: true }));
    });
    this.control.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.control.localName === "input") this.internals.form?.requestSubmit();
    });
  }

  input() { return `<input id="control">`; }

  markup() {
    return `<label for="control"></label><div class="control"><span class="prefix"></span>${this.input()}<span class="suffix"></span><slot name="accessory"></slot></div><div class="details" id="details"></div><div class="error" id="error" hidden></div>`;
  }

  connectedCallback() {
    if (!this.started) {
      this.started = true;
      this.setValue(this.attr("value"));
    }
    super.connectedCallback();
  }

  took() {
    this.setValue(this.control.value, false);
  }

  setValue(value, write = true) {
    if (write) this.control.value = value ?? "";
    this.internals.setFormValue(this.control.value);
    this.check();
  }

  get value() { return this.control.value; }
  set value(value) { this.setValue(value); }
  get form() { return this.internals.form; }

  check() {
    const native = this.control.validity;
    if (this.flag("required") && !this.control.value) this.internals.setValidity({ valueMissing: true }, "Fill out this field.", this.control);
    else if (native && !native.valid) this.internals.setValidity({ customError: true }, this.control.validationMessage || "Check this field.", this.control);
    else this.internals.setValidity({});
  }

  checkValidity() { return this.internals.checkValidity(); }
  reportValidity() { return this.internals.reportValidity(); }
  formResetCallback() { this.setValue(this.attr("value")); }

  update() {
    const label = this.$("label");
    label.textContent = this.attr("label") || this.attr("accessibilitylabel");
    label.hidden = this.attr("labelaccessibilityvisibility") === "exclusive";
    this.$(".details").textContent = this.attr("details");
    this.$(".error").textContent = this.attr("error");
    this.$(".error").hidden = !this.attr("error");
    this.$(".prefix").textContent = this.prefixText();
    this.$(".suffix").textContent = this.attr("suffix");
    this.control.setAttribute("aria-describedby", "details error");
    this.control.setAttribute("aria-invalid", String(Boolean(this.attr("error"))));
    this.control.disabled = this.flag("disabled");
    this.control.readOnly = this.flag("readonly");
    this.control.required = this.flag("required");
    for (const name of ["placeholder", "min", "max", "step", "maxlength", "minlength", "autocomplete", "rows", "inputmode"]) {
      this.hasAttribute(name) ? this.control.setAttribute(name, this.attr(name)) : this.control.removeAttribute(name);
    }
    this.check();
  }

  prefixText() { return this.attr("prefix"); }
}

const typed = (type, extra = "") => class extends Field {
  input() { return `<input id="control" type="${type}" ${extra}>`; }
};
class MoneyField extends Field {
  input() { return `<input id="control" type="number" step="0.01" inputmode="decimal">`; }
  prefixText() { return { USD: "$", EUR: "€", GBP: "£", CAD: "$", AUD: "$" }[this.attr("currencycode", "USD")] || this.attr("currencycode"); }
}
class NumberField extends Field {
  input() { return `<input id="control" type="number" step="any">`; }
}
class TextArea extends Field {
  input() { return `<textarea id="control" rows="3"></textarea>`; }
}

class Select extends Field {
  input() { return `<select id="control"></select>`; }
  connectedCallback() {
    this.options = new MutationObserver(() => this.fill());
    this.options.observe(this, { childList: true, subtree: true, attributes: true, characterData: true });
    this.fill();
    super.connectedCallback();
  }
  fill() {
    const before = this.control.value;
    const option = (el) => {
      const made = new Option(el.textContent.trim(), el.getAttribute("value") ?? el.textContent.trim());
      made.disabled = el.hasAttribute("disabled") && el.getAttribute("disabled") !== "false";
      made.defaultSelected = made.selected = el.hasAttribute("selected") && el.getAttribute("selected") !== "false";
      return made;
    };
    const rows = [];
    if (this.attr("placeholder")) rows.push(new Option(this.attr("placeholder"), ""));
    for (const child of this.children) {
      if (child.localName === "s-option") rows.push(option(child));
      if (child.localName === "s-option-group") {
        const group = document.createElement("optgroup");
        group.label = child.getAttribute("label") || "";
        group.append(...[...child.children].filter((c) => c.localName === "s-option").map(option));
        rows.push(group);
      }
    }
    this.control.replaceChildren(...rows);
    const wanted = this.hasAttribute("value") ? this.attr("value") : null;
    if (this.filledOnce && before) this.control.value = before;
    else if (wanted !== null) this.control.value = wanted;
    this.filledOnce = true;
    this.internals.setFormValue(this.control.value);
  }
  setValue(value, write = true) {
    if (write && value === "" && !this.attr("placeholder")) { this.internals.setFormValue(this.control.value); return; }
    super.setValue(value, write);
  }
}
class Option_ extends Part { static css = ":host { display: none; }"; }
class OptionGroup extends Part { static css = ":host { display: none; }"; }

class ColorField extends Field {
  input() { return `<input type="color" aria-label="Pick a colour"><input id="control" type="text">`; }
  connectedCallback() {
    super.connectedCallback();
    const picker = this.$('input[type="color"]');
    picker.oninput = () => { this.setValue(picker.value); this.dispatchEvent(new Event("input", { bubbles: true })); };
    picker.onchange = () => this.dispatchEvent(new Event("change", { bubbles: true }));
  }
  setValue(value, write = true) {
    super.setValue(value, write);
    if (/^#[0-9a-f]{6}$/i.test(this.control.value)) this.$('input[type="color"]').value = this.control.value;
  }
}
class DropZone extends Field {
  input() { return `<input id="control" type="file">`; }
  setValue() {
    const data = new FormData();
    for (const file of this.control.files || []) data.append(this.attr("name"), file);
    this.internals.setFormValue(data);
    this.check();
  }
  get files() { return [...this.control.files]; }
  update() {
    super.update();
    this.control.multiple = this.flag("multiple");
    if (this.attr("accept")) this.control.accept = this.attr("accept");
  }
}

for (const [name, kind] of Object.entries({ "s-text-field": typed("text"), "s-email-field": typed("email"), "s-url-field": typed("url"), "s-password-field": typed("password"), "s-search-field": typed("search"), "s-date-field": typed("date"), "s-date-picker": typed("date"), "s-color-field": ColorField, "s-color-picker": class extends ColorField {}, "s-number-field": NumberField, "s-money-field": MoneyField, "s-text-area": TextArea, "s-select": Select, "s-option": Option_, "s-option-group": OptionGroup, "s-drop-zone": DropZone })) define(name, kind);
reflect(Field, ["name", "label", "details", "error", "placeholder", "min", "max", "step"], ["disabled", "required", "readonly"]);
