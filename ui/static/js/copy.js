// button[data-copy="#id"]: copies the value or text of that element and says so for two seconds.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard without HTTPS: select it for the person's own Ctrl-C.
    source.focus();
    source.select?.();
    if (!document.execCommand("copy")) return;
  }
  const label = button.querySelector("[data-copy-label]");
  if (button.dataset.copied) return;
  button.dataset.copied = label.textContent;
  label.textContent = button.dataset.copyDone;
  setTimeout(() => { label.textContent = button.dataset.copied; delete button.dataset.copied; }, 2000);
});
