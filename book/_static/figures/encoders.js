/* Interactive encoders on a digit. `rate`, `latency`, `delta` follow snnkit.encoding; the digit is a sample of the digits data. */
(function () {
  "use strict";

  // Each function gives the steps at which each pixel spikes: a list of [step, sign] for each pixel.
  function rate(values, draws) {
    return values.map((p, i) => draws.flatMap((row, t) => (row[i] < p ? [[t, 1]] : [])));
  }

  function latency(currents, { tau, steps }) {
    return currents.map((current) => {
      const step = current > 1 ? Math.floor(tau * Math.log(current / (current - 1))) : Infinity;
      return step < steps ? [[step, 1]] : [];
    });
  }

  function delta(signal, theta) {
    return signal[0].map((start, i) => {
      let moves = 0;
      return signal.flatMap((frame, t) => {
        const gap = frame[i] - (start + theta * moves);
        const sign = gap >= theta ? 1 : gap <= -theta ? -1 : 0;
        moves += sign;
        return sign ? [[t, sign]] : [];
      });
    });
  }

  if (typeof module !== "undefined") {
    module.exports = { rate, latency, delta };
    return;
  }

  const DIGIT = [..."0004fc00003gfe00008d8g000016fb00018df10009gg500003dggb500003bg90"].map((c) => parseInt(c, 17) / 16);
  const SIDE = 8, WIDTH = 640, HEIGHT = 280, CELL = 28, LEFT = 300, RIGHT = 8, TOP = 8, BOTTOM = 40;
  const CODES = [["rate", "rate"], ["latency", "latency"], ["delta", "delta"]];
  const SLIDERS = [
    ["steps", "steps T", 4, 64, 1, 24],
    ["row", "row of the pixel", 1, SIDE, 1, 2],
    ["column", "column of the pixel", 1, SIDE, 1, 5],
    ["gain", "current of a white pixel (latency)", 1, 6, 0.1, 3],
    ["tau", "τ in steps (latency)", 1, 20, 1, 8],
    ["theta", "threshold θ (delta)", 0.05, 1, 0.05, 0.25],
    ["shift", "pixels that the picture moves (delta)", 0, SIDE, 1, 4],
  ];

  // The same numbers for the same picture and place, so that moving a slider does not draw anew.
  function uniform(seed) {
    let a = (seed * 2654435761) >>> 0;
    a = Math.imul(a ^ (a >>> 15), a | 1);
    a ^= a + Math.imul(a ^ (a >>> 7), a | 61);
    return ((a ^ (a >>> 14)) >>> 0) / 4294967296;
  }

  function moved(by) {
    return DIGIT.map((_, i) => DIGIT[i - (i % SIDE) + ((i - by + SIDE * SIDE) % SIDE)]);
  }

  function encode(set) {
    if (set.code === "rate") {
      return rate(DIGIT, Array.from({ length: set.steps }, (_, t) => DIGIT.map((_, i) => uniform(1 + t * 64 + i))));
    }
    if (set.code === "latency") return latency(DIGIT.map((p) => p * set.gain), set);
    return delta(Array.from({ length: set.steps }, (_, t) => moved(Math.floor((t * set.shift) / (set.steps - 1)))), set.theta);
  }

  function sentence(set, spikes, pixel) {
    const total = spikes.reduce((sum, list) => sum + list.length, 0);
    const silent = 100 * (1 - total / (64 * set.steps)), own = spikes[pixel], p = DIGIT[pixel];
    const on = own.filter(([, sign]) => sign > 0).length;
    const said = set.code === "rate" ? `sends ${own.length} spikes, a rate of ${(own.length / set.steps).toFixed(2)}`
      : set.code === "latency" ? (own.length ? `spikes once, in step ${own[0][0] + 1}` : "stays silent: its current does not reach the threshold in time")
        : `sends ${on} ON and ${own.length - on} OFF spikes`;
    return `The pixel of brightness ${p.toFixed(2)} ${said}. The picture sends ${total} spikes; ${silent.toFixed(0)} % of all places and steps are silent.`;
  }

  function build(host, id) {
    const slider = ([name, label, low, high, step, value]) =>
      `<label for="${id}-${name}"><span>${label} = <b data-value="${name}"></b></span>` +
      `<input type="range" id="${id}-${name}" name="${name}" min="${low}" max="${high}" step="${step}" value="${value}"></label>`;
    const radio = ([value, label], i) =>
      `<label><input type="radio" name="code" value="${value}"${i ? "" : " checked"}>${label}</label>`;
    const squares = DIGIT.map((p, i) =>
      `<rect x="${12 + (i % SIDE) * CELL}" y="${TOP + Math.floor(i / SIDE) * CELL}" width="${CELL}" height="${CELL}" fill="rgb(${Array(3).fill(Math.round(255 * p)).join()})"/>`).join("");
    host.innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="A digit of 64 pixels and the spikes that its pixels send over time; the text below the controls says what it shows.">` +
      `${squares}<rect class="chosen" width="${CELL}" height="${CELL}" fill="none" stroke="var(--course-orange)" stroke-width="3"/>` +
      `<path class="axis" d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>` +
      `<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 8}" text-anchor="middle">time step</text>` +
      `<text transform="translate(${LEFT - 12} ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">pixel, row by row</text>` +
      `<path class="trace on"/><path class="threshold off"/><path class="limit own"/></svg>` +
      `<form><fieldset><legend>code</legend>${CODES.map(radio).join("")}</fieldset>${SLIDERS.map(slider).join("")}</form>` +
      `<p class="readout" role="status" aria-live="polite"></p>`;
    const form = host.querySelector("form");
    const draw = () => {
      const set = { code: form.elements.code.value };
      for (const [name, , , , step] of SLIDERS) {
        set[name] = Number(form.elements[name].value);
        host.querySelector(`[data-value=${name}]`).textContent = step < 1 ? set[name].toFixed(2) : set[name];
      }
      const pixel = (set.row - 1) * SIDE + set.column - 1, spikes = encode(set);
      const X = (t) => LEFT + ((t + 0.5) / set.steps) * (WIDTH - LEFT - RIGHT);
      const Y = (i) => TOP + ((i + 0.5) / 64) * (HEIGHT - TOP - BOTTOM);
      const dots = (wanted) => spikes.map((list, i) => list.filter(([, sign]) => sign === wanted)
        .map(([t]) => `M${X(t).toFixed(1)} ${(Y(i) - 1.6).toFixed(1)}v3.2`).join("")).join("");
      host.querySelector(".on").setAttribute("d", dots(1));
      host.querySelector(".off").setAttribute("d", dots(-1));
      host.querySelector(".own").setAttribute("d", `M${LEFT} ${Y(pixel).toFixed(1)}H${WIDTH - RIGHT}`);
      const chosen = host.querySelector(".chosen");
      chosen.setAttribute("x", 12 + (pixel % SIDE) * CELL);
      chosen.setAttribute("y", TOP + Math.floor(pixel / SIDE) * CELL);
      host.querySelector(".readout").textContent = sentence(set, spikes, pixel);
    };
    form.addEventListener("input", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
  }

  document.querySelectorAll("[data-figure=encoders]").forEach((host, i) => build(host, `encoders-${i + 1}`));
})();
