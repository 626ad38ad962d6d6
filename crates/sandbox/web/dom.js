// Elements and icons. A text only ever becomes a text node, so nothing that a message says is markup.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  plus: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6L6 18",
  send: "M4 12l16-8-6 16-3-7z",
  microphone: "M12 4a2 2 0 0 1 2 2v6a2 2 0 0 1-4 0V6a2 2 0 0 1 2-2zM7 11a5 5 0 0 0 10 0M12 16v4",
  clip: "M8 12l6-6a3 3 0 0 1 4 4l-8 8a5 5 0 0 1-7-7l7-7",
  wire: "M4 6h6v5H4zM14 13h6v5h-6zM10 8h4a3 3 0 0 1 3 3v2",
  bolt: "M13 3L6 13h5l-1 8 7-11h-5z",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4l3 2",
  reply: "M10 7L5 12l5 5M5 12h8a6 6 0 0 1 6 5",
  smile: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM9 14c1 2 5 2 6 0M9 9v1M15 9v1",
  document: "M7 3h7l4 4v14H7zM14 3v4h4",
  pin: "M12 21s6-6 6-11a6 6 0 0 0-12 0c0 5 6 11 6 11zM12 8v4",
  person: "M12 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM5 20c0-8 14-8 14 0",
  tick: "M5 12l4 4 9-9",
  ticks: "M2 12l4 4 9-9M11 15l1 1 9-9",
};

/** An element with properties and children; texts become text nodes. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name in made && !name.includes("-")) made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** A line drawing; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("drawing");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** The element of this id, which the page has. */
export function at(id) {
  return document.getElementById(id);
}

/** Hours and minutes of a time in milliseconds. */
export function clock(millis) {
  return new Date(millis).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** A duration as a person reads it. */
export function took(millis) {
  if (millis < 1) return "0 ms";
  if (millis < 1000) return `${Math.round(millis)} ms`;
  if (millis < 60000) return `${(millis / 1000).toFixed(millis < 10000 ? 2 : 1)} s`;
  return `${Math.floor(millis / 60000)} min ${Math.round((millis % 60000) / 1000)} s`;
}

/** A size as a person reads it. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
