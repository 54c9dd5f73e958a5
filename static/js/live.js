// Live pages: polls rest while nobody looks, changes are read out, failures become toasts, notices can be closed.
(() => {
  // Polls -------------------------------------------------------------------------------------------------------
  const missed = new Set();

  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig } = event.detail;
    const isPoll = elt.getAttribute("hx-trigger")?.includes("every") && !requestConfig.triggeringEvent;
    if (!isPoll) return;
    // A fresh part would take an open menu or table away from under the pointer; the next poll comes soon enough.
    if (elt.querySelector("details:is(.menu, .data-table)[open]")) event.preventDefault();
    if (!document.hidden) return;
    event.preventDefault();
    missed.add(elt);
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const elt of missed) {
      const address = elt.getAttribute("hx-get");
      if (elt.isConnected && address) htmx.ajax("GET", address, { source: elt });
    }
    missed.clear();
  });

  // News: what a part with data-news says of itself is read out once, when it changes. A role="status" inside the
  // part would be read out, or lost, each time the part is replaced. -------------------------------------------------
  const told = new Map();
  const tell = (root) => {
    for (const part of [root, ...root.querySelectorAll("[data-news]")]) {
      const { news } = part.dataset;
      if (!news || !part.id) continue;
      if (told.has(part.id) && told.get(part.id) !== news) document.getElementById("news").textContent = news;
      told.set(part.id, news);
    }
  };
  document.addEventListener("htmx:load", (event) => tell(event.detail.elt));

  // Toasts ------------------------------------------------------------------------------------------------------
  const SECONDS_SHOWN = 6;
  const MAX_TOASTS = 4;

  const closeButton = (name, box) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = name;
    button.setAttribute("aria-label", "Close");
    button.textContent = "×";
    button.addEventListener("click", () => box.remove());
    return button;
  };

  const toast = (text, level = "info") => {
    const region = document.getElementById("toasts");
    if (!region || [...region.children].some((other) => other.dataset.text === text)) return;
    const box = document.createElement("div");
    box.className = `toast toast--${level}`;
    box.dataset.text = text;
    const words = document.createElement("p");
    words.textContent = text;
    box.append(words, closeButton("toast__close", box));
    region.append(box);
    while (region.children.length > MAX_TOASTS) region.firstElementChild.remove();
    // What went wrong stays until it is read; good news may leave by itself.
    if (level === "info" || level === "success") setTimeout(() => box.remove(), SECONDS_SHOWN * 1000);
  };

  // Other scripts of ours: new CustomEvent("toast", { detail: { text, level } })
  document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.level));

  const UNREACHABLE = "The server cannot be reached. What you see may be out of date; it is tried again by itself.";
  document.addEventListener("htmx:sendError", () => toast(UNREACHABLE, "warning"));
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    if (status === 403) toast("You may not do that. Nothing was changed.", "danger");
    else if (status === 404) toast("That no longer exists. Reload the page to see what does.", "warning");
    else toast(`The server answered with an error (${status}). The cause is in its log.`, "danger");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) return;
    for (const box of document.querySelectorAll("#toasts > .toast--warning")) {
      if (box.dataset.text === UNREACHABLE) box.remove();
    }
  });

  const addCloseButtons = (root) => {
    for (const notice of root.querySelectorAll("[data-closable]:not(:has(> .notice__close))")) {
      notice.append(closeButton("notice__close", notice));
    }
  };
  document.addEventListener("DOMContentLoaded", () => addCloseButtons(document));
  document.addEventListener("htmx:load", (event) => addCloseButtons(event.detail.elt));
})();
