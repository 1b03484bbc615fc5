/* The bank's question of 3-D Secure: in a dialog of the merchant's page, or as a page of its own. */
(function () {
  "use strict";

  const TEXTS = {
    en: {
      title: "Confirm this payment",
      text: "Your bank wants to know that this is you. This is a test: choose what your bank would find.",
      complete: "Complete",
      fail: "Fail",
      problem: "The processor cannot be reached. Try again.",
    },
    es: {
      title: "Confirme este pago",
      text: "Su banco quiere saber que es usted. Esto es una prueba: elija lo que su banco encontraría.",
      complete: "Completar",
      fail: "Fallar",
      problem: "No se puede contactar al procesador. Intente de nuevo.",
    },
  };
  const find = (id) => document.getElementById(id);
  const asked = new URLSearchParams(location.hash.slice(1) || location.search);
  const words = TEXTS[asked.get("language") === "es" ? "es" : "en"];
  document.documentElement.lang = asked.get("language") === "es" ? "es" : "en";
  document.documentElement.className = "light";
  for (const name of ["title", "text", "complete", "fail"]) find(name).textContent = words[name];

  async function answer(outcome) {
    find("complete").disabled = find("fail").disabled = true;
    let told;
    try {
      const response = await fetch("/challenge/answer", {
        method: "POST",
        body: JSON.stringify({ client_secret: asked.get("client_secret"), outcome: outcome }),
      });
      told = await response.json();
    } catch {
      find("problem").textContent = words.problem;
      find("complete").disabled = find("fail").disabled = false;
      return;
    }
    if (window.parent !== window) {
      window.parent.postMessage({ sandbox: "challenged", detail: told }, "*");
      return;
    }
    if (!told.return_url) {
      find("text").textContent = told.error ? told.error.message : told.status;
      return;
    }
    const back = new URL(told.return_url);
    const kind = told.intent.startsWith("seti_") ? "setup_intent" : "payment_intent";
    back.searchParams.set(kind, told.intent);
    back.searchParams.set(kind + "_client_secret", asked.get("client_secret"));
    back.searchParams.set("redirect_status", told.error ? "failed" : "succeeded");
    location.assign(back);
  }

  find("complete").addEventListener("click", () => answer("complete"));
  find("fail").addEventListener("click", () => answer("fail"));
  window.addEventListener("message", (event) => {
    if (event.source === window.parent && event.data && event.data.sandbox === "give up") answer("fail");
  });
  if (window.parent !== window) {
    window.parent.postMessage({ sandbox: "height", detail: find("challenge").getBoundingClientRect().height + 2 }, "*");
    find("complete").focus();
  }
})();
