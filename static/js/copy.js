// [data-copy="text"] buttons. Without a clipboard (plain http on a network) they stay hidden; the text can be selected.
(() => {
  if (!navigator.clipboard) return;

  const show = (root) => {
    for (const button of root.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
  };
  document.addEventListener("DOMContentLoaded", () => show(document));
  document.addEventListener("htmx:load", (event) => show(event.detail.elt));

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      document.dispatchEvent(new CustomEvent("toast", { detail: { text: "Copied", level: "success" } }));
    } catch {
      document.dispatchEvent(
        new CustomEvent("toast", { detail: { text: "The browser refused. Select the text and copy it.", level: "warning" } }),
      );
    }
  });
})();
