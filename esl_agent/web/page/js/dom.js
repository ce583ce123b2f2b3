// Elements.  Text goes in as text, whoever wrote it: nothing here reads markup.

/** An element with attributes (a function: a listener; true: present; false, null: absent) and children. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else setAttribute(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? "" : value);
}

/** What is the same stays untouched: a screen reader is told of changes only. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setHidden(node, isHidden) {
  if (node.hidden !== isHidden) node.hidden = isHidden;
}

/** Forget what `list` made there: it is made anew. */
export function clear(parent) {
  parent.replaceChildren();
  parent.parts = undefined;
}

/**
 * Make the children of `parent` those of `items`, in order; each keeps its element, and so the focus in it.
 * `make(item)` gives { node, update(item) }.
 */
export function list(parent, items, keyOf, make) {
  const parts = (parent.parts ??= new Map());
  const kept = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let part = parts.get(key);
    if (!part) parts.set(key, (part = make(item)));
    kept.add(key);
    part.update(item);
    if (part.node === place) place = place.nextElementSibling;
    else parent.insertBefore(part.node, place);
  }
  for (const [key, part] of parts) {
    if (kept.has(key)) continue;
    part.node.remove();
    parts.delete(key);
  }
}
