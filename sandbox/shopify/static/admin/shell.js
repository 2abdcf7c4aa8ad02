/* The sandbox's admin around the app's frame: answers App Bridge, and runs the buttons of the plain pages. */
(() => {
  const data = document.body.dataset;
  const frame = document.querySelector("iframe");
  const appOrigin = data.appOrigin;

  async function post(url, body, method = "POST") {
    const response = await fetch(url, { method, headers: { "Content-Type": "application/json" }, body: method === "GET" ? undefined : JSON.stringify(body || {}) });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.message || `HTTP ${response.status}`);
    return answer;
  }

  /* --- Toasts --- */

  function toast(message, { isError = false, duration = 5000, key = "", action = "" } = {}) {
    const row = document.createElement("div");
    row.className = isError ? "toast error" : "toast";
    row.dataset.key = key;
    row.append(Object.assign(document.createElement("span"), { textContent: message }));
    if (action) {
      const button = Object.assign(document.createElement("button"), { textContent: action });
      button.onclick = () => { send("toastAction", { key }); row.remove(); };
      row.append(button);
    }
    document.querySelector(".toasts").append(row);
    setTimeout(() => row.remove(), duration);
  }

  /* --- App Bridge's counterpart --- */

  function send(type, detail = {}) {
    frame?.contentWindow.postMessage({ sandbox: "admin", type, ...detail }, appOrigin);
  }

  function navigation(items, here) {
    const list = document.querySelector(".app-nav");
    list.replaceChildren(...items.filter((item) => !item.home).map((item) => {
      const link = Object.assign(document.createElement("a"), { textContent: item.label, href: data.appRoot + item.href });
      if (here === item.href || here.startsWith(`${item.href}/`)) link.setAttribute("aria-current", "page");
      link.onclick = (event) => { event.preventDefault(); send("go", { href: item.href }); };
      const row = document.createElement("li");
      row.append(link);
      return row;
    }));
    // Where the menu is one row, it shows where we are; the page itself stays put.
    const chosen = list.querySelector("[aria-current]");
    if (chosen) list.parentElement.scrollLeft = chosen.offsetLeft - 16;
  }

  function open(url) {
    const inside = url.match(/^shopify:\/\/?admin\/?(.*)$/);
    if (inside) location.href = `/store/${data.handle}/${inside[1]}`;
    else if (/^https?:$/.test(new URL(url, location.href).protocol)) location.href = url;
  }

  async function confirmScopes(scopes) {
    if (!confirm(`Grant these scopes to the app?\n${scopes.join("\n")}`)) return { result: "declined-by-user" };
    await post(`/_sandbox/shops/${data.shop}/scopes`, { add: scopes });
    return { result: "granted-by-user", detail: await scopesNow() };
  }

  const scopesNow = () => post(`/store/${data.handle}/scopes.json`, null, "GET");
  const answers = {
    idToken: async () => (await post(`/store/${data.handle}/session_token`)).id_token,
    extensions: async () => (await post(`/store/${data.handle}/extensions.json`, null, "GET")).extensions,
    "scopes.query": scopesNow,
    "scopes.request": ({ scopes }) => confirmScopes(scopes),
    "scopes.revoke": async ({ scopes }) => { await post(`/_sandbox/shops/${data.shop}/scopes`, { remove: scopes }); return scopesNow(); },
    leave: async () => { if (!confirm("Leave without saving?")) throw new Error("stayed"); },
  };
  const events = {
    toast: (message) => toast(message.message, message),
    toastHide: ({ key }) => document.querySelector(`.toast[data-key="${CSS.escape(key)}"]`)?.remove(),
    nav: ({ items, here }) => navigation(items, here),
    open: ({ url }) => open(url),
    loading: ({ on }) => document.body.classList.toggle("loading", on),
    saveBar: ({ visible }) => { document.querySelector(".save-bar").hidden = !visible; },
    title: ({ title }) => { document.title = `${title} · Sandbox admin`; },
    ready: ({ path }) => history.replaceState(null, "", data.appRoot + (path === "/" ? "" : path)),
  };

  window.addEventListener("message", async (event) => {
    if (!frame || event.origin !== appOrigin || event.source !== frame.contentWindow || event.data?.sandbox !== "bridge") return;
    const { type, id } = event.data;
    if (!answers[type]) return events[type]?.(event.data);
    try {
      send("reply", { id, result: await answers[type](event.data) });
    } catch (error) {
      send("reply", { id, error: error.message });
    }
  });

  document.querySelector(".save-bar .save")?.addEventListener("click", () => send("saveBarAction", { action: "save" }));
  document.querySelector(".save-bar .discard")?.addEventListener("click", () => send("saveBarAction", { action: "discard" }));

  /* --- Buttons of the plain pages: <button data-url data-body> and <form data-url> --- */

  const nested = (pairs) => Object.fromEntries([...pairs].filter(([, value]) => value !== ""));
  async function act(url, body, method, then) {
    try {
      await post(url, body, method);
      then ? (location.href = then) : location.reload();
    } catch (error) {
      toast(error.message, { isError: true });
    }
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-url]");
    if (button) act(button.dataset.url, JSON.parse(button.dataset.body || "{}"), button.dataset.method || "POST", button.dataset.then);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-url]");
    if (!form) return;
    event.preventDefault();
    const body = nested(new FormData(form));
    if (body.product) {
      body.lines = [{ product: body.product, quantity: Number(body.quantity || 1) }];
      delete body.product;
      delete body.quantity;
      for (const name of ["test", "taxes_included"]) if (name in body) body[name] = true;
      if ("unpaid" in body) { body.paid = false; delete body.unpaid; }
    }
    act(form.dataset.url, body);
  });
})();
