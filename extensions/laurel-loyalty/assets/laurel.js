/**
 * Laurel on the storefront: opens the panel, refreshes the balance, spends points and follows the reward.
 * It asks the shop for nothing until a customer opens it, and writes data as text only, never as markup.
 */
(() => {
  'use strict';

  const TAG = 'laurel-rewards';
  // The panel and the page block may both bring this file.
  if (customElements.get(TAG)) return;

  const REPLY_LIMIT = 15000;
  const PATIENCE = 30000;
  const FIRST_WAIT = 150;
  const LONGEST_WAIT = 4000;
  const REASONS = { not_signed_in: 'session', not_enough_points: 'short', unknown_reward: 'gone', not_available: 'gone' };
  const FOCUSABLE = 'button, a[href], summary, [tabindex="0"]';

  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const seen = (node) => node.getClientRects().length > 0;

  // `settled` says that the server has decided. Anything else may be asked again with the same key.
  async function ask(url, body) {
    const request = {
      headers: { Accept: 'application/json' },
      cache: 'no-store',
      credentials: 'same-origin',
      signal: AbortSignal.timeout(REPLY_LIMIT),
    };
    if (body) {
      request.method = 'POST';
      request.headers['Content-Type'] = 'application/json';
      request.body = JSON.stringify(body);
    }
    let response;
    let data;
    try {
      response = await fetch(url, request);
      data = await response.json();
    } catch (error) {
      // A TypeError before any answer is the network; a page instead of JSON or a timeout is not.
      return { error: !response && error instanceof TypeError ? 'offline' : 'down' };
    }
    if (response.ok && data) return { settled: true, data };
    if (response.status === 429) return { error: 'busy' };
    if (response.status >= 500 || response.status === 401) return { error: 'down' };
    const reason = (data && REASONS[data.error]) || (response.status === 403 ? 'session' : 'refused');
    return { settled: true, error: reason, missing: data && data.missing };
  }

  // One key per purchase until it is answered, so that a repeat can never spend twice. The copy in
  // memory serves shoppers whose browser refuses storage.
  const keys = new Map();

  function storage(action, slot, key) {
    try {
      return window.sessionStorage[action](slot, key);
    } catch (error) {
      if (error instanceof DOMException) return null;
      throw error;
    }
  }

  function keyFor(slot) {
    const key = keys.get(slot) || storage('getItem', slot) || crypto.randomUUID();
    keys.set(slot, key);
    storage('setItem', slot, key);
    return key;
  }

  function forget(slot) {
    keys.delete(slot);
    storage('removeItem', slot);
  }

  class LaurelRewards extends HTMLElement {
    connectedCallback() {
      this.balance = Number(this.dataset.balance);
      this.newest = 0;
      this.flows = new Map();
      this.leave = new AbortController();
      const listen = (target, type, handler) =>
        target.addEventListener(type, handler, { signal: this.leave.signal, capture: target === this });
      listen(this, 'click', (event) => this.onClick(event));
      listen(this, 'keydown', (event) => this.onKey(event));
      listen(this, 'close', (event) => this.onClose(event.target));
      listen(this, 'toggle', (event) => event.target.matches('details[open]') && this.refresh());
      listen(document, 'laurel:balance', (event) => event.target !== this && this.showBalance(event.detail.balance));
    }

    disconnectedCallback() {
      this.leave.abort();
    }

    find(part, within = this) {
      return within.querySelector(`[data-part="${part}"]`);
    }

    all(part, within = this) {
      return within.querySelectorAll(`[data-part="${part}"]`);
    }

    word(name, values = {}) {
      const sentence = this.find('words').dataset[name] || '';
      return sentence.replace(/\[(\w+)\]/g, (mark, key) => (key in values ? values[key] : mark));
    }

    points(amount) {
      const number = String(amount).replace(/\B(?=(\d{3})+$)/g, () => this.word('group'));
      return `${number} ${this.word(amount === 1 ? 'one' : 'many')}`;
    }

    url(path) {
      // Whatever a merchant typed becomes a path of this very shop, never another site.
      return `/${this.dataset.proxy.replace(/^[/\\]+|[/\\]+$/g, '')}/${path}`;
    }

    // --- opening and closing -------------------------------------------------------------------

    onClick(event) {
      if (event.target === this.find('panel')) return event.target.close();
      const target = event.target.closest('[data-act]');
      if (!target) return;
      const actions = {
        open: () => this.openPanel(target),
        close: () => target.closest('dialog').close(),
        refresh: () => {
          this.find('heading').focus();
          this.refresh();
        },
        redeem: () => this.openSheet(target.closest('[data-key]'), target),
        confirm: () => this.spend(this.flow),
        copy: () => this.copy(target),
      };
      actions[target.dataset.act]();
    }

    onKey(event) {
      const dialog = event.target.closest('dialog');
      if (event.key !== 'Tab' || !dialog) return;
      const stops = [...dialog.querySelectorAll(FOCUSABLE)].filter(seen);
      const edge = event.shiftKey ? stops[0] : stops[stops.length - 1];
      const start = event.shiftKey && !stops.includes(document.activeElement);
      if (document.activeElement !== edge && !start) return;
      event.preventDefault();
      (event.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
    }

    onClose(dialog) {
      if (dialog === this.find('panel')) {
        this.launcher.setAttribute('aria-expanded', 'false');
        this.launcher.focus();
      } else if (dialog === this.find('sheet')) {
        // The button that opened the sheet is gone when the points no longer reach.
        (seen(this.opener) ? this.opener : this.find('heading')).focus();
      }
    }

    openPanel(launcher) {
      this.launcher = launcher;
      launcher.setAttribute('aria-expanded', 'true');
      this.find('panel').showModal();
      this.find('heading').focus();
      this.refresh();
    }

    openSheet(row, opener) {
      const { key, points } = row.dataset;
      const running = this.flows.get(key);
      const reward = { key, points: Number(points), title: this.find('title', row).textContent };
      const text = this.word('ask', { points: this.points(reward.points), reward: reward.title });
      this.flow = running || { reward, text, step: 'ask', slot: `laurel:${this.dataset.customer}:${key}` };
      this.opener = opener;
      this.paint(this.flow);
      this.find('sheet').showModal();
    }

    // --- what the shopper has --------------------------------------------------------------------

    async refresh() {
      if (!this.dataset.customer || this.asking) return;
      this.asking = true;
      this.notice('');
      const turn = this.newest;
      const reply = await ask(this.url('member'));
      this.asking = false;
      const { member, rewards, issues } = reply.data || {};
      if (!member) return this.notice(reply.error || 'session');
      if (!Array.isArray(rewards) || !Array.isArray(issues)) return this.notice('down');
      // A redemption that was answered meanwhile knows better than this reply.
      if (turn !== this.newest) return;
      this.showRewards(rewards);
      this.showIssues(issues);
      this.tellBalance(member.balance);
    }

    notice(name) {
      this.find('status').textContent = name && this.word(name);
      this.find('again').hidden = !name || name === 'session';
      this.find('login').hidden = name !== 'session';
      const none = this.find('no-issues');
      // Silence about one's own rewards is better than "none" while nobody has answered.
      none.hidden = Boolean(name) || Boolean(this.find('issue'));
      if (!none.hidden) none.textContent = this.word('unread');
    }

    tellBalance(balance) {
      this.showBalance(balance);
      this.dispatchEvent(new CustomEvent('laurel:balance', { bubbles: true, detail: { balance } }));
    }

    showBalance(balance) {
      if (!Number.isSafeInteger(balance) || !this.dataset.customer) return;
      this.balance = balance;
      this.all('balance').forEach((node) => (node.textContent = this.points(balance)));
      const rows = [...this.all('reward')];
      rows.forEach((row) => this.showReach(row));
      const ahead = rows.filter((row) => row.dataset.points > balance).sort((a, b) => a.dataset.points - b.dataset.points);
      this.find('next').hidden = !rows.length;
      if (rows.length) this.showProgress(ahead[0]);
    }

    showProgress(row) {
      const goal = row ? Number(row.dataset.points) : 1;
      const words = row && { points: this.points(goal - this.balance), reward: this.find('title', row).textContent };
      this.find('progress').max = goal;
      this.find('progress').value = row ? Math.max(0, this.balance) : goal;
      this.find('next-text').textContent = row ? this.word('next', words) : this.word('reached');
    }

    showReach(row) {
      const missing = Number(row.dataset.points) - this.balance;
      const note = this.find('missing', row);
      note.hidden = missing <= 0;
      note.textContent = this.word('missing', { points: this.points(missing) });
      row.querySelector('[data-act]').hidden = missing > 0;
    }

    showRewards(rewards) {
      const list = this.find('rewards');
      const blank = this.find('reward-row').content;
      const keep = document.activeElement.closest('[data-key]');
      // Rows are kept when they are the same rewards, so that the keyboard's place is not lost.
      const same = [...list.children].map((row) => row.dataset.key).join('\n') === rewards.map((r) => r.key).join('\n');
      if (!same) list.replaceChildren(...rewards.map(() => blank.cloneNode(true).querySelector('li')));
      rewards.forEach((reward, place) => {
        const row = list.children[place];
        row.dataset.key = reward.key;
        row.dataset.points = reward.points;
        this.all('title', row).forEach((node) => (node.textContent = reward.title));
        this.find('price', row).textContent = this.points(reward.points);
      });
      this.find('no-rewards').hidden = rewards.length > 0;
      if (keep && !keep.isConnected) this.find('heading').focus();
    }

    showIssues(issues) {
      this.find('issues').replaceChildren();
      this.find('no-issues').textContent = this.word('none');
      this.find('no-issues').hidden = issues.length > 0;
      issues.forEach((issue) => this.find('issues').append(this.issueRow(issue)));
    }

    showIssue(issue) {
      const list = this.find('issues');
      const row = this.issueRow(issue);
      const known = [...list.children].find((other) => other.dataset.issue === String(issue.id));
      if (known) known.replaceWith(row);
      else list.prepend(row);
      this.find('no-issues').hidden = true;
    }

    issueRow(issue) {
      const row = this.find('issue-row').content.cloneNode(true).querySelector('li');
      const usable = issue.state === 'issued' && Boolean(issue.code);
      row.dataset.issue = issue.id;
      this.all('title', row).forEach((node) => (node.textContent = issue.title));
      this.find('issue-state', row).textContent = this.stateText(issue);
      this.find('use', row).hidden = !usable;
      if (usable) {
        this.find('code', row).textContent = issue.code;
        this.find('apply', row).href = `/discount/${encodeURIComponent(issue.code)}`;
      }
      return row;
    }

    stateText(issue) {
      const state = this.word(`state-${issue.state}`.replace(/-(.)/, (mark, letter) => letter.toUpperCase()));
      const end = new Date(issue.expires_at);
      if (issue.state !== 'issued' || !issue.expires_at || isNaN(end)) return state;
      return this.word('until', { date: end.toLocaleDateString(this.word('locale') || undefined) });
    }

    // --- spending points -------------------------------------------------------------------------

    async spend(flow) {
      if (flow.step === 'wait') return;
      const key = flow.reward.key;
      this.flows.set(key, flow);
      this.step(flow, { step: 'wait', text: this.word('wait') });
      let reply = await ask(this.url('redeem'), { reward: key, key: keyFor(flow.slot) });
      if (reply.data && !reply.data.issue) reply = { error: 'down' };
      if (reply.settled) forget(flow.slot);
      if (reply.data) await this.follow(flow, reply.data);
      else this.refuse(flow, reply);
      this.flows.delete(key);
    }

    refuse(flow, { error, missing, settled }) {
      const more = missing || Math.max(0, flow.reward.points - this.balance);
      const text = this.word(error === 'down' ? 'lost' : error, { points: this.points(more) });
      this.step(flow, { step: settled ? 'end' : 'ask', again: true, login: error === 'session', text });
      // The page was wrong about the balance or the reward: learn what is true now.
      if (settled && error !== 'session') this.refresh();
    }

    async follow(flow, { issue, balance }) {
      this.take(issue, balance);
      const deadline = Date.now() + PATIENCE;
      for (let wait = FIRST_WAIT; issue.state === 'issuing'; wait = Math.min(wait * 2, LONGEST_WAIT)) {
        if (!this.isConnected) return;
        if (Date.now() + wait > deadline) return this.step(flow, { step: 'end', text: this.word('slow') });
        await pause(wait);
        const reply = await ask(this.url(`rewards/${encodeURIComponent(issue.id)}`));
        if (reply.data) {
          issue = reply.data.issue;
          this.take(issue, reply.data.balance);
        } else if (reply.settled) {
          const text = this.word(reply.error === 'session' ? 'session' : 'slow');
          return this.step(flow, { step: 'end', login: reply.error === 'session', text });
        }
      }
      this.finish(flow, issue);
    }

    take(issue, balance) {
      this.newest += 1;
      this.showIssue(issue);
      this.tellBalance(balance);
    }

    finish(flow, issue) {
      const ready = issue.state === 'issued';
      let text = this.stateText(issue);
      if (ready) text = this.word('ready', { reward: issue.title });
      if (issue.state === 'failed') text = this.word('returned', { points: this.points(this.balance) });
      this.step(flow, { step: 'end', text, code: ready && issue.code });
    }

    step(flow, change) {
      Object.assign(flow, { again: false, login: false }, change);
      if (this.flow === flow && this.find('sheet').open) this.paint(flow);
      else if (flow.step !== 'wait') this.announce(flow.text);
    }

    announce(text) {
      this.find('status').textContent = text;
    }

    paint(flow) {
      const confirm = this.find('confirm');
      const focused = confirm === document.activeElement;
      this.find('sheet-title').textContent = flow.reward.title;
      this.find('sheet-text').textContent = flow.text;
      confirm.hidden = flow.step === 'end';
      confirm.setAttribute('aria-disabled', flow.step === 'wait');
      confirm.textContent = this.word(flow.again ? 'again' : 'yes');
      this.find('sheet-code').hidden = this.find('sheet-copy').hidden = this.find('sheet-apply').hidden = !flow.code;
      this.find('sheet-code').textContent = flow.code || '';
      this.find('sheet-apply').href = `/discount/${encodeURIComponent(flow.code || '')}`;
      this.find('sheet-login').hidden = !flow.login;
      this.find('sheet-close').textContent = this.word(flow.step === 'ask' ? 'cancel' : 'shut');
      if (focused && confirm.hidden) this.find(flow.code ? 'sheet-copy' : 'sheet-close').focus();
    }

    async copy(button) {
      const sheet = button.closest('[data-part="sheet"]');
      const code = sheet ? this.find('sheet-code') : this.find('code', button.closest('li'));
      const tell = (name) => (sheet ? (this.find('sheet-text').textContent = this.word(name)) : this.announce(this.word(name)));
      try {
        await navigator.clipboard.writeText(code.textContent);
        tell('copied');
      } catch (error) {
        // Some browsers refuse the clipboard: the code is selected for a copy by hand.
        getSelection().selectAllChildren(code);
        tell('select');
      }
    }
  }

  customElements.define(TAG, LaurelRewards);
})();
