// The stand-in of Kapso as Kapso's own SDK finds it: what it refuses or cannot read, the stand-in does otherwise.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GraphApiError, WhatsAppClient } from "@kapso/whatsapp-cloud-api";
import { KEY, NUMBER, PLENTY, Sandbox } from "./sandbox.mjs";

const ANN = "+15551234567";
const CHIARA = "IT.1049384756102";

let sandbox;
let client;
before(async () => {
  sandbox = await Sandbox.alone();
  const [baseUrl] = sandbox.kapso.split("/v24.0");
  client = new WhatsAppClient({ baseUrl, kapsoApiKey: KEY });
});
after(() => sandbox.stop());

const at = { phoneNumberId: NUMBER, to: ANN };
const media = { link: "https://example.org/file" };
const name = { formattedName: "Ana P", firstName: "Ana" };

const SENDS = {
  text: () => client.messages.sendText({ ...at, body: "hello" }),
  image: () => client.messages.sendImage({ ...at, image: { ...media, caption: "a picture" } }),
  video: () => client.messages.sendVideo({ ...at, video: media }),
  audio: () => client.messages.sendAudio({ ...at, audio: media }),
  document: () => client.messages.sendDocument({ ...at, document: { ...media, filename: "a.pdf" } }),
  sticker: () => client.messages.sendSticker({ ...at, sticker: media }),
  location: () => client.messages.sendLocation({ ...at, location: { latitude: -34.6, longitude: -58.4, name: "HQ" } }),
  contacts: () => client.messages.sendContacts({ ...at, contacts: [{ name, phones: [{ phone: ANN }] }] }),
  buttons: () =>
    client.messages.sendInteractiveButtons({ ...at, bodyText: "More?", buttons: [{ id: "yes", title: "Yes" }] }),
  list: () =>
    client.messages.sendInteractiveList({
      ...at,
      bodyText: "When?",
      buttonText: "Days",
      sections: [{ title: "A", rows: [{ id: "r", title: "Monday" }] }],
    }),
  "a user id": () => client.messages.sendText({ phoneNumberId: NUMBER, recipient: CHIARA, body: "ciao" }),
};

for (const [kind, send] of Object.entries(SENDS)) {
  test(`it sends ${kind}`, { timeout: PLENTY }, async () => {
    const answer = await send();
    assert.match(answer.messages[0].id, /^wamid\./);
    assert.equal(answer.messagingProduct ?? answer.messaging_product, "whatsapp");
  });
}

test(
  "a customer's message is listed, quoted, reacted to, marked read and shown typing",
  { timeout: PLENTY },
  async () => {
    const { id } = await sandbox.act("send", { customer: ANN, kind: "text", part: { body: "silent" } });
    const page = await client.messages.query({ phoneNumberId: NUMBER, direction: "inbound", limit: 5 });
    const listed = page.data.find((message) => message.id === id);
    assert.equal(listed.text.body, "silent");
    assert.equal(listed.kapso.contactName ?? listed.kapso.contact_name, "Ann");
    await client.messages.sendText({ ...at, body: "about that", contextMessageId: id });
    await client.messages.sendReaction({ ...at, reaction: { messageId: id, emoji: "👍" } });
    const marked = await client.messages.markRead({
      phoneNumberId: NUMBER,
      messageId: id,
      typingIndicator: { type: "text" },
    });
    assert.equal(marked.success, true);
  },
);

test("pages of the list lead from one to the next and end", { timeout: PLENTY }, async () => {
  const seen = new Set();
  let after;
  do {
    const page = await client.messages.query({
      phoneNumberId: NUMBER,
      direction: "outbound",
      limit: 3,
      ...(after ? { after } : {}),
    });
    for (const { id } of page.data) {
      assert.ok(!seen.has(id), "no message is on two pages");
      seen.add(id);
    }
    after = page.paging.cursors.after;
  } while (after);
  assert.ok(seen.size >= Object.keys(SENDS).length, `${seen.size} messages`);
});

test("a file is uploaded, sent, described and downloaded", { timeout: PLENTY }, async () => {
  const file = new Blob(["a picture"], { type: "image/png" });
  const { id } = await client.media.upload({ phoneNumberId: NUMBER, type: "image", file, fileName: "dot.png" });
  await client.messages.sendImage({ ...at, image: { id, caption: "look" } });
  const described = await client.media.get({ mediaId: id, phoneNumberId: NUMBER });
  assert.equal(described.mimeType, "image/png");
  const bytes = await client.media.download({ mediaId: id, phoneNumberId: NUMBER });
  assert.equal(Buffer.from(bytes).toString(), "a picture");
  await assert.rejects(client.media.get({ mediaId: "404", phoneNumberId: NUMBER }), (error) => error.code === 100);
});

const REFUSALS = {
  409: { httpStatus: 409 },
  "429=3": { httpStatus: 429, retryAfterMs: 3000 },
  500: { httpStatus: 500 },
  "window-closed": { httpStatus: 422, code: 131_047 },
};

for (const [fault, { httpStatus, code, retryAfterMs }] of Object.entries(REFUSALS)) {
  test(`it understands the refusal ${fault}`, { timeout: PLENTY }, async () => {
    await sandbox.act("fault", { name: fault, customer: ANN });
    const refused = await SENDS.text().then(
      () => assert.fail("it was sent"),
      (error) => error,
    );
    await sandbox.act("fault", { name: "off" });
    assert.ok(refused instanceof GraphApiError, String(refused));
    assert.equal(refused.httpStatus, httpStatus);
    if (code) assert.equal(refused.code, code);
    if (retryAfterMs) assert.equal(refused.retry.retryAfterMs, retryAfterMs);
  });
}

test("it understands a wrong key and a wrong recipient", { timeout: PLENTY }, async () => {
  const [baseUrl] = sandbox.kapso.split("/v24.0");
  const stranger = new WhatsAppClient({ baseUrl, kapsoApiKey: "wrong" });
  await assert.rejects(stranger.messages.sendText({ ...at, body: "hi" }), (error) => error.httpStatus === 401);
  const undeliverable = client.messages.sendText({ phoneNumberId: NUMBER, to: CHIARA, body: "hi" });
  await assert.rejects(undeliverable, (error) => error.code === 131_026);
});
