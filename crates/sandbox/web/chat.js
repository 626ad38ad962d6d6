// The conversation that is open: bubbles, ticks, typing, the 24-hour window.

import * as api from "./api.js";
import { ask } from "./ask.js";
import { bubble, refresh } from "./bubble.js";
import { attach } from "./composer.js";
import { at, el, icon } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { chosen, quote, select, state, watch } from "./model.js";

/** What a tap on “React” offers; once more takes it back. */
const EMOJI = ["👍", "❤️", "😂", "😮", "🙏"];

/** Bubbles of one list element. What is out of sight is neither laid out nor painted, a chunk at a time. */
const CHUNK = 50;

/** Bubbles put in at once; those before them follow while the page is idle, so that a long chat opens at once. */
const AT_ONCE = 200;

/** Messages that are told to be seen in one request: each is an event that comes back. */
const SEEN_AT_ONCE = 200;

let bubbles = new Map();
let rest = null;

/** Whether the end is in sight, and is to stay there while bubbles come and get their real heights. */
let pinned = true;
let scrolledTo = 0;

const acts = {
  select,
  quote,
  react,
  wire(message) {
    select(message);
    openDrawer("wire");
  },
  jump(target) {
    const made = bubbles.get(target.id);
    made?.scrollIntoView({ block: "center" });
    made?.focus({ preventScroll: true });
  },
  answer(message, interactive) {
    return write({ kind: "interactive", part: interactive, quote: message.id });
  },
  list,
  attach,
};

export function start() {
  at("back").append(icon("back"));
  at("lapse").append(icon("clock"));
  at("back").addEventListener("click", () => (at("app").dataset.view = "chats"));
  at("lapse").addEventListener("click", lapse);
  watch(["chosen"], open);
  watch(["people", "typing", "condition"], head);
  watch(["typing"], typing);
  watch(["message"], added);
  watch(["ticks"], (message) => {
    const made = bubbles.get(message.id);
    if (made) refresh(made, message);
  });
  watch(["selected"], mark);
  document.addEventListener("visibilitychange", see);
  at("scroll").addEventListener("scroll", scrolled);
  new ResizeObserver(() => pinned && toEnd()).observe(at("bubbles"));
}

/** Writes as the customer whose chat is open. */
export async function write(message) {
  try {
    await api.write({ customer: chosen().id, ...message });
    at("notice").textContent = "";
  } catch (problem) {
    at("notice").textContent = problem.message;
    throw problem;
  }
}

function open() {
  bubbles = new Map();
  if (rest) cancelIdleCallback(rest);
  rest = null;
  const all = chosen()?.messages ?? [];
  const list = at("bubbles");
  const begin = chunkOf(Math.max(0, all.length - AT_ONCE));
  list.replaceChildren(...chunks(all, begin, all.length));
  if (begin > 0) earlier(all, begin);
  head();
  typing();
  mark();
  toEnd();
  see();
}

/** Puts the bubbles before `end` in, a part at a time, without moving what is looked at. */
function earlier(all, end) {
  const later = window.requestIdleCallback ?? ((run) => setTimeout(run, 1));
  rest = later(() => {
    const begin = Math.max(0, end - AT_ONCE);
    const scroll = at("scroll");
    const below = scroll.scrollHeight - scroll.scrollTop;
    at("bubbles").prepend(...chunks(all, begin, end));
    scroll.scrollTop = scroll.scrollHeight - below;
    scrolledTo = scroll.scrollTop;
    rest = null;
    if (begin > 0) earlier(all, begin);
  });
}

/** The first place of the chunk that a place is in. */
const chunkOf = (place) => place - (place % CHUNK);

/** The chunks of the messages from `begin`, where one begins, to `end`. */
function chunks(all, begin, end) {
  const made = [];
  for (let first = begin; first < end; first += CHUNK) {
    const rows = [];
    for (let place = first; place < Math.min(first + CHUNK, end); place += 1)
      rows.push(...row(all[place], all[place - 1]));
    made.push(el("ol", { class: "chunk" }, rows));
  }
  return made;
}

function row(message, before) {
  const day = new Date(message.at).toDateString();
  const made = bubble(message, acts);
  bubbles.set(message.id, made);
  if (before && new Date(before.at).toDateString() === day) return [made];
  const name = new Date(message.at).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
  return [el("li", { class: "day" }, name), made];
}

