/* Surrogate explorer: a slope over a population of neurons. `derivative` follows snnkit.surrogate. */
(function () {
  "use strict";

  // Each shape as a function of x = charge - threshold and of a width w, the half-width or the half-value point.
  const SHAPES = {
    Rectangle: { label: "rectangle", alpha: (w) => 1 / (2 * w), slope: (x, a) => (Math.abs(a * x) <= 0.5 ? a : 0) },
    PiecewiseQuadratic: { label: "piecewise quadratic", alpha: (w) => 1 / w, slope: (x, a) => Math.max(a - a * a * Math.abs(x), 0) },
    Sine: { label: "sine S", alpha: (w) => w, slope: (x, a) => (Math.abs(x) > a ? 0 : Math.PI / (4 * a) * Math.cos(Math.PI * x / (2 * a))) },
    Sigmoid: { label: "sigmoid", alpha: (w) => Math.log(3 + Math.sqrt(8)) / w, slope: (x, a) => a * logistic(a * x) * logistic(-a * x) },
    ATan: { label: "arc tangent", alpha: (w) => 2 / (Math.PI * w), slope: (x, a) => a / 2 / (1 + (Math.PI / 2 * a * x) ** 2) },
  };

  function logistic(x) { return 1 / (1 + Math.exp(-x)); }

  function derivative(shape, x, alpha) { return SHAPES[shape].slope(x, alpha); }

  // Quantiles of a logistic bell curve: a population without chance.
  function population(mean, spread, count) {
    return Array.from({ length: count }, (_, i) => mean + spread * Math.log((i + 0.5) / (count - i - 0.5)));
  }

  function zeroShare(shape, alpha, xs) {
    return xs.filter((x) => derivative(shape, x, alpha) === 0).length / xs.length;
  }

  if (typeof module !== "undefined") {
    module.exports = { SHAPES, derivative, population, zeroShare };
    return;
  }

  const COUNT = 200, SPAN = 2, TALLEST = 2.6, WIDTH = 640, HEIGHT = 270, LEFT = 46, RIGHT = 10, TOP = 12, BOTTOM = 66;
  const X = (x) => LEFT + ((x + SPAN) / (2 * SPAN)) * (WIDTH - LEFT - RIGHT);
  const Y = (y) => HEIGHT - BOTTOM - (Math.min(y, TALLEST) / TALLEST) * (HEIGHT - TOP - BOTTOM);
  const SLIDERS = [
    ["width", "width of the slope", 0.2, 1.5, 0.05, 0.5],
    ["mean", "mean of charge − threshold", -1.5, 1, 0.05, -0.6],
    ["spread", "spread of the charges", 0.02, 0.4, 0.02, 0.2],
  ];

  function axes() {
    let marks = `<path class="axis" d="M${LEFT} ${TOP}V${Y(0)}H${WIDTH - RIGHT}"/><path class="limit" d="M${X(0)} ${TOP}V${Y(0)}"/>`;
    for (const x of [-2, -1, 0, 1, 2]) marks += `<text x="${X(x)}" y="${HEIGHT - 24}" text-anchor="middle">${String(x).replace("-", "−")}</text>`;
    for (const y of [0, 1, 2]) marks += `<text x="${LEFT - 7}" y="${Y(y) + 4}" text-anchor="end">${y}</text>`;
    return marks + `<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 5}" text-anchor="middle">charge − threshold</text>` +
      `<text transform="translate(13 ${(TOP + Y(0)) / 2}) rotate(-90)" text-anchor="middle">slope</text>`;
  }

  function build(host, id) {
    const slider = ([name, label, low, high, step, value]) =>
      `<label for="${id}-${name}"><span>${label} = <b data-value="${name}"></b></span>` +
      `<input type="range" id="${id}-${name}" name="${name}" min="${low}" max="${high}" step="${step}" value="${value}"></label>`;
    const shapes = Object.keys(SHAPES).map((name, i) =>
      `<label><input type="radio" name="shape" value="${name}"${i === 1 ? " checked" : ""}> ${SHAPES[name].label}</label>`).join("");
    host.innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Slope of a surrogate over a population of neurons; the text below the controls says what it shows.">` +
      `${axes()}<path class="trace"/><path class="heard"/><path class="deaf"/></svg>` +
      `<form><fieldset style="grid-column: 1 / -1"><legend>shape</legend>${shapes}</fieldset>${SLIDERS.map(slider).join("")}</form>` +
      `<p class="readout" role="status" aria-live="polite"></p>`;
    const form = host.querySelector("form"), part = (name) => host.querySelector(name);
    part(".heard").style.stroke = "var(--course-blue)";
    part(".deaf").style.cssText = "stroke: var(--course-orange); stroke-dasharray: 3 2";
    const draw = () => {
      const set = {};
      for (const [name] of SLIDERS) {
        set[name] = Number(form.elements[name].value);
        part(`[data-value=${name}]`).textContent = set[name].toFixed(2).replace("-", "−");
      }
      const shape = form.elements.shape.value, alpha = SHAPES[shape].alpha(set.width);
      let path = "";
      for (let i = 0; i <= 400; i++) {
        const x = -SPAN + (2 * SPAN * i) / 400;
        path += `${i ? "L" : "M"}${X(x).toFixed(1)} ${Y(derivative(shape, x, alpha)).toFixed(1)}`;
      }
      const xs = population(set.mean, set.spread, COUNT);
      const ticks = (zero) => xs.filter((x) => Math.abs(x) <= SPAN && (derivative(shape, x, alpha) === 0) === zero)
        .map((x) => `M${X(x).toFixed(1)} ${Y(0) + (zero ? 18 : 4)}v10`).join("");
      part(".trace").setAttribute("d", path);
      part(".heard").setAttribute("d", ticks(false));
      part(".deaf").setAttribute("d", ticks(true));
      const zeros = Math.round(COUNT * zeroShare(shape, alpha, xs)), fires = xs.filter((x) => x >= 0).length;
      const end = zeros === COUNT ? "This layer passes no gradient at all." : zeros === 0 ? "Every neuron hears something." : "";
      part(".readout").textContent = `Peak ${derivative(shape, 0, alpha).toFixed(2)} at parameter ${alpha.toFixed(2)}. ` +
        `${fires} of ${COUNT} neurons fire. ${zeros} of ${COUNT} (${(100 * zeros / COUNT).toFixed(0)} %) receive exactly zero gradient. ${end}`;
    };
    form.addEventListener("input", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
  }

  document.querySelectorAll("[data-figure=surrogate]").forEach((host, i) => build(host, `surrogate-${i + 1}`));
})();
