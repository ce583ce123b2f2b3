// Who looks on: a token, kept in this tab; and what the API says to its bearer.

const KEPT = "esl-agent token";

export class Session {
  get token() {
    return sessionStorage.getItem(KEPT);
  }

  set token(token) {
    if (token) sessionStorage.setItem(KEPT, token);
    else sessionStorage.removeItem(KEPT);
  }

  headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  /** Whether the agent showed us something: where it did, and does no more, nothing of that stays on the page. */
  heard(isAllowed) {
    if (!isAllowed && this._wasAllowed) beginAnew();
    this._wasAllowed ||= isAllowed;
  }

  /** What a GET of the API answers; throws ApiError. */
  async get(path, parameters = {}) {
    let answer;
    try {
      answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, { headers: this.headers() });
    } catch {
      throw new ApiError(0, "");
    }
    if (answer.ok || answer.status === 401) this.heard(answer.ok);
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new ApiError(answer.status, body.detail ?? body.title ?? "");
    return body;
  }
}

/** Nothing stays of what was shown, not even while the agent is waited for. */
export function beginAnew() {
  document.documentElement.hidden = true;
  location.reload();
}

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }

  /** The reason as a text for whoever asked. */
  why(words) {
    if (this.status === 401 || this.status === 403) return words.t("needs_token");
    return this.message || words.t("no_answer");
  }
}
