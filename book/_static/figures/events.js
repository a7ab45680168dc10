/* Event replay: a simulated recording of 17 x 17 pixels in the 40-bit records of N-MNIST.
   `decode` follows snnkit.events.decode_nmnist, `count` sums a window of time as snnkit.events frames do. */
(function () {
  "use strict";

  const SIZE = 17, LAST = 300;
  // events.encode_nmnist(events.saccade_camera(digit, events.Camera(sensor=17, image=14, threshold=0.5)))
  const RECORDS = "CA6AP+wHDoBBAwUOgFFyBg6AVw8JDoBcVgsMgF6aBA6AZG4HDoBkswgOgGVjCw2AZeUKDoBptggAAGqQBwAAeLMFDoB7AQYOgHvpBQAAfD8DCgB8qAQAAH" +
    "yyCQSAfQ0GAAB+7wYMAH+RCQWAgRwEBICB6gkOgIKLDAyAhMMECgCFpwoMgIY1AwIAh20HDoCJWwgOgIoiBAOAjCcKDYCNnQIBAI40CAAAjoIHAACQ3wcK" +
    "AJIlBgAAk3gKDoCTkgUAAJO1BgoAlKkHCYCU5gECAJeYBAEAl/QLDoCYXQMBAJjeBAAAmjgDAACeBAsNgJ+NBwAAoIYECwChOQgAAKMkAgIAo88KBwCkIg" +
    "cMAKT5BgAApScDCwClSwcPgKayDA2AqA4IDACoTgkPgKtfBQ+ArfkNC4CvEAgPgK+kBg+AsNsGCwCxOgoPgLIxAwWAs3UHDQC0GwgLALWpCQsAtkkHD4C2" +
    "fA0MgLlNBQsAvE0HAQC8cAoEgLymBAIAvN0JBoC83gYIgLzlBwsAvYkGAQC+uAMCAL74CQ+AvyUIDQDCDAQBAMIZDQ2AwtAFAQDC8gsPgMQ8CA+AxKcJBI" +
    "DFUgMNAMa9CQWAxz4MDoDJLwYPgMlDCw6AyXsJA4DJwAUPgMpxDAuAyq0FDADKxwoPgMvPBw+Az5cDBIDQQQQPgNDXAQMA0QwKBYDSlAcBANMWCAEA1EEG" +
    "AQDUggsEgNSqBA0A1TkECwDXVgwNgNddAwwA12IICYDYogsMgNlHBQEA2cQGDQDbDgIDANzQAwEA3SEJD4DdhgsNgN5yBQYA3osGDADhLQcBAOF+CAEA48" +
    "4GAQDkDgMCAORgBwQA5IcJAQDk2gQBAOTxBAwA5k8DAwDnZwULAOnnCAwA7NYLD4DuGAYJgO+NChCA77QLBYDxSAUCAPO8BxCA9dcKDoD2nAwPgPfbCBCA" +
    "+CUEAgD4KwkQgPjVDA6A+YcEAwD67QUNAPuXBhCA/KgHDAD+GgYGAP7+BRCA/90KEIEGiwcNAQf1CxCBCLsFDAENZQcQgQ/fCBCBErUGAgETbgoFgRQ4CR" +
    "CBFPQNDoEVJQgNARflCwkBGq0LCAEbegUCAR0gBwIBHyAKA4EfSAsOgSDqDQ2BISwIAgElyQYQgSdvBwmBKQ8EBYEt8QMEATD7DA+BMXUDAwE2twYCATdy" +
    "ChCBN5UEDQE4DgsGgTnRBgwBO+8FBoFAfAcCAUCzCQIBQN4JDAFBsgsQgUQQBAIBRhoIAgFI8AoCAU8/DgyBUbsKBoFWRwUCAVxKCQ0BXUUMDIG7MQoEgc" +
    "ySDQyB2xwLA4HeDAgCgeaICQKB7r4HAoHw9QoCgfJvDg2B8wcCBAHzZAoPgfSICQaB+eMFAoIAbwwKggPqBgKCBrMIAoIIqQoHggj9BhACCbANC4IKHwoQ" +
    "Agr1CQsCEHEJAoIQ+Q0KghE1CxACEXQEDwISJQoLAhPqBxACFO8IEAIVGgYMghXZCRACFgkGBgIWvgcJAhcOCgKCF0AFBgIXpwgLAhjkBwKCGX8JCgIcpQ" +
    "sJgh02DguCHmUMBIIehQoQAh8CDAmCITUGEAIhdAQOAiHuCgOCIokLBIIkowgQAiT+CAoCJXYGCAImgwkQAiacCwKCJq8GBwInqgcQAif4BgkCKQcMA4Ip" +
    "NgsQAil7CwiCKX8FEAIqIQ0JgiymDAiCMvgJAYI1IQgBgjb3CAkCN8MEBQI4pAcGAjopBgUCOtsLB4I8BAcBgj8VCwOCPy8LAYJAVwoKAkHvBQ8CQsQKAY" +
    "JC9Q4KgkftBgGCSDMJAYJIgQ4MgkiDBwkCSogNCoJLdAgBgkyABQUCTQsJCgJNDQoPAk42Bg8CTnsHDIJOpgcPAk/hCQ8CUxoNCIJTvwUNAlUoBwgCVwoN" +
    "CYJXZAgNglf+BwUCWysLBYJbYQsIglyZCwKCXPkIDwJdQQQGAl1pCgGCXowMDwJgdAsPAmCwDAiCYRQHAYJhGwgIAmE5CwGCYVYKDwJhsAUOAmHfCQ6CYf" +
    "0MB4JjRwcPAmPSCQ8CY+EGBQJn5QkBgmf/Bg8CaLMJDYJp0wgJAmr4CA8CbO4FBAJtOQsGgm1OAwUCcTsHBwJztAsHgni3CACCeu8NB4J9tgsAgn37BAUC" +
    "fu8KAIJ/rg4LgoApDwuCgdMIDIKB2AkJAoHiBwCChDgOCYKExwkAgoVhCAuCiIkEAoKJIAoFgopaBgQCi3EGDgKLnQcLgouoAwQCjckNCIKNyQUHAo4rBw" +
    "gCkdQIBwKSJQgAgpOJBgCClK0HDgKUtQQEApZkDAeCmBEJDgKYPAoKApk9CgCCmgYKCQKaDgYIApoqCAgCmpILDgKayA4KgpwzCg4CnfoJCAKeIAsAgp70" +
    "CQyCnvUHBgKiKA4IgqJcDAKCpW0JAIKlwwgOAqXYCgKCqF0FAoKohQcHAq3kDQuCr3UHBAKyCAsBgrTmDAaCt/ENAoK6cAkOArsUBwCCvG4FBgK9Pw8Kgr" +
    "2jBw4Cvj0MDgK/jQsOAsFnCg4CwasFDQLCmA0OAsPMBgMCxP0GDgLFdQwLgsWLCA4Cy+MFBQLL+gYGAsyPBgcCzKQNCYLN2QcFAtDXBQQC0ZkNB4LTTAkJ" +
    "AtpTDAqC21IKAILggQsCguEECACC44gJDgLnfAsDgutOBgQC718IBwLw9goJAvL8Dg0C85gPCIMB3gYCg2Z4Bw2DcLQGC4N0tgYBg3WSBQGDhb0GAIOF5A" +
    "ULg4adBgqDiPoHBYOKnA0NA5HVBQ2Dl1kLAwOZCA0HA51IBAKDncMEAYOfCwYMg6DPCwEDoT4PCgOjeAsCA6TXAwKDpyYKCYOnSwsEA6gPDgwDqCIHBoOr" +
    "2QcEg6xNDgoDtksKCoO3PQsFA7iADgsDu1kGBoO8WwgHg72qBwCDvx0FAIPClQMDg8OsCgADw/QKBQPGGAUMg8cXBgSDyJwGBYPKxwsAA8svBQuDy5EMDQ" +
    "PLnwkJg872DQwD0a4MAgPSzA0LA9V0DAcD2MwDAYPdggkLg92QBweD3hEOCQPeNgUNg95xCgID3rYNCQPezQwGA98vCwMD3z8EC4Pf+woEA+EECAiD4jIK" +
    "AwPjtwQAg+TADQgD5cYDAoPmkwYAg+fkDAwD6LkHBYPpAAoBA+mvCguD6qgKAAPrAw4KA+ueCw0D7CAKBQPsNAYHg+67DA0D7/gOCwPwEwYGg/C2CwED8S" +
    "oFAoPxcwUGg/LHBAGD8zoLAgPzwQUBg/XnBQWD/TMLBgP/XgkKhAE7BgSEAqAEDYQE7A0KBAV4BwiECE0MCwQJpwkIhAnRDAgEDfwGBYQRRQ0LBBRHBAyE" +
    "GNUJAQQZJwkJhBuGDAoEG9oLBwQcUQUEhBzWBQCEHYoKBAQeyAsMBB/zAgKEIF8JBgQhsAkEBCV7DQkEJZALDQQoTQUGhCpeAwCEKwEJAAQszwMMhDEqCQ" +
    "UENEcKBgQ0qQUFhDUECgIENeQGDYQ2ygsIBDlkBAuEOs8EAIQ8owoDBD46BQeERBEJAwRFYwgLhEZ8AwuET+ADAYRQJwIDhFSHCAmEWwYICoRckw0KBGDs" +
    "BAKEZSIHB4RltwkEBGp6CgEEcj8ECoR2igMNhIir";

  function decode(bytes) {
    const events = [];
    for (let i = 0; i + 5 <= bytes.length; i += 5) {
      const [x, y, b, c, d] = bytes.slice(i, i + 5);
      events.push({ x, y, p: b >> 7, t: ((b & 127) << 16) | (c << 8) | d });
    }
    return events;
  }

  function recording() { return decode(Array.from(atob(RECORDS), (letter) => letter.charCodeAt(0))); }

  // Counts [OFF, ON] of each pixel for start <= t < stop, times in microseconds.
  function count(events, start, stop, size) {
    const frames = [new Array(size * size).fill(0), new Array(size * size).fill(0)];
    for (const { x, y, p, t } of events) if (t >= start && t < stop) frames[p][y * size + x] += 1;
    return frames;
  }

  if (typeof module !== "undefined") {
    module.exports = { decode, recording, count, SIZE };
    return;
  }

  const CELL = 15, MAP = SIZE * CELL, LEFT = 330, WIDTH = 640, HEIGHT = MAP + 40, BASE = MAP - 20, BINS = 60;
  const SLIDERS = [["time", "time", 0, 295, 5, 35, "ms"], ["window", "length of the window", 5, 300, 5, 15, "ms"]];

  function timeline(events) {
    const bins = new Array(BINS).fill(0);
    for (const { t } of events) bins[Math.floor((t / 1000 / LAST) * BINS)] += 1;
    const most = Math.max(...bins), X = (i) => LEFT + (i / BINS) * (WIDTH - LEFT - 22);
    const top = (n) => BASE - (n / most) * (BASE - 24);
    const path = bins.map((n, i) => `L${X(i).toFixed(1)} ${top(n).toFixed(1)}H${X(i + 1).toFixed(1)}`).join("");
    let marks = `<path class="trace" d="M${LEFT} ${BASE}${path}V${BASE}"/><path class="axis" d="M${LEFT} ${BASE}H${X(BINS)}"/>`;
    for (const ms of [0, 100, 200, 300]) marks += `<text x="${X((ms / LAST) * BINS)}" y="${BASE + 17}" text-anchor="middle">${ms}</text>`;
    return marks + `<text x="${(LEFT + WIDTH) / 2}" y="${BASE + 36}" text-anchor="middle">time (ms)</text>` +
      `<text x="${LEFT}" y="14">events over time and the window</text>`;
  }

  function build(host, id) {
    const events = recording(), X = (ms) => LEFT + (ms / LAST) * (WIDTH - LEFT - 22);
    const slider = ([name, label, low, high, step, value, unit]) =>
      `<label for="${id}-${name}"><span>${label} = <b data-value="${name}"></b> ${unit}</span>` +
      `<input type="range" id="${id}-${name}" name="${name}" min="${low}" max="${high}" step="${step}" value="${value}"></label>`;
    host.innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Events of a small sensor in a window of time; the text below the controls says what it shows.">` +
      `<path class="axis" d="M1 1H${MAP + 5}V${MAP + 5}H1Z"/>${timeline(events)}<path class="window"/><path class="on"/><path class="off"/></svg>` +
      `<form>${SLIDERS.map(slider).join("")}<fieldset><button type="button" class="btn">Replay</button></fieldset></form>` +
      `<p class="readout" role="status" aria-live="polite"></p>`;
    const form = host.querySelector("form"), part = (name) => host.querySelector(name), button = part("button");
    button.style.cssText = "color: var(--pst-color-text-base); background: none; border: 1px solid currentColor";
    part(".window").style.cssText = "stroke: var(--course-orange); stroke-width: 2.5";
    part(".on").style.cssText = "fill: var(--course-blue); stroke: none";
    part(".off").style.cssText = "stroke: var(--course-orange); stroke-width: 2.2";
    const draw = () => {
      const set = {};
      for (const [name] of SLIDERS) {
        set[name] = Number(form.elements[name].value);
        part(`[data-value=${name}]`).textContent = set[name];
      }
      const stop = Math.min(set.time + set.window, LAST);
      const [off, on] = count(events, set.time * 1000, stop * 1000, SIZE);
      const square = (i, gap) => `M${3 + (i % SIZE) * CELL + gap} ${3 + Math.floor(i / SIZE) * CELL + gap}h${CELL - 2 * gap}v${CELL - 2 * gap}h${2 * gap - CELL}z`;
      const squares = (counts, gap) => counts.map((n, i) => (n ? square(i, gap) : "")).join("");
      part(".on").setAttribute("d", squares(on, 4));
      part(".off").setAttribute("d", squares(off, 1.5));
      part(".window").setAttribute("d", `M${X(set.time)} 24V${BASE}H${X(stop)}V24Z`);
      const sum = (counts) => counts.reduce((a, b) => a + b, 0), active = on.filter((n, i) => n + off[i]).length;
      part(".readout").textContent = `From ${set.time} to ${stop} ms: ${sum(on)} ON and ${sum(off)} OFF events at ${active} of ` +
        `${SIZE * SIZE} pixels. ${sum(on) + sum(off) ? "" : "The sensor is silent."}`;
    };
    let clock = null;
    const halt = () => { clearInterval(clock); clock = null; button.textContent = "Replay"; part(".readout").setAttribute("aria-live", "polite"); };
    button.addEventListener("click", () => {
      if (clock) return halt();
      button.textContent = "Stop";
      part(".readout").setAttribute("aria-live", "off");
      if (Number(form.elements.time.value) >= 295) form.elements.time.value = 0;
      clock = setInterval(() => {
        form.elements.time.value = Number(form.elements.time.value) + 5;
        draw();
        if (Number(form.elements.time.value) >= 295) halt();
      }, 120);
    });
    form.addEventListener("input", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
  }

  document.querySelectorAll("[data-figure=events]").forEach((host, i) => build(host, `events-${i + 1}`));
})();
