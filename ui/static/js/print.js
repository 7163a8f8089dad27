// button[data-print]: the browser's own dialog.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
});
