/* Inside the frame: the inputs, their checks, and the one call that turns a card into a token. */
(function () {
  "use strict";

  const PRESS_MILLISECONDS = 200;
  const TEXTS = {
    en: {
      number: "Card number",
      expiry: "Expiry date",
      expiryHint: "MM / YY",
      cvc: "Security code",
      postal: "ZIP code",
      hint: "3 digits on the back of the card",
      hintAmex: "4 digits on the front of the card",
      note: "Your card number goes straight to the payment processor. Test mode: no real card is charged.",
      incomplete_number: "Enter the whole card number",
      invalid_number: "Check the card number: a digit is wrong",
      incomplete_expiry: "Enter the month and year, for example 04 / 29",
      invalid_expiry_month: "Enter a month from 01 to 12",
      invalid_expiry_year_past: "This card has expired",
      incomplete_cvc: "Enter the security code",
      incomplete_zip: "Enter the 5-digit ZIP code",
      unreachable: "The payment processor cannot be reached. Nothing was charged. Try again.",
    },
    es: {
      number: "Número de tarjeta",
      expiry: "Vencimiento",
      expiryHint: "MM / AA",
      cvc: "Código CVC",
      postal: "Código postal",
      hint: "3 dígitos al reverso de la tarjeta",
      hintAmex: "4 dígitos al frente de la tarjeta",
      note: "El número va directo al procesador de pagos. Modo de prueba: no se cobra ninguna tarjeta real.",
      incomplete_number: "Escriba el número completo de la tarjeta",
      invalid_number: "Revise el número de la tarjeta: hay un dígito incorrecto",
      incomplete_expiry: "Escriba el mes y el año, por ejemplo 04 / 29",
      invalid_expiry_month: "Escriba un mes de 01 a 12",
      invalid_expiry_year_past: "Esta tarjeta venció",
      incomplete_cvc: "Escriba el código de seguridad",
      incomplete_zip: "Escriba el código postal de 5 dígitos",
      unreachable: "No se puede contactar al procesador de pagos. No se cobró nada. Intente de nuevo.",
    },
  };
  const VARIABLES = {
    colorPrimary: "primary",
    colorBackground: "background",
    colorText: "text",
    colorTextSecondary: "secondary",
    colorDanger: "danger",
    colorBorder: "border",
    borderRadius: "radius",
    fontSizeBase: "size",
    fontFamily: "font",
    spacingUnit: "space",
  };
  const BRANDS = [
    ["amex", /^3[47]/, "Amex"],
    ["mastercard", /^(5[1-5]|2(22[1-9]|2[3-9]|[3-6]|7[01]|720))/, "Mastercard"],
    ["discover", /^6(011|4[4-9]|5)/, "Discover"],
    ["visa", /^4/, "Visa"],
  ];

  const find = (id) => document.getElementById(id);
  const [number, expiry, cvc, postal] = ["number", "expiry", "cvc", "postal"].map(find);
  let settings = null;
  let touched = new Set();

  const digits = (text) => text.replace(/\D/g, "");
  const texts = () => TEXTS[settings && settings.language === "es" ? "es" : "en"];
  const brandOf = (digitsOnly) => BRANDS.find(([, pattern]) => pattern.test(digitsOnly)) || ["unknown", null, ""];
  const asksPostal = () => !find("postal-field").hidden;

  function tell(kind, detail, more) {
    window.parent.postMessage(Object.assign({ sandbox: kind, detail: detail }, more), "*");
  }

  function passesLuhn(value) {
    let total = 0;
    [...value].reverse().forEach((digit, place) => {
      const doubled = Number(digit) * (place % 2 ? 2 : 1);
      total += doubled > 9 ? doubled - 9 : doubled;
    });
    return total % 10 === 0;
  }

  function expiryParts() {
    const [month, year] = expiry.value.split("/").map(digits);
    const short = (year || "").slice(-2);
    return { month: Number(month), year: short.length === 2 ? 2000 + Number(short) : null };
  }

  /* Each check returns the code of what is wrong, or null. */
  const CHECKS = {
    number() {
      const value = digits(number.value);
      const length = brandOf(value)[0] === "amex" ? 15 : 16;
      if (value.length < length) return "incomplete_number";
      return passesLuhn(value) ? null : "invalid_number";
    },
    expiry() {
      const { month, year } = expiryParts();
      if (digits(expiry.value).length >= 2 && (month < 1 || month > 12)) return "invalid_expiry_month";
      if (!month || !year) return "incomplete_expiry";
      const today = new Date();
      const last = today.getFullYear() * 12 + today.getMonth();
      return year * 12 + month - 1 < last ? "invalid_expiry_year_past" : null;
    },
    cvc() {
      const length = brandOf(digits(number.value))[0] === "amex" ? 4 : 3;
      return digits(cvc.value).length === length ? null : "incomplete_cvc";
    },
    postal() {
      return !asksPostal() || /^\d{5}(\d{4})?$/.test(digits(postal.value)) ? null : "incomplete_zip";
    },
  };
  const INPUTS = { number, expiry, cvc, postal };

  function show(name, code) {
    INPUTS[name].setAttribute("aria-invalid", code ? "true" : "false");
    find(name + "-error").textContent = code ? texts()[code] : "";
  }

  function validate() {
    let first = null;
    for (const name of Object.keys(CHECKS)) {
      touched.add(name);
      const code = CHECKS[name]();
      show(name, code);
      if (code && !first) first = { name, code };
    }
    if (!first) return null;
    INPUTS[first.name].focus();
    return { error: { type: "validation_error", code: first.code, message: texts()[first.code] } };
  }

  function announce() {
    const [brand, , label] = brandOf(digits(number.value));
    const badge = find("brand");
    badge.textContent = label;
    badge.hidden = !label;
    find("cvc-hint").textContent = brand === "amex" ? texts().hintAmex : texts().hint;
    cvc.maxLength = brand === "amex" ? 4 : 3;
    const wrong = Object.keys(CHECKS).map((name) => [name, CHECKS[name]()]);
    const shown = wrong.find(([name, code]) => code && touched.has(name));
    tell("change", {
      brand: brand,
      collapsed: false,
      complete: wrong.every(([, code]) => !code),
      empty: !number.value && !expiry.value && !cvc.value,
      error: shown ? { type: "validation_error", code: shown[1], message: texts()[shown[1]] } : undefined,
      value: { type: "card", postalCode: postal.value },
    });
  }

  /* Regroup what was typed and leave the caret after the same digit. */
  function regroup(input, write) {
    const before = digits(input.value.slice(0, input.selectionStart)).length;
    const atEnd = input.selectionStart === input.value.length;
    const value = write(digits(input.value));
    if (value === input.value) return;
    input.value = value;
    let place = value.length;
    if (!atEnd) {
      place = 0;
      for (let seen = 0; place < value.length && seen < before; place++) if (/\d/.test(value[place])) seen++;
    }
    input.setSelectionRange(place, place);
  }

  function groupNumber(value) {
    if (brandOf(value)[0] === "amex") return value.slice(0, 15).replace(/^(\d{4})(\d{1,6})?(\d{1,5})?$/, joined);
    return value.slice(0, 16).replace(/(\d{4})(?=\d)/g, "$1 ");
  }

  function joined(whole, ...parts) {
    return parts.slice(0, 3).filter(Boolean).join(" ");
  }

  function groupExpiry(value) {
    let clean = /^[2-9]/.test(value) ? "0" + value : value;
    // Autofill gives MM/YYYY in places: keep the last two digits of the year.
    if (clean.length === 6) clean = clean.slice(0, 2) + clean.slice(4);
    clean = clean.slice(0, 4);
    return clean.length > 2 ? clean.slice(0, 2) + " / " + clean.slice(2) : clean;
  }

  async function token(asked) {
    const wrong = validate();
    if (wrong) return wrong;
    const { month, year } = expiryParts();
    const body = new URLSearchParams({
      "payment_method_data[type]": "card",
      "payment_method_data[card][number]": digits(number.value),
      "payment_method_data[card][exp_month]": month,
      "payment_method_data[card][exp_year]": year,
      "payment_method_data[card][cvc]": digits(cvc.value),
    });
    const billing = Object.assign({}, asked.billing);
    billing.address = Object.assign({}, billing.address);
    if (asksPostal()) billing.address.postal_code = postal.value.trim();
    for (const name of ["name", "email", "phone"]) {
      if (billing[name]) body.set("payment_method_data[billing_details][" + name + "]", billing[name]);
    }
    for (const name of ["line1", "line2", "city", "state", "postal_code", "country"]) {
      const value = billing.address[name];
      if (value) body.set("payment_method_data[billing_details][address][" + name + "]", value);
    }
    if (asked.returnUrl) body.set("return_url", asked.returnUrl);
    if (asked.usage) body.set("setup_future_usage", asked.usage);
    try {
      const answer = await fetch("/v1/confirmation_tokens", {
        method: "POST",
        headers: { Authorization: "Bearer " + settings.key },
        body: body,
      });
      return await answer.json();
    } catch {
      return { error: { type: "api_connection_error", code: "unreachable", message: texts().unreachable } };
    }
  }

  function configure(given) {
    const first = settings === null;
    settings = given;
    const words = texts();
    document.documentElement.lang = given.language;
    document.documentElement.className = given.dark ? "dark" : "light";
    for (const [name, own] of Object.entries(VARIABLES)) {
      const value = given.variables[name];
      if (value) document.documentElement.style.setProperty("--field-" + own, String(value));
      else document.documentElement.style.removeProperty("--field-" + own);
    }
    for (const name of ["number", "expiry", "cvc", "postal"]) {
      document.querySelector("label[for=" + name + "]").textContent = words[name];
    }
    expiry.placeholder = words.expiryHint;
    find("note").textContent = words.note;
    const billing = (given.fields || {}).billingDetails;
    const address = billing && billing.address;
    const never = billing === "never" || address === "never" || (address && address.postalCode === "never");
    find("postal-field").hidden = Boolean(never) || given.hidePostalCode;
    if (!postal.value && given.values.address) postal.value = given.values.address.postal_code || "";
    for (const name of touched) show(name, CHECKS[name]());
    find("card").hidden = false;
    announce();
    if (first) tell("ready", {});
  }

  window.addEventListener("message", async (event) => {
    if (event.source !== window.parent || !event.data || !event.data.sandbox) return;
    const asked = event.data.detail || {};
    if (event.data.sandbox === "configure") configure(asked);
    else if (!settings) return;
    else if (event.data.sandbox === "validate") tell("answer", validate() || {}, { number: asked.number });
    else if (event.data.sandbox === "token") tell("answer", await token(asked), { number: asked.number });
    else if (event.data.sandbox === "focus") number.focus();
    else if (event.data.sandbox === "blur") document.activeElement.blur();
    else if (event.data.sandbox === "clear") {
      touched = new Set();
      for (const name of Object.keys(INPUTS)) {
        INPUTS[name].value = "";
        show(name, null);
      }
      announce();
    }
  });

  number.addEventListener("input", () => regroup(number, groupNumber));
  expiry.addEventListener("input", (event) => {
    if (event.inputType !== "deleteContentBackward") regroup(expiry, groupExpiry);
  });
  cvc.addEventListener("input", () => (cvc.value = digits(cvc.value)));
  for (const [name, input] of Object.entries(INPUTS)) {
    input.addEventListener("input", () => {
      // A mistake that was shown goes away as soon as it is mended; a new one waits until the person leaves.
      if (input.getAttribute("aria-invalid") === "true" && !CHECKS[name]()) show(name, null);
      announce();
    });
    input.addEventListener("blur", () => {
      if (!input.value) return;
      touched.add(name);
      // A sentence moves what stands below it: the press that made the person leave must still meet its button.
      setTimeout(() => {
        if (!touched.has(name)) return;
        show(name, CHECKS[name]());
        announce();
      }, PRESS_MILLISECONDS);
    });
  }
  find("card").addEventListener("focusin", () => tell("focus", {}));
  find("card").addEventListener("focusout", () => tell("blur", {}));
  find("card").addEventListener("submit", (event) => event.preventDefault());
  find("card").addEventListener("keydown", (event) => {
    if (event.key === "Enter") tell("enter", {});
  });
  new ResizeObserver(() => tell("height", find("card").getBoundingClientRect().height + 8)).observe(find("card"));
  tell("loaded", {});
})();
