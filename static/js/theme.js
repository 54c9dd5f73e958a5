// The theme a person chose on this machine: "light", "dark", or "system" for none.
(() => {
  const KEY = "backupsite.theme";
  const root = document.documentElement;

  const stored = () => {
    try {
      return localStorage.getItem(KEY) ?? "system";
    } catch {
      return "system"; // storage may be forbidden; the system's theme always works
    }
  };

  const apply = (choice) => {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
    document.dispatchEvent(new CustomEvent("theme:change"));
  };

  apply(stored());

  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll(".theme-switch")) group.hidden = false;
    apply(stored());
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    const choice = button.dataset.themeChoice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // Not kept for the next page, but this one changes.
    }
    apply(choice);
  });

  addEventListener("storage", (event) => {
    if (event.key === KEY) apply(stored()); // another tab changed it
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(stored()));
})();
