// The page: what it listens to, what it shows, and which of its three faces is to the front.

import { countEnds, soonCut } from "./calls.js";
import { setAttribute, setHidden, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { Session, beginAnew } from "./session.js";
import { Store } from "./store.js";
import { Account } from "./views/account.js";
import { Alerts } from "./views/alerts.js";
import { Balances } from "./views/balances.js";
import { Calls } from "./views/calls.js";
import { Figures } from "./views/figures.js";
import { Found } from "./views/found.js";
import { Plot } from "./views/plot.js";
import { Refusals } from "./views/refusals.js";
import { Soon } from "./views/soon.js";
import { Verdict } from "./views/verdict.js";
import { chooseWords, keepLanguage, translate } from "./words.js";

const DRAW_EVERY_MS = 1_000;
// The agent speaks every second: so long a silence is worth a word.
const SILENT_MS = 5_000;
// How soon explanations that did not come are asked for again, and how seldom at the most.
const EXPLAIN_MIN_MS = 1_000;
const EXPLAIN_MAX_MS = 60_000;
const THEME = "esl-agent theme";

const byId = (id) => document.getElementById(id);

class Page {
  constructor() {
    this._store = new Store();
    this._session = new Session();
    this._line = "";
    this._lostAtMs = Date.now();
    this._face = null;
    this._isDrawn = false;
    this._speak(chooseWords());
    this._feed = new Feed(
      "page/events", () => this._session.headers(), (event, data) => this._take(event, data), (line) => this._lineChanged(line),
    );
  }

  start() {
    this._explain();
    byId("search").addEventListener("submit", (event) => this._search(event));
    document.querySelector(".skip").addEventListener("click", (event) => skipToContent(event));
    byId("language").addEventListener("change", (event) => this._chooseLanguage(event.target.value));
    keepTheme(byId("theme"));
    this._offerSignIn();
    window.addEventListener("hashchange", () => this._route({ isFollowed: true }));
    document.addEventListener("visibilitychange", () => this._draw());
    this._route({ isFollowed: false });
    setInterval(() => this._draw(), DRAW_EVERY_MS);
    this._feed.run();
  }

  _speak(words) {
    this._words = words;
    translate(words);
    byId("language").value = words.lang;
    this._verdict = new Verdict(words);
    this._figures = new Figures(words);
    this._panels = { soon: new Soon(words), refusals: new Refusals(words), alerts: new Alerts(words), plot: new Plot(words), balances: new Balances(words) };
    this._calls = new Calls(words, byId("calls"), { id: "calls-title", title: words.t("calls") });
  }

  async _explain() {
    for (let waitMs = EXPLAIN_MIN_MS; !this._explained; waitMs = Math.min(waitMs * 2, EXPLAIN_MAX_MS)) {
      try {
        const answer = await fetch("page/words");
        if (answer.ok) this._explained = await answer.json();
      } catch {
        // Until then the words stand for themselves.
      }
      if (!this._explained) await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    this._words.explain(this._explained);
    this._draw();
  }

  _chooseLanguage(lang) {
    keepLanguage(lang);
    const address = new URL(location.href);
    address.searchParams.delete("lang");
    history.replaceState(null, "", address);
    this._speak(chooseWords());
    if (this._explained) this._words.explain(this._explained);
    this._showSession();
    this._route({ isFollowed: false });
    this._draw();
  }

  // What is shown.

  _route({ isFollowed }) {
    const [, face, rest] = /^#\/(\w+)\/(.+)$/.exec(location.hash) ?? [];
    this._face?.close();
    this._face = null;
    if (face === "account" && /^\d+$/.test(rest)) this._face = new Account(this._words, this._session, rest);
    else if (face === "search") this._face = new Found(this._words, this._session, decoded(rest));
    setHidden(byId("overview"), this._face !== null);
    setHidden(byId("account"), !(this._face instanceof Account));
    setHidden(byId("found"), !(this._face instanceof Found));
    document.title = this._title();
    this._draw();
    if (isFollowed) (document.querySelector("main > :not([hidden]) h1[tabindex]") ?? byId("content")).focus();
  }

  _title() {
    const heading = this._face && document.querySelector("main > :not([hidden]) h1");
    return [heading?.textContent.trim(), "esl-agent", this._store.state?.switch].filter(Boolean).join(" · ");
  }

  _search(event) {
    event.preventDefault();
    const query = byId("query").value.trim();
    if (query) location.hash = `#/search/${encodeURIComponent(query)}`;
  }

  _take(event, data) {
    if (this._store.take(event, data)) this._draw();
  }

  _lineChanged(line) {
    if (line === "up" || line === "denied") this._session.heard(line === "up");
    if (this._line === "up" || !this._line) this._lostAtMs = Date.now();
    this._line = line;
    this._draw();
  }

  _draw() {
    if (document.hidden || this._isDrawn) return;
    this._isDrawn = true;
    requestAnimationFrame(() => {
      this._isDrawn = false;
      this._drawNow();
    });
  }

  _drawNow() {
    const isSilent = this._line === "up" && performance.now() - this._feed.heardAtMs > SILENT_MS;
    const heardAtMs = Date.now() - (performance.now() - this._feed.heardAtMs);
    const line = isSilent ? "lost" : this._line === "lost" && !this._store.isReady ? "" : this._line;
    this._verdict.draw(this._store, line, isSilent ? heardAtMs : this._lostAtMs);
    setAttribute(document.body, "data-line", this._line || "waiting");
    if (!this._store.isReady) return;
    const nowUs = this._store.nowUs();
    const { calls, balances } = this._store.tables;
    countEnds(calls, balances, nowUs);
    this._drawAbout();
    if (this._face) {
      this._face.draw(this._store, nowUs);
      return;
    }
    const soon = soonCut(calls.values(), nowUs);
    this._figures.draw(this._store, soon, nowUs);
    this._panels.soon.draw(soon, nowUs);
    this._panels.refusals.draw(this._store, nowUs);
    this._panels.alerts.draw(this._store);
    this._panels.plot.draw(this._store, nowUs);
    this._panels.balances.draw(this._store);
    this._calls.draw([...calls.values()], nowUs);
  }

  _drawAbout() {
    const { version, switch: name } = this._store.state;
    setText(byId("switch-name"), name);
    const masked = this._session.token ? "" : ` ${this._words.t("masked")}`;
    setText(byId("about"), `${this._words.t("about", { version })}${masked}`);
    document.title = this._title();
  }

  // Who looks on.

  _offerSignIn() {
    const [dialog, token] = [byId("sign-in-dialog"), byId("token")];
    byId("sign-in").addEventListener("click", () => {
      if (this._session.token) this._signOut();
      else dialog.showModal();
    });
    byId("sign-in-cancel").addEventListener("click", () => dialog.close("cancel"));
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "ok" && token.value.trim()) this._signIn(token.value.trim());
      token.value = "";
    });
    this._showSession();
  }

  _signOut() {
    this._session.token = "";
    beginAnew();
  }

  _signIn(token) {
    this._session.token = token;
    this._showSession();
    this._feed.restart();
    this._route({ isFollowed: false });
  }

  _showSession() {
    setText(byId("sign-in"), this._words.t(this._session.token ? "sign_out" : "sign_in"));
    byId("sign-in").disabled = false; // until now nobody would have heard a click
  }
}

// Somebody may have typed an address that nobody encoded.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// A link to "#content" would take the place of the address that says what is shown.
function skipToContent(event) {
  event.preventDefault();
  byId("content").focus();
}

function keepTheme(select) {
  const show = (theme) => setAttribute(document.documentElement, "data-theme", theme || null);
  select.value = localStorage.getItem(THEME) ?? "";
  show(select.value);
  select.addEventListener("change", () => {
    localStorage.setItem(THEME, select.value);
    show(select.value);
  });
}

new Page().start();
