/* What every consumer page gains from JavaScript; all of it works without. */
"use strict";

(() => {
  const CHECK_EVERY = 5000; // ms between looks at the clock: a sleeping laptop wakes up to the right answer
  const KEEP_ALIVE = 240000; // ms: somebody who types a long form is active although no page is loaded

  const token = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";

  // One submit per form. The server's idempotency key is the promise; this only spares people the doubt.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === "dialog") return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    const button = event.submitter;
    if (!button) return;
    // After the browser has read the button's name and value; a disabled button would not be sent.
    setTimeout(() => {
      button.setAttribute("aria-disabled", "true");
      if (button.dataset.busy) {
        button.dataset.rest = button.innerHTML;
        button.textContent = button.dataset.busy;
      }
    });
  });
  window.portalRelease = (form) => {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button[aria-disabled]")) {
      button.removeAttribute("aria-disabled");
      if (button.dataset.rest) button.innerHTML = button.dataset.rest;
    }
  };
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form[data-sent]").forEach(window.portalRelease);
  });

  const start = () => {
    document.querySelector("[data-focus]")?.focus();

    for (const button of document.querySelectorAll("[data-enable-after]")) {
      button.disabled = true;
      setTimeout(() => (button.disabled = false), Number(button.dataset.enableAfter) * 1000);
    }

    for (const row of document.querySelectorAll("[data-copies]")) {
      if (!navigator.clipboard) continue; // without it the address can still be marked and copied by hand
      const button = row.querySelector("button");
      row.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(document.getElementById(row.dataset.copies).value);
        button.textContent = button.dataset.copied;
      });
    }

    const waiting = document.querySelector("[data-reload-seconds]");
    if (waiting) setTimeout(() => location.reload(), Number(waiting.dataset.reloadSeconds) * 1000);

    const dialog = document.getElementById("idle");
    if (dialog) watch(dialog);
  };

  const watch = (dialog) => {
    const { idleSeconds, warnSeconds, extendUrl, endedUrl } = dialog.dataset;
    // Shared by all tabs of this site: working in one keeps the others alive.
    const seen = (at) => (at ? localStorage.setItem("seen", at) : Number(localStorage.getItem("seen")) || 0);
    seen(Date.now());
    let active = false;

    const extend = async () => {
      active = false;
      seen(Date.now());
      if (dialog.open) dialog.close();
      const answer = await fetch(extendUrl, { method: "POST", headers: { "X-CSRFToken": token() } }).catch(() => null);
      if (answer && !answer.ok) location.assign(endedUrl);
    };
    for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, () => (active = true), { passive: true });
    document.addEventListener("htmx:afterRequest", () => seen(Date.now()));
    dialog.querySelector("[data-extend]").addEventListener("click", extend);
    dialog.addEventListener("cancel", (event) => (event.preventDefault(), extend())); // the Escape key stays, too

    setInterval(() => {
      const idle = Date.now() - seen();
      if (idle >= Number(idleSeconds) * 1000) location.assign(endedUrl);
      else if (dialog.open) idle < Number(warnSeconds) * 1000 && dialog.close(); // another tab went on
      else if (idle >= Number(warnSeconds) * 1000) dialog.showModal();
      else if (active && idle >= KEEP_ALIVE) extend();
    }, CHECK_EVERY);
  };

  document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", start) : start();
})();
