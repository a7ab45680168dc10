/* Interactive LIF neuron under constant input. `simulate` follows snnkit.dynamics.lif_step. */
(function () {
  "use strict";

  function simulate(currents, { decay, threshold, hard = false, v0 = 0 }) {
    const trace = { spikes: [], charge: [], v: [] };
    let v = v0;
    for (const x of currents) {
      const charge = decay * v + x;
      const spike = charge - threshold >= 0 ? 1 : 0;
      v = hard ? charge * (1 - spike) : charge - spike * threshold;
      trace.spikes.push(spike);
      trace.charge.push(charge);
      trace.v.push(v);
    }
    return trace;
  }

  if (typeof module !== "undefined") {
    module.exports = { simulate };
    return;
  }

  const STEPS = 40, WIDTH = 640, HEIGHT = 250, LEFT = 46, RIGHT = 8, TOP = 26, BOTTOM = 38, HIGHEST = 2.4;
  const X = (t) => LEFT + (t / STEPS) * (WIDTH - LEFT - RIGHT);
  const Y = (v) => HEIGHT - BOTTOM - (Math.min(v, HIGHEST) / HIGHEST) * (HEIGHT - TOP - BOTTOM);
  const SLIDERS = [
    ["decay", "decay α", 0, 1, 0.01, 0.9],
    ["threshold", "threshold θ", 0.2, 2, 0.05, 1],
    ["input", "input x", 0, 1.2, 0.01, 0.3],
  ];

  function axes() {
    let marks = `<path class="axis" d="M${LEFT} ${TOP}V${Y(0)}H${WIDTH - RIGHT}"/>`;
    for (let t = 0; t <= STEPS; t += 10) marks += `<text x="${X(t)}" y="${Y(0) + 16}" text-anchor="middle">${t}</text>`;
    for (const v of [0, 1, 2]) marks += `<text x="${LEFT - 7}" y="${Y(v) + 4}" text-anchor="end">${v}</text>`;
    return marks + `<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 5}" text-anchor="middle">time step t</text>` +
      `<text transform="translate(13 ${(TOP + Y(0)) / 2}) rotate(-90)" text-anchor="middle">potential v</text>`;
  }

  function sentence(trace, { decay, threshold, input }) {
    const count = trace.spikes.reduce((a, b) => a + b, 0);
    const limit = decay < 1 ? input / (1 - decay) : Infinity;
    const rest = trace.v[STEPS - 1].toFixed(2);
    if (count === 0) {
      const why = limit < threshold ? `the potential cannot rise above x/(1−α) = ${limit.toFixed(2)}, below the threshold`
        : "the threshold is not reached within these steps";
      return `Silent: no spike in ${STEPS} steps; ${why}.`;
    }
    return `${count} ${count === 1 ? "spike" : "spikes"} in ${STEPS} steps, rate ${(count / STEPS).toFixed(3)} per step; ` +
      `first spike at step ${trace.spikes.indexOf(1) + 1}; potential left after the last step ${rest}.`;
  }

  function build(host, id) {
    const slider = ([name, label, low, high, step, value]) =>
      `<label for="${id}-${name}"><span>${label} = <b data-value="${name}"></b></span>` +
      `<input type="range" id="${id}-${name}" name="${name}" min="${low}" max="${high}" step="${step}" value="${value}"></label>`;
    host.innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Potential of one neuron over ${STEPS} steps; the text below the controls says what it shows.">` +
      `${axes()}<path class="limit"/><path class="threshold"/><path class="trace"/><g class="spikes"></g></svg>` +
      `<form>${SLIDERS.map(slider).join("")}<fieldset><legend>reset</legend>` +
      `<label><input type="radio" name="reset" value="soft" checked> soft</label>` +
      `<label><input type="radio" name="reset" value="hard"> hard</label></fieldset></form>` +
      `<p class="readout" role="status" aria-live="polite"></p>`;
    const form = host.querySelector("form");
    const draw = () => {
      const set = { hard: form.elements.reset.value === "hard" };
      for (const [name] of SLIDERS) {
        set[name] = Number(form.elements[name].value);
        host.querySelector(`[data-value=${name}]`).textContent = set[name].toFixed(2);
      }
      const trace = simulate(Array(STEPS).fill(set.input), set);
      let path = `M${X(0)} ${Y(0)}`, ticks = "";
      trace.charge.forEach((charge, i) => {
        path += `L${X(i + 1)} ${Y(charge)}`;
        if (!trace.spikes[i]) return;
        path += `L${X(i + 1)} ${Y(trace.v[i])}`;
        ticks += `<path d="M${X(i + 1)} ${TOP - 16}v11"/>`;
      });
      const line = (v) => (v <= HIGHEST ? `M${LEFT} ${Y(v)}H${WIDTH - RIGHT}` : "");
      host.querySelector(".trace").setAttribute("d", path);
      host.querySelector(".threshold").setAttribute("d", line(set.threshold));
      host.querySelector(".limit").setAttribute("d", set.decay < 1 ? line(set.input / (1 - set.decay)) : "");
      host.querySelector(".spikes").innerHTML = ticks;
      host.querySelector(".readout").textContent = sentence(trace, set);
    };
    form.addEventListener("input", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
  }

  document.querySelectorAll("[data-figure=lif]").forEach((host, i) => build(host, `lif-${i + 1}`));
})();
