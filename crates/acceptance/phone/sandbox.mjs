// The sandbox as a child process, and its page in a real Chromium.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The built program, and where the pictures of the run are kept. */
const TARGET = process.env.CARGO_TARGET_DIR ?? `${ROOT}target`;
const PROGRAM = `${TARGET}/debug/kapso-whatsapp-cli`;
const PICTURES = `${TARGET}/phone`;

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The stand-in's key and number. */
export const KEY = "sandbox";
export const NUMBER = "100000000000001";

/** Without these, Chromium looks for hosts of its own. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

/** More than any step takes; a step that takes it hangs. */
export const PLENTY = 30_000;

export class Sandbox {
  /** Starts the sandbox and a browser. */
  static async start() {
    const sandbox = await Sandbox.alone();
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    sandbox.browser = await chromium.launch({ executablePath, args: FLAGS });
    mkdirSync(PICTURES, { recursive: true });
    return sandbox;
  }

  /** Starts the sandbox without a browser. */
  static async alone() {
    const child = spawn(PROGRAM, ["--json", "sandbox", "--no-browser"], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface(child.stdout), "line");
    return Object.assign(new Sandbox(), { child, ...JSON.parse(line), complaints: [] });
  }

  async stop() {
    await this.browser?.close();
    const ended = once(this.child, "exit");
    this.child.kill("SIGINT");
    assert.deepEqual(await ended, [0, null], "the sandbox ends in order");
  }

  /** Opens the page; whatever it complains of is remembered. */
  async open({ width = 1280, height = 800, colorScheme = "light" } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme,
      permissions: ["microphone"],
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PLENTY);
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("request", (request) => {
      if (!request.url().startsWith(new URL(this.url).origin) && !/^(blob|data):/.test(request.url())) {
        this.complaints.push(`asked ${request.url()}`);
      }
    });
    await page.goto(this.url);
    await page.locator("#people li").first().waitFor();
    return page;
  }

  /** What the page does when something is done at it. */
  async act(name, body) {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(`${this.url}${name}`, init);
    assert.equal(response.status, 200, name);
    return response.json();
  }

  /** The business writes a message of any kind, as a program at Kapso's API does. */
  async business(message) {
    const response = await fetch(`${this.kapso}/${NUMBER}/messages`, {
      method: "POST",
      headers: { "x-api-key": KEY, "content-type": "application/json" },
      body: JSON.stringify({ messaging_product: "whatsapp", ...message }),
    });
    assert.equal(response.status, 200, await response.text());
  }
}

/** Opens the chat of this customer. */
export async function chat(page, name) {
  await page.locator("#people button", { hasText: name }).click();
}

/** Writes a text; gives its bubble. */
export async function write(page, text) {
  await page.locator("#text").fill(text);
  await page.locator("#text").press("Enter");
  return page.locator(".bubble.mine", { hasText: text }).last();
}

/** The newest bubble of the agent that has this text. */
export function answer(page, text) {
  return page.locator(".bubble:not(.mine)", { hasText: text }).last();
}

/** Fails where axe-core finds a violation of WCAG 2.2 AA, or of its best practices. */
export async function accessible(page, what) {
  // The page's policy lets no foreign script in; a debugger's evaluation is none of the page's.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  const told = violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n  ${nodes.map((node) => `${node.html}\n  ${node.failureSummary}`).join("\n  ")}`,
  );
  assert.equal(told.length, 0, `${what}:\n${told.join("\n")}`);
}

/** Keeps a picture of the page. */
export async function picture(page, name) {
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}
