// The journey of a message as stages, in the order and by the names of docs/architecture.md.
//
// Pure: what the sandbox knows of a message goes in (`wire`), what is drawn comes out. A stage's duration is the time
// since the stage before it ended.

/** States of a message after which nothing more happens to it. */
const ENDS = ["answered", "refused", "ignored", "failed", "expired", "dropped"];

/** States of a reply after which nothing more happens to it. */
const REPLY_ENDS = ["sent", "failed", "dropped"];

export function stages(wire) {
  const lives = wire.lives ?? [];
  const messages = lives.map((life) => life.message).filter(Boolean);
  const message = messages.find((one) => one.id === wire.message.object.id) ?? messages.at(-1) ?? null;
  const turn = lives.map((life) => life.turn).find(Boolean) ?? null;
  const replies = distinct(lives.flatMap((life) => life.replies ?? []));
  const facts = { ...wire, message, turn, replies, start: message?.sent_at ? began(wire, message) : wire.message.at };
  const made = [customer, kapso, inbound, guard, turned, gateway, relay, outbound, delivered].map((stage) =>
    stage(facts),
  );
  const reached = made.slice(0, last(made) + 1);
  let before = null;
  for (const stage of reached) {
    stage.lasted = before !== null && stage.at ? Math.max(0, stage.at - before) : null;
    before = stage.at ?? before;
  }
  const answer = replies.map((reply) => reply.sent_at).filter(Boolean);
  const total = message && answer.length ? Math.max(...answer) - facts.start : null;
  return { stages: reached, total, over: isOver(message, replies) };
}

/** WhatsApp's time has whole seconds; the stand-in knows better when it was the message that was asked about. */
function began(wire, message) {
  return wire.message.object.id === message.id ? wire.message.at : message.sent_at;
}

const distinct = (replies) => [...new Map(replies.map((reply) => [reply.id, reply])).values()];

const last = (made) => made.reduce((found, stage, place) => (stage.state === "ahead" ? found : place), 0);

function isOver(message, replies) {
  if (!message || !ENDS.includes(message.state)) return false;
  return replies.every((reply) => REPLY_ENDS.includes(reply.state) && reply.delivery !== "sent");
}

function stage(name, state, at, lines, details = []) {
  return { name, state, at, lines: lines.filter(Boolean), details: details.filter(Boolean) };
}

const line = (text, at = null) => ({ text, at });

function customer({ message, start }) {
  const who = message?.name ?? message?.from ?? "The customer";
  return stage("WhatsApp", "done", start, [line(`${who} wrote`, start)]);
}

function kapso({ message, deliveries }) {
  const isOfIt = (one) => !message || one.messages.includes(message.id);
  const pushes = deliveries.filter((one) => one.event === "whatsapp.message.received" && isOfIt(one));
  const lines = pushes.map((one) =>
    line(
      `webhook, attempt ${one.attempt}: ${one.status ? `answered ${one.status}` : "no answer"} after ${one.took} ms`,
      one.at,
    ),
  );
  if (message?.source === "poll") lines.push(line("read from the list, not pushed"));
  const taken = pushes.find((one) => one.status === 200);
  const state = taken || message ? "done" : pushes.length ? "wrong" : "ahead";
  const details = pushes.slice(0, 3).flatMap((one) => request(`POST /webhook, attempt ${one.attempt}`, one.request));
  return stage("Kapso", state, null, lines, details);
}

