// Short notices. The server sends them as messages in the page or, answering htmx, by the header
// HX-Trigger: {"toast": {"text": "Saved", "kind": "success"}}. Errors stay until they are closed.
(() => {
  const list = document.getElementById("toasts");
  const shape = document.getElementById("toast-shape");
  if (!list) return;
  const live = (note) => {
    if (!note.matches(".error")) setTimeout(() => note.matches(":hover, :focus-within") ? live(note) : note.remove(), 6000);
  };
  const show = (text, kind = "success") => {
    const note = shape.content.firstElementChild.cloneNode(true);
    note.querySelector("p").textContent = text;
    note.classList.add(kind);
    list.append(note);
    live(note);
  };
  list.querySelectorAll(".toast-note").forEach(live);
  list.addEventListener("click", (event) => event.target.closest("button") && event.target.closest(".toast-note").remove());
  document.addEventListener("toast", (event) => show(event.detail.text, event.detail.kind));
  document.addEventListener("htmx:sendError", () => show(list.dataset.offline, "error"));
  document.addEventListener("htmx:responseError", (event) => show(event.detail.xhr.getResponseHeader("X-Sentence") || list.dataset.broken, "error"));
})();
