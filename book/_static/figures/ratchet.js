/* Interactive ratchet: N(t), X(t), v(T) and the verdict. `simulate` follows snnkit.conversion.unevenness (threshold 1). */
(function () {
  "use strict";

  function simulate(currents, v0 = 0) {
    const T = currents.length, X = [], N = [], v = [];
    let sum = v0, potential = v0, count = 0;
    for (const z of currents) {
      sum += z;
      potential += z;
      if (potential >= 1) { potential -= 1; count += 1; }
      X.push(sum);
      N.push(count);
      v.push(potential);
    }
    const low = potential < 0, high = potential >= 1;
    const verdict = low ? (count ? "extra" : "silent") : high ? (count < T ? "missing" : "saturated") : "even";
    const excess = verdict === "extra" ? Math.min(count, Math.ceil(-potential))
      : verdict === "missing" ? -Math.min(T - count, Math.floor(potential)) : 0;
    return { X, N, v, verdict, excess };
  }

  if (typeof module !== "undefined") {
    module.exports = { simulate };
    return;
  }

  const WIDTH = 640, LEFT = 46, RIGHT = 12, TOP = 30, FOOT = 196, BARS = 300, UNIT = 26, HEIGHT = 394, LIMIT = 2.5;
  const PRESETS = {
    "in turn": [2, -2, 2, -2, 2],
    "excitation first": [2, 2, 2, -2, -2],
    "inhibition first": [-2, -2, 2, 2, 2],
    "constant": [0.4, 0.4, 0.4, 0.4, 0.4],
  };
  const signed = (x) => String(Math.round(x * 100) / 100).replace("-", "−");
  const spikes = (n) => `${n} ${n === 1 ? "spike" : "spikes"}`;

  function sentence(run, v0) {
    const T = run.N.length, count = run.N[T - 1], end = `v(T) = ${signed(run.v[T - 1])}`;
    const why = {
      even: "it lies in [0, θ), so the order did no harm",
      silent: "it is negative, but no spike was sent that could be too many",
      saturated: "it is θ or more, but there was a spike at every step already",
      extra: `it is negative and spikes were sent, so ${spikes(run.excess)} too many`,
      missing: `it is θ or more and a step stayed empty, so ${spikes(-run.excess)} too few`,
    }[run.verdict];
    return `N = ${spikes(count)}, the same charge spread evenly gives q = ${count - run.excess}. ${end}: ${why}.`;
  }

  function build(host, id) {
    host.innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="group" aria-label="Received charge X and spike count N over time, and below them one control for the current of each step; the text below says what it shows."></svg>` +
      `<form><label for="${id}-v0"><span>v(0) = <b></b></span><input type="range" id="${id}-v0" name="v0" min="0" max="0.75" step="0.25" value="0"></label>` +
      `<fieldset><legend>order of the input</legend>${Object.keys(PRESETS).map((name) => `<button type="button">${name}</button> `).join("")}</fieldset></form>` +
      `<p class="readout" role="status" aria-live="polite"></p>`;
    const svg = host.querySelector("svg"), form = host.querySelector("form");
    let currents = [...PRESETS["in turn"]], focus = -1;
    const x = (t) => LEFT + (t / currents.length) * (WIDTH - LEFT - RIGHT);
    const draw = () => {
      const v0 = Number(form.elements.v0.value), run = simulate(currents, v0), T = currents.length;
      const low = Math.floor(Math.min(-1, ...run.X)), high = Math.ceil(Math.max(2, ...run.X, ...run.N));
      const y = (n) => TOP + ((high - n) / (high - low)) * (FOOT - TOP);
      const every = high - low > 6 ? 2 : 1, end = x(T), q = run.N[T - 1] - run.excess;
      let marks = `<path class="axis" d="M${LEFT} ${TOP}V${FOOT}M${LEFT} ${y(0)}H${end}M${LEFT} ${BARS}H${end}"/>`;
      for (let n = Math.ceil(low / every) * every; n <= high; n += every) marks += `<text x="${LEFT - 7}" y="${y(n) + 4}" text-anchor="end">${signed(n)}</text>`;
      let charge = `M${x(0)} ${y(v0)}`, count = `M${x(0)} ${y(0)}`, bars = "";
      currents.forEach((z, i) => {
        charge += `L${x(i + 1)} ${y(run.X[i])}`;
        count += `H${x(i + 1)}V${y(run.N[i])}`;
        const middle = (x(i) + x(i + 1)) / 2, height = Math.abs(z) * UNIT;
        bars += `<g role="slider" tabindex="0" data-step="${i}" aria-label="current of step ${i + 1}" aria-valuemin="${-LIMIT}" aria-valuemax="${LIMIT}" aria-valuenow="${z}" style="cursor:ns-resize;touch-action:none">` +
          `<rect x="${x(i) + 3}" y="${BARS - LIMIT * UNIT - 8}" width="${x(1) - x(0) - 6}" height="${2 * LIMIT * UNIT + 16}" style="fill:transparent"/>` +
          `<rect x="${middle - 20}" y="${BARS - (z > 0 ? height : 0)}" width="40" height="${Math.max(height, 1.5)}" style="fill:var(--course-${z < 0 ? "orange" : "blue"})"/>` +
          `<text x="${middle}" y="${BARS + (z > 0 ? -height - 6 : height + 16)}" text-anchor="middle">${signed(z)}</text></g>` +
          `<text x="${middle}" y="${FOOT + 18}" text-anchor="middle">t = ${i + 1}</text>`;
      });
      svg.innerHTML = `${marks}<path class="limit" d="M${LEFT} ${y(q)}H${end}"/><path class="trace" d="${charge}"/><path class="threshold" style="stroke-width:2.4" d="${count}"/>${bars}` +
        `<text transform="translate(13 ${(TOP + FOOT) / 2}) rotate(-90)" text-anchor="middle">X and N</text>` +
        `<text transform="translate(13 ${BARS}) rotate(-90)" text-anchor="middle">current</text>` +
        `<text x="${LEFT}" y="13">solid: charge X(t), dashed: count N(t), dotted: q</text>`;
      if (focus >= 0) svg.querySelector(`[data-step="${focus}"]`).focus();
      form.querySelector("b").textContent = v0.toFixed(2);
      host.querySelector(".readout").textContent = sentence(run, v0);
    };
    const put = (i, z) => {
      focus = i;
      currents[i] = Math.max(-LIMIT, Math.min(LIMIT, Math.round(z * 4) / 4)) || 0;
      draw();
    };
    const step = (event) => Number((event.target.closest("[data-step]") || { dataset: { step: -1 } }).dataset.step);
    let held = -1;
    const follow = (event) => {
      const box = svg.getBoundingClientRect();
      put(held, (BARS - ((event.clientY - box.top) * HEIGHT) / box.height) / UNIT);
    };
    svg.addEventListener("pointerdown", (event) => {
      held = step(event);
      if (held < 0) return;
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      follow(event);
    });
    svg.addEventListener("pointermove", (event) => { if (held >= 0) follow(event); });
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => { held = -1; });
    svg.addEventListener("keydown", (event) => {
      const i = step(event), z = currents[i];
      const wanted = { ArrowUp: z + 0.25, ArrowRight: z + 0.25, ArrowDown: z - 0.25, ArrowLeft: z - 0.25, Home: -LIMIT, End: LIMIT, " ": z ? 0 : 2, Enter: -z }[event.key];
      if (i < 0 || wanted === undefined) return;
      event.preventDefault();
      put(i, wanted);
    });
    form.addEventListener("click", (event) => {
      if (!(event.target.textContent in PRESETS)) return;
      [currents, focus] = [[...PRESETS[event.target.textContent]], -1];
      draw();
    });
    form.addEventListener("input", () => { focus = -1; draw(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
  }

  document.querySelectorAll("[data-figure=ratchet]").forEach((host, i) => build(host, `ratchet-${i + 1}`));
})();
