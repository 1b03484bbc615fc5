/* Payments that answer while they are shaped: the slider beside the number, and no old errors beside new values.
   Without this script the number stands alone, and a button shows the payments. */
"use strict";

(() => {
  const form = document.querySelector("form[hx-post]");
  if (!form) return;
  document.documentElement.classList.add("scripted");

  // What was wrong before is mended, or said anew in the part that was just swapped in.
  const forget = () => {
    document.getElementById("errors")?.remove();
    form.querySelectorAll(".wrong").forEach((said) => said.remove());
    form.querySelectorAll(".has-error").forEach((field) => field.classList.remove("has-error"));
    for (const field of form.querySelectorAll("[aria-invalid]")) {
      const hint = document.getElementById(`${field.id}_hint`);
      field.removeAttribute("aria-invalid");
      hint ? field.setAttribute("aria-describedby", hint.id) : field.removeAttribute("aria-describedby");
    }
  };
  document.addEventListener("htmx:afterSwap", forget);

  const slider = form.querySelector("input[type=range][data-for]");
  if (!slider) return;
  const number = document.getElementById(slider.dataset.for);
  const tell = () => slider.setAttribute("aria-valuetext", `${slider.value} ${slider.dataset.unit}`);
  const follow = () => {
    if (/^\d+$/.test(number.value)) slider.value = number.value;
    tell();
  };

  slider.hidden = false;
  tell();
  // Both run before the form hears of the change, so what is sent is what is seen.
  slider.addEventListener("input", () => {
    number.value = slider.value;
    tell();
  });
  number.addEventListener("input", follow);
  // Another rhythm or first day allows more or fewer payments.
  document.addEventListener("htmx:afterSwap", () => {
    const most = document.querySelector("#check [data-most]")?.dataset.most;
    if (most) slider.max = Math.max(2, most);
    follow();
  });
})();
