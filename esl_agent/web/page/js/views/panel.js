// A panel: a heading, what it is of, and what to say when there is nothing.

import { el } from "../dom.js";

/** Builds the panel that the page has under `id`, and gives its parts. */
export function panel(id, title, aside, ...content) {
  const note = el("span", { class: "aside" }, aside ?? "");
  const head = el("div", { class: "head" }, el("h2", { id: `${id}-title` }, title), note);
  const empty = el("p", { class: "empty" });
  const root = document.getElementById(id);
  root.replaceChildren(head, empty, ...content);
  return { root, head, note, empty };
}
