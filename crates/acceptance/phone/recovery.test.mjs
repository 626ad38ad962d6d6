// What the phone shows when something goes wrong, and how the bridge recovers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PLENTY, Sandbox, accessible, answer, chat, picture, write } from "./sandbox.mjs";

let sandbox;
let page;
before(async () => {
  sandbox = await Sandbox.start();
  page = await sandbox.open();
  await page.locator("#open-faults").click();
});
after(() => sandbox.stop());

function shows(name, steps) {
  test(name, { timeout: 4 * PLENTY }, async () => {
    try {
      await steps();
    } catch (failure) {
      await picture(page, `failed-${name.replace(/\W+/g, "-")}`);
      throw failure;
    }
    assert.deepEqual(sandbox.complaints.splice(0), [], "the page complained");
  });
}

const armed = (row) => page.locator(`#armed-${row}`);

for (const [fault, told] of [
  ["409 another in flight", "Kapso answered 409"],
  ["429 wait 3 s", "Kapso answered 429"],
  ["500, not sent", "Kapso answered 500"],
]) {
  shows(`the answer comes although Kapso says ${fault}`, async () => {
    await page.getByRole("button", { name: fault }).click();
    await armed("sends").waitFor();
    await write(page, `through ${fault}`);
    await answer(page, `You said: through ${fault}`).waitFor();
    await armed("sends").waitFor({ state: "hidden" });
    await page.locator("#account li", { hasText: told }).first().waitFor();
  });
}

shows("an answer that went out unheard is not sent twice", async () => {
  await page.getByRole("button", { name: "500, but sent" }).click();
  await armed("sends").waitFor();
  await write(page, "only once");
  await answer(page, "You said: only once").waitFor();
  await page.locator("#tab-wire").click();
  await page.locator(".flow li", { hasText: "outbound" }).locator("p", { hasText: "sent" }).waitFor();
  assert.equal(await page.locator(".bubble:not(.mine)", { hasText: "You said: only once" }).count(), 1);
  await page.locator("#tab-faults").click();
});

shows("a lost webhook is made up for by the list", async () => {
  await page.getByRole("button", { name: "webhook lost" }).click();
  await armed("pushes").waitFor();
  await write(page, "lost on the way");
  await answer(page, "You said: lost on the way").waitFor();
  await page.locator("#tab-wire").click();
  await page.locator(".flow li", { hasText: "read from the list" }).waitFor();
  await picture(page, "lost-webhook");
  await page.locator("#tab-faults").click();
});

shows("a webhook that comes twice is one message", async () => {
  await page.getByRole("button", { name: "comes twice" }).click();
  await armed("pushes").waitFor();
  await write(page, "twice");
  await answer(page, "You said: twice").waitFor();
  await write(page, "after twice");
  await answer(page, "You said: after twice").waitFor();
  assert.equal(await page.locator(".bubble:not(.mine)", { hasText: "You said: twice" }).count(), 1);
});

shows("a gateway that is down is waited for", async () => {
  const gateway = page.getByRole("switch", { name: "Gateway down" });
  await gateway.click();
  await page.locator("#gateway[aria-checked=true]").waitFor();
  await write(page, "are you there");
  await page.locator("#tab-wire").click();
  await page.locator(".flow [data-state=waiting]").waitFor();
  assert.equal(await page.locator("#wire > .total").count(), 0);
  await picture(page, "gateway-down");
  await accessible(page, "the wire while the gateway is down");
  await page.locator("#tab-faults").click();
  await gateway.click();
  await page.locator("#gateway[aria-checked=false]").waitFor();
  await answer(page, "You said: are you there").waitFor();
});

shows("the wire shows every stage with its duration", async () => {
  await write(page, "show me the wire");
  await answer(page, "You said: show me the wire").waitFor();
  await page.locator("#tab-wire").click();
  await page
    .locator(".flow li", { hasText: "part 1: delivered" })
    .or(page.locator(".flow li", { hasText: "part 1: read" }))
    .waitFor();
  const names = await page
    .locator(".flow h3")
    .evaluateAll((all) => all.map((one) => one.firstChild.textContent.trim()));
  assert.deepEqual(names, [
    "WhatsApp",
    "Kapso",
    "inbound · dedup",
    "guard",
    "turn",
    "gateway · OpenClaw",
    "relay",
    "outbound",
    "WhatsApp",
  ]);
  assert.ok((await page.locator(".flow .lasted").count()) >= 5);
  await page.locator("summary", { hasText: "What the agent reads" }).click();
  await page.locator("details[open] pre", { hasText: "show me the wire" }).waitFor();
  await page.locator("summary", { hasText: "POST /webhook" }).first().click();
  await page.locator("details[open] pre", { hasText: "x-webhook-signature" }).waitFor();
  await page.locator("summary", { hasText: "events" }).click();
  await page.locator("details[open] pre", { hasText: "lifecycle" }).waitFor();
  await picture(page, "wire");
  await page.locator("#tab-faults").click();
});

shows("outside the 24-hour window an answer waits until the customer writes", async () => {
  await chat(page, "Bruno");
  await write(page, "wait 3");
  await page.locator("#typing").waitFor();
  await page.locator("#lapse").click();
  await page.locator("#lapse[aria-pressed=true]").waitFor();
  await page.locator("#account li", { hasText: "Kapso answered 422" }).first().waitFor();
  await page.locator("#tab-wire").click();
  await page.locator(".flow [data-state=waiting]", { hasText: "outbound" }).waitFor();
  await picture(page, "window-closed");
  await page.locator("#tab-faults").click();
  await write(page, "open again");
  await answer(page, "Waited 3 s.").waitFor();
  await answer(page, "You said: open again").waitFor();
  await page.locator("#lapse[aria-pressed=false]").waitFor();
});
