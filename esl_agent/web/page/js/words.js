// What the page says, in the language of whoever reads it.

import { Format } from "./format.js";
import { el } from "./dom.js";
import en from "./lang/en.js";
import fr from "./lang/fr.js";

const CATALOGUES = { en, fr };
// The country's way of writing numbers where the browser names none.
const HOME = { en: "en-CA", fr: "fr-CA" };
const CHOICE = "esl-agent language";

export class Words {
  constructor(lang, locale) {
    this.lang = lang;
    this.format = new Format(locale);
    this._texts = CATALOGUES[lang];
    this._plural = new Intl.PluralRules(locale);
    this._explained = { words: {}, reasons: {} };
    this._edition = 0;
    this.t = this.t.bind(this);
  }

  /** What the agent itself says of its words, in English. */
  explain(explained) {
    this._explained = explained;
    this._edition += 1;
  }

  /** The key of what is drawn with an explanation: another one when the agent's have come. */
  keyOf(key) {
    return `${this._edition} ${key}`;
  }

  /** The text of that name, with {values} in it; one that counts has `one` and `other` and is chosen by `n`. */
  t(name, values = {}) {
    let text = this._texts.texts[name] ?? en.texts[name] ?? name;
    if (typeof text === "object") text = text[this._plural.select(values.n)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (_, key) => {
      const value = values[key];
      return typeof value === "number" ? this.format.number(value) : (value ?? "");
    });
  }

  /** What a word of the log means, and what to do about it. */
  word(word) {
    return explained(this._texts.words[word], this._explained.words[word], word);
  }

  /** A reason of refusal: its name, what it means, and what to do about it. */
  reason(reason) {
    const name = this._texts.reasonNames[reason] ?? reason.replaceAll("_", " ");
    return { name, ...explained(this._texts.reasons[reason], this._explained.reasons[reason], "") };
  }

  country(code) {
    return this.format.country(code);
  }
}

function explained(own, agents, otherwise) {
  if (own) return { meaning: own[0], action: own[1] ?? "" };
  return agents ?? { meaning: otherwise, action: "" };
}

/** What was chosen: on the address, on this page before, or in the browser. */
export function chooseWords() {
  const asked = new URLSearchParams(location.search).get("lang");
  const wanted = [asked, localStorage.getItem(CHOICE), ...navigator.languages];
  const lang = wanted.map((each) => each?.slice(0, 2).toLowerCase()).find((each) => each in CATALOGUES) ?? "en";
  const locale = navigator.languages.find((each) => each.toLowerCase().startsWith(`${lang}-`)) ?? HOME[lang];
  return new Words(lang, locale);
}

export function keepLanguage(lang) {
  localStorage.setItem(CHOICE, lang);
}

/** A sentence whose `quoted` pieces are code. */
export function prose(text) {
  return text.split("`").map((piece, at) => (at % 2 ? el("code", { lang: "en" }, piece) : piece));
}

/** Translate what stands in the page itself. */
export function translate(words) {
  document.documentElement.lang = words.lang;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = words.t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = words.t(node.dataset.placeholder);
}
