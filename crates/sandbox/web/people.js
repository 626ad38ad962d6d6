// Adding a customer, and letting one in who is not on the allowlist.

import { addPerson } from "./api.js";
import { ask } from "./ask.js";
import { at } from "./dom.js";
import { choose, chosen, watch } from "./model.js";

export function start() {
  at("new-chat").addEventListener("click", () =>
    ask(at("person-dialog"), async (form) => {
      const person = { name: form.name.value.trim(), id: form.id.value.trim(), allowed: form.allowed.checked };
      const { key } = await addPerson(person);
      choose(key);
      at("app").dataset.view = "chat";
    }),
  );
  const letIn = at("let-in");
  letIn.addEventListener("click", () => {
    const { name, id } = chosen();
    addPerson({ name, id, allowed: true }).catch((problem) => (at("notice").textContent = problem.message));
  });
  watch(["chosen", "people"], () => (letIn.hidden = chosen()?.allowed ?? true));
}