function added(message) {
  if (message.customer !== state.chosen) return;
  const all = chosen().messages;
  const last = at("bubbles").lastElementChild;
  if (message.place % CHUNK === 0 || !last) at("bubbles").append(...chunks(all, message.place, message.place + 1));
  else last.append(...row(message, all[message.place - 1]));
  if (pinned || message.mine) toEnd();
  see();
}

function toEnd() {
  const scroll = at("scroll");
  pinned = true;
  scroll.scrollTop = scroll.scrollHeight;
  scrolledTo = scroll.scrollTop;
}

/** Scrolling up lets go of the end, coming back to it holds it again. */
function scrolled() {
  const { scrollTop, scrollHeight, clientHeight } = at("scroll");
  const up = scrollTop < scrolledTo;
  scrolledTo = scrollTop;
  if (scrollHeight - scrollTop - clientHeight < 80) pinned = true;
  else if (up) pinned = false;
}

function head() {
  const person = chosen();
  if (!person) return;
  at("with").textContent = person.name;
  const lapsed = isLapsed();
  const presence = person.typing ? "typing…" : person.id;
  at("presence").textContent = lapsed ? `${presence} · the 24-hour window is closed` : presence;
  const button = at("lapse");
  button.setAttribute("aria-pressed", String(lapsed));
  button.title = lapsed ? "Open the 24-hour window again" : "Let the 24-hour window lapse";
}

const isLapsed = () => state.condition.closed.includes(state.chosen);

async function lapse() {
  await api.fault(isLapsed() ? "window-open" : "window-closed", 1, chosen().id);
}

function typing() {
  at("typing").hidden = !chosen()?.typing;
  if (chosen()?.typing && pinned) toEnd();
}

function mark() {
  at("bubbles").querySelector("[aria-current]")?.removeAttribute("aria-current");
  if (state.selected) bubbles.get(state.selected.id)?.setAttribute("aria-current", "true");
}

/** An open chat on a visible page is a chat that is read. */
async function see() {
  if (document.visibilityState !== "visible" || !chosen()) return;
  const unseen = chosen().messages.filter((message) => !message.mine && message.status !== "read" && !message.seen);
  for (const message of unseen) message.seen = true;
  for (let first = 0; first < unseen.length; first += SEEN_AT_ONCE) {
    const some = unseen.slice(first, first + SEEN_AT_ONCE);
    // What cannot be told now is told when the page is opened again.
    await api.seen(some.map((message) => message.id)).catch(() => {});
  }
}

function react(message, button) {
  const bar = button.parentElement;
  const open = bar.querySelector(".emoji");
  if (open) return open.remove();
  const own = message.reactions.find((one) => one.mine)?.emoji;
  const pick = (emoji) => (event) => {
    event.stopPropagation();
    bar.querySelector(".emoji").remove();
    write({ kind: "reaction", part: { message_id: message.id, emoji: emoji === own ? "" : emoji } }).catch(() => {});
  };
  const buttons = EMOJI.map((emoji) =>
    el(
      "button",
      {
        type: "button",
        "aria-pressed": String(emoji === own),
        "aria-label": `React with ${emoji}`,
        onclick: pick(emoji),
      },
      emoji,
    ),
  );
  bar.append(el("span", { class: "emoji" }, buttons));
  buttons[0].focus();
}

function list(message, sections) {
  const dialog = at("list-dialog");
  const choices = sections.flatMap((section) => section.rows ?? []);
  const rows = sections.map((section) =>
    el(
      "fieldset",
      {},
      el("legend", {}, section.title || "Choices"),
      (section.rows ?? []).map((one) =>
        el(
          "label",
          { class: "tick" },
          el("input", { type: "radio", name: "row", value: one.id, required: true }),
          el("span", {}, one.title, one.description ? el("span", { class: "hush" }, ` ${one.description}`) : null),
        ),
      ),
    ),
  );
  dialog.querySelector(".rows").replaceChildren(...rows);
  ask(dialog, (form) => {
    const row = choices.find((one) => one.id === form.row.value);
    return acts.answer(message, { type: "list_reply", list_reply: row });
  });
}
