// Leave a page that nobody works on: after 15 minutes it asks again, and the server has signed the person out.
// Whoever types is not idle, so a working page says so now and then.
(() => {
  const idle = 15 * 60 * 1000, tell = 5 * 60 * 1000;
  // A page that renews itself begins anew each time: what was told outlives it.
  const kept = sessionStorage;
  let seen = Date.now(), told = Number(kept.told ??= seen);
  const active = () => {
    seen = Date.now();
    if (seen - told < tell) return;
    kept.told = told = seen;
    fetch("/admin/jsi18n/", { method: "HEAD", cache: "no-store" }).catch(() => {});
  };
  for (const kind of ["keydown", "pointerdown", "scroll"]) addEventListener(kind, active, { passive: true });
  setInterval(() => { if (Date.now() - seen > idle + 5000) location.reload(); }, 5000);
})();
