// The drawer beside the phone, with two tabs: the wire and the faults.

import { at, icon } from "./dom.js";
import * as faults from "./faults.js";
import * as wire from "./wire.js";

const TABS = ["wire", "faults"];

export function start() {
  at("open-wire").append(icon("wire"));
  at("open-faults").append(icon("bolt"));
  at("close-drawer").append(icon("close"));
  at("close-drawer").addEventListener("click", close);
  for (const name of TABS) {
    at(`open-${name}`).addEventListener("click", () => (isOpen(name) ? close() : openDrawer(name)));
    at(`tab-${name}`).addEventListener("click", () => openDrawer(name));
    at(`tab-${name}`).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const other = TABS.find((one) => one !== name);
      openDrawer(other);
      at(`tab-${other}`).focus();
    });
  }
  at("drawer").addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  wire.start();
  faults.start();
}

const isOpen = (name) => !at("drawer").hidden && !at(name).hidden;

/** Opens the drawer with this tab in front. */
export function openDrawer(name) {
  at("drawer").hidden = false;
  for (const one of TABS) {
    const front = one === name;
    at(one).hidden = !front;
    at(`tab-${one}`).setAttribute("aria-selected", String(front));
    at(`tab-${one}`).tabIndex = front ? 0 : -1;
    at(`open-${one}`).setAttribute("aria-expanded", String(front));
  }
  if (name === "wire") wire.show();
}

function close() {
  const name = TABS.find(isOpen);
  at("drawer").hidden = true;
  for (const one of TABS) at(`open-${one}`).setAttribute("aria-expanded", "false");
  at(`open-${name}`)?.focus();
}
