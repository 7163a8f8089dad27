// The context switcher. Its content is fetched on the first opening (htmx waits for "switcher:open") and again when
// the page asks for it; arrows move, typing filters when there is a filter, Escape closes and gives the focus back.
(() => {
  const button = document.querySelector("[data-switcher]");
  if (!button) return;
  const panel = document.getElementById(button.getAttribute("aria-controls"));
  const items = () => [...panel.querySelectorAll("a, button, input")].filter((item) => item.offsetParent);

  const open = () => {
    panel.hidden = false;
    button.setAttribute("aria-expanded", "true");
    panel.dispatchEvent(new CustomEvent("switcher:open", { bubbles: true }));
    settle();
  };
  const close = (back) => {
    panel.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (back) button.focus();
  };
  const settle = () => (panel.querySelector("[data-filter]") || panel.querySelector("[aria-current]") || panel).focus();

  button.addEventListener("click", () => (panel.hidden ? open() : close(true)));
  panel.addEventListener("htmx:afterSettle", () => panel.hidden || settle());
  document.addEventListener("pointerdown", (event) => {
    if (!panel.hidden && !event.target.closest("[data-switcher], #" + panel.id)) close(false);
  });
  panel.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !panel.contains(event.relatedTarget) && event.relatedTarget !== button) close(false);
  });
  button.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && panel.hidden) { event.preventDefault(); open(); }
    if (event.key === "Escape" && !panel.hidden) { event.preventDefault(); close(true); }
  });
  panel.addEventListener("keydown", (event) => {
    const all = items(), at = all.indexOf(document.activeElement);
    const go = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") { event.preventDefault(); close(true); }
    else if (go !== undefined && !(event.target.matches("input") && ["Home", "End"].includes(event.key))) {
      event.preventDefault();
      all[(go + all.length) % all.length]?.focus();
    } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== " ") {
      panel.querySelector("[data-filter]")?.focus();
    } else if (event.key === "Enter" && event.target.matches("[data-filter]")) {
      event.preventDefault();
      items().find((item) => item.matches("[data-name]"))?.click();
    }
  });
  panel.addEventListener("input", (event) => {
    if (!event.target.matches("[data-filter]")) return;
    const wanted = event.target.value.trim().toLocaleLowerCase();
    let left = 0;
    for (const item of panel.querySelectorAll("[data-name]")) {
      const fits = item.dataset.name.toLocaleLowerCase().includes(wanted);
      item.parentElement.hidden = !fits;
      left += fits;
    }
    panel.querySelector("[data-none]").hidden = left > 0;
  });
})();
