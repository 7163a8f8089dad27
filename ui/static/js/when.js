// time[data-when]: the time where the person is. Today the hour, before it the day, too; all of it as a title.
(() => {
  const page = document.documentElement.lang;
  const language = navigator.languages.find((one) => one.split("-")[0] === page) || page; // en-GB keeps its clock
  const hour = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const year = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
  const whole = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });
  const tell = (root) => {
    for (const time of root.querySelectorAll("time[data-when]")) {
      const at = new Date(time.dateTime), now = new Date();
      const date = at.toDateString() === now.toDateString() ? "" : (at.getFullYear() === now.getFullYear() ? day : year).format(at);
      const alone = time.dataset.when === "short" && date;
      time.textContent = alone ? date : [date, hour.format(at)].filter(Boolean).join(", ");
      time.title = whole.format(at);
    }
  };
  tell(document);
  document.addEventListener("htmx:load", (event) => tell(event.target));
})();
