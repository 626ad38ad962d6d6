// What the page knows: the customers, their messages, and how the bridge and the stand-ins are.
//
// It changes by what the sandbox tells and by what the person at the phone chooses. Views are told which part changed.

/** How long "typing…" stays without a repetition: WhatsApp's own time. */
const TYPING = 25_000;

const watchers = new Map();

export const state = {
  people: new Map(),
  messages: new Map(),
  chosen: null,
  quoting: null,
  /** The message that the wire shows; none shows the newest of the chat. */
  selected: null,
  hello: null,
  condition: { armed: {}, closed: [], gateway: "none" },
};

/** Calls `view` whenever one of these parts changes. */
export function watch(parts, view) {
  for (const part of parts) watchers.set(part, [...(watchers.get(part) ?? []), view]);
}

export function tell(part, detail) {
  for (const view of watchers.get(part) ?? []) view(detail);
}

export const chosen = () => state.people.get(state.chosen);

export function choose(key) {
  state.chosen = key;
  state.quoting = null;
  state.selected = null;
  const person = chosen();
  if (person) person.unread = 0;
  tell("chosen");
  tell("people");
}

export function select(message) {
  state.selected = message;
  tell("selected");
}

export function quote(message) {
  state.quoting = message;
  tell("quoting");
}

/** Takes one thing that the sandbox told. */
export function take(name, data) {
  TAKES[name](data);
}

const TAKES = {
  hello(hello) {
    state.people.clear();
    state.messages.clear();
    state.hello = hello;
    hello.people.forEach(person);
    for (const filed of hello.messages) file(filed, true);
    if (!state.people.has(state.chosen)) state.chosen = state.people.keys().next().value ?? null;
    ["hello", "people", "chosen"].forEach((part) => tell(part));
  },
  person(facts) {
    person(facts);
    tell("people");
  },
  message(filed) {
    file(filed, false);
  },
  taken({ messages }) {
    for (const message of messages.map((id) => state.messages.get(id))) {
      if (!message?.mine || message.taken) continue;
      message.taken = true;
      tell("ticks", message);
    }
  },
  read({ customer, message, typing, at }) {
    const person = state.people.get(customer);
    const upTo = state.messages.get(message);
    if (!person || !upTo) return;
    for (const one of person.messages) {
      if (!one.mine || one.read || one.place > upTo.place) continue;
      one.read = true;
      tell("ticks", one);
    }
    if (typing) startTyping(person, at);
  },
  condition(condition) {
    state.condition = condition;
    tell("condition");
  },
  trouble(trouble) {
    tell("trouble", trouble);
  },
};

export const NAMES = Object.keys(TAKES);

function person({ key, name, id, allowed }) {
  const known = state.people.get(key);
  if (known) return Object.assign(known, { name, id, allowed });
  const made = { key, name, id, allowed, messages: [], unread: 0, typing: false };
  state.people.set(key, made);
  return made;
}

function file({ customer, at, object, taken }, old) {
  const owner = state.people.get(customer) ?? person({ key: customer, name: customer, id: customer, allowed: false });
  const known = state.messages.get(object.id);
  const facts = {
    id: object.id,
    customer,
    at,
    object,
    kind: object.type,
    mine: object.kapso.direction === "inbound",
    quote: object.context?.id ?? object.context?.message_id ?? null,
    status: object.kapso.status,
  };
  if (known) {
    Object.assign(known, facts);
    tell("ticks", known);
    return;
  }
  const message = { ...facts, taken: taken ?? false, read: facts.mine && facts.status === "read", reactions: [] };
  message.place = owner.messages.length;
  state.messages.set(message.id, message);
  if (message.kind === "reaction") return react(message);
  owner.messages.push(message);
  if (!message.mine) stopTyping(owner);
  if (old) return;
  if (!message.mine && state.chosen !== customer) owner.unread += 1;
  tell("message", message);
  tell("people");
}

/** A reaction belongs to its bubble, one for each side; an empty one takes it back. */
function react(message) {
  const { message_id: id, emoji } = message.object.reaction ?? {};
  const target = state.messages.get(id);
  if (!target) return;
  target.reactions = target.reactions.filter((one) => one.mine !== message.mine);
  if (emoji) target.reactions.push({ emoji, mine: message.mine });
  tell("ticks", target);
}

function startTyping(owner, at) {
  clearTimeout(owner.timer);
  // A page that was opened later is told of nothing that is over.
  const left = TYPING - (Date.now() - at);
  if (left <= 0) return;
  owner.typing = true;
  owner.timer = setTimeout(() => stopTyping(owner), left);
  tell("typing");
}

function stopTyping(owner) {
  if (!owner.typing) return;
  clearTimeout(owner.timer);
  owner.typing = false;
  tell("typing");
}

/** The words by which a message is known in a list or a quote. */
export function gist(message) {
  const part = message.object[message.kind];
  const words = {
    text: () => part.body,
    image: () => part.caption || "Picture",
    video: () => part.caption || "Video",
    audio: () => (part.voice ? "Voice note" : "Audio"),
    document: () => part.caption || part.filename || "Document",
    sticker: () => "Sticker",
    location: () => part.name || "Location",
    contacts: () => part.map((one) => one.name?.formatted_name).join(", "),
    interactive: () => (part.button_reply ?? part.list_reply)?.title ?? part.body?.text ?? "Choice",
    button: () => part.text,
    template: () => `Template ${part.name}`,
  }[message.kind];
  return ((part && words?.()) || `[${message.kind}]`).replaceAll("```", "");
}
