// textarea[data-autosize] grows with its text where the browser does not do it by itself (field-sizing).
if (!CSS.supports("field-sizing", "content")) {
  const fit = (area) => {
    area.style.height = "auto";
    area.style.height = area.scrollHeight + "px";
  };
  document.addEventListener("input", (event) => event.target.matches("[data-autosize]") && fit(event.target));
  document.querySelectorAll("[data-autosize]").forEach(fit);
}
