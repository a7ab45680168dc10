/* Small repairs for keyboard and screen-reader users, made once the page is read. */
(function () {
  "use strict";

  // What scrolls sideways can be reached and scrolled with the keyboard; tables and the map say that they do.
  function reachable() {
    const boxes = document.querySelectorAll(
      ".bd-article pre, .bd-article .output, .pst-scrollable-table-container, .course-map, .indextable, .modindextable, .bd-article div.math, mjx-container[display=true]");
    for (const box of boxes) {
      box.classList.toggle("wide", box.scrollWidth > box.clientWidth + 1);
      if (box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1) {
        box.tabIndex = 0;
      } else if (box.tabIndex === 0) {
        box.removeAttribute("tabindex");
      }
    }
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
  reachable();
  window.addEventListener("load", reachable);
  window.addEventListener("resize", reachable);
  if (window.MathJax && window.MathJax.startup && window.MathJax.startup.promise) {
    window.MathJax.startup.promise.then(reachable);
  }
})();
