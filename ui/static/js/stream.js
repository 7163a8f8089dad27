// A conversation that lives: [data-talk] follows the events of its chat and shows what comes.
//
// The server has merged the reply already (attempts, holes, repeats) and says in the id of each event how far it has
// told; whoever comes back with that position misses nothing and hears nothing twice. A reply in the making is shown
// as plain text; everything that is stored (messages, notices, buttons, words left) comes rendered from
// data-messages?after=<number of the last message that is shown>, each time an event says that there is something.
(() => {
  const RETRY = 3000, PATIENCE = 2500, NEAR = 48; // milliseconds, milliseconds, pixels

  const begin = (talk) => {
    if (talk.dataset.begun) return;
    talk.dataset.begun = "yes";
    const pane = talk.querySelector("[data-scroll]");
    const log = talk.querySelector("[data-log]");
    const latest = talk.querySelector("[data-latest]");
    const composer = talk.querySelector("[data-composer]");
    const { events, messages } = talk.dataset;
    const life = new AbortController();
    const listen = (target, name, what) => target.addEventListener(name, what, { signal: life.signal });

    // Staying at the end, unless the person has scrolled away from it.
    let atEnd = true;
    const isAtEnd = () => pane.scrollHeight - pane.scrollTop - pane.clientHeight < NEAR;
    const settle = () => {
      if (atEnd) pane.scrollTop = pane.scrollHeight;
      latest.hidden = isAtEnd();
    };
    const toEnd = () => { atEnd = true; settle(); };
    listen(pane, "scroll", () => { atEnd = isAtEnd(); latest.hidden = atEnd; });
    listen(latest, "click", () => { toEnd(); pane.focus({ preventScroll: true }); });
    const sizes = new ResizeObserver(settle);
    sizes.observe(pane);

    // The reply in the making: which turn, and what was told of it.
    let position = talk.dataset.after, turn = "", text = "", missed = "";
    const draw = () => {
      const bubble = talk.querySelector(`[data-turn="${turn}"]`);
      if (bubble) bubble.textContent = text;
      settle();
      return Boolean(bubble);
    };

    // What the server has rendered.
    const last = () => Number(log?.lastElementChild?.dataset.number || 0);
    const alive = (node) => {
      htmx.process(node);
      htmx.trigger(node, "htmx:load");
    };
    const show = (html) => {
      const found = Object.assign(document.createElement("template"), { innerHTML: html }).content;
      const whole = found.querySelector("[data-talk]");
      if (whole) return replace(whole);
      for (const message of found.querySelectorAll("[data-new] > [data-number]")) {
        if (Number(message.dataset.number) <= last()) continue;
        log.append(message);
        alive(message);
      }
      for (const part of found.querySelectorAll("[data-part]")) {
        const old = talk.querySelector(`[data-part="${part.dataset.part}"]`);
        if (!old || old.isEqualNode(part)) continue;
        const held = old.contains(document.activeElement);
        old.replaceWith(part);
        alive(part);
        if (held) composer.elements.text.focus();
      }
      const words = found.querySelector("#words-left");
      if (words) document.getElementById("words-left")?.replaceWith(words);
      if (turn) draw();
      settle();
      awaitResumption();
    };
    let resumption;
    const awaitResumption = () => {
      clearTimeout(resumption);
      const until = talk.querySelector("[data-until]");
      if (until) resumption = setTimeout(refresh, Math.min(new Date(until.dateTime) - Date.now() + 1000, 2 ** 31 - 1));
    };
    const replace = (whole) => {
      const writing = talk.contains(document.activeElement), kept = composer.elements.text.value;
      end();
      talk.replaceWith(whole);
      alive(whole);
      const box = whole.querySelector("[data-composer]").elements.text;
      if (events) box.value = kept;
      if (writing) box.focus();
    };

    // One request after the other: an older answer never comes over a newer one.
    let queue = Promise.resolve();
    const request = (url, options = {}) => (queue = queue.then(async () => {
      const address = new URL(url, location);
      address.searchParams.set("after", last());
      if (talk.matches(".panel")) address.searchParams.set("panel", "");
      const answer = await fetch(address, { ...options, headers: { "HX-Request": "true", ...options.headers }, signal: life.signal });
      return { ok: answer.ok && !answer.redirected, status: answer.redirected ? 401 : answer.status, html: await answer.text() };
    }).catch(() => ({ ok: false, status: 0, html: "" })));

    let asked = false;
    const refresh = async () => {
      if (asked || !messages) return true; // one that waits will see it
      asked = true;
      await queue;
      asked = false;
      const { ok, status, html } = await request(messages);
      if (ok) show(html);
      return ![401, 403, 404].includes(status);
    };

    // Following.
    let source, retry, patience;
    const follow = () => {
      if (!events || life.signal.aborted || document.hidden) return;
      source?.close();
      source = new EventSource(`${events}?after=${encodeURIComponent(position)}`);
      source.onopen = () => offline(false);
      source.onerror = (event) => {
        if (event.data !== undefined) return; // the chat's own event of that name
        offline(true);
        if (source.readyState === EventSource.CLOSED) retry = setTimeout(again, RETRY);
      };
      for (const [name, what] of Object.entries(heard)) {
        source.addEventListener(name, (event) => {
          if (event.lastEventId) position = event.lastEventId;
          if (event.data !== undefined) what(event);
        });
      }
    };
    const heard = {
      message: () => refresh(),
      state: () => refresh(),
      done: () => { turn = text = ""; refresh(); },
      error: () => { turn = text = ""; refresh(); },
      restart: () => { text = ""; draw(); },
      delta: (event) => {
        const now = event.lastEventId.split(".")[1];
        if (now !== turn) [turn, text] = [now, ""];
        text += JSON.parse(event.data).text;
        if (!draw() && missed !== turn) refresh((missed = turn));
      },
    };
    const again = async () => {
      clearTimeout(retry);
      if (await refresh()) return follow();
      end();
      talk.querySelector("[data-offline]").hidden = true;
      talk.querySelector("[data-gone]").hidden = false;
    };
    const offline = (away) => {
      clearTimeout(patience);
      const note = talk.querySelector("[data-offline]");
      if (away) patience = setTimeout(() => { note.hidden = false; }, PATIENCE);
      else note.hidden = true;
    };
    const end = () => {
      source?.close();
      clearTimeout(retry);
      clearTimeout(patience);
      clearTimeout(resumption);
      sizes.disconnect();
      life.abort();
    };
    // A hidden tab needs no connection: browsers have few of them.
    listen(document, "visibilitychange", () => (document.hidden ? source?.close() : again()));
    listen(window, "online", again);
    listen(window, "offline", () => offline(true));
    listen(document, "htmx:beforeCleanupElement", (event) => event.target === talk && end());

    // Saying something, and every other deed of the conversation.
    listen(talk, "submit", async (event) => {
      const form = event.target.closest("[data-sends]");
      if (!form) return;
      event.preventDefault();
      if (form.matches(".sending")) return;
      form.classList.add("sending");
      const said = form.elements.text?.value ?? "";
      if (form.elements.key) form.elements.key.value ||= Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
      const data = new FormData(form);
      const headers = { "X-CSRFToken": data.get("csrfmiddlewaretoken") };
      const answer = await request(form.action, { method: form.dataset.sends, headers, body: form.dataset.sends === "POST" ? data : undefined });
      form.classList.remove("sending");
      refuse(answer);
      if (!answer.ok) return;
      if (form === composer) {
        if (form.elements.text.value.startsWith(said)) form.elements.text.value = form.elements.text.value.slice(said.length);
        form.elements.key.value = "";
        atEnd = true;
      }
      show(answer.html);
    });
    const refuse = ({ ok, html }) => {
      const note = talk.querySelector("[data-refused]");
      const found = ok || new DOMParser().parseFromString(html, "text/html").querySelector("[data-refusal]");
      note.hidden = ok;
      note.textContent = ok ? "" : found?.textContent || note.dataset.plain;
    };
    listen(talk, "keydown", (event) => {
      if (!event.target.matches("[data-composer] textarea") || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      composer.requestSubmit();
    });

    // Older messages come above, and what is read stays where it is.
    listen(talk, "click", async (event) => {
      const button = event.target.closest("[data-earlier]");
      if (!button || button.disabled) return;
      button.disabled = true;
      const { ok, html } = await request(button.dataset.earlier);
      button.disabled = false;
      if (!ok) return refuse({ ok, html: "" });
      const height = pane.scrollHeight, top = pane.scrollTop;
      const place = button.closest("[data-history]");
      place.insertAdjacentHTML("afterend", html);
      alive(place.parentElement);
      place.remove();
      pane.scrollTop = top + pane.scrollHeight - height;
      pane.focus({ preventScroll: true });
    });

    toEnd();
    awaitResumption();
    follow();
  };

  const beginAll = (root) => {
    if (root.matches?.("[data-talk]")) begin(root);
    root.querySelectorAll("[data-talk]").forEach(begin);
  };
  document.addEventListener("htmx:load", (event) => beginAll(event.target));
  beginAll(document);
})();
