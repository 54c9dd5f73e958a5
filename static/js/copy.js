// [data-copy="text"] buttons. Without a clipboard (plain http on a network) they stay hidden; the text can be selected.
// They appear by a mark on the page and not one by one, so that one in a part that is replaced can keep the focus.
(() => {
  if (!navigator.clipboard) return;

  document.documentElement.dataset.clipboard = "yes";

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