function request(title, posted) {
  if (!posted) return [];
  const headers = posted.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  return [{ title, body: `${headers}\n\n${pretty(posted.body)}` }];
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function inbound({ message }) {
  if (!message) return stage("inbound · dedup", "waiting", null, [line("not in the journal yet")]);
  const door = message.source === "poll" ? "from the list" : "by webhook";
  const lines = [line(`on disk, ${door}`, message.received_at)];
  return stage("inbound · dedup", "done", message.received_at, lines, [{ title: "Row in the journal", body: message }]);
}

function guard({ message, turn }) {
  if (turn) return stage("guard", "done", null, [line("admitted")]);
  if (!message) return stage("guard", "ahead", null, []);
  if (message.state === "received") return stage("guard", "waiting", null, [line("waits for its chat")]);
  const reason = message.reason ? `: ${message.reason}` : "";
  return stage("guard", "wrong", message.done_at, [line(`${message.state}${reason}`, message.done_at)]);
}

function turned({ turn, asked }) {
  if (!turn) return stage("turn", "ahead", null, []);
  const lines = [
    line(`turn ${turn.id}`, turn.created_at),
    turn.asked_at ? line(`asked, attempt ${turn.attempts}`, turn.asked_at) : line("waits for the gateway"),
    turn.reason && !turn.settled_at ? line(turn.reason) : null,
  ];
  const texts = asked.map((one) => ({ title: "What the agent reads", body: one.text }));
  const params = asked.filter((one) => one.params).map((one) => ({ title: "Request agent", body: one.params }));
  return stage("turn", turn.asked_at ? "done" : "waiting", turn.asked_at, lines, [...texts, ...params]);
}

function gateway({ turn, frames }) {
  if (!turn?.asked_at) return stage("gateway · OpenClaw", "ahead", null, []);
  const lines = [
    turn.accepted_at ? line("accepted", turn.accepted_at) : null,
    turn.settled_at ? line(turn.state, turn.settled_at) : line("the agent works"),
    turn.settled_at && turn.reason ? line(turn.reason) : null,
  ];
  const told = frames.length ? [{ title: `${frames.length} events`, body: frames.map(frame).join("\n") }] : [];
  const state = !turn.settled_at ? "waiting" : turn.state === "failed" ? "wrong" : "done";
  return stage("gateway · OpenClaw", state, turn.settled_at, lines, told);
}

const frame = ({ at, frame: text }) => `${new Date(at).toISOString().slice(11, 23)} ${text}`;

function relay({ turn, replies }) {
  if (!turn?.settled_at) return stage("relay", "ahead", null, []);
  const parts = replies.filter((reply) => reply.kind === "reply").length;
  const text = parts === 0 ? "nothing to say to the customer" : parts === 1 ? "one message" : `${parts} messages`;
  const made = replies.map((reply) => reply.created_at).filter(Boolean);
  return stage("relay", "done", made.length ? Math.min(...made) : turn.settled_at, [line(text)]);
}

function outbound({ replies, requests }) {
  if (replies.length === 0) return stage("outbound", "ahead", null, []);
  const lines = replies.map((reply) => {
    const tries = reply.attempts > 1 ? `, attempt ${reply.attempts}` : "";
    const repeats = reply.repeats > 0 ? `, repeated ${reply.repeats}×` : "";
    const reason = reply.reason ? `: ${reply.reason}` : "";
    return line(`part ${reply.part + 1}: ${reply.state}${tries}${repeats}${reason}`, reply.sent_at ?? reply.updated_at);
  });
  const open = replies.some((reply) => !REPLY_ENDS.includes(reply.state));
  const wrong = replies.some((reply) => ["dropped", "failed"].includes(reply.state));
  const sent = replies.map((reply) => reply.sent_at).filter(Boolean);
  const asked = requests.map(({ method, path, body, at }) => ({
    title: `${method} ${path.split("/").at(-1)} ${name(body)}`,
    body: { at: new Date(at).toISOString(), ...body },
  }));
  return stage(
    "outbound",
    wrong ? "wrong" : open ? "waiting" : "done",
    sent.length ? Math.max(...sent) : null,
    lines,
    asked,
  );
}

const name = (body) =>
  body?.status === "read" ? (body.typing_indicator ? "read and typing" : "read") : (body?.type ?? "");

function delivered({ replies }) {
  const sent = replies.filter((reply) => reply.wamid);
  if (sent.length === 0) return stage("WhatsApp ", "ahead", null, []);
  const lines = sent.map((reply) =>
    line(`part ${reply.part + 1}: ${reply.delivery ?? "on its way"}`, reply.delivery_at),
  );
  const failed = sent.some((reply) => reply.delivery === "failed");
  const at = sent.map((reply) => reply.delivery_at).filter(Boolean);
  return stage("WhatsApp ", failed ? "wrong" : "done", at.length ? Math.max(...at) : null, lines);
}
