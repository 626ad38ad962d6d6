// How the page looks and how fast it is: narrow and wide, light and dark, for keyboards and screen readers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PLENTY, Sandbox, accessible, answer, chat, picture, write } from "./sandbox.mjs";

let sandbox;
before(async () => (sandbox = await Sandbox.start()));
after(() => sandbox.stop());

test("the picture of the README", { timeout: PLENTY }, async () => {
  const page = await sandbox.open({ width: 1120, height: 600 });
  await write(page, "Good morning!");
  await answer(page, "Good morning!").waitFor();
  await write(page, "story");
  await answer(page, "The keeper wiped").waitFor();
  await page.locator("#open-wire").click();
  await page.locator(".flow li", { hasText: "part 1" }).last().waitFor();
  await picture(page, "readme");
  await page.context().close();
});

for (const [width, height] of [
  [360, 740],
  [1280, 800],
]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`it is accessible at ${width} px in ${colorScheme}`, { timeout: 4 * PLENTY }, async () => {
      const page = await sandbox.open({ width, height, colorScheme });
      const narrow = width < 720;
      await accessible(page, "the list of chats");
      await picture(page, `chats-${width}-${colorScheme}`);
      if (narrow) await chat(page, "Ann");
      await write(page, "story");
      await answer(page, "The keeper wiped").waitFor();
      await write(page, "markdown");
      await answer(page, "dinner until").waitFor();
      await accessible(page, "a conversation");
      await picture(page, `chat-${width}-${colorScheme}`);
      await page.locator("#open-wire").click();
      await page.locator(".flow").waitFor();
      await accessible(page, "the wire");
      await picture(page, `wire-${width}-${colorScheme}`);
      await page.locator("#tab-faults").click();
      await accessible(page, "the faults");
      await picture(page, `faults-${width}-${colorScheme}`);
      await page.locator("#close-drawer").click();
      if (narrow) await page.locator("#back").click();
      await page.locator("#new-chat").click();
      await accessible(page, "a dialog");
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overflow <= 0, `${overflow} px wider than the window`);
      assert.deepEqual(sandbox.complaints.splice(0), [], "the page complained");
      await page.context().close();
    });
  }
}

test("everything can be done with the keyboard", { timeout: 2 * PLENTY }, async () => {
  const page = await sandbox.open();
  const focusOn = async (selector) => {
    for (let presses = 0; presses < 60; presses += 1) {
      if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not reach ${selector}`);
  };
  await focusOn("#people li:nth-child(2) button");
  await page.keyboard.press("Enter");
  await focusOn("#text");
  await page.keyboard.type("typed");
  await page.keyboard.press("Enter");
  await answer(page, "You said: typed").waitFor();
  await focusOn("#attach");
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.attach), "document");
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), "attach");
  await page.context().close();
});

test("the page weighs under 150 kB", { timeout: PLENTY }, async () => {
  const page = await sandbox.open();
  const paints = [];
  for (let load = 0; load < 5; load += 1) {
    await page.goto(sandbox.url);
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  }
  const { weight } = await page.evaluate(() => ({
    weight: performance
      .getEntriesByType("resource")
      .concat(performance.getEntriesByType("navigation"))
      .reduce((sum, entry) => sum + entry.encodedBodySize, 0),
  }));
  console.log(`first paint after ${paints.map((paint) => paint.toFixed(0)).join(", ")} ms; ${weight} bytes`);
  assert.ok(weight < 150_000, `${weight} bytes`);
  await page.context().close();
});

test("5,000 bubbles open and scroll", { timeout: 6 * PLENTY }, async () => {
  const page = await sandbox.open();
  const to = "+5491155550101";
  // Nobody looks on while they come.
  await page.goto("about:blank");
  for (let sent = 0; sent < 5000; sent += 1) {
    await sandbox.business({ to, type: "text", text: { body: `Line ${sent} of *many*, with a few words.` } });
  }
  await page.goto(sandbox.url);
  await page.locator("#people li").first().waitFor();
  await chat(page, "Bruno");
  await page.waitForFunction(() => document.querySelectorAll(".bubble").length >= 5000, null, { timeout: 2 * PLENTY });
  // Opening the chat reads everything in it; the ticks come back one by one.
  const isRead = async () => {
    const { chosen } = await import("./model.js");
    return chosen().messages.every((message) => message.mine || message.status === "read");
  };
  await page.waitForFunction(isRead, null, { timeout: 2 * PLENTY });
  const frames = await page.evaluate(async () => {
    const scroll = document.getElementById("scroll");
    const times = [];
    let before = await new Promise(requestAnimationFrame);
    for (let step = 0; step < 120; step += 1) {
      scroll.scrollTop -= 400;
      const now = await new Promise(requestAnimationFrame);
      times.push(now - before);
      before = now;
    }
    return times.sort((a, b) => a - b);
  });
  const slowest = frames.at(-1).toFixed(0);
  console.log(
    `frames while scrolling: median ${frames[60].toFixed(1)} ms, 95 % ${frames[114].toFixed(1)} ms, slowest ${slowest} ms`,
  );
  await picture(page, "many");
  await page.context().close();
});
