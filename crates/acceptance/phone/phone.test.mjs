// The sandbox phone in a real Chromium, over the built program: what a person sees of the bridge.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PLENTY, Sandbox, accessible, answer, chat, picture, write } from "./sandbox.mjs";

/** A red dot. */
const DOT = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==",
  "base64",
);

let sandbox;
before(async () => (sandbox = await Sandbox.start()));
after(() => sandbox.stop());

/** Runs steps on a page of their own; the page may not have complained. */
function onPage(name, options, steps) {
  test(name, { timeout: 4 * PLENTY }, async () => {
    const page = await sandbox.open(options);
    try {
      await steps(page);
    } catch (failure) {
      await picture(page, `failed-${name.replace(/\W+/g, "-")}`);
      throw failure;
    } finally {
      await page.context().close();
    }
    assert.deepEqual(sandbox.complaints.splice(0), [], "the page complained");
  });
}

onPage("the first message is answered, and its ticks turn blue", {}, async (page) => {
  const mine = await write(page, "hello there");
  await answer(page, "You said: hello there").waitFor();
  await mine.locator(".ticks.read").waitFor();
  assert.equal(await mine.locator(".ticks").getAttribute("aria-label"), "read");
});

onPage("formatting is rendered, and markup in a text stays text", {}, async (page) => {
  await write(page, "markdown");
  const reply = answer(page, "dinner until");
  await reply.waitFor();
  for (const [tag, text] of [
    ["strong", "open"],
    ["em", "every day"],
    ["s", "except Sunday"],
    ["code", "07:30"],
    ["blockquote", "A quoted line"],
  ]) {
    assert.equal(await reply.locator(tag, { hasText: new RegExp(`^\\s*${text}\\.?$`) }).count(), 1, tag);
  }
  assert.equal(await reply.locator("ul > li").count(), 2);
  assert.equal(await reply.locator("ol > li").count(), 2);
  await write(page, "<img src=x onerror=alert(1)> *a <b>b</b>*");
  const hostile = page.locator(".bubble.mine", { hasText: "<img src=x onerror=alert(1)> a <b>b</b>" });
  await hostile.waitFor();
  assert.equal(await hostile.locator("img, b").count(), 0);
  await write(page, "code");
  await answer(page, "first ten squares").locator("pre", { hasText: "print(n, n * n)" }).waitFor();
});

onPage("marks count at the edges of words only", {}, async (page) => {
  const trees = await page.evaluate(async () => {
    const { parse } = await import("./format.js");
    return [
      "2*3*4 a_b_c",
      "*bold _both_*",
      "```\n*x*\n```after",
      "*open",
      "1. a\n2. b\n> q",
      "see https://a.b/c_d_e.",
    ].map(parse);
  });
  assert.deepEqual(trees[0], [{ type: "p", lines: [["2*3*4 a_b_c"]] }]);
  assert.deepEqual(trees[1][0].lines[0], [{ mark: "strong", content: ["bold ", { mark: "em", content: ["both"] }] }]);
  assert.deepEqual(trees[2], [
    { type: "pre", text: "*x*" },
    { type: "p", lines: [["after"]] },
  ]);
  assert.deepEqual(trees[3][0].lines[0], ["*open"]);
  assert.deepEqual(
    trees[4].map((block) => block.type),
    ["ol", "quote"],
  );
  assert.deepEqual(trees[5][0].lines[0], ["see ", { link: "https://a.b/c_d_e" }, "."]);
});

onPage("while the agent works, it types", {}, async (page) => {
  await write(page, "wait 2");
  await page.locator("#typing").waitFor();
  await answer(page, "Waited 2 s.").waitFor();
  await page.locator("#typing").waitFor({ state: "hidden" });
});

onPage("pictures, documents and voice notes go both ways", {}, async (page) => {
  const attach = async (item, file) => {
    await page.locator("#attach").click();
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("menuitem", { name: item, exact: true }).click();
    await (await chooser).setFiles(file);
  };
  await attach("Picture", { name: "dot.png", mimeType: "image/png", buffer: DOT });
  await page.getByLabel("Caption").fill("a red dot");
  await page.locator("#caption-dialog [type=submit]").click();
  const shown = page.locator(".bubble.mine", { hasText: "a red dot" }).last().locator("img");
  await shown.waitFor();
  await page.waitForFunction((image) => image.naturalWidth === 5, await shown.elementHandle());
  await answer(page, "a red dot").waitFor();
  await attach("Document", { name: "bill.txt", mimeType: "text/plain", buffer: Buffer.from("12.50") });
  await page.locator("#caption-dialog [type=submit]").click();
  await page.locator(".bubble.mine a[download='bill.txt']").waitFor();
  await page.locator("#record").click();
  await page.locator("#record[aria-pressed=true]").waitFor();
  await page.locator("#record").click();
  await page.locator(".bubble.mine audio").last().waitFor();
  const id = (await shown.getAttribute("src")).split("/").at(-1);
  await sandbox.business({ to: "+15551234567", type: "image", image: { id, caption: "your dot again" } });
  const back = answer(page, "your dot again").locator("img");
  await page.waitForFunction((image) => image.naturalWidth === 5, await back.elementHandle());
  await picture(page, "pictures");
});

