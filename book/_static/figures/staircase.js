/* Interactive clip-floor staircase with the error split. `split` follows snnkit.conversion.errors.split_errors for a constant current. */
(function () {
  "use strict";

  function split(z, { threshold, steps, initial = 0 }) {
    const count = Math.min(Math.max(Math.floor((z * steps + initial) / threshold), 0), steps);
    const average = (count * threshold) / steps, clipped = Math.min(Math.max(z, 0), threshold);
    return { count, average, quantisation: average - clipped, clipping: clipped - Math.max(z, 0) };
  }

  if (typeof module !== "undefined") {
    module.exports = { split };
    return;
  }

  const WIDTH = 640, HEIGHT = 290, LEFT = 46, RIGHT = 8, TOP = 12, BOTTOM = 40, LOW = -0.5, HIGH = 2;
  const X = (z) => LEFT + ((z - LOW) / (HIGH - LOW)) * (WIDTH - LEFT - RIGHT);
  const Y = (a) => HEIGHT - BOTTOM - (a / HIGH) * (HEIGHT - TOP - BOTTOM);
  const SLIDERS = [
    ["z", "mean current z", LOW, HIGH, 0.05, 0.6],
    ["threshold", "threshold θ", 0.5, 2, 0.05, 1],
    ["steps", "time steps T", 1, 16, 1, 4],
  ];
  const number = (x) => x.toFixed(3).replace(/^-/, "−").replace("−0.000", "0.000");

  function axes() {
    let marks = `<path class="axis" d="M${LEFT} ${TOP}V${Y(0)}H${WIDTH - RIGHT}"/>`;
    for (let z = LOW; z <= HIGH; z += 0.5) marks += `<text x="${X(z)}" y="${Y(0) + 16}" text-anchor="middle">${String(z).replace("-", "−")}</text>`;
    for (const a of [0, 1, 2]) marks += `<text x="${LEFT - 7}" y="${Y(a) + 4}" text-anchor="end">${a}</text>`;
    return marks + `<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 6}" text-anchor="middle">mean current z</text>` +
      `<text transform="translate(13 ${(TOP + Y(0)) / 2}) rotate(-90)" text-anchor="middle">average output</text>`;
  }

  function sentence(z, set) {
    const { count, average, quantisation, clipping } = split(z, set);
    const bin = set.initial ? "0 on average over a step" : `${number(-set.threshold / (2 * set.steps))} on average over a step`;
    return `${count} ${count === 1 ? "spike" : "spikes"} in ${set.steps} steps, average output ${number(average)}; ReLU gives ${number(Math.max(z, 0))}. ` +
      `Quantisation ${number(quantisation)} (${bin}), clipping ${number(clipping)}, unevenness 0: the current is constant.`;
  }

  function build(host, id) {
    const slider = ([name, label, low, high, step, value]) =>
      `<label for="${id}-${name}"><span>${label} = <b data-value="${name}"></b></span>` +
      `<input type="range" id="${id}-${name}" name="${name}" min="${low}" max="${high}" step="${step}" value="${value}"></label>`;
    host.innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Average output of a spiking neuron against its mean current; the text below the controls says what it shows.">` +
      `${axes()}<path class="limit" d="M${X(LOW)} ${Y(0)}H${X(0)}L${X(HIGH)} ${Y(HIGH)}"/><path class="trace"/><path class="threshold" style="stroke-width:3;stroke-dasharray:none"/><g class="spikes"></g></svg>` +
      `<form>${SLIDERS.map(slider).join("")}<fieldset><legend>start v(0)</legend>` +
      `<label><input type="radio" name="start" value="0" checked> 0</label>` +
      `<label><input type="radio" name="start" value="0.5"> θ/2</label></fieldset></form>` +
      `<p class="readout" role="status" aria-live="polite"></p>`;
    const form = host.querySelector("form");
    const draw = () => {
      const set = {};
      for (const [name, , , , step] of SLIDERS) {
        set[name] = Number(form.elements[name].value);
        host.querySelector(`[data-value=${name}]`).textContent = step < 1 ? set[name].toFixed(2).replace("-", "−") : set[name];
      }
      set.initial = Number(form.elements.start.value) * set.threshold;
      const { z, threshold, steps, initial } = set, { average } = split(z, set);
      let path = `M${X(LOW)} ${Y(0)}`;
      for (let n = 1; n <= steps; n += 1) {
        const jump = (n * threshold - initial) / steps;
        if (jump <= HIGH) path += `H${X(jump)}V${Y((n * threshold) / steps)}`;
      }
      host.querySelector(".trace").setAttribute("d", `${path}H${X(HIGH)}`);
      host.querySelector(".threshold").setAttribute("d", `M${X(z)} ${Y(Math.max(z, 0))}V${Y(average)}`);
      const dot = (y) => `<path d="M${X(z) - 5} ${y}H${X(z) + 5}"/>`;
      host.querySelector(".spikes").innerHTML = dot(Y(average)) + dot(Y(Math.max(z, 0))) + (z > threshold ? dot(Y(threshold)) : "");
      host.querySelector(".readout").textContent = sentence(z, set);
    };
    form.addEventListener("input", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
  }

  document.querySelectorAll("[data-figure=staircase]").forEach((host, i) => build(host, `staircase-${i + 1}`));
})();
