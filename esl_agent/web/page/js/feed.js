// Server-sent events by fetch: an EventSource can bear no token.  It is tried again for ever.

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 10_000;
// The agent says something every second; a line that is silent for so long is dead.
const SILENCE_MAX_MS = 15_000;
const STEADY_MS = 5_000;

export class Feed {
  /** `take(event, data)` is called for each event; `changed(status)` with "up", "lost", "denied" or "full". */
  constructor(url, headers, take, changed) {
    this._url = url;
    this._headers = headers;
    this._take = take;
    this._changed = changed;
    this._lastId = "";
    this._cancel = null;
    this._wake = null;
    this.heardAtMs = performance.now();
  }

  async run() {
    let waitMs = RETRY_MIN_MS;
    for (;;) {
      const begunAtMs = performance.now();
      const status = await this._listen();
      // The agent ends what has gone on for long, to ask for the token again: nothing is amiss.
      if (status === "ended" && performance.now() - begunAtMs > STEADY_MS) continue;
      if (status === "ended") waitMs = RETRY_MIN_MS;
      this._changed(status === "ended" ? "lost" : status);
      await new Promise((resolve) => {
        this._wake = resolve;
        setTimeout(resolve, waitMs);
      });
      waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
    }
  }

  /** Begin again at once, as with another token. */
  restart() {
    this._lastId = "";
    this._cancel?.abort();
    this._wake?.();
  }

  async _listen() {
    this._cancel = new AbortController();
    const { signal } = this._cancel;
    const watch = setInterval(() => {
      if (performance.now() - this.heardAtMs > SILENCE_MAX_MS) this._cancel.abort();
    }, 1_000);
    this.heardAtMs = performance.now();
    let isUp = false;
    try {
      const headers = { ...this._headers(), ...(this._lastId && { "Last-Event-ID": this._lastId }) };
      const answer = await fetch(this._url, { headers, signal, cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) return "denied";
      if (answer.status === 503) return "full";
      if (!answer.ok) return "lost";
      isUp = true;
      this._changed("up");
      await this._read(answer.body.getReader());
    } catch {
      // Gone, as agents and networks go: the next attempt tells.
    } finally {
      clearInterval(watch);
    }
    return isUp ? "ended" : "lost";
  }

  async _read(reader) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.heardAtMs = performance.now();
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) this._give(event);
    }
  }

  _give(text) {
    const fields = {};
    for (const line of text.split("\n")) {
      const at = line.indexOf(": ");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
    }
    if (!fields.event) return;
    this._take(fields.event, JSON.parse(fields.data));
    if (fields.id) this._lastId = fields.id;
  }
}
