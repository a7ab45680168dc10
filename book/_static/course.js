/* Small repairs for keyboard and screen-reader users, made once the page is read. */
(function () {
  "use strict";

  // What scrolls can be reached and scrolled with the keyboard; tables, formulas and the map say that they scroll.
  // Content that is larger than its box by no more than a pixel is a browser's rounding: it does not scroll.
  const SCROLLS = ".bd-article pre, .bd-article .output, .pst-scrollable-table-container, .course-map, .indextable, " +
    ".modindextable, .bd-article div.math, mjx-container[display=true]";

  function reachable() {
    const boxes = [...document.querySelectorAll(SCROLLS)];
    for (const box of boxes) box.classList.remove("fits");
    const sizes = boxes.map((box) => [box.scrollWidth - box.clientWidth, box.scrollHeight - box.clientHeight]);
    boxes.forEach((box, index) => {
      const [across, down] = sizes[index].map((excess) => excess > 1);
      box.classList.toggle("wide", across);
      box.classList.toggle("fits", !across && !down);
      if (across || down) box.tabIndex = 0;
      else if (box.tabIndex === 0) box.removeAttribute("tabindex");
    });
  }

  // A box is measured when its size changes: at first, with the window, and when the part that hides it is opened.
  const sizes = new ResizeObserver(reachable);
  function measured() {
    for (const box of document.querySelectorAll(SCROLLS)) sizes.observe(box);
    reachable();
  }

  // The theme repeats some identifiers; an identifier names one element.
  function unique() {
    const seen = new Set();
    for (const element of document.querySelectorAll("[id]")) {
      if (seen.has(element.id)) element.removeAttribute("id");
      else seen.add(element.id);
    }
  }

  // Controls are called what is written on them; the ones without words get a name.
  function named() {
    for (const control of document.querySelectorAll(".search-button-field, .theme-switch-button, details.hide > summary")) {
      control.removeAttribute("aria-label");
    }
    for (const summary of document.querySelectorAll(".has-children > details > summary")) {
      summary.setAttribute("aria-label", `Pages under ${summary.closest("li").querySelector("a").textContent.trim()}`);
    }
    for (const button of document.querySelectorAll(".theme-switch-button")) {
      button.insertAdjacentHTML("beforeend", '<span class="visually-hidden">Colour mode</span>');
    }
    for (const entry of document.querySelectorAll(".citation-list > [role=doc-biblioentry]")) {
      entry.setAttribute("role", "listitem");
    }
    const sidebar = document.getElementById("pst-primary-sidebar");
    if (sidebar) {
      sidebar.setAttribute("role", "navigation");
      sidebar.setAttribute("aria-label", "Book");
    }
  }

  // The name of a module is broken behind its dots.
  function broken() {
    for (const title of document.querySelectorAll(".prev-next-title")) {
      if (title.textContent.startsWith("snnkit.")) title.innerHTML = title.innerHTML.replaceAll(".", ".<wbr>");
    }
  }

  unique();
  named();
  broken();
  measured();
  document.fonts.ready.then(reachable);
  if (window.MathJax && window.MathJax.startup && window.MathJax.startup.promise) {
    window.MathJax.startup.promise.then(measured);
  }
})();
