/* The card field of the sandbox processor: the part of Stripe.js that the portal uses, with the same names.
   The inputs live in a frame on the processor's origin; a card number never reaches the merchant's page. */
(function () {
  "use strict";

  const ORIGIN = new URL(document.currentScript.src).origin;
  const TITLES = { en: "Secure card details", es: "Datos seguros de la tarjeta" };
  const DIALOG_TITLES = { en: "Confirm with your bank", es: "Confirme con su banco" };
  const READY_MILLISECONDS = 20000;

  function languageOf(locale) {
    const wanted = !locale || locale === "auto" ? navigator.language : locale;
    return String(wanted).toLowerCase().startsWith("es") ? "es" : "en";
  }

  function failure(message, code, type) {
    return { error: { type: type || "api_error", code: code || "unavailable", message: message } };
  }

  /* A value of appearance.variables may be any colour or length that CSS knows; the browser decides. */
  function isDark(variables, theme) {
    if (theme === "night") return true;
    const probe = document.createElement("canvas").getContext("2d");
    if (!probe || !variables || !variables.colorBackground) return false;
    probe.fillStyle = "#fff";
    probe.fillStyle = variables.colorBackground;
    const hex = /^#(..)(..)(..)$/.exec(probe.fillStyle);
    if (!hex) return false;
    const [red, green, blue] = hex.slice(1).map((part) => parseInt(part, 16));
    return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }

  class Element {
    constructor(elements, kind, options) {
      this.elements = elements;
      this.kind = kind;
      this.options = options || {};
      this.handlers = {};
      this.waiting = new Map();
      this.next = 1;
      this.frame = null;
      this.loaded = null;
      this.receive = this.receive.bind(this);
    }

    on(name, handler) {
      (this.handlers[name] = this.handlers[name] || []).push(handler);
      return this;
    }

    off(name, handler) {
      this.handlers[name] = (this.handlers[name] || []).filter((one) => handler && one !== handler);
      return this;
    }

    tell(name, detail) {
      for (const handler of this.handlers[name] || []) handler(Object.assign({ elementType: this.kind }, detail));
    }

    mount(target) {
      const place = typeof target === "string" ? document.querySelector(target) : target;
      if (!place) throw new Error("The element to mount on was not found: " + target);
      this.unmount();
      const frame = document.createElement("iframe");
      frame.src = ORIGIN + "/field";
      frame.title = TITLES[this.elements.language()];
      frame.name = "quittance-sandbox-field";
      frame.setAttribute("allow", "payment 'none'");
      Object.assign(frame.style, { border: "0", display: "block", width: "100%", height: "260px" });
      frame.style.colorScheme = this.elements.isDark() ? "dark" : "light";
      place.replaceChildren(frame);
      this.frame = frame;
      window.addEventListener("message", this.receive);
      this.loaded = new Promise((resolve) => {
        this.arrived = resolve;
        setTimeout(() => resolve(false), READY_MILLISECONDS);
      });
      return this;
    }

    unmount() {
      window.removeEventListener("message", this.receive);
      if (this.frame) this.frame.remove();
      this.frame = null;
    }

    destroy() {
      this.unmount();
      this.elements.forget(this);
    }

    update(options) {
      Object.assign(this.options, options || {});
      this.configure();
    }

    focus() {
      this.send("focus");
    }

    blur() {
      this.send("blur");
    }

    clear() {
      this.send("clear");
    }

    collapse() {}

    send(kind, detail) {
      if (this.frame) this.frame.contentWindow.postMessage({ sandbox: kind, detail: detail || {} }, ORIGIN);
    }

    configure() {
      if (!this.frame) return;
      this.frame.style.colorScheme = this.elements.isDark() ? "dark" : "light";
      this.send("configure", {
        key: this.elements.stripe.key,
        language: this.elements.language(),
        dark: this.elements.isDark(),
        variables: (this.elements.options.appearance || {}).variables || {},
        fields: this.options.fields || {},
        hidePostalCode: this.options.hidePostalCode === true,
        values: (this.options.defaultValues || {}).billingDetails || {},
      });
    }

    async ask(kind, detail) {
      if (!this.frame || !(await this.loaded)) {
        return failure("The card field could not be loaded. Reload the page and try again.");
      }
      const number = this.next++;
      return new Promise((resolve) => {
        this.waiting.set(number, resolve);
        this.send(kind, Object.assign({ number: number }, detail));
      });
    }

    receive(event) {
      if (event.origin !== ORIGIN || !this.frame || event.source !== this.frame.contentWindow) return;
      const message = event.data || {};
      if (message.sandbox === "loaded") this.configure();
      else if (message.sandbox === "ready") {
        this.arrived(true);
        this.tell("ready", {});
      } else if (message.sandbox === "height") this.frame.style.height = Math.ceil(message.detail) + "px";
      else if (message.sandbox === "answer") {
        const resolve = this.waiting.get(message.number);
        this.waiting.delete(message.number);
        if (resolve) resolve(message.detail);
      } else if (message.sandbox === "enter") {
        const form = this.frame.closest("form");
        if (form) form.requestSubmit();
      } else if (["change", "focus", "blur"].includes(message.sandbox)) this.tell(message.sandbox, message.detail);
    }
  }

  class Elements {
    constructor(stripe, options) {
      this.stripe = stripe;
      this.options = Object.assign({ mode: "payment" }, options);
      this.element = null;
    }

    language() {
      return languageOf(this.options.locale || this.stripe.options.locale);
    }

    isDark() {
      const appearance = this.options.appearance || {};
      return isDark(appearance.variables, appearance.theme);
    }

    create(kind, options) {
      if (kind !== "payment" && kind !== "card") throw new Error("This sandbox has no element of type " + kind);
      if (this.element) throw new Error("Can only create one Element of type " + kind + ".");
      this.element = new Element(this, kind, options);
      return this.element;
    }

    getElement(kind) {
      return this.element && this.element.kind === kind ? this.element : null;
    }

    forget(element) {
      if (this.element === element) this.element = null;
    }

    update(options) {
      Object.assign(this.options, options || {});
      if (this.element) this.element.configure();
    }

    async submit() {
      if (!this.element) return failure("No element was created.", "no_element", "validation_error");
      const answer = await this.element.ask("validate");
      return answer.error ? answer : { selectedPaymentMethod: "card" };
    }
  }

  function openDialog(key, secret, language) {
    return new Promise((resolve) => {
      const before = document.activeElement;
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-label", DIALOG_TITLES[language]);
      Object.assign(dialog.style, {
        border: "0",
        borderRadius: "12px",
        boxShadow: "0 12px 48px rgba(0, 0, 0, .35)",
        colorScheme: "light",
        maxWidth: "min(420px, calc(100vw - 32px))",
        overflow: "hidden",
        padding: "0",
        width: "100%",
      });
      const frame = document.createElement("iframe");
      frame.title = DIALOG_TITLES[language];
      frame.src = ORIGIN + "/challenge#" + new URLSearchParams({ client_secret: secret, language: language });
      Object.assign(frame.style, { border: "0", display: "block", height: "340px", width: "100%" });
      dialog.append(frame);
      function receive(event) {
        if (event.origin !== ORIGIN || event.source !== frame.contentWindow) return;
        const message = event.data || {};
        if (message.sandbox === "height") frame.style.height = Math.ceil(message.detail) + "px";
        if (message.sandbox !== "challenged") return;
        window.removeEventListener("message", receive);
        dialog.close();
        dialog.remove();
        if (before && before.focus) before.focus();
        resolve(message.detail);
      }
      window.addEventListener("message", receive);
      dialog.addEventListener("cancel", (event) => {
        event.preventDefault();
        frame.contentWindow.postMessage({ sandbox: "give up" }, ORIGIN);
      });
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  window.Stripe = function (publishableKey, options) {
    if (!publishableKey) throw new Error("Please call Stripe() with your publishable key.");
    const stripe = {
      key: publishableKey,
      options: options || {},

      elements(chosen) {
        return new Elements(stripe, chosen || {});
      },

      async createConfirmationToken(given) {
        const elements = given && given.elements;
        if (!elements || !elements.element) return failure("No element was created.", "no_element", "validation_error");
        const params = given.params || {};
        const answer = await elements.element.ask("token", {
          billing: (params.payment_method_data || {}).billing_details || {},
          returnUrl: params.return_url || null,
          usage: elements.options.setupFutureUsage || null,
        });
        return answer.error ? answer : { confirmationToken: answer };
      },

      async handleNextAction(given) {
        const secret = given && given.clientSecret;
        if (!secret) return failure("clientSecret is missing.", "parameter_missing", "invalid_request_error");
        const language = languageOf(stripe.options.locale || document.documentElement.lang);
        const answer = await openDialog(publishableKey, secret, language);
        if (answer.error) return { error: answer.error };
        return answer.object === "setup_intent" ? { setupIntent: answer } : { paymentIntent: answer };
      },
    };
    return stripe;
  };
})();
