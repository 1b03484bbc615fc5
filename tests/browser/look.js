/* What a page must keep, measured where people see it. Evaluated in the page; returns plain values. */
({ small, texts, cut }) => {
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const name = (element) => {
    const words = (element.innerText || element.getAttribute("aria-label") || element.name || "").trim();
    return `${element.tagName.toLowerCase()}${element.id ? "#" + element.id : ""} "${words.slice(0, 40)}"`;
  };
  const asideText = (element) => element.closest(".aside-text, [aria-hidden=true], .skip");

  /* A target is small below 44 by 44 CSS px. A radio or a checkbox is as large as its label; a link within the
     words of a sentence is exempt (WCAG 2.5.8, "inline"): its line holds other words and it is no box of its own. */
  const inSentence = (element) =>
    element.tagName === "A" &&
    getComputedStyle(element).display === "inline" &&
    [...element.parentElement.childNodes].some((node) => node.nodeType === 3 && /\p{L}/u.test(node.data));
  const smallTargets = () => {
    const found = { small: [], exempt: [] };
    const targets = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
    for (const element of document.querySelectorAll(targets)) {
      if (!shown(element) || element.matches(".skip")) continue;
      const boxes = [element, ...(element.labels && /radio|checkbox/.test(element.type) ? element.labels : [])];
      const rects = boxes.map((box) => box.getBoundingClientRect());
      const width = Math.max(...rects.map((rect) => rect.width));
      const height = Math.max(...rects.map((rect) => rect.height));
      if (width >= 43.99 && height >= 43.99) continue;
      const line = `${name(element)} is ${width.toFixed(1)} x ${height.toFixed(1)}`;
      found[inSentence(element) ? "exempt" : "small"].push(line);
    }
    return found;
  };

  /* Cut: something sticks out of the window, or out of a box that hides what does not fit. */
  const cutThings = () => {
    const found = [];
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
    for (const element of document.body.querySelectorAll("*")) {
      if (!shown(element) || asideText(element) || element.closest("svg, option")) continue;
      const rect = element.getBoundingClientRect();
      if (rect.width && (rect.right > width + 1 || rect.left < -1)) found.push(`${name(element)} ends at ${rect.right.toFixed(0)} of ${width}`);
      const style = getComputedStyle(element);
      // What a person types freely may be longer than its field; digits, dates and sums must fit.
      const holds = element.matches("select, button, [type=date], [inputmode=numeric], [inputmode=decimal]");
      const hides = holds || (/hidden|clip/.test(style.overflowX + style.overflowY) && !element.matches("input, progress"));
      if (!hides) continue;
      if (element.scrollWidth > element.clientWidth + 1 || (element.tagName !== "INPUT" && element.scrollHeight > element.clientHeight + 1))
        found.push(`${name(element)} holds ${element.scrollWidth} x ${element.scrollHeight} in ${element.clientWidth} x ${element.clientHeight}`);
    }
    return found;
  };

  /* Every word a person sees or hears, but for what is marked as being in another language. */
  const allTexts = () => {
    const found = new Set([document.title]);
    const foreign = (element) => element.closest("[lang]:not(html)");
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (parent.closest("script, style, noscript") || foreign(parent)) continue;
      if (shown(parent) || asideText(parent) || parent.closest("dialog")) found.add(walker.currentNode.data);
    }
    for (const element of document.querySelectorAll("[aria-label], [title], [placeholder], [alt], [data-busy], [data-failed]"))
      if (!foreign(element))
        for (const said of ["aria-label", "title", "placeholder", "alt", "data-busy", "data-failed"])
          if (element.hasAttribute(said)) found.add(element.getAttribute(said));
    return [...found].map((text) => text.replace(/\s+/g, " ").trim()).filter(Boolean);
  };

  return { ...(small && smallTargets()), ...(texts && { texts: allTexts() }), ...(cut && { cut: cutThings() }) };
};
