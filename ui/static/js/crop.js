// form[data-crop="5242880"] (the most bytes): shows the chosen picture in a square. Dragging, the wheel, two fingers,
// arrows, plus and minus and the slider choose a part of it, which the hidden input "crop" says as "x,y,side" in parts
// of the picture. Without this file the server takes the middle.
document.querySelectorAll("form[data-crop]").forEach((form) => {
  const find = (selector) => form.querySelector(selector);
  const [file, said, errors, stage, view, zoom, canvas] =
    ["[type=file]", "[name=crop]", "[data-errors]", "[data-crop-stage]", "[data-crop-view]", "[data-crop-zoom]", "canvas"].map(find);
  const pen = canvas.getContext("2d");
  const fingers = new Map();
  let picture = null, x = 0, y = 0, side = 0;

  const shorter = () => Math.min(picture.width, picture.height);
  const closest = () => Math.min(shorter(), Math.max(shorter() / 8, 48));
  const within = (value, least, most) => Math.min(Math.max(value, least), most);

  const show = () => {
    side = within(side, closest(), shorter());
    x = within(x, 0, picture.width - side);
    y = within(y, 0, picture.height - side);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, x, y, side, side, 0, 0, canvas.width, canvas.height);
    said.value = [x / picture.width, y / picture.height, side / shorter()].map((part) => part.toFixed(6)).join();
    zoom.disabled = closest() === shorter();
    zoom.value = zoom.disabled ? 0 : 100 * Math.log(side / shorter()) / Math.log(closest() / shorter());
  };
  const move = (right, down) => { x += right; y += down; show(); };
  const resize = (to) => {
    const former = side;
    side = within(to, closest(), shorter());
    move((former - side) / 2, (former - side) / 2);
  };
  const begin = () => {
    side = shorter();
    x = (picture.width - side) / 2;
    y = (picture.height - side) / 2;
    show();
  };
  const complain = (sentence) => {
    errors.textContent = sentence;
    errors.classList.toggle("field-error", Boolean(sentence));
  };

  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    const heavy = chosen && chosen.size > Number(form.dataset.crop);
    complain(heavy ? form.dataset.tooHeavy : "");
    if (heavy) file.value = "";
    // What cannot be shown here is sent as it is: the server says what is wrong with it.
    const read = chosen && !heavy ? await createImageBitmap(chosen).catch(() => null) : null;
    if (chosen !== file.files[0] && !heavy) return;
    picture = read;
    stage.hidden = !picture;
    if (picture) begin(); else said.value = "";
  });
  document.addEventListener("htmx:beforeSwap", (event) => event.target === errors && errors.classList.remove("field-error"));

  zoom.addEventListener("input", () => resize(shorter() * (closest() / shorter()) ** (zoom.value / 100)));
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    resize(side * 1.0015 ** event.deltaY);
  }, { passive: false });

  const apart = () => {
    const [one, other] = fingers.values();
    return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  };
  view.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const width = fingers.size === 2 && apart();
    fingers.set(event.pointerId, event);
    if (width) resize(side * width / apart());
    const scale = side / view.clientWidth / fingers.size;
    move((before.clientX - event.clientX) * scale, (before.clientY - event.clientY) * scale);
  });
  for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, (event) => fingers.delete(event.pointerId));

  view.addEventListener("keydown", (event) => {
    const step = side * (event.shiftKey ? 0.1 : 0.02);
    const deed = {
      ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0), ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
      "+": () => resize(side / 1.1), "=": () => resize(side / 1.1), "-": () => resize(side * 1.1), Home: begin,
    }[event.key];
    if (!deed || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    deed();
  });
});
