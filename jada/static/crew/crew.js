// Ticks without signal. Each tap is one operation with an id of its own, kept on the telephone until the server has it;
// the server counts an id once, so repeating is safe. Without this script the forms simply post.
(() => {
  "use strict";
  const store = `crew-ticks:${location.pathname}`;
  const net = document.getElementById("net");
  const count = document.querySelector("[data-count]");
  const bar = document.querySelector("progress");
  const forms = [...document.querySelectorAll("[data-tick]")];
  if (!forms.length) return;

  const waiting = () => JSON.parse(localStorage.getItem(store) || "[]");
  const keep = (taps) => (taps.length ? localStorage.setItem(store, JSON.stringify(taps)) : localStorage.removeItem(store));
  let sending = false;
  let refusal = "";
  let unreached = false; // a bar of signal that carries nothing: the browser still calls itself online

  const paint = () => {
    const taps = waiting();
    let done = 0;
    for (const form of forms) {
      const button = form.querySelector("button");
      const last = taps.filter((tap) => tap.url === form.action).pop();
      button.toggleAttribute("data-wait", Boolean(last));
      if (last) {
        button.setAttribute("aria-pressed", String(last.to === "1"));
        button.value = last.to === "1" ? "0" : "1";
      }
      done += button.getAttribute("aria-pressed") === "true" ? 1 : 0;
    }
    count.textContent = `${done} of ${forms.length}`;
    bar.value = done;
    if (refusal) net.textContent = refusal;
    else if (!navigator.onLine || unreached) net.textContent = taps.length ? `${taps.length} waiting for signal` : "No signal";
    else net.textContent = taps.length ? `Saving ${taps.length}` : "";
  };

  const post = (tap) =>
    fetch(tap.url, {
      method: "POST",
      // The token of the page as it is now: the one of the tap may have been replaced since.
      headers: { Accept: "application/json", "X-CSRFToken": forms[0].elements.csrfmiddlewaretoken.value },
      body: new URLSearchParams({ to: tap.to, op: tap.op }),
      signal: AbortSignal.timeout(8000),
    });

  const flush = async () => {
    if (sending || !navigator.onLine) return paint();
    sending = true;
    refusal = "";
    try {
      for (let tap; (tap = waiting()[0]); ) {
        const answer = await post(tap);
        if (answer.status >= 500) throw new Error("later");
        unreached = false;
        if (!answer.ok) {
          // Closed list, ended link: the tap stays visible and is not dropped; a person decides.
          refusal = answer.status === 409 ? "List closed: tell the captain" : "Not saved: open your link again";
          return;
        }
        keep(waiting().filter((other) => other.op !== tap.op));
        paint();
      }
    } catch {
      unreached = true;
      setTimeout(flush, 15000);
    } finally {
      sending = false;
      paint();
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-tick]")) return;
    event.preventDefault();
    const op = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    keep([...waiting(), { op, url: form.action, to: form.querySelector("button").value }]);
    paint();
    flush();
  });
  addEventListener("online", flush);
  addEventListener("offline", paint);
  document.addEventListener("visibilitychange", () => document.hidden || flush());
  flush();
})();
