// Renew the live sections every two seconds, unless somebody is using a form or reading a folded part.
const PAUSE = 2000;

async function renew() {
  const busy = document.hidden || document.activeElement?.matches("select, main button");
  if (!busy) {
    try {
      const answer = await fetch("/", { cache: "no-store" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.getElementById("clock").textContent = fresh.getElementById("clock").textContent;
      for (const section of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(section.id);
        if (!next) continue;
        for (const folded of section.querySelectorAll("details[id]")) {
          const same = next.querySelector(`#${CSS.escape(folded.id)}`);
          if (same) same.open = folded.open;
        }
        if (next.innerHTML !== section.innerHTML) section.replaceChildren(...next.childNodes);
      }
      document.body.classList.remove("away");
    } catch {
      document.body.classList.add("away");
    }
  }
  setTimeout(renew, PAUSE);
}

setTimeout(renew, PAUSE);
