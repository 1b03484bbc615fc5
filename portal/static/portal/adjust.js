/* The slider beside the number of payments: one value, two ways to set it. Without this script the number stands alone. */
"use strict";

(() => {
  const slider = document.querySelector("input[type=range][data-for]");
  if (!slider) return;
  const number = document.getElementById(slider.dataset.for);
  const tell = () => slider.setAttribute("aria-valuetext", `${slider.value} ${slider.dataset.unit}`);

  slider.hidden = false;
  document.documentElement.classList.add("scripted");
  tell();
  // Both run before the form hears of the change, so what is sent is what is seen.
  slider.addEventListener("input", () => {
    number.value = slider.value;
    tell();
  });
  number.addEventListener("input", () => {
    if (/^\d+$/.test(number.value)) slider.value = number.value;
    tell();
  });
  // Another rhythm or first day allows more or fewer payments.
  document.addEventListener("htmx:afterSwap", () => {
    const most = document.querySelector("#check [data-most]")?.dataset.most;
    if (most) slider.max = Math.max(2, most);
    if (/^\d+$/.test(number.value)) slider.value = number.value;
    tell();
  });
})();
