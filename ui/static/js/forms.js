// What every form gets: a second press of the button does not send it twice; [data-unsaved] warns before the page
// with changes is left; [data-reveal] shows a password; [data-dialog="#id"] opens a native dialog.
(() => {
  const changed = new Set();
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-unsaved]");
    if (form) changed.add(form);
  });
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "dialog") return;
    changed.delete(event.target);
    if (event.target.matches("[hx-post], [hx-put], [hx-patch], [hx-delete]")) return;
    if (event.target.classList.contains("sending")) event.preventDefault();
    event.target.classList.add("sending");
  });
  addEventListener("pageshow", () => document.querySelectorAll("form.sending").forEach((form) => form.classList.remove("sending")));
  addEventListener("beforeunload", (event) => { if ([...changed].some((form) => form.isConnected)) event.preventDefault(); });
  document.addEventListener("htmx:afterRequest", (event) => event.detail.successful && changed.delete(event.detail.elt));

  document.addEventListener("click", (event) => {
    const reveal = event.target.closest("[data-reveal]");
    if (reveal) {
      const input = document.getElementById(reveal.dataset.reveal);
      const hidden = input.type === "password";
      input.type = hidden ? "text" : "password";
      reveal.setAttribute("aria-pressed", hidden);
    }
    const opener = event.target.closest("[data-dialog]");
    if (opener) document.querySelector(opener.dataset.dialog).showModal();
    const closer = event.target.closest("[data-dialog-close]");
    if (closer) closer.closest("dialog").close();
  });
})();
