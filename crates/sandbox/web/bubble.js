// One message as a bubble.

import { media } from "./api.js";
import { clock, el, icon, size } from "./dom.js";
import { rendered } from "./format.js";
import { gist, state } from "./model.js";

/** The bubble of a message. `acts` has what can be done with it: select, quote, react, answer, jump. */
export function bubble(message, acts) {
  const made = el("li", { class: message.mine ? "bubble mine" : "bubble", tabindex: -1 });
  made.dataset.id = message.id;
  made.append(...[quoted(message, acts), content(message, acts), foot(message), tools(message, acts)].filter(Boolean));
  refresh(made, message);
  made.addEventListener("click", () => acts.select(message));
  return made;
}

/** Brings ticks and reactions up to date. */
export function refresh(made, message) {
  made.querySelector(".ticks")?.replaceWith(ticks(message));
  const old = made.querySelector(".reactions");
  const shown = message.reactions.map(({ emoji, mine }) =>
    el("span", { role: "img", "aria-label": `${mine ? "you" : "the agent"} reacted with ${emoji}` }, emoji),
  );
  old.replaceChildren(...shown);
  old.hidden = shown.length === 0;
}

function foot(message) {
  const time = el("time", { datetime: new Date(message.at).toISOString() }, clock(message.at));
  const reactions = el("span", { class: "reactions", hidden: true });
  return el("footer", {}, time, message.mine ? ticks(message) : null, reactions);
}

function ticks(message) {
  const [name, words] = message.read
    ? ["ticks", "read"]
    : message.taken
      ? ["ticks", "taken by the bridge"]
      : ["tick", "sent"];
  const made = el(
    "span",
    { class: message.read ? "ticks read" : "ticks", role: "img", "aria-label": words },
    icon(name),
  );
  made.title = words;
  return made;
}

function tools(message, acts) {
  const act = (name, label, run) =>
    el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick: run }, icon(name));
  const quiet = (run) => (event) => {
    event.stopPropagation();
    run(message, event.currentTarget);
  };
  return el(
    "div",
    { class: "tools" },
    act("reply", "Quote", quiet(acts.quote)),
    act("smile", "React", quiet(acts.react)),
    act("wire", "Show the wire", quiet(acts.wire)),
  );
}

function quoted(message, acts) {
  if (!message.quote) return null;
  const target = state.messages.get(message.quote);
  const words = target ? gist(target) : "A message that is gone";
  const show = (event) => {
    event.stopPropagation();
    if (target) acts.jump(target);
  };
  const whose = target?.mine ? "You" : "The agent";
  return el(
    "button",
    { type: "button", class: "quote", onclick: show },
    el("b", {}, target ? whose : ""),
    el("span", {}, words),
  );
}

function content(message, acts) {
  const part = message.object[message.kind] ?? {};
  const made = el("div", { class: `content ${message.kind}` });
  made.append(...[(KINDS[message.kind] ?? other)(part, message, acts)].flat().filter(Boolean));
  return made;
}

const words = (text) => (text ? rendered(text) : null);

const KINDS = {
  text: (part) => words(part.body),
  image: (part) => [picture(part, part.caption || "Picture"), words(part.caption)],
  sticker: (part) => picture(part, "Sticker"),
  video: (part) => [player("video", part), words(part.caption)],
  audio: (part) => [el("span", { class: "hush" }, part.voice ? "Voice note" : "Audio"), player("audio", part)],
  document: (part) => [file(part), words(part.caption)],
  location: (part) => card("pin", part.name || "Location", part.address, `${part.latitude}, ${part.longitude}`),
  contacts: (part) =>
    part.map((one) => card("person", one.name?.formatted_name, ...(one.phones ?? []).map((phone) => phone.phone))),
  interactive: (part, message, acts) => interactive(part, message, acts),
  button: (part) => words(part.text),
  template: (part) => card("document", `Template “${part.name}”`, part.language?.code),
};

function other(part, message) {
  return card("document", `A message of the type “${message.kind}”`, "This phone does not show it.");
}

/** Files of the sandbox are shown; an address elsewhere is only told, because the page asks nobody else. */
function source(part) {
  return part.id ? media(part.id) : null;
}

function picture(part, name) {
  const address = source(part);
  if (!address) return card("document", name, part.link);
  return el("img", { src: address, alt: name, loading: "lazy" });
}

function player(tag, part) {
  const address = source(part);
  if (!address) return card("document", tag, part.link);
  return el(tag, { src: address, controls: true, preload: "metadata", "aria-label": tag });
}

function file(part) {
  const name = part.filename || "document";
  const address = source(part);
  if (!address) return card("document", name, part.link);
  return el("a", { class: "card", href: address, download: name }, icon("document"), el("span", {}, el("b", {}, name)));
}

function card(drawing, title, ...lines) {
  const rows = lines.filter(Boolean).map((line) => el("span", { class: "hush" }, line));
  return el("div", { class: "card" }, icon(drawing), el("span", {}, el("b", {}, title ?? ""), ...rows));
}

function interactive(part, message, acts) {
  const reply = part.button_reply ?? part.list_reply;
  if (reply) return [words(reply.title), reply.description ? el("p", { class: "hush" }, reply.description) : null];
  const shown = [
    part.header?.text ? el("p", {}, el("b", {}, part.header.text)) : null,
    words(part.body?.text),
    part.footer?.text ? el("p", { class: "hush" }, part.footer.text) : null,
  ];
  return [...shown, choices(part, message, acts)];
}

function choices(part, message, acts) {
  const tap = (label, run) => {
    const onclick = (event) => {
      event.stopPropagation();
      // What is wrong is told above the message field.
      Promise.resolve(run()).catch(() => {});
    };
    return el("button", { type: "button", onclick }, label);
  };
  const action = part.action ?? {};
  const buttons = {
    button: () =>
      (action.buttons ?? []).map(({ reply }) =>
        tap(reply.title, () => acts.answer(message, { type: "button_reply", button_reply: reply })),
      ),
    list: () => [tap(action.button, () => acts.list(message, action.sections ?? []))],
    cta_url: () => [el("p", { class: "hush" }, `${action.parameters?.display_text}: ${action.parameters?.url}`)],
    location_request_message: () => [tap("Send location", () => acts.attach("location"))],
    request_contact_info: () => [tap("Share contact", () => acts.attach("contact"))],
  }[part.type];
  return el(
    "div",
    { class: "choices" },
    buttons?.() ?? [el("p", { class: "hush" }, `A choice of the type “${part.type}”`)],
  );
}

/** What a chosen file will look like before it is sent. */
export const told = (file) => `${file.name}, ${file.type || "no type"}, ${size(file.size)}`;
