/**
 * Laurel on the storefront: opens the panel, refreshes the balance, spends points and follows the reward, tells what
 * the shopper did, and gives friends their code.
 * It asks the shop for nothing until a customer opens it, and writes data as text only, never as markup.
 */
(() => {
  'use strict';

  const TAG = 'laurel-rewards';
  // The panel and the page block may both bring this file.
  if (customElements.get(TAG)) return;

  const REPLY_LIMIT = 15000;
  const PATIENCE = 30000;
  // Money is given: no order tells when a gift card or store credit is spent.
  const THERE = ['issued', 'given'];
  const FIRST_WAIT = 150;
  const LONGEST_WAIT = 4000;
  const REASONS = {
    not_signed_in: 'session',
    not_enough_points: 'short',
    unknown_reward: 'gone',
    not_available: 'gone',
    unknown_rule: 'gone',
    limit_reached: 'limit',
    wrong_tier: 'closedTier',
    out_of_schedule: 'wayClosed',
    bad_birthday: 'birthdayWrong',
    bad_email: 'email',
  };
  const CLOSED = { done_already: 'wayDone', limit_reached: 'wayLater', out_of_schedule: 'wayClosed', wrong_tier: 'wayTier' };
  const SHARES = { share_x: 'https://x.com/intent/post?url=', share_facebook: 'https://www.facebook.com/sharer/sharer.php?u=' };
  const FOCUSABLE = 'button, a[href], summary, input, select, [tabindex="0"]';

  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  // What is folded away has a place on the page and is not seen.
  const seen = (node) => (node.checkVisibility ? node.checkVisibility() : node.getClientRects().length > 0);
  const camel = (name) => name.replace(/[-_](.)/g, (mark, letter) => letter.toUpperCase());

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
      data = response.status === 204 ? {} : await response.json();
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

  function storage(action, slot, key, area = 'sessionStorage') {
    try {
      return window[area][action](slot, key);
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

  // A random name of this browser, which tells a friend from oneself. It is kept here and compared there, as a hash.
  function device() {
    const known = storage('getItem', 'laurel:device', null, 'localStorage');
    const id = known || crypto.randomUUID();
    if (!known) storage('setItem', 'laurel:device', id, 'localStorage');
    return id;
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
      listen(this, 'toggle', (event) => event.target.matches('details[open]') && this.onUnfold(event.target.dataset.part));
      listen(this, 'submit', (event) => this.onSubmit(event));
      listen(this, 'input', (event) => event.target === this.find('amount-input') && this.choose(Number(event.target.value)));
      listen(document, 'laurel:balance', (event) => event.target !== this && this.showBalance(event.detail.balance));
      this.all('way').forEach((row) => this.showWay(row, 'open'));
      this.welcome();
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
      if (event.target === this.find('panel')) return this.besides(event) && event.target.close();
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
        way: () => this.doWay(target.closest('li')),
        link: () => this.copyLink(),
        // Whoever closes the sheet of the system has decided not to share.
        share: () => navigator.share({ url: this.link }).catch(() => undefined),
      };
      actions[target.dataset.act]();
    }

    // The panel's own edge is a part of it, and so is where a selection of its text ends.
    besides({ target, clientX: x, clientY: y }) {
      const box = target.getBoundingClientRect();
      return x < box.left || x > box.right || y < box.top || y > box.bottom;
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

    onUnfold(part) {
      if (part === 'friends') this.loadFriends();
      else if (part !== 'past' || !this.loaded) this.refresh();
    }

    onSubmit(event) {
      event.preventDefault();
      const form = event.target;
      const send = { birthday: 'sendBirthday', invite: 'sendInvitation', 'claim-form': 'sendClaim' }[form.dataset.part];
      if (form.dataset.busy) return;
      form.dataset.busy = 'yes';
      this[send](form).finally(() => delete form.dataset.busy);
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
      const { key, points, most } = row.dataset;
      const running = this.flows.get(key);
      const by = Number(row.dataset.step);
      const reward = { key, points: Number(points), title: this.find('title', row).textContent, by };
      // As many steps as the balance reaches.
      reward.most = by && Math.min(Number(most) || Infinity, Math.floor(this.balance / by) * by);
      this.flow = running || { reward, least: reward.points, step: 'ask', slot: `laurel:${this.dataset.customer}:${key}` };
      if (!running) {
        const input = this.find('amount-input');
        Object.assign(input, { min: reward.points, max: reward.most || reward.points, step: by || 1, value: reward.points });
        this.flow.text = this.question(reward);
      }
      this.opener = opener;
      this.paint(this.flow);
      this.find('sheet').showModal();
    }

    question(reward) {
      return this.word('ask', { points: this.points(reward.points), reward: reward.title });
    }

    choose(points) {
      const { reward } = this.flow;
      reward.points = points;
      this.flow.text = this.question(reward);
      this.find('sheet-text').textContent = this.flow.text;
      this.find('amount-input').setAttribute('aria-valuetext', this.points(points));
    }

    // --- what the shopper has --------------------------------------------------------------------

    async refresh() {
      if (!this.dataset.customer || this.asking) return;
      this.asking = true;
      this.notice('');
      const turn = this.newest;
      const reply = await ask(this.url(`member?language=${this.word('language')}`));
      this.asking = false;
      const { member, rewards, issues, ways } = reply.data || {};
      if (!member) return this.notice(reply.error || 'session');
      if (!Array.isArray(rewards) || !Array.isArray(issues)) return this.notice('down');
      // A redemption that was answered meanwhile knows better than this reply.
      if (turn !== this.newest) return;
      this.loaded = true;
      this.birthday = member.birthday;
      this.showRewards(rewards);
      this.showIssues(issues);
      if (ways) this.showWays(ways);
      this.showMember(member);
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
      // Nobody gets nearer to what is for others.
      const open = rows.filter((row) => !row.dataset.closed);
      const ahead = open.filter((row) => row.dataset.points > balance).sort((a, b) => a.dataset.points - b.dataset.points);
      this.find('next').hidden = !open.length;
      if (open.length) this.showProgress(ahead[0]);
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
      const { closed } = row.dataset;
      note.hidden = missing <= 0 && !closed;
      note.textContent = this.word(closed || 'missing', { points: this.points(missing) });
      row.querySelector('[data-act]').hidden = !note.hidden;
    }

    // Rows are kept when they are of the same things, so that the keyboard's place is not lost.
    showRows(list, blank, things, paint) {
      const keep = document.activeElement.closest('[data-key]');
      const same = [...list.children].map((row) => row.dataset.key).join('\n') === things.map((thing) => thing.key).join('\n');
      if (!same) list.replaceChildren(...things.map(() => this.row(blank)));
      things.forEach((thing, place) => {
        const row = list.children[place];
        row.dataset.key = thing.key;
        this.all('title', row).forEach((node) => (node.textContent = thing.title));
        this.find('detail', row).textContent = thing.detail || '';
        paint(row, thing);
      });
      if (keep && !keep.isConnected) this.find('heading').focus();
    }

    row(blank) {
      return this.find(blank).content.cloneNode(true).querySelector('li');
    }

    showRewards(rewards) {
      this.showRows(this.find('rewards'), 'reward-row', rewards, (row, reward) => {
        const closed = { wrong_tier: 'closedTier', limit_reached: 'closedLimit' }[reward.closed] || '';
        Object.assign(row.dataset, { points: reward.points, step: reward.step || '', most: reward.maximum || '', closed });
        this.find('price', row).textContent = this.points(reward.points);
      });
      this.find('no-rewards').hidden = rewards.length > 0;
    }

    showMember(member) {
      const { pending, pending_until: next, expiring_points: ending, expires_at: end } = member;
      this.find('pending').textContent = pending ? this.word('pending', { points: this.points(pending), date: this.date(next) }) : '';
      this.find('expiring').textContent = ending ? this.word('expiring', { points: this.points(ending), date: this.date(end) }) : '';
      this.showTier(member.tier || {});
      const history = member.history || [];
      this.find('history').replaceChildren(...history.map((move) => this.moved(move)));
      this.find('no-history').hidden = history.length > 0;
    }

    moved(move) {
      const row = this.row('history-row');
      // Titles are the merchant's own; what we say of a movement ourselves is said in the shopper's language.
      this.find('reason', row).textContent = (move.cause && this.word(camel(`moved_${move.cause}`), move)) || move.reason;
      this.find('when', row).textContent = this.date(move.at);
      this.find('moved', row).textContent = (move.points > 0 ? '+' : '') + this.points(move.points);
      return row;
    }

    showTier({ title, next, until, perks = [] }) {
      this.find('tier').hidden = !title && !next;
      this.find('tier-title').textContent = title ? this.word('tierTitle', { tier: title }) : this.word('tierNone');
      const bar = this.find('tier-progress');
      bar.hidden = !next;
      const left = next && Number(next.distance ?? next.threshold);
      if (next) bar.max = Number(next.threshold) || 1;
      bar.value = next ? Math.max(0, bar.max - left) : 0;
      const ahead = next ? this.word('tierNext', { amount: this.distance(next, left), tier: next.title }) : this.word('tierTop');
      const kept = until && title ? this.word('tierUntil', { date: this.date(until) }) : '';
      this.find('tier-text').textContent = [ahead, kept].filter(Boolean).join(' · ');
      const list = perks.map((perk) => Object.assign(document.createElement('li'), { textContent: perk }));
      this.find('tier-perks').replaceChildren(...list);
    }

    distance({ metric, amount }, left) {
      if (metric === 'points') return this.points(left);
      return metric === 'spent' ? amount : this.word(left === 1 ? 'tierOrder' : 'tierOrders', { count: left });
    }

    locale() {
      return this.word('locale') || undefined;
    }

    date(text) {
      const moment = new Date(text || NaN);
      // A day without an hour is that day everywhere.
      const zone = text && text.length === 10 ? { timeZone: 'UTC' } : undefined;
      return isNaN(moment) ? '' : moment.toLocaleDateString(this.locale(), { dateStyle: 'medium', ...zone });
    }

    // --- ways to earn ------------------------------------------------------------------------------

    showWays(ways) {
      const list = this.find('ways');
      if (!list) return;
      this.showRows(list, 'way-row', ways, (row, way) => {
        row.dataset.way = way.way;
        this.showWay(row, way.state);
      });
    }

    showWay(row, state) {
      const button = row.querySelector('[data-act]');
      if (!button) return;
      const kind = row.dataset.way;
      const verb = kind.split('_')[0];
      const known = kind === 'birthday' && this.birthday;
      const may = kind === 'birthday' ? !known : state === 'open' && Boolean(this.address(kind));
      button.hidden = !may;
      if (may) this.find('verb', row).textContent = this.word(camel(`verb_${verb}`));
      const day = known && new Date(2024, known.month - 1, known.day);
      const said = day ? day.toLocaleDateString(this.locale(), { month: 'long', day: 'numeric' }) : this.word(CLOSED[state] || '');
      this.find('way-state', row).textContent = said;
      this.find('way-state', row).hidden = !said || may;
    }

    // Where following or sharing happens: a page of the store elsewhere, or a message that is ready to be sent.
    address(kind) {
      if (SHARES[kind]) return SHARES[kind] + encodeURIComponent(this.link || `${location.origin}/`);
      const page = (this.dataset[camel(kind)] || '').trim();
      return /^follow_/.test(kind) && /^https:\/\//i.test(page) ? page : '';
    }

    async doWay(row) {
      const kind = row.dataset.way;
      if (kind === 'birthday') return this.askBirthday(row);
      if (row.dataset.busy) return;
      row.dataset.busy = 'yes';
      window.open(this.address(kind), '_blank', 'noopener');
      const reply = await ask(this.url('actions'), { rule: row.dataset.key });
      delete row.dataset.busy;
      if (!reply.data) return this.wayRefused(row, reply.error);
      const { way, points, balance } = reply.data;
      this.wayDone(row, way.state, points ? this.word('earned', { points: this.points(points) }) : this.word('noted'));
      this.tellBalance(balance);
    }

    wayDone(row, state, text) {
      const button = row.querySelector('[data-act]');
      const focused = button === document.activeElement || row.contains(document.activeElement);
      this.showWay(row, state);
      this.announce(text);
      if (focused && button.hidden) this.find('heading').focus();
    }

    wayRefused(row, error) {
      if (error === 'limit') return this.wayDone(row, 'limit_reached', this.word('wayLater'));
      const text = this.word(error === 'gone' ? 'refused' : error);
      this.announce(text);
      Object.assign(this.find('way-state', row), { textContent: text, hidden: false });
    }

    askBirthday(row) {
      const open = this.find('birthday', row);
      row.querySelector('[data-act]').setAttribute('aria-expanded', !open);
      if (open) return open.remove();
      row.append(this.find('birthday-form').content.cloneNode(true));
      const { month } = this.find('birthday', row).elements;
      for (let place = 0; place < 12; place += 1) {
        month.add(new Option(new Date(2024, place, 1).toLocaleDateString(this.locale(), { month: 'long' }), place + 1));
      }
      month.focus();
    }

    async sendBirthday(form) {
      const { month, day } = form.elements;
      const row = form.closest('li');
      const reply = await ask(this.url('birthday'), { month: Number(month.value), day: Number(day.value) });
      if (!reply.data) return this.wayRefused(row, reply.error);
      const { birthday, celebrated_from: from } = reply.data;
      this.birthday = birthday;
      this.wayDone(row, 'open', from ? this.word('birthdaySaved', { date: this.date(from) }) : this.word('noted'));
      form.remove();
    }

    // --- friends -------------------------------------------------------------------------------------

    async loadFriends() {
      if (this.link || this.askingFriends) return;
      this.askingFriends = true;
      const reply = await ask(this.url('referral'));
      this.askingFriends = false;
      const { referral, counts } = reply.data || {};
      this.friendsSay(referral ? '' : reply.error || 'session');
      if (!referral) return;
      this.link = referral.link;
      this.find('friends-own').hidden = false;
      this.find('friends-link').value = referral.link;
      this.find('friends-share').hidden = !navigator.share;
      const claimed = counts.claimed + counts.ordered + counts.completed;
      this.find('friends-counts').textContent = this.word('friendsCounts', { claimed, points: this.points(counts.points) });
      // Once per browser: whoever claims an own offer on it is no friend.
      const told = `laurel:told:${this.dataset.customer}`;
      if (storage('getItem', told, null, 'localStorage')) return;
      const noted = await ask(this.url('referral/device'), { device: device() });
      if (noted.data) storage('setItem', told, 'yes', 'localStorage');
    }

    friendsSay(name) {
      this.find('friends-status').textContent = name && this.word(name);
    }

    async copyLink() {
      try {
        await navigator.clipboard.writeText(this.link);
        this.friendsSay('friendsCopied');
      } catch (error) {
        this.find('friends-link').select();
        this.friendsSay('select');
      }
    }

    async sendInvitation(form) {
      const reply = await ask(this.url('referral/share'), { emails: [form.elements.email.value.trim()] });
      this.friendsSay(reply.data ? 'friendsSent' : reply.error);
      if (reply.data) form.reset();
    }

    // A friend's link brings its code along. One element of the page answers to it: the button's panel, where there is one.
    async welcome() {
      const code = new URLSearchParams(location.search).get('ref') || '';
      const first = document.querySelector('.laurel-embed') || document.querySelector(TAG);
      if (first !== this || !('referral' in this.dataset) || !/^\w{4,32}$/.test(code)) return;
      const { offer } = (await ask(this.url(`referral/codes/${code}`))).data || {};
      if (!offer || !this.isConnected) return;
      this.offer = offer;
      this.find('claim').hidden = false;
      this.find('claim-title').textContent = this.word('claimTitle', { reward: offer.friend.title });
      if (offer.minimum) {
        this.find('claim-minimum').textContent = this.word('claimMinimum', { amount: offer.amount });
      }
      if (this.find('panel')) this.openPanel(this.querySelector('[data-act="open"]'));
      this.find('claim-title').focus();
    }

    async sendClaim(form) {
      const say = (text) => (this.find('claim-status').textContent = text);
      say(this.word('wait'));
      const body = { code: this.offer.code, email: form.elements.email.value.trim(), device: device() };
      const reply = await ask(this.url('referral/claim'), body);
      if (!reply.data) return say(this.word(reply.error));
      const claim = await this.made(reply.data.claim);
      if (!claim) return say(this.word('claimNone'));
      const { code, title } = claim.reward;
      say(code ? this.word('claimReady', { reward: title }) : this.word('claimSlow'));
      form.hidden = Boolean(code);
      this.find('claim-use').hidden = !code;
      if (code) this.showCode(this.find('claim-use'), code);
    }

    async made(claim) {
      const deadline = Date.now() + PATIENCE;
      for (let wait = FIRST_WAIT; claim && claim.reward.state === 'issuing'; wait = Math.min(wait * 2, LONGEST_WAIT)) {
        if (!this.isConnected || Date.now() + wait > deadline) break;
        await pause(wait);
        const reply = await ask(this.url(`referral/claims/${encodeURIComponent(claim.id)}`));
        if (reply.data) claim = reply.data.claim;
        else if (reply.settled) break;
      }
      return claim;
    }

    showCode(place, code) {
      this.find('code', place).textContent = code;
      this.find('apply', place).href = `/discount/${encodeURIComponent(code)}`;
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
      const usable = THERE.includes(issue.state) && Boolean(issue.code);
      row.dataset.issue = issue.id;
      this.all('title', row).forEach((node) => (node.textContent = issue.title));
      this.find('issue-state', row).textContent = this.stateText(issue);
      this.find('use', row).hidden = !usable;
      if (usable) this.showCode(row, issue.code);
      // A gift card is no discount: its code is typed in when paying.
      this.find('apply', row).hidden = issue.kind === 'gift_card';
      return row;
    }

    stateText(issue) {
      const date = THERE.includes(issue.state) && this.date(issue.expires_at);
      return date ? this.word('until', { date }) : this.word(camel(`state_${issue.state}`));
    }

    // --- spending points -------------------------------------------------------------------------

    async spend(flow) {
      if (flow.step === 'wait') return;
      const key = flow.reward.key;
      this.flows.set(key, flow);
      this.step(flow, { step: 'wait', text: this.word('wait') });
      const body = { reward: key, key: keyFor(flow.slot) };
      if (flow.reward.by) body.points = flow.reward.points;
      let reply = await ask(this.url('redeem'), body);
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
      const ready = THERE.includes(issue.state);
      let text = this.stateText(issue);
      if (ready) text = this.word('ready', { reward: issue.title });
      if (issue.state === 'failed') text = this.word('returned', { points: this.points(this.balance) });
      this.step(flow, { step: 'end', text, code: ready && issue.code, plain: issue.kind === 'gift_card' });
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
      this.find('amount').hidden = flow.step !== 'ask' || flow.again || !(flow.reward.most > flow.least);
      this.find('sheet-code').hidden = this.find('sheet-copy').hidden = !flow.code;
      this.find('sheet-apply').hidden = !flow.code || flow.plain;
      this.find('sheet-code').textContent = flow.code || '';
      this.find('sheet-apply').href = `/discount/${encodeURIComponent(flow.code || '')}`;
      this.find('sheet-login').hidden = !flow.login;
      this.find('sheet-close').textContent = this.word(flow.step === 'ask' ? 'cancel' : 'shut');
      if (focused && confirm.hidden) this.find(flow.code ? 'sheet-copy' : 'sheet-close').focus();
    }

    async copy(button) {
      const sheet = button.closest('[data-part="sheet"]');
      const claim = button.closest('[data-part="claim"]');
      const code = sheet ? this.find('sheet-code') : this.find('code', claim || button.closest('li'));
      const place = this.find(sheet ? 'sheet-text' : claim ? 'claim-status' : 'status');
      const tell = (name) => (place.textContent = this.word(name));
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
