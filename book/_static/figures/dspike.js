/* Dspike's temperature: value and slope against the potential. They follow snnkit.surrogate.Dspike at v / (2 theta) - 1/2. */
(function () {
  "use strict";

  // With the window, Dspike; without it, the formula of its middle piece alone.
  function value(v, { b, threshold, window = true }) {
    const u = v / (2 * threshold), inside = window ? Math.min(Math.max(u, 0), 1) : u;
    return Math.tanh(b * (inside - 0.5)) / (2 * Math.tanh(b / 2)) + 0.5;
  }

  function slope(v, { b, threshold, window = true }) {
    const u = v / (2 * threshold);
    if (window && (u < 0 || u > 1)) return 0;
    return b / (2 * Math.tanh(b / 2)) / Math.cosh(b * (u - 0.5)) ** 2 / (2 * threshold);
  }

  // Share of the window in which the slope is more than half its peak.
  function heardShare(b) { return Math.min(1, (2 * Math.acosh(Math.SQRT2)) / b); }

  function area({ b, window = true }) { return window ? 1 : 1 / Math.tanh(b / 2); }

  if (typeof module !== "undefined") {
    module.exports = { value, slope, heardShare, area };
    return;
  }

  const WIDTH = 640, HEIGHT = 380, LEFT = 46, RIGHT = 10, LOW = -0.5, HIGH = 2.5;
  const TOP = { value: 12, slope: 190 }, TALL = { value: 150, slope: 140 }, FROM = { value: -0.75, slope: 0 }, TO = { value: 1.75, slope: 5 };
  const X = (v) => LEFT + ((v - LOW) / (HIGH - LOW)) * (WIDTH - LEFT - RIGHT);
  const Y = (panel, y) => TOP[panel] + TALL[panel] * (1 - (Math.min(Math.max(y, FROM[panel]), TO[panel]) - FROM[panel]) / (TO[panel] - FROM[panel]));
  const SLIDERS = [["b", "temperature b", 0.1, 20, 0.1, 3], ["threshold", "threshold θ", 0.25, 1, 0.05, 0.5]];
  const shown = (x, digits) => x.toFixed(digits).replace("-", "−");

  function axes() {
    let marks = "";
    for (const [panel, ticks, title] of [["value", [0, 0.5, 1], "Dspike"], ["slope", [0, 2, 4], "slope"]]) {
      const bottom = TOP[panel] + TALL[panel];
      marks += `<path class="axis" d="M${LEFT} ${TOP[panel]}V${bottom}H${WIDTH - RIGHT}"/>` +
        `<text transform="translate(13 ${TOP[panel] + TALL[panel] / 2}) rotate(-90)" text-anchor="middle">${title}</text>`;
      for (const y of ticks) marks += `<text x="${LEFT - 7}" y="${Y(panel, y) + 4}" text-anchor="end">${y}</text>`;
    }
    for (const v of [-0.5, 0, 0.5, 1, 1.5, 2, 2.5]) marks += `<text x="${X(v)}" y="${HEIGHT - 32}" text-anchor="middle">${shown(v, 1)}</text>`;
    return marks + `<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 8}" text-anchor="middle">potential before the spike</text>`;
  }

  function curve(panel, f) {
    let path = "";
    for (let i = 0; i <= 600; i++) {
      const v = LOW + ((HIGH - LOW) * i) / 600;
      path += `${i ? "L" : "M"}${X(v).toFixed(1)} ${Y(panel, f(v)).toFixed(1)}`;
    }
    return path;
  }

  function build(host, id) {
    const slider = ([name, label, low, high, step, start]) =>
      `<label for="${id}-${name}"><span>${label} = <b data-value="${name}"></b></span>` +
      `<input type="range" id="${id}-${name}" name="${name}" min="${low}" max="${high}" step="${step}" value="${start}"></label>`;
    host.innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Dspike and its slope against the potential; the text below the controls says what they show.">` +
      `${axes()}<path class="limit"/><path class="threshold"/><path class="trace" data-panel="value"/><path class="trace" data-panel="slope"/></svg>` +
      `<form>${SLIDERS.map(slider).join("")}<fieldset><legend>outside the window</legend>` +
      `<label><input type="radio" name="window" value="yes" checked> 0 and 1: Dspike</label>` +
      `<label><input type="radio" name="window" value=""> the formula goes on</label></fieldset></form>` +
      `<p class="readout" role="status" aria-live="polite"></p>`;
    const form = host.querySelector("form"), part = (name) => host.querySelector(name);
    const draw = () => {
      const set = { window: form.elements.window.value === "yes" };
      for (const [name, , , , step] of SLIDERS) {
        set[name] = Number(form.elements[name].value);
        part(`[data-value=${name}]`).textContent = set[name].toFixed(step < 0.1 ? 2 : 1);
      }
      const end = 2 * set.threshold, bottom = TOP.slope + TALL.slope;
      part(".limit").setAttribute("d", `M${X(LOW)} ${Y("value", 0)}H${X(0)}L${X(end)} ${Y("value", 1)}H${X(HIGH)}`);
      part(".threshold").setAttribute("d", `M${X(set.threshold)} ${TOP.value}V${bottom}`);
      part("[data-panel=value]").setAttribute("d", curve("value", (v) => value(v, set)));
      part("[data-panel=slope]").setAttribute("d", curve("slope", (v) => slope(v, set)));
      const outside = set.window ? "" : ` Without its window the value runs from ${shown(0.5 - area(set) / 2, 2)} to ${shown(0.5 + area(set) / 2, 2)}.`;
      part(".readout").textContent = `Slope ${slope(set.threshold, set).toFixed(2)} at the threshold and ${slope(0, set).toFixed(2)} at the ends of the window, 0 and ${end.toFixed(1)}. ` +
        `In ${(100 * heardShare(set.b)).toFixed(0)} % of the window it is more than half its peak. The area under the slope is ${area(set).toFixed(2)}.${outside}`;
    };
    form.addEventListener("input", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
  }

  document.querySelectorAll("[data-figure=dspike]").forEach((host, i) => build(host, `dspike-${i + 1}`));
})();
