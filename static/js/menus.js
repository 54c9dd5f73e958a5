// Menus are <details>: they open without us. We close them on Escape, on a click outside, and when another opens.
(() => {
  const OPEN = "details.menu[open], details[data-closes][open]";

  const closeAllBut = (inside) => {
    for (const menu of document.querySelectorAll(OPEN)) {
      if (!inside || !menu.contains(inside)) menu.open = false;
    }
  };

  document.addEventListener("click", (event) => closeAllBut(event.target));
  document.addEventListener("focusin", (event) => closeAllBut(event.target));

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = [...document.querySelectorAll(OPEN)];
    const innermost = open.filter((menu) => menu.contains(document.activeElement)).pop() ?? open.pop();
    if (!innermost) return;
    innermost.open = false;
    innermost.querySelector("summary").focus();
  });
})();
