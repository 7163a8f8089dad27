// canvas[data-chart]: Chart.js with the colours of the page, drawn anew when the theme changes.
// The library is loaded when the first canvas is there: a page without one does not pay for it.
// data-values: {labels: [ISO days], values: [..]} or {labels, series: [{name, values}]}.
(() => {
  const library = document.currentScript.dataset.library;
  const page = document.documentElement.lang;
  const short = new Intl.DateTimeFormat(page, { day: "numeric", month: "short", timeZone: "UTC" });
  const long = new Intl.DateTimeFormat(page, { dateStyle: "full", timeZone: "UTC" });
  const number = new Intl.NumberFormat(page, { notation: "compact" });
  const whole = new Intl.NumberFormat(page, { maximumFractionDigits: 2 });
  const isDay = (label) => /^\d{4}-\d{2}-\d{2}$/.test(label);
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const charts = [];
  const draw = (canvas) => {
    const told = JSON.parse(canvas.dataset.values);
    const series = told.series || [{ name: canvas.dataset.title, values: told.values }];
    const tones = ["--accent", "--info", "--warning", "--danger"].map(colour);
    const [ink, line] = [colour("--ink-2"), colour("--line")];
    const bar = canvas.dataset.chart === "bar";
    charts.push(new Chart(canvas, {
      type: bar ? "bar" : "line",
      data: {
        labels: told.labels,
        datasets: series.map((one, at) => ({
          label: one.name, data: one.values, backgroundColor: tones[at % 4], borderColor: tones[at % 4],
          borderWidth: bar ? 0 : 2, borderRadius: 3, maxBarThickness: 28, pointRadius: 0, pointHitRadius: 12, tension: .25,
        })),
      },
      options: {
        animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
        plugins: {
          legend: { display: series.length > 1, labels: { color: ink, boxWidth: 12 } },
          tooltip: { callbacks: {
            title: ([one]) => isDay(one.label) ? long.format(new Date(one.label)) : one.label,
            label: (one) => `${one.dataset.label}: ${whole.format(one.parsed.y)}`,
          } },
        },
        scales: {
          x: { grid: { display: false }, border: { color: line }, ticks: {
            color: ink, maxRotation: 0, autoSkipPadding: 18,
            callback(value) { const label = this.getLabelForValue(value); return isDay(label) ? short.format(new Date(label)) : label; },
          } },
          y: { beginAtZero: true, grid: { color: line }, border: { display: false }, ticks: { color: ink, maxTicksLimit: 5, callback: (value) => number.format(value) } },
        },
      },
    }));
  };
  const redraw = () => {
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    while (charts.length) charts.pop().destroy();
    document.querySelectorAll("canvas[data-chart]").forEach(draw);
  };
  let asked = false;
  const all = () => {
    if (!document.querySelector("canvas[data-chart]")) return;
    if (window.Chart) return redraw();
    if (asked) return;
    asked = true;
    const script = document.createElement("script");
    script.src = library;
    script.onload = redraw;
    document.head.append(script);
  };
  all();
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.querySelector?.("canvas[data-chart]")) all(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  new MutationObserver(all).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
})();
