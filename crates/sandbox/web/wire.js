// What went over each wire for one message, drawn as the journey that it made.

import * as api from "./api.js";
import { at, clock, el, took } from "./dom.js";
import { chosen, gist, state, watch } from "./model.js";
import { stages } from "./stages.js";

/** Between something that happened and looking again: several things happen together. */
const SETTLE = 150;

/** Between two looks while the journey goes on. */
const AGAIN = 1000;

let timer = null;
/** What is drawn, so that a look that shows nothing new leaves the drawer as it is. */
let drawn = "";

export function start() {
  watch(["chosen", "selected"], () => soon(0));
  watch(["message", "ticks", "condition", "trouble"], () => soon(SETTLE));
}

const isShown = () => !at("drawer").hidden && !at("wire").hidden;

const subject = () => state.selected ?? chosen()?.messages.findLast((message) => message.mine);

function soon(wait) {
  if (!isShown()) return;
  clearTimeout(timer);
  timer = setTimeout(show, wait);
}

/** Looks now. */
export async function show() {
  clearTimeout(timer);
  const message = subject();
  if (!message) {
    drawn = "";
    at("wire").replaceChildren(
      el("p", { class: "hint" }, "Write something: its way to the agent and back appears here."),
    );
    return;
  }
  try {
    const journey = stages(await api.wire(message.id));
    if (message !== subject() || !isShown()) return;
    draw(message, journey);
    if (!journey.over) timer = setTimeout(show, AGAIN);
  } catch (problem) {
    drawn = "";
    at("wire").replaceChildren(el("p", { class: "wrong" }, problem.message));
  }
}

function draw(message, journey) {
  const now = JSON.stringify([message.id, journey]);
  if (now === drawn) return;
  drawn = now;
  const wire = at("wire");
  const open = new Set([...wire.querySelectorAll("details[open]")].map((one) => one.dataset.name));
  const { scrollTop } = wire;
  wire.replaceChildren(
    el(
      "p",
      { class: "hint" },
      "The way of “",
      el("b", {}, gist(message).slice(0, 60)),
      "”. Tap another message to see its own.",
    ),
    el(
      "ol",
      { class: "flow" },
      journey.stages.map((stage) => row(stage, open)),
    ),
  );
  if (journey.total !== null)
    wire.append(el("p", { class: "total" }, `From the customer's tap to the answer: ${took(journey.total)}`));
  wire.scrollTop = scrollTop;
}

function row(stage, open) {
  const details = stage.details.map(({ title, body }) => {
    const name = `${stage.name}/${title}`;
    const made = el(
      "details",
      { open: open.has(name) },
      el("summary", {}, title),
      el("pre", { tabindex: 0 }, text(body)),
    );
    made.dataset.name = name;
    return made;
  });
  const made = el(
    "li",
    {},
    el("h3", {}, stage.name, stage.lasted === null ? null : el("span", { class: "lasted" }, `+${took(stage.lasted)}`)),
    stage.lines.map((line) =>
      el("p", {}, line.at ? el("time", {}, precise(line.at)) : null, line.at ? " " : null, line.text),
    ),
    details,
  );
  made.dataset.state = stage.state;
  return made;
}

const text = (body) => (typeof body === "string" ? body : JSON.stringify(body, null, 2));

/** With milliseconds: the journey is over within a second. */
function precise(millis) {
  const time = new Date(millis);
  return `${clock(millis).replace(/\s?[AP]M$/i, "")}:${time.toISOString().slice(17, 23)}`;
}
