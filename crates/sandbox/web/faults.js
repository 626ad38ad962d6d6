// Switches for what can go wrong, and what the bridge makes of it.

import { fault } from "./api.js";
import { at, clock, el } from "./dom.js";
import { chosen, gist, state, watch } from "./model.js";

/** Lines of the account that are kept; the oldest go first. */
const ACCOUNT = 100;

const GROUPS = [
  [
    "The next send to WhatsApp",
    "sends",
    [
      ["409", "409 another in flight"],
      ["429=3", "429 wait 3 s"],
      ["500", "500, not sent"],
      ["500-after", "500, but sent"],
      ["hang", "no answer, not sent"],
      ["hang-after", "no answer, but sent"],
      ["reset", "connection reset"],
      ["garbage", "200 that is not JSON"],
      ["slow=4", "4 s slower"],
    ],
  ],
  [
    "The next push to the bridge",
    "pushes",
    [
      ["push-lost", "webhook lost"],
      ["push-twice", "comes twice"],
      ["push-late=5", "5 s late, others wait"],
      ["push-overtaken=5", "5 s late, overtaken"],
      ["push-unheard", "answer not heard"],
    ],
  ],
  [
    "The next read of the list",
    "lists",
    [
      ["list-429=5", "429 wait 5 s"],
      ["list-500", "500"],
      ["list-hang", "no answer"],
      ["list-garbage", "200 that is not JSON"],
      ["list-malformed", "malformed item"],
      ["list-repeat", "same page again"],
    ],
  ],
];

export function start() {
  const gateway = el(
    "button",
    { type: "button", role: "switch", id: "gateway", "aria-checked": "false", onclick: toggleGateway },
    "Gateway down",
  );
  const groups = GROUPS.map(([title, row, faults]) =>
    el(
      "fieldset",
      {},
      el("legend", {}, title, " ", el("span", { class: "tag", id: `armed-${row}`, hidden: true })),
      faults.map(([name, label]) => el("button", { type: "button", onclick: () => arm(name) }, label)),
    ),
  );
  at("faults").replaceChildren(
    el(
      "p",
      { class: "hint" },
      "Each tap lets one more request go wrong; write something and watch the bridge recover.",
    ),
    gateway,
    ...groups,
    el("button", { type: "button", id: "all-off", onclick: () => arm("off") }, "All faults off"),
    el("h3", {}, "What happened"),
    el("ol", { id: "account" }),
  );
  watch(["condition"], condition);
  watch(["trouble"], ({ text }) => note(text));
  watch(["message"], (message) => {
    if (!message.mine) note(`${state.people.get(message.customer).name} got “${gist(message).slice(0, 40)}”`);
  });
}

async function arm(name) {
  try {
    await fault(name, 1, chosen()?.id);
  } catch (problem) {
    note(problem.message);
  }
}

const toggleGateway = () => arm(state.condition.gateway === "up" ? "gateway-down" : "gateway-up");

function condition() {
  const { armed, gateway } = state.condition;
  for (const [, row] of GROUPS) {
    const tag = at(`armed-${row}`);
    const count = armed[row] ?? 0;
    tag.hidden = count === 0;
    tag.textContent = `${count} to come`;
  }
  const button = at("gateway");
  // A gateway that is not ours is not ours to stop.
  button.disabled = gateway === "none";
  button.setAttribute("aria-checked", String(gateway === "down"));
}

function note(text) {
  const account = at("account");
  account.prepend(el("li", {}, el("time", {}, clock(Date.now())), " ", text));
  while (account.childElementCount > ACCOUNT) account.lastElementChild.remove();
}
