/* Interactive STDP window. `change` follows snnkit.plasticity.STDP, `drift` the mean change for unrelated spikes. */
(function () {
  "use strict";

  function change(gap, { aPlus, aMinus, tauPlus, tauMinus }) {
    if (gap > 0) return aPlus * Math.exp(-gap / tauPlus);
    return gap < 0 ? -aMinus * Math.exp(gap / tauMinus) : 0;
  }

  // Sum of the window over all whole gaps (steps of 1 ms).
  function drift({ aPlus, aMinus, tauPlus, tauMinus }) {
    return aPlus / Math.expm1(1 / tauPlus) - aMinus / Math.expm1(1 / tauMinus);
  }

  if (typeof module !== "undefined") {
    module.exports = { change, drift };
    return;
  }

  const WIDTH = 640, HEIGHT = 250, LEFT = 46, RIGHT = 8, TOP = 10, BOTTOM = 38, SPAN = 80, HIGHEST = 2;
  const X = (gap) => LEFT + ((gap + SPAN) / (2 * SPAN)) * (WIDTH - LEFT - RIGHT);
  const Y = (w) => TOP + ((HIGHEST - w) / (2 * HIGHEST)) * (HEIGHT - TOP - BOTTOM);
  const SLIDERS = [
    ["gap", "gap g (ms)", -SPAN, SPAN, 1, 10],
    ["aPlus", "A₊", 0, 2, 0.05, 1],
    ["aMinus", "A₋", 0, 2, 0.05, 1],
    ["tauPlus", "τ₊ (ms)", 1, 40, 1, 20],
    ["tauMinus", "τ₋ (ms)", 1, 40, 1, 20],
  ];

  function axes() {
    let marks = `<path class="axis" d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}M${LEFT} ${Y(0)}H${WIDTH - RIGHT}"/>`;
    for (let gap = -SPAN; gap <= SPAN; gap += 40) marks += `<text x="${X(gap)}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${gap}</text>`;
    for (const w of [-2, -1, 0, 1, 2]) marks += `<text x="${LEFT - 7}" y="${Y(w) + 4}" text-anchor="end">${w}</text>`;
    return marks + `<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 5}" text-anchor="middle">gap: receiver's minus sender's spike time (ms)</text>` +
      `<text transform="translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">change of weight</text>`;
  }

  function sentence(set) {
    const gap = set.gap, size = `${change(gap, set) < 0 ? "−" : "+"}${Math.abs(change(gap, set)).toFixed(3)}`;
    const order = gap > 0 ? `The receiver fires ${gap} ms after the sender: potentiation, ${size}.`
      : gap < 0 ? `The receiver fires ${-gap} ms before the sender: depression, ${size}.`
        : "Both fire in the same step: no change.";
    const sum = drift(set);
    const verdict = Math.abs(sum) < 5e-3 ? "the two sides cancel"
      : `${sum > 0 ? "potentiation" : "depression"} wins, the window sums to ${sum < 0 ? "−" : "+"}${Math.abs(sum).toFixed(2)}`;
    return `${order} For unrelated spikes ${verdict}.`;
  }

  function build(host, id) {
    const slider = ([name, label, low, high, step, value]) =>
      `<label for="${id}-${name}"><span>${label} = <b data-value="${name}"></b></span>` +
      `<input type="range" id="${id}-${name}" name="${name}" min="${low}" max="${high}" step="${step}" value="${value}"></label>`;
    host.innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Change of a weight against the gap of a pair of spikes; the text below the controls says what it shows.">` +
      `${axes()}<path class="limit"/><path class="threshold"/><path class="trace"/><g class="spikes"><path/></g></svg>` +
      `<form>${SLIDERS.map(slider).join("")}</form><p class="readout" role="status" aria-live="polite"></p>`;
    const form = host.querySelector("form");
    const line = (set, from, to) => {
      let path = "";
      for (let gap = from; gap <= to; gap += 0.5) path += `${path ? "L" : "M"}${X(gap).toFixed(1)} ${Y(change(gap || 1e-9 * (from < 0 ? -1 : 1), set)).toFixed(1)}`;
      return path;
    };
    const draw = () => {
      const set = {};
      for (const [name, , , , step] of SLIDERS) {
        set[name] = Number(form.elements[name].value);
        host.querySelector(`[data-value=${name}]`).textContent = step < 1 ? set[name].toFixed(2) : String(set[name]).replace("-", "−");
      }
      const x = X(set.gap), y = Y(change(set.gap, set));
      host.querySelector(".trace").setAttribute("d", line(set, 0, SPAN));
      host.querySelector(".threshold").setAttribute("d", line(set, -SPAN, 0));
      host.querySelector(".limit").setAttribute("d", `M${x} ${Y(0)}V${y}`);
      host.querySelector(".spikes path").setAttribute("d", `M${x - 6} ${y}L${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}Z`);
      host.querySelector(".readout").textContent = sentence(set);
    };
    form.addEventListener("input", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
  }

  document.querySelectorAll("[data-figure=stdp]").forEach((host, i) => build(host, `stdp-${i + 1}`));
})();
