/* Things that are pressed: buttons, links, clickable areas. */

class Pressable extends Part {
  static formAssociated = true;
  static focusable = true;

  constructor() {
    super();
    this.internals = this.attachInternals();
  }

  connectedCallback() {
    super.connectedCallback();
    this.addEventListener("click", this.pressed);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.removeEventListener("click", this.pressed);
  }

  pressed = (event) => {
    if (this.flag("disabled") || this.flag("loading")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    // Listeners of the page come first: they may call preventDefault.
    queueMicrotask(() => {
      if (event.defaultPrevented) return;
      if (this.attr("commandfor") && runCommand(this)) return;
      const form = this.internals.form;
      if (form && this.attr("type") === "submit") form.requestSubmit();
      if (form && this.attr("type") === "reset") form.reset();
    });
  };

  markup() {
    return `<button type="button"><span class="spin" hidden></span><slot></slot></button>`;
  }

  update() {
    const href = this.attr("href");
    let control = this.$("a, button");
    if (Boolean(href) !== (control.localName === "a")) {
      const fresh = document.createElement(href ? "a" : "button");
      fresh.append(...control.childNodes);
      control.replaceWith(fresh);
      control = fresh;
    }
    if (href) {
      control.setAttribute("href", href);
      for (const name of ["target", "download"]) this.hasAttribute(name) ? control.setAttribute(name, this.attr(name)) : control.removeAttribute(name);
    } else {
      control.type = "button";
      control.disabled = this.flag("disabled");
    }
    const label = this.attr("accessibilitylabel");
    label ? control.setAttribute("aria-label", label) : control.removeAttribute("aria-label");
    control.setAttribute("aria-busy", String(this.flag("loading")));
    const spin = this.$(".spin");
    if (spin) spin.hidden = !this.flag("loading");
    if (this.attr("commandfor")) control.setAttribute("aria-haspopup", "dialog");
  }

  click() {
    this.$("a, button").click();
  }
}

class Button extends Pressable {
  static css = `
    :host { display: inline-flex; inline-size: fit-content; } :host([inlinesize="fill"]) { display: flex; inline-size: 100%; }
    a, button { flex: 1; display: inline-flex; gap: 6px; justify-content: center; align-items: center; min-block-size: 28px; padding: 4px 12px; border-radius: 8px; border: 0; font-size: 12px; line-height: 16px; font-weight: 550; font-family: inherit; cursor: pointer; text-decoration: none; color: #303030; background: #fff; box-shadow: inset 0 -1px 0 #b5b5b5, inset 0 0 0 1px #d4d4d4; text-align: center; }
    a:hover, button:hover { background: #f7f7f7; }
    :host([variant="primary"]) a, :host([variant="primary"]) button, :host([slot="primary-action"]:not([variant])) a, :host([slot="primary-action"]:not([variant])) button { background: #303030; color: #fff; box-shadow: inset 0 1px 0 #616161; }
    :host([tone="critical"]) a, :host([tone="critical"]) button { color: #8e1f0b; } :host([tone="critical"][variant="primary"]) button { background: #b31e2b; color: #fff; }
    :host([variant="tertiary"]) a, :host([variant="tertiary"]) button { background: none; box-shadow: none; } :host([variant="tertiary"]) :is(a, button):hover { background: #ebebeb; }
    button:disabled { cursor: default; color: #6b6b6b !important; background: #ebebeb !important; box-shadow: none; }
    .spin { inline-size: 12px; block-size: 12px; border-radius: 50%; border: 2px solid currentColor; border-top-color: transparent; animation: turn 0.9s linear infinite; } .spin[hidden] { display: none; } @keyframes turn { to { transform: rotate(1turn); } }
    @media (pointer: coarse) { a, button { min-block-size: 36px; } }
  `;
}
class Link extends Pressable {
  static css = ":host { display: inline; } a, button { font: inherit; color: #005bd3; text-decoration: underline; background: none; border: 0; padding: 0; cursor: pointer; } :host([tone='neutral']) :is(a, button) { color: inherit; } :host([tone='critical']) :is(a, button) { color: #8e1f0b; }";
}
class Clickable extends Pressable {
  static css = ":host { display: block; } a, button { all: unset; display: block; cursor: pointer; inline-size: 100%; } :is(a, button):focus-visible { outline: 2px solid #005bd3; }";
  update() {
    super.update();
    this.own(boxCss(this));
  }
}
class ClickableChip extends Pressable {
  static css = ":host { display: inline-flex; } a, button { border: 0; border-radius: 8px; padding: 2px 8px; background: #ebebeb; font: inherit; font-size: 12px; color: inherit; cursor: pointer; text-decoration: none; }";
}
class PressButton extends Button {
  connectedCallback() {
    super.connectedCallback();
    this.addEventListener("click", this.flip);
  }
  flip = () => this.toggleAttribute("pressed");
  update() {
    super.update();
    this.$("button")?.setAttribute("aria-pressed", String(this.flag("pressed")));
    this.own(this.flag("pressed") ? "button { background: #d4d4d4 !important; }" : "");
  }
}
class ButtonGroup extends Part {
  static css = ":host { display: flex; flex-wrap: wrap; gap: 8px; } :host([gap='none']) { gap: 0; }";
  markup() { return `<slot></slot><slot name="secondary-actions"></slot><slot name="primary-action"></slot>`; }
  update() { this.setAttribute("role", "group"); }
}

for (const [name, kind] of Object.entries({ "s-button": Button, "s-link": Link, "s-clickable": Clickable, "s-clickable-chip": ClickableChip, "s-press-button": PressButton, "s-button-group": ButtonGroup })) define(name, kind);
reflect(Pressable, ["href", "type", "variant", "tone", "target", "icon"], ["disabled", "loading", "pressed"]);