onPage("places and contacts can be sent", {}, async (page) => {
  for (const [item, dialog, text] of [
    ["Location", "location", "Obelisco"],
    ["Contact", "contact", "Juana"],
  ]) {
    await page.locator("#attach").click();
    await page.getByRole("menuitem", { name: item }).click();
    if (item === "Contact") {
      await page.locator("#contact-dialog [name=name]").fill("Juana");
      await page.locator("#contact-dialog [name=phone]").fill("+54 9 11 5555-0000");
    }
    await page.locator(`#${dialog}-dialog [type=submit]`).click();
    await page.locator(".bubble.mine .card", { hasText: text }).waitFor();
    await answer(page, text).waitFor();
  }
});

onPage("buttons and lists of the business can be tapped", {}, async (page) => {
  const buttons = [{ type: "reply", reply: { id: "yes", title: "Yes, please" } }];
  await sandbox.business({
    to: "+15551234567",
    type: "interactive",
    interactive: { type: "button", body: { text: "More?" }, action: { buttons } },
  });
  await answer(page, "More?").getByRole("button", { name: "Yes, please" }).click();
  await page.locator(".bubble.mine", { hasText: "Yes, please" }).waitFor();
  const sections = [
    {
      title: "Days",
      rows: [
        { id: "mon", title: "Monday" },
        { id: "tue", title: "Tuesday", description: "10:00" },
      ],
    },
  ];
  await sandbox.business({
    to: "+15551234567",
    type: "interactive",
    interactive: { type: "list", body: { text: "Which day?" }, action: { button: "Days", sections } },
  });
  await answer(page, "Which day?").getByRole("button", { name: "Days" }).click();
  await page.getByLabel("Tuesday").check();
  await page.locator("#list-dialog [type=submit]").click();
  await page.locator(".bubble.mine", { hasText: "Tuesday" }).waitFor();
  await answer(page, "Tuesday").waitFor();
});

onPage("a message can be quoted and reacted to", {}, async (page) => {
  await write(page, "quote me");
  const reply = answer(page, "You said: quote me");
  await reply.hover();
  await reply.getByRole("button", { name: "Quote" }).click();
  const mine = await write(page, "this one");
  await mine.locator(".quote", { hasText: "You said: quote me" }).waitFor();
  await reply.hover();
  await reply.getByRole("button", { name: "React", exact: true }).click();
  await reply.getByRole("button", { name: "React with 🙏" }).click();
  await reply.locator(".reactions", { hasText: "🙏" }).waitFor();
});

onPage("a stranger is not let in until listed", {}, async (page) => {
  await chat(page, "A stranger");
  const mine = await write(page, "let me in");
  await answer(page, "not on the allowlist").waitFor();
  await page.locator("#open-wire").click();
  await page.locator(".flow [data-state=wrong]", { hasText: "refused" }).waitFor();
  await picture(page, "stranger");
  await page.locator("#let-in").click();
  await page.locator("#let-in").waitFor({ state: "hidden" });
  await write(page, "and now");
  await answer(page, "You said: and now").waitFor();
  assert.equal(await mine.count(), 1);
});

onPage("a customer known by username alone is answered", {}, async (page) => {
  await chat(page, "Chiara");
  await write(page, "ciao");
  await answer(page, "You said: ciao").waitFor();
});

onPage("a new customer can be added and writes", {}, async (page) => {
  await page.locator("#new-chat").click();
  await page.locator("#person-dialog [name=name]").fill("Dora");
  await page.locator("#person-dialog [name=id]").fill("not a number");
  await page.locator("#person-dialog [type=submit]").click();
  await page.locator("#person-dialog .wrong", { hasText: "not a number" }).waitFor();
  // The page's own complaint about a refused request is the browser's, not the page's.
  sandbox.complaints.splice(0);
  await page.locator("#person-dialog [name=id]").fill("+15550100123");
  await page.locator("#person-dialog [type=submit]").click();
  await page.locator("#with", { hasText: "Dora" }).waitFor();
  await write(page, "hi from Dora");
  await answer(page, "You said: hi from Dora").waitFor();
});
