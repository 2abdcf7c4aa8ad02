// What the pages do in the browser: send forms and buttons with the ID token, show mistakes in their fields, follow long jobs,
// and ask App Bridge whether the theme shows the program. It knows no addresses but those in the markup.
"use strict";

(() => {
  const bridge = () => window.shopify;

  // --- Talking to the server ---

  // Outside the admin nobody gives a token; the server then says what it thinks of that.
  const idToken = () => Promise.resolve(bridge()?.idToken?.()).catch(() => null);

  async function send(path, options = {}) {
    const attempt = async () => {
      const headers = new Headers(options.headers);
      headers.set("Accept", "application/json");
      const token = await idToken();
      if (token) headers.set("Authorization", `Bearer ${token}`);
      return fetch(path, { ...options, headers });
    };
    const answer = await attempt();
    // A token lives for a minute; a page that was left open for long asks with one that has just run out.
    return answer.status === 401 ? attempt() : answer;
  }

  async function read(answer) {
    const isJson = (answer.headers.get("Content-Type") || "").includes("json");
    const body = isJson ? await answer.json() : {};
    return { ok: answer.ok && body.ok !== false, ...body };
  }

  function say(message, isError = false) {
    if (!message) return;
    if (bridge()?.toast) {
      bridge().toast.show(message, { isError });
      return;
    }
    let place = document.querySelector("[data-said-here]");
    if (!place) {
      place = document.createElement("p");
      place.dataset.saidHere = "";
      place.setAttribute("role", "status");
      document.body.append(place);
    }
    place.textContent = message;
  }

  function goTo(address) {
    const target = new URL(address, location.href);
    if (target.origin !== location.origin) {
      window.open(target, "_top");
      return;
    }
    // A script's request does not say where in the admin this page is; the page itself knows.
    const host = new URLSearchParams(location.search).get("host");
    if (host && !target.searchParams.has("host")) target.searchParams.set("host", host);
    location.assign(target);
  }

  // What follows a successful answer, by what the answer and the element that asked say.
  function follow(asker, result) {
    say(result.message || asker.dataset.said);
    if (result.reveal) reveal(asker, result.reveal);
    if (result.redirect) goTo(result.redirect);
    else if ("reload" in asker.dataset) location.reload();
  }

  // A secret that is shown once: it is in this page alone, and gone with it. Nothing may take its place before somebody has copied it.
  function reveal(asker, secret) {
    const place = document.querySelector("[data-reveal]");
    place.querySelector("[data-revealed]").textContent = secret;
    asker.hidden = true;
    place.hidden = false;
    place.scrollIntoView({ block: "center" });
    place.focus({ preventScroll: true });
  }

  // Between a good answer and the next page a second click would do the same once more.
  const WHILE_LEAVING = 3000;

  function whenAnswered(asker, result, free) {
    const leaves = result?.ok && (result.redirect || "reload" in asker.dataset);
    if (leaves) setTimeout(free, WHILE_LEAVING);
    else free();
  }

  const OUTAGE = "That did not work. Check your connection and try again.";

  // --- Forms ---

  // What is hidden can show no mistake.
  const fieldsOf = (form) => [...form.querySelectorAll("[name]")].filter((field) => field.type !== "hidden");

  function clearMistakes(form) {
    for (const field of fieldsOf(form)) field.removeAttribute("error");
  }

  // The field of a mistake; one about a group of fields is shown at the first of them.
  function fieldFor(form, name) {
    const fields = fieldsOf(form);
    const named = (wanted) => fields.find((field) => wanted(field.getAttribute("name")));
    return named((own) => own === name) || named((own) => own.startsWith(`${name}.`));
  }

  function showMistakes(form, errors, mistakes = []) {
    let first = null;
    for (const [name, text] of Object.entries(errors)) {
      const field = fieldFor(form, name);
      if (field) field.setAttribute("error", text);
      else say(text, true);
      const folded = field?.closest("details");
      if (folded) folded.open = true;
      first ||= field;
    }
    const place = listMistakes(form, mistakes);
    if (!first) return;
    (place || first).scrollIntoView({ block: "center" });
    first.focus?.({ preventScroll: Boolean(place) });
    touch(form);
  }

  // Mistakes in a text have no fields of their own: they stand above it, each with its place.
  function listMistakes(form, mistakes) {
    const place = form.querySelector("[data-mistakes]");
    if (!place) return null;
    place.hidden = !mistakes.length;
    place.querySelector("[data-mistake-list]").replaceChildren(
      ...mistakes.map(({ path, expected, found }) => {
        const item = document.createElement("li");
        const where = document.createElement("code");
        where.textContent = path;
        item.append(where, `: expected ${expected}; found ${found}`);
        return item;
      }),
    );
    return mistakes.length ? place : null;
  }

  // The save bar shows while a form has changes. It hears of them by events, which scripted changes do not fire by themselves.
  function touch(form) {
    const marker = form.querySelector("[data-touched]");
    if (!marker) return;
    marker.value = String(Number(marker.value || 0) + 1);
    for (const kind of ["input", "change"]) marker.dispatchEvent(new Event(kind, { bubbles: true }));
  }

  function bodyOf(form) {
    const values = new FormData(form);
    if (!("json" in form.dataset)) return { body: values };
    return { body: JSON.stringify(Object.fromEntries(values)), headers: { "Content-Type": "application/json" } };
  }

  async function submit(form, action = form.getAttribute("action")) {
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    const buttons = [...document.querySelectorAll(`[data-submits="${form.id}"]`), ...form.querySelectorAll('[type="submit"]')];
    for (const button of buttons) button.setAttribute("loading", "");
    clearMistakes(form);
    let result;
    try {
      result = await read(await send(action, { method: "POST", ...bodyOf(form) }));
      if (result.ok) follow(form, result);
      else if (result.errors) showMistakes(form, result.errors, result.mistakes);
      else if (form.dataset.errorField) showMistakes(form, { [form.dataset.errorField]: result.message || OUTAGE });
      else {
        say(result.message || OUTAGE, true);
        touch(form);
      }
    } catch {
      say(OUTAGE, true);
      touch(form);
    }
    whenAnswered(form, result, () => {
      delete form.dataset.busy;
      for (const button of buttons) button.removeAttribute("loading");
    });
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-submit]")) return;
    event.preventDefault();
    submit(event.target);
  });

  // Added and removed parts are not undone by a reset, so the page is read anew.
  document.addEventListener("reset", (event) => {
    if (event.target.matches("form[data-program]")) setTimeout(() => location.reload());
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    const form = event.target.closest?.("form[data-search]");
    if (form && /^s-(search|email|date)-field$/.test(event.target.localName)) form.requestSubmit();
  });

  // --- Buttons ---

  async function post(button) {
    if (button.hasAttribute("loading")) return;
    button.setAttribute("loading", "");
    let result;
    try {
      result = await read(await send(button.dataset.post, { method: "POST" }));
      if (button.dataset.closes) document.getElementById(button.dataset.closes)?.hideOverlay?.();
      if (result.ok) follow(button, result);
      else say(result.message || OUTAGE, true);
    } catch {
      say(OUTAGE, true);
    }
    whenAnswered(button, result, () => button.removeAttribute("loading"));
  }

  async function download(button) {
    button.setAttribute("loading", "");
    try {
      const answer = await send(button.dataset.download, { method: button.dataset.method || "GET" });
      if (!answer.ok) throw new Error(String(answer.status));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = button.dataset.filename;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch {
      say("The file could not be downloaded. Try again.", true);
    } finally {
      button.removeAttribute("loading");
    }
  }

  // Shopify asks the merchant; what was given is told to the server by a webhook, so the page only says thank you.
  async function askForScopes(button) {
    const wanted = button.dataset.scopes.split(",");
    const answer = await Promise.resolve(bridge()?.scopes?.request?.(wanted)).catch(() => null);
    const granted = answer?.detail?.granted || [];
    if (!wanted.every((scope) => granted.includes(scope))) return;
    button.closest("[data-scopes-banner]").hidden = true;
    say(button.dataset.thanks);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-scopes],[data-post],[data-download],[data-submits],[data-elsewhere],[data-done],[data-add],[data-remove],[data-pick]");
    if (!button || button.hasAttribute("disabled")) return;
    if ("scopes" in button.dataset) askForScopes(button);
    else if ("post" in button.dataset) post(button);
    else if ("download" in button.dataset) download(button);
    else if ("done" in button.dataset) location.reload();
    else if ("submits" in button.dataset) document.getElementById(button.dataset.submits)?.requestSubmit();
    else if ("elsewhere" in button.dataset) submit(button.closest("form"), button.dataset.elsewhere);
    else if ("add" in button.dataset) addElement(button);
    else if ("remove" in button.dataset) removeElement(button);
    else pick(button);
  });

  // --- The program's form ---

  function addElement(button) {
    const series = button.closest("[data-series]");
    const list = series.querySelector("[data-list]");
    const taken = [...list.querySelectorAll("[name]")].map((field) => Number(/\[(\d+)\]/.exec(field.getAttribute("name"))?.[1] ?? -1));
    const index = String(Math.max(-1, ...taken) + 1);
    const copy = series.querySelector("[data-blank]").content.cloneNode(true);
    for (const field of copy.querySelectorAll("[name]")) {
      field.setAttribute("name", field.getAttribute("name").replace("__index__", index));
    }
    list.append(copy);
    list.lastElementChild.querySelector("s-text-field")?.focus?.();
    touch(button.closest("form"));
  }

  function removeElement(button) {
    const form = button.closest("form");
    button.closest("[data-element]").remove();
    touch(form);
  }

  // Nobody knows the numbers of products by heart: the admin's own picker knows them by name.
  async function pick(button) {
    const field = button.closest("[data-picking]").querySelector("[name]");
    const many = field.localName === "s-text-area";
    let chosen;
    try {
      chosen = await bridge().resourcePicker({ type: button.dataset.pick, multiple: many, action: "select" });
    } catch {
      chosen = null;
    }
    if (!chosen) return;
    const ids = chosen.map((one) => one.id.split("/").pop());
    const kept = many ? field.value.split(/[\s,;]+/).filter(Boolean) : [];
    field.value = [...new Set([...kept, ...ids])].join("\n");
    touch(button.closest("form"));
  }

  function offerPicking() {
    if (!bridge()?.resourcePicker) return;
    for (const button of document.querySelectorAll("[data-pick]")) button.hidden = false;
  }

  const EXAMPLE_FIELDS = ["rate", "rounding"];

  function liveExample(form) {
    const place = form.querySelector("[data-example]");
    let waiting, latest = 0;
    const ask = async () => {
      const values = new FormData(form);
      const query = new URLSearchParams(EXAMPLE_FIELDS.map((name) => [name, values.get(name) ?? ""]));
      const turn = ++latest;
      try {
        const result = await read(await send(`/program/example.json?${query}`));
        if (turn === latest && result.text) place.textContent = result.text;
      } catch {
        // The example is a courtesy: without an answer the last one stays, and saving says what is wrong.
      }
    };
    ask();
    form.addEventListener("input", (event) => {
      if (!EXAMPLE_FIELDS.includes(event.target.getAttribute?.("name"))) return;
      clearTimeout(waiting);
      waiting = setTimeout(ask, 250);
    });
  }

  // --- Long jobs ---

  const FIRST_WAIT = 1000;
  const LONGEST_WAIT = 10_000;

  function showRun(place, run) {
    const bar = place.querySelector("s-progress");
    if (run.percent === null) bar.removeAttribute("value");
    else bar.setAttribute("value", String(run.percent));
    bar.setAttribute("tone", run.tone);
    place.querySelector("[data-run-text]").textContent = run.text;
    const badge = place.querySelector("[data-run-state] s-badge");
    badge.textContent = run.badge.text;
    badge.setAttribute("tone", run.badge.tone);
    if (!run.is_open || run.state === "cancelling") place.querySelector("[data-run-cancel]")?.remove();
  }

  // Where a page shows what came of a job, it is read again at the job's end; never over what somebody has typed meanwhile.
  let typed = false;
  document.addEventListener("input", (event) => {
    if (event.target.closest?.("form")) typed = true;
  });

  function showEnd(place) {
    for (const part of document.querySelectorAll("[data-after-run]")) part.hidden = false;
    if (!("runEnds" in place.dataset)) return;
    if (typed) say("Done. Load the page again to see what came of it.");
    else location.reload();
  }

  async function followRun(place) {
    let wait = FIRST_WAIT;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!place.isConnected) return;
      if (document.hidden) continue;
      try {
        const answer = await send(place.dataset.run);
        if (answer.status === 404) return;
        if (!answer.ok) throw new Error(String(answer.status));
        const run = await answer.json();
        showRun(place, run);
        if (!run.is_open) {
          showEnd(place);
          return;
        }
        wait = FIRST_WAIT;
      } catch {
        // The job goes on without anybody looking: ask again, less and less often.
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  }

  // --- The theme ---

  // Only the browser can ask this: App Bridge knows which of our theme blocks are switched on in the published theme.
  async function checkEmbed(step) {
    let extensions;
    try {
      extensions = await bridge()?.app?.extensions?.();
    } catch {
      return; // The step stays open, which is right: nobody could tell that it is done.
    }
    const active = (extensions || []).some((extension) => (extension.activations || []).some((one) => one.status === "active"));
    if (!active) {
      document.querySelector("[data-setup]").hidden = false;
      return;
    }
    step.classList.add("l-step-done");
    const icon = step.querySelector("s-icon");
    icon.setAttribute("type", "check-circle");
    icon.setAttribute("tone", "success");
    step.querySelector("[data-step-state]").textContent = " (done)";
    for (const part of step.querySelectorAll("p, s-button")) part.remove();
    const counted = document.querySelector("[data-steps-done]");
    counted.textContent = String(Number(counted.textContent) + 1);
    const total = Number(document.querySelector("[data-steps-all]").textContent);
    if (Number(counted.textContent) === total) document.querySelector("[data-setup]").hidden = true;
  }

  function begin() {
    for (const form of document.querySelectorAll("form[data-example-form]")) liveExample(form);
    offerPicking();
    for (const place of document.querySelectorAll("[data-run]")) followRun(place);
    const step = document.querySelector("[data-embed-step]");
    if (step) checkEmbed(step);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
