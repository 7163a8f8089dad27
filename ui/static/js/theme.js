// form[data-theme-form]: a click shows the theme at once and tells the server behind the page's back.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-theme-form]");
  if (!form) return;
  event.preventDefault();
  const chosen = event.submitter.value;
  if (chosen === "system") document.documentElement.removeAttribute("data-bs-theme");
  else document.documentElement.setAttribute("data-bs-theme", chosen);
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", button.value === chosen);
  const data = new FormData(form);
  data.set("theme", chosen);
  fetch(form.action, { method: "POST", body: data, headers: { "HX-Request": "true" } });
});
