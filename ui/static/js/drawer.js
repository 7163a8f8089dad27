// The sidebar on a small screen: [data-drawer-open] shows #sidebar over the page, which goes quiet meanwhile.
(() => {
  const sidebar = document.getElementById("sidebar");
  if (!sidebar) return;
  const page = document.getElementById("sheet");
  const veil = document.getElementById("drawer-veil");
  const opener = document.querySelector("[data-drawer-open]");

  const show = (open) => {
    sidebar.classList.toggle("open", open);
    veil.hidden = !open;
    page.inert = open;
    opener.setAttribute("aria-expanded", open);
    if (open) sidebar.querySelector("a, button").focus();
    else opener.focus();
  };
  opener.addEventListener("click", () => show(true));
  veil.addEventListener("click", () => show(false));
  sidebar.querySelector("[data-drawer-close]").addEventListener("click", () => show(false));
  // On the document and joined after menu.js, so that Escape closes what is open inside the drawer first.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && sidebar.classList.contains("open") && !event.defaultPrevented) show(false);
  });
  matchMedia("(min-width: 62rem)").addEventListener("change", (wide) => {
    if (wide.matches && sidebar.classList.contains("open")) show(false);
  });
})();
