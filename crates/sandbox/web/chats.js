// The list of chats, and what the agent understands.

import { at, clock, el, icon } from "./dom.js";
import { choose, gist, state, watch } from "./model.js";

export function start() {
  watch(["people", "typing"], people);
  watch(["hello"], about);
}

function people() {
  const list = at("people");
  const focused = document.activeElement?.closest?.("#people li")?.dataset.key;
  const sorted = [...state.people.values()].sort((a, b) => (b.messages.at(-1)?.at ?? 0) - (a.messages.at(-1)?.at ?? 0));
  list.replaceChildren(...sorted.map(row));
  if (focused) list.querySelector(`[data-key="${CSS.escape(focused)}"] button`)?.focus();
}

function row(person) {
  const last = person.messages.at(-1);
  const words = person.typing ? "typing…" : last ? gist(last) : person.id;
  const open = () => {
    choose(person.key);
    at("app").dataset.view = "chat";
  };
  const button = el(
    "button",
    { type: "button", onclick: open, "aria-current": person.key === state.chosen ? "true" : null },
    face(person),
    el("span", { class: "name" }, person.name, person.allowed ? null : el("span", { class: "tag" }, "not listed")),
    el("time", {}, last ? clock(last.at) : ""),
    el("span", { class: "last" }, words.slice(0, 80)),
    person.unread
      ? el("span", { class: "unread", "aria-label": `${person.unread} unread` }, String(person.unread))
      : null,
  );
  const made = el("li", {}, button);
  made.dataset.key = person.key;
  return made;
}

/** The first letter of the name on a colour of its own; only decoration. */
export function face(person) {
  const made = el("span", { class: "face", "aria-hidden": "true" }, [...person.name][0] ?? "?");
  made.dataset.colour = [...person.key].reduce((sum, char) => sum + char.codePointAt(0), 0) % 6;
  return made;
}

function about() {
  const { agent, business } = state.hello;
  const scripted = agent.words.length > 0;
  at("agent-is").replaceChildren(
    scripted
      ? "A scripted agent in this process. It echoes; these words make it do something else:"
      : `The OpenClaw gateway at ${agent.gateway}.`,
  );
  const say = (word) => () => {
    const text = at("text");
    text.value = word;
    at("app").dataset.view = "chat";
    text.focus();
    text.dispatchEvent(new Event("input"));
  };
  at("words").replaceChildren(
    ...agent.words.map(({ word, shows }) => el("button", { type: "button", title: shows, onclick: say(word) }, word)),
  );
  document.title = `Sandbox phone · +${business}`;
}

export function drawButtons() {
  at("new-chat").append(icon("plus"));
}
