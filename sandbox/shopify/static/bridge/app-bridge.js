/* Sandbox stand-in for App Bridge: ID tokens, signed fetches, navigation, toasts, save bar, app menu.
   It talks to the sandbox's admin around the frame by postMessage. Only the local sandbox serves it. */
(() => {
  const script = document.currentScript;
  const apiKey = script?.dataset.apiKey || document.querySelector('meta[name="shopify-api-key"]')?.content || "";
  const here = new URL(location.href);
  const shop = here.searchParams.get("shop") || sessionStorage.getItem("sandbox-shop") || "";
  const host = here.searchParams.get("host") || sessionStorage.getItem("sandbox-host") || "";
  if (shop) sessionStorage.setItem("sandbox-shop", shop);
  if (host) sessionStorage.setItem("sandbox-host", host);
  const admin = host ? `${location.protocol}//${atob(host.replace(/-/g, "+").replace(/_/g, "/"))}` : "";
  const adminOrigin = admin ? new URL(admin).origin : "";
  const embedded = window.top !== window;

  let serial = 0;
  const waiting = new Map();
  const handlers = {};

  function tell(type, detail = {}) {
    if (embedded && adminOrigin) window.parent.postMessage({ sandbox: "bridge", type, ...detail }, adminOrigin);
  }

  function ask(type, detail = {}) {
    return new Promise((resolve, reject) => {
      if (!embedded || !adminOrigin) return reject(new Error("App Bridge works inside the admin only."));
      const id = ++serial;
      waiting.set(id, { resolve, reject });
      tell(type, { ...detail, id });
    });
  }

  window.addEventListener("message", (event) => {
    if (event.origin !== adminOrigin || event.data?.sandbox !== "admin") return;
    const { type, id, result, error } = event.data;
    if (type === "reply" && waiting.has(id)) {
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      error ? reject(new Error(error)) : resolve(result);
    } else if (handlers[type]) handlers[type](event.data);
  });

  /* --- ID tokens and signed fetches --- */

  const idToken = () => ask("idToken");
  const sameOrigin = (url) => new URL(url, location.href).origin === location.origin;
  const plainFetch = window.fetch.bind(window);

  async function signed(input, init, token) {
    const request = new Request(input, init);
    if (!request.headers.has("Authorization")) request.headers.set("Authorization", `Bearer ${token}`);
    request.headers.set("X-Requested-With", "XMLHttpRequest");
    return plainFetch(request);
  }

  window.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    if (!embedded || !sameOrigin(url)) return plainFetch(input, init);
    const spare = input instanceof Request ? input.clone() : input;
    let response = await signed(input, init, await idToken());
    if (response.status === 401 && response.headers.get("X-Shopify-Retry-Invalid-Session-Request")) {
      response = await signed(spare, init, await idToken());
    }
    const elsewhere = response.headers.get("X-Shopify-API-Request-Failure-Reauthorize-Url");
    if (elsewhere) tell("open", { url: new URL(elsewhere, location.href).href });
    return response;
  };

  /* --- Navigation: every page load of the app carries a fresh token --- */

  async function go(href, { replace = false } = {}) {
    const url = new URL(href, location.href);
    url.searchParams.set("embedded", "1");
    url.searchParams.set("shop", shop);
    url.searchParams.set("host", host);
    url.searchParams.set("id_token", await idToken());
    replace ? location.replace(url) : location.assign(url);
  }

  function anchorOf(event) {
    return event.composedPath().find((el) => el instanceof HTMLElement && el.getAttribute?.("href"));
  }

  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = anchorOf(event);
    if (!link || link.hasAttribute("download")) return;
    const href = link.getAttribute("href");
    const target = link.getAttribute("target") || "";
    if (href.startsWith("#") || /^(mailto|tel|javascript):/i.test(href)) return;
    if (href.startsWith("shopify:") || target === "_top" || target === "_parent") {
      event.preventDefault();
      tell("open", { url: href.startsWith("shopify:") ? href : new URL(href, location.href).href });
    } else if (!target || target === "_self" || target === "auto") {
      if (!sameOrigin(href)) return;
      event.preventDefault();
      go(href);
    }
  });

  const plainOpen = window.open.bind(window);
  window.open = (url, target, features) => {
    if (embedded && (target === "_top" || target === "_parent" || String(url).startsWith("shopify:"))) {
      tell("open", { url: String(url).startsWith("shopify:") ? String(url) : new URL(url, location.href).href });
      return null;
    }
    return plainOpen(url, target, features);
  };

  handlers.go = ({ href }) => go(href);

  /* --- The bounce page: come back with a token, to this origin only --- */

  const reload = here.searchParams.get("shopify-reload");
  if (reload && embedded && sameOrigin(reload)) go(reload, { replace: true });
  if (!embedded && host && admin && apiKey && !here.pathname.includes("/proxy")) {
    location.replace(`${admin}/apps/${apiKey}${here.pathname === "/" ? "" : here.pathname}`);
  }

  /* --- Save bar --- */

  const bars = { form: null };
  handlers.saveBarAction = ({ action }) => {
    const form = bars.form;
    if (form instanceof HTMLFormElement) action === "save" ? form.requestSubmit() : form.reset();
    else form?.querySelector(action === "save" ? '[variant="primary"]' : ':not([variant="primary"])')?.click();
  };
  const showBar = (owner) => { bars.form = owner; tell("saveBar", { visible: true }); };
  const hideBar = () => { bars.form = null; tell("saveBar", { visible: false }); };
  const watchForm = (event) => {
    const form = event.composedPath().find((el) => el instanceof HTMLFormElement) || event.target.form || event.target.closest?.("form");
    if (form?.hasAttribute("data-save-bar")) showBar(form);
  };
  document.addEventListener("input", watchForm);
  document.addEventListener("change", watchForm);
  document.addEventListener("submit", (event) => { if (event.target.hasAttribute("data-save-bar")) hideBar(); });
  document.addEventListener("reset", (event) => { if (event.target.hasAttribute("data-save-bar")) hideBar(); });
  const barOf = (id) => document.getElementById(id);

  /* --- The app's menu --- */

  class AppNav extends HTMLElement {
    connectedCallback() {
      this.style.display = "none";
      this.watcher = new MutationObserver(() => this.publish());
      this.watcher.observe(this, { childList: true, subtree: true });
      this.publish();
    }
    publish() {
      const items = [...this.querySelectorAll("s-link, a")].map((link) => ({
        href: new URL(link.getAttribute("href"), location.origin).pathname,
        label: link.textContent.trim(),
        home: link.getAttribute("rel") === "home",
      }));
      tell("nav", { items, here: location.pathname });
    }
  }
  customElements.define("s-app-nav", AppNav);
  customElements.define("ui-nav-menu", class extends AppNav {});

  const toast = {
    show: (message, options = {}) => {
      const id = String(++serial);
      tell("toast", { message: String(message), key: id, isError: Boolean(options.isError), duration: options.duration || 5000, action: options.action || "" });
      handlers.toastAction = ({ key }) => key === id && options.onAction?.();
      return id;
    },
    hide: (id) => tell("toastHide", { key: id }),
  };

  window.shopify = {
    config: { apiKey, shop, host, locale: here.searchParams.get("locale") || "en" },
    environment: { embedded, mobile: false, pos: false },
    idToken,
    toast,
    loading: (on) => tell("loading", { on: on !== false }),
    saveBar: {
      show: async (id) => showBar(barOf(id)),
      hide: async () => hideBar(),
      toggle: async (id) => (bars.form ? hideBar() : showBar(barOf(id))),
      leaveConfirmation: async () => { if (bars.form) await ask("leave"); },
    },
    scopes: {
      query: () => ask("scopes.query"),
      request: (scopes) => ask("scopes.request", { scopes }),
      revoke: (scopes) => ask("scopes.revoke", { scopes }),
    },
    app: { extensions: () => ask("extensions") },
    modal: { show: async (id) => barOf(id)?.showOverlay?.(), hide: async (id) => barOf(id)?.hideOverlay?.() },
    user: async () => ({ accountAccess: "Administrator" }),
    reviews: { request: async () => ({ success: false, code: "mobile-app", message: "Not in the sandbox." }) },
  };

  if (!reload) tell("ready", { path: location.pathname, query: location.search, title: document.title });
  document.addEventListener("DOMContentLoaded", () => tell("title", { title: document.title }));
})();
