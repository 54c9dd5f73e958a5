// Three habits of forms: send once, show what a tick asks for, and make people type a name before they destroy it.
(() => {
  // Send once ---------------------------------------------------------------------------------------------------
  const held = new Set();

  const hold = (form) => {
    for (const button of submitButtons(form)) {
      if (button.disabled) continue;
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
      held.add(button);
    }
  };
  const release = (form) => {
    for (const button of held) {
      if (form && button.form !== form && button.isConnected) continue;
      button.disabled = false;
      button.removeAttribute("aria-busy");
      held.delete(button);
    }
  };
  const submitButtons = (form) =>
    [...form.elements].filter((control) => control.type === "submit" || control.type === "image");

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    // Later, because a button disabled during the event would not send its own name and value.
    setTimeout(() => hold(form));
  });
  // A page taken back from the browser's memory still has the buttons we disabled when it was left.
  addEventListener("pageshow", () => release());

  const isSent = (event) =>
    event.target instanceof HTMLFormElement && event.detail.elt === event.target && event.target.hasAttribute("hx-post");
  document.addEventListener("htmx:beforeSend", (event) => {
    if (isSent(event)) hold(event.target);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (isSent(event)) release(event.target);
  });

  // <input type=checkbox data-reveal="#id">: the part is shown while ticked; a hidden fieldset is not sent ---------
  const reveal = (root) => {
    for (const control of root.querySelectorAll("[data-reveal]")) {
      const part = document.querySelector(control.dataset.reveal);
      if (!part) continue;
      part.hidden = !control.checked;
      if (part instanceof HTMLFieldSetElement) part.disabled = !control.checked;
      control.setAttribute("aria-controls", part.id);
    }
  };

  // <input data-confirm-value="backup-7">: the form's buttons work once exactly that has been typed -----------------
  const gate = (root) => {
    for (const control of root.querySelectorAll("[data-confirm-value]")) {
      if (!control.form) continue;
      const isRight = control.value.trim() === control.dataset.confirmValue;
      for (const button of submitButtons(control.form)) {
        if (!held.has(button)) button.disabled = !isRight;
      }
    }
  };

  const refresh = (root) => {
    reveal(root);
    gate(root);
  };
  // In the capturing phase, so that a form's own listeners (a quote that htmx fetches) see what is shown now.
  document.addEventListener("change", (event) => event.target.form && reveal(event.target.form), true);
  document.addEventListener("input", (event) => event.target.form && gate(event.target.form));
  document.addEventListener("DOMContentLoaded", () => refresh(document));
  document.addEventListener("htmx:load", (event) => refresh(event.detail.elt.parentElement ?? document));
  addEventListener("pageshow", () => refresh(document)); // the browser may have restored ticks and text
})();
