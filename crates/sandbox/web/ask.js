// Dialogs: open, take what was entered, say what is wrong with it, close.

/** Opens a dialog; `done(elements)` may throw what is shown in it. Without it, cancelling is all that can be done. */
export function ask(dialog, done) {
  const form = dialog.querySelector("form");
  const wrong = dialog.querySelector(".wrong");
  wrong.textContent = "";
  const submit = async (event) => {
    event.preventDefault();
    try {
      await done(form.elements);
      dialog.close();
      form.reset();
    } catch (problem) {
      wrong.textContent = problem.message;
    }
  };
  const cancel = () => dialog.close();
  const button = dialog.querySelector('[value="cancel"]');
  form.addEventListener("submit", submit);
  button.addEventListener("click", cancel);
  const over = () => {
    form.removeEventListener("submit", submit);
    button.removeEventListener("click", cancel);
  };
  dialog.addEventListener("close", over, { once: true });
  dialog.showModal();
}
