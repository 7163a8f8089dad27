// input[data-slug-from="#name"]: the placeholder shows what the name would become until a slug is typed; the check
// itself is asked of the server by htmx (hx-get … hx-trigger="input changed delay:300ms").
document.addEventListener("input", (event) => {
  const slug = event.target.form?.querySelector("[data-slug-from]");
  if (!slug) return;
  if (event.target === slug) slug.value = slug.value.replace(/[\s_]+/g, "-").toLowerCase();
  if (event.target.matches(slug.dataset.slugFrom))
    slug.placeholder = event.target.value.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
});
