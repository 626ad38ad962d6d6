// What the page asks of the sandbox. Every address is relative: the page's own holds the token.

async function answered(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error ?? `HTTP ${response.status}`);
  return body;
}

async function post(path, body) {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return answered(await fetch(path, init));
}

/** A customer writes; gives the message's id. */
export const write = (message) => post("send", message);

/** The customer has seen these messages. */
export const seen = (messages) => post("seen", { messages });

/** Adds a customer, or changes whether they are let in. */
export const addPerson = (person) => post("people", person);

/** Switches a fault on, or all off. */
export const fault = (name, times = 1, customer = null) => post("fault", { name, times, customer });

/** What went over the wires for a message. */
export async function wire(message) {
  return answered(await fetch(`wire?${new URLSearchParams({ message })}`));
}

/** Hands a file to Kapso's stand-in, as WhatsApp does before the message goes out; gives its id. */
export async function upload(file, name) {
  const type = file.type || "application/octet-stream";
  const init = { method: "POST", headers: { "content-type": type }, body: file };
  return answered(await fetch(`media?${new URLSearchParams({ name })}`, init));
}

/** Where a file can be fetched. */
export const media = (id) => `media/${encodeURIComponent(id)}`;

/** Calls `take(name, data)` for whatever happens, from the beginning again after a lost connection. */
export function listen(names, take, lost) {
  const source = new EventSource("events");
  for (const name of names) {
    source.addEventListener(name, (event) => take(name, JSON.parse(event.data)));
  }
  source.addEventListener("error", lost);
}
