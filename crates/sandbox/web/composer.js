// Where the customer writes: text, files, a voice note, a place, a contact; and what is quoted.

import { upload } from "./api.js";
import { ask } from "./ask.js";
import { told } from "./bubble.js";
import { write } from "./chat.js";
import { at, icon } from "./dom.js";
import { gist, quote, state, watch } from "./model.js";

/** The first that the browser can make; WhatsApp's own is the first. */
const VOICE = ["audio/ogg;codecs=opus", "audio/mp4", "audio/webm;codecs=opus"];

/** Which files are offered (kapso.md 2.5). */
const ACCEPT = { image: "image/jpeg,image/png", audio: "audio/*", document: "" };

let recorder = null;

export function start() {
  for (const [id, name] of [
    ["attach", "clip"],
    ["record", "microphone"],
    ["send", "send"],
    ["unquote", "close"],
  ]) {
    at(id).append(icon(name));
  }
  const text = at("text");
  at("composer").addEventListener("submit", send);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    at("composer").requestSubmit();
  });
  text.addEventListener("input", grow);
  at("unquote").addEventListener("click", () => quote(null));
  at("attach").addEventListener("click", () => menu(at("attachments").hidden));
  at("attachments").addEventListener("keydown", walk);
  for (const item of at("attachments").querySelectorAll("button")) {
    item.addEventListener("click", () => {
      menu(false);
      attach(item.dataset.attach);
    });
  }
  at("file").addEventListener("change", picked);
  at("record").addEventListener("click", () => record().catch((problem) => complain(problem)));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#attach, #attachments")) menu(false);
  });
  watch(["quoting", "chosen"], quoting);
}

const complain = (problem) => (at("notice").textContent = problem.message);

async function send(event) {
  event.preventDefault();
  const text = at("text");
  const body = text.value;
  if (body.trim() === "" || !state.chosen) return;
  text.value = "";
  grow();
  const quoted = state.quoting?.id;
  quote(null);
  // What was refused is given back.
  await write({ kind: "text", part: { body }, quote: quoted }).catch(() => (text.value = body));
}

function grow() {
  const text = at("text");
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight, 140)}px`;
}

function quoting() {
  const message = state.quoting;
  at("quoting").hidden = !message;
  if (!message) return;
  at("quoted").textContent = `${message.mine ? "You" : "The agent"}: ${gist(message)}`;
  at("text").focus();
}

function menu(open) {
  at("attachments").hidden = !open;
  at("attach").setAttribute("aria-expanded", String(open));
  if (open) at("attachments").querySelector("button").focus();
}

function walk(event) {
  const items = [...at("attachments").querySelectorAll("button")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") {
    menu(false);
    at("attach").focus();
  } else if (step) {
    event.preventDefault();
    const next = items.indexOf(document.activeElement) + step + items.length;
    items[next % items.length].focus();
  }
}

/** Begins to send something that is not typed. */
export function attach(kind) {
  if (kind === "location") return ask(at("location-dialog"), location);
  if (kind === "contact") return ask(at("contact-dialog"), contact);
  const input = at("file");
  input.accept = ACCEPT[kind];
  input.dataset.kind = kind;
  input.value = "";
  return input.click();
}

function location(form) {
  const part = {
    latitude: form.latitude.valueAsNumber,
    longitude: form.longitude.valueAsNumber,
    name: form.name.value || undefined,
    address: form.address.value || undefined,
  };
  return write({ kind: "location", part });
}

function contact(form) {
  const phone = form.phone.value;
  const part = [
    { name: { formatted_name: form.name.value }, phones: [{ phone, wa_id: phone.replace(/\D/g, ""), type: "CELL" }] },
  ];
  return write({ kind: "contacts", part });
}

async function picked(event) {
  const [file] = event.target.files;
  if (!file) return;
  const kind = event.target.dataset.kind;
  if (kind === "audio") {
    await sendFile("audio", file, { voice: true }).catch(complain);
    return;
  }
  const dialog = at("caption-dialog");
  dialog.querySelector(".hint").textContent = told(file);
  ask(dialog, (form) => {
    const caption = form.caption.value || undefined;
    return sendFile(kind, file, kind === "document" ? { caption, filename: file.name } : { caption });
  });
}

async function sendFile(kind, file, facts) {
  const { id } = await upload(file, file.name);
  return write({ kind, part: { id, ...facts } });
}

async function record() {
  if (recorder) return recorder.stop();
  const type = VOICE.find((one) => MediaRecorder.isTypeSupported(one));
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const pieces = [];
  recorder = new MediaRecorder(stream, { mimeType: type });
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  recorder.addEventListener("stop", () => {
    recorder = null;
    at("record").setAttribute("aria-pressed", "false");
    stream.getTracks().forEach((track) => track.stop());
    const bare = type.split(";")[0];
    const file = new File(pieces, `voice.${bare.split("/")[1]}`, { type: bare });
    sendFile("audio", file, { voice: true }).catch(complain);
  });
  recorder.start();
  at("record").setAttribute("aria-pressed", "true");
}
