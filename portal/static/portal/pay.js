/* The card field and the bank's own check. Card data goes from the processor's frame to the processor; this page
   only ever holds the id of a confirmation token. */
"use strict";

(() => {
  const box = document.getElementById("card-error");
  const say = (message) => {
    box.hidden = !message;
    box.querySelector("p").textContent = message || "";
  };

  // The frame cannot see our style sheet, so it is told the colours that this page really shows.
  const appearance = () => {
    const page = getComputedStyle(document.documentElement);
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const colour = (name) => {
      const swatch = document.createElement("i");
      swatch.className = `swatch-${name}`;
      document.body.append(swatch);
      // Through a canvas, because a mixed colour computes to oklab() and the processor wants #rrggbb.
      probe.fillStyle = getComputedStyle(swatch).color;
      probe.fillRect(0, 0, 1, 1);
      swatch.remove();
      return "#" + [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part.toString(16).padStart(2, "0")).join("");
    };
    return {
      theme: matchMedia("(prefers-color-scheme: dark)").matches ? "night" : "stripe",
      variables: {
        colorPrimary: colour("action"),
        colorBackground: colour("paper"),
        colorText: colour("ink"),
        colorTextSecondary: colour("soft"),
        colorDanger: colour("bad"),
        fontFamily: page.getPropertyValue("--sans"),
        fontSizeBase: "19px",
        borderRadius: "6px",
      },
    };
  };

  const cardField = (field) => {
    const form = document.getElementById("card-form");
    const { publishableKey, mode, amount, currency, locale, setupFutureUsage, failed } = field.dataset;
    if (!window.Stripe) return say(failed);
    const stripe = window.Stripe(publishableKey);
    const options = { mode, currency, locale, appearance: appearance() };
    if (mode === "payment") options.amount = Number(amount); // a card that is only stored pays nothing today
    if (setupFutureUsage) options.setupFutureUsage = setupFutureUsage;
    const elements = stripe.elements(options);
    const payment = elements.create("payment");
    payment.on("change", () => say(""));
    payment.on("loaderror", () => say(failed));
    field.replaceChildren();
    payment.mount(field);

    form.addEventListener("submit", async (event) => {
      const hidden = document.getElementById("confirmation-token");
      if (hidden.value) return;
      event.preventDefault();
      if (form.dataset.running) return;
      const button = event.submitter ?? form.querySelector("button");
      form.dataset.running = "1";
      button.setAttribute("aria-disabled", "true");
      say("");
      try {
        const checked = await elements.submit();
        const made = checked.error ? checked : await stripe.createConfirmationToken({ elements });
        if (made.error) throw made.error;
        hidden.value = made.confirmationToken.id;
        form.requestSubmit(button);
      } catch (error) {
        say(error?.message || failed);
        button.removeAttribute("aria-disabled");
      } finally {
        delete form.dataset.running;
      }
    });
    // Back from the next page: the old token is spent, a new one is made.
    window.addEventListener("pageshow", () => (document.getElementById("confirmation-token").value = ""));
  };

  const bankCheck = (form) => {
    const { publishableKey, nextActionClientSecret, failed } = form.dataset;
    const button = form.querySelector("button");
    const open = async () => {
      if (form.dataset.running) return;
      form.dataset.running = "1";
      button.setAttribute("aria-disabled", "true");
      say("");
      try {
        if (!window.Stripe) throw new Error(failed);
        const answer = await window.Stripe(publishableKey).handleNextAction({ clientSecret: nextActionClientSecret });
        // A failed check is the server's to judge as well: it asks the processor, never this page.
        if (answer.error && !answer.error.payment_intent && !answer.error.setup_intent) throw answer.error;
        form.submit();
      } catch (error) {
        say(error?.message || failed);
        button.removeAttribute("aria-disabled");
        delete form.dataset.running;
      }
    };
    form.addEventListener("submit", (event) => (event.preventDefault(), open()));
    open();
  };

  // Deferred scripts run in order after the page is read, so the processor's own script is there by now.
  const field = document.getElementById("card-field");
  if (field) cardField(field);
  const check = document.getElementById("next-action");
  if (check) bankCheck(check);
})();
