// [data-confirm] on a form, or on a button in one: asks in dialog#confirm first. data-confirm-title, -deed and
// -type (a word that must be typed) are optional. htmx requests wait for the same answer.
(() => {
  const dialog = document.getElementById("confirm");
  if (!dialog) return;
  const part = (name) => dialog.querySelector(`[data-part="${name}"]`);
  let agreed = () => {};

  const ask = (source, then) => {
    const { confirm, confirmTitle, confirmDeed, confirmType } = source.dataset;
    part("title").textContent = confirmTitle || part("title").dataset.plain;
    part("text").textContent = confirm;
    part("deed").textContent = confirmDeed || part("deed").dataset.plain;
    part("type").hidden = !confirmType;
    part("word").textContent = confirmType || "";
    part("input").value = "";
    part("deed").disabled = Boolean(confirmType);
    part("input").oninput = () => { part("deed").disabled = part("input").value.trim() !== confirmType; };
    agreed = then;
    dialog.returnValue = "";
    dialog.showModal();
  };
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && agreed());

  document.addEventListener("submit", (event) => {
    const source = [event.submitter, event.target].find((node) => node?.dataset?.confirm);
    if (!source || event.target.dataset.agreed || event.target.closest("[hx-post], [hx-delete]")) return;
    event.preventDefault();
    const { target, submitter } = event;
    ask(source, () => {
      target.dataset.agreed = "yes";
      target.requestSubmit(submitter);
      delete target.dataset.agreed;
    });
  });
  document.addEventListener("htmx:confirm", (event) => {
    const source = [event.detail.triggeringEvent?.submitter, event.detail.elt].find((node) => node?.dataset?.confirm);
    if (!source) return;
    event.preventDefault();
    ask(source, () => event.detail.issueRequest(true));
  });
})();
