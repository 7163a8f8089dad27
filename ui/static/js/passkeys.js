// form[data-passkey="get"|"create"]: before it is sent, the browser asks for a passkey and the answer goes along in
// input[name=credential]. The options come from the JSON named by data-options, or are fetched from data-options-url.
// Where the browser cannot do it the form stays hidden and [data-passkey-missing] is shown.
(() => {
  const isAddress = /^[\d.]+$|^\[/.test(location.hostname);  // passkeys belong to names
  const works = Boolean(window.PublicKeyCredential) && window.isSecureContext && !isAddress;
  document.querySelectorAll("form[data-passkey]").forEach((form) => { form.hidden = !works; });
  document.querySelectorAll("[data-passkey-missing]").forEach((note) => { note.hidden = works; });

  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) => buffer && btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const ids = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const options = async (form) => {
    if (form.dataset.options) return JSON.parse(document.getElementById(form.dataset.options).textContent).publicKey;
    const answer = await fetch(form.dataset.optionsUrl, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new TypeError("offline");
    return (await answer.json()).request_options.publicKey;
  };

  const made = (asked, alone) => {
    asked.user.id = bytes(asked.user.id);
    asked.excludeCredentials = ids(asked.excludeCredentials);
    asked.authenticatorSelection = {
      ...asked.authenticatorSelection,
      residentKey: alone ? "required" : "discouraged",
      requireResidentKey: alone,
      ...(alone && { userVerification: "required" }),
    };
    return navigator.credentials.create({ publicKey: asked });
  };

  const shown = (asked) => {
    asked.allowCredentials = ids(asked.allowCredentials);
    return navigator.credentials.get({ publicKey: asked });
  };

  const plain = (credential) => {
    const { response } = credential;
    const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
    return {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment,
      clientExtensionResults: credential.getClientExtensionResults(),
      response: Object.fromEntries(parts.filter((part) => response[part]).map((part) => [part, text(response[part])])),
    };
  };

  const complain = (form, error) => {
    const note = form.querySelector("[data-passkey-problem]");
    const kind = { InvalidStateError: "known", SecurityError: "domain", TypeError: "offline" }[error.name] || "cancelled";
    note.querySelector("[data-passkey-sentence]").textContent = note.dataset[kind];
    note.hidden = false;
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-passkey]");
    if (!form) return;
    event.preventDefault();
    if (form.classList.contains("sending")) return;
    form.classList.add("sending");
    form.querySelector("[data-passkey-problem]").hidden = true;
    try {
      const asked = await options(form);
      asked.challenge = bytes(asked.challenge);
      const alone = Boolean(form.elements.passwordless?.checked);
      const credential = await (form.dataset.passkey === "create" ? made(asked, alone) : shown(asked));
      form.elements.credential.value = JSON.stringify(plain(credential));
      form.submit();
    } catch (error) {
      complain(form, error);
      form.classList.remove("sending");
    }
  }, true);
})();
