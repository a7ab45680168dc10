"""What the book promises its readers, held against its sources and against the site that was built from them."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import math
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import snnkit
from snnkit import dynamics

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
CONTENTS = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [ROOT / f"{name}.md" for name in CONTENTS if name.startswith("book/")]
CHAPTERS = [page for page in PAGES if page.parent.name in {"foundations", "learning", "conversion"}]
#: Numbers that need no computation: they count what is in the sentence, or name a version of a data set.
PLAIN_NUMBERS = {"0", "1", "2"}


def _name(path):
    return path.relative_to(ROOT).as_posix()


def _cells(text):
    return re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", text, flags=re.M | re.S)


def _code(cell):
    cell = re.sub(r"\A---\n.*?^---\n", "", cell, flags=re.M | re.S)
    return re.sub(r"^:\w[\w-]*:.*\n", "", cell, flags=re.M)


def _prose(text):
    """The words a reader reads: no front matter, code, formulas, directive lines, labels or roles."""
    text = re.sub(r"\A---\n.*?^---\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^```\{code-cell\}.*?^```\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^\$\$.*?^\$\$[^\n]*\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^(```|:::).*$|^:\w+:.*$|^\(.*\)=$", "", text, flags=re.M)
    text = re.sub(r"\$[^$]*\$", "X", text)
    text = re.sub(r"\{glue:text\}`[^`]*`", "X", text)
    text = re.sub(r"\{[\w:.-]+\}`(?:([^`<]*)<[^`>]*>|[^`]*)`", lambda match: match[1] or "X", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"\{[^}]*\}", "", text)


def _figures(text):
    """(name, caption, alt) of the code figures, and (name, caption) of the interactive ones."""
    drawn = []
    for cell in _cells(text):
        head = re.match(r"---\n(.*?)^---\n", cell, flags=re.M | re.S)
        options = (yaml.safe_load(head[1]) or {}).get("mystnb", {}) if head else {}
        if "plt.show()" in cell or options:
            figure, image = options.get("figure", {}), options.get("image", {})
            drawn.append((figure.get("name", ""), figure.get("caption", ""), image.get("alt", "")))
    played = re.findall(r"^```\{interactive\} \w+\n:name: (\S+)\n(.*?)^```", text, flags=re.M | re.S)
    return drawn, played


# --- sources


@pytest.mark.parametrize("chapter", CHAPTERS, ids=_name)
def test_reading_time_is_that_of_the_text(chapter):
    text = chapter.read_text(encoding="utf-8")
    stated = int(re.search(r"\*\*Reading time:\*\* (\d+) minutes", text)[1])
    words = len(_prose(text).split())
    assert words / 160 <= stated <= words / 90, f"{words} words in {stated} minutes"
    assert "**Running time:**" in text


@pytest.mark.parametrize("page", [*CHAPTERS, BOOK / "reference" / "conventions.md"], ids=_name)
def test_every_number_in_the_prose_is_known_to_a_cell(page):
    text = page.read_text(encoding="utf-8")
    code = "\n".join(_code(cell) for cell in _cells(text))
    known = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", code)) | PLAIN_NUMBERS
    known |= {str(int(float(number))) for number in known if float(number).is_integer()}
    prose = re.sub(r"\*\*(Reading|Running) time:\*\*[^.]*\.", "", _prose(text))
    prose = re.sub(
        r"`[^`]*`|\b[A-Z]+-\d+\b|\(0\) = 1|^ *\d+\. |problem set \d+|^\|.*$", "", prose, flags=re.M
    )
    unknown = [number for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", prose) if number not in known]
    assert not unknown, f"numbers that no cell computes or asserts: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_glued_number_is_computed_on_its_page(page):
    text = page.read_text(encoding="utf-8")
    code = "\n".join(_code(cell) for cell in _cells(text))
    for key in re.findall(r"\{glue:text\}`([^`:]+)", text):
        patterned = re.sub(r"_[\d.]+$", "", key)
        assert f'"{key}"' in code or ("{name}_{" in code and f'"{patterned}"' in code), key


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_figures_have_name_caption_and_alternative_text(page):
    drawn, played = _figures(page.read_text(encoding="utf-8"))
    for name, caption, alternative in drawn:
        assert name.startswith("fig-"), f"a figure without a name: {caption!r}"
        assert len(caption.split()) >= 8, f"{name}: the caption has to say what to see"
        assert len(alternative.split()) >= 12, f"{name}: the alternative text has to describe the figure"
        assert alternative != caption
    for name, caption in played:
        assert name.startswith("fig-")
        assert len(caption.split()) >= 8


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_cells_are_short(page):
    for cell in _cells(page.read_text(encoding="utf-8")):
        lines = [line for line in _code(cell).splitlines() if line.strip()]
        limit = 25 if "plt.show()" in cell else 15
        assert len(lines) <= limit, f"{len(lines)} lines: {lines[0]}"
        assert max(len(line) for line in lines) <= 100, max(lines, key=len)


def test_every_equation_referred_to_is_labelled_once():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    labels = re.findall(r"^\$\$ \((eq-[\w-]+)\)", text, flags=re.M)
    assert len(labels) == len(set(labels))
    assert labels
    assert set(re.findall(r"\{eq\}`([\w-]+)`", text)) <= set(labels)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=_name)
def test_every_objective_is_measured_by_a_question_with_a_solution(chapter):
    text = chapter.read_text(encoding="utf-8")
    objectives = re.findall(r"^- \[([A-Z]+-\d+)\]\{\.objective\} \w", text, flags=re.M)
    asked = dict(re.findall(r"^```\{exercise\} ([A-Z]+-\d+)\n:label: (\S+)", text, flags=re.M))
    solved = re.findall(r"^```\{solution\} (\S+)\n:class: dropdown", text, flags=re.M)
    assert len(objectives) >= 4
    assert set(asked) == set(objectives)
    assert sorted(asked.values()) == sorted(solved)


NOTATION = {
    "v(t)": "v",
    "m(t)": "charge",
    r"s(t) \in \{0, 1\}": "spike",
    r"\theta": "threshold",
    r"\alpha": "decay",
    r"x^l(t) = s^l(t)\,\theta^l": "output",
    r"\phi^l(T)": "average",
    "T": "steps",
    "L": "levels",
    r"\lambda^l": "clip",
}


@pytest.mark.parametrize(("symbol", "name"), NOTATION.items())
def test_notation_page_gives_each_symbol_one_name(symbol, name):
    text = (BOOK / "reference" / "notation.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")
    ]
    assert [row[2] for row in rows if row[0] == f"${symbol}$"] == [f"`{name}`"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=_name)
def test_formulas_use_only_the_symbols_of_the_notation_page(chapter):
    def symbols(text):
        text = re.sub(r"\\(text|operatorname)\{[^}]*\}", " ", text)
        text = re.sub(r"\\mathrm\s*\{?[a-z]\}?", " ", text)
        text = re.sub(r"_\{?(\\text\{\w*\}|[A-Z]|\w+)\}?|\\begin\{\w+\}|\\end\{\w+\}", " ", text)
        greek = {"alpha", "beta", "tau", "theta", "Theta", "phi", "lambda", "Delta", "sigma"}
        return set(re.findall(r"\\([A-Za-z]+)", text)) & greek | set(
            re.findall(r"(?<![\\\w])[A-Za-z](?!\w)", text)
        )

    def formulas(text):
        text = re.sub(r"^```\{code-cell\}.*?^```\n", "", text, flags=re.M | re.S)
        return " ".join(
            re.findall(r"\$\$(.*?)\$\$", text, flags=re.S) + re.findall(r"(?<!\$)\$([^$]+)\$(?!\$)", text)
        )

    known = symbols(formulas((BOOK / "reference" / "notation.md").read_text(encoding="utf-8")))
    helpers = {"u", "z", "n"}  # bound where they stand
    assert symbols(formulas(chapter.read_text(encoding="utf-8"))) <= known | helpers


FORBIDDEN = r"\b(simply|obviously|just|trivially|TODO|FIXME|lorem|placeholder|behavior|color|center|analyz\w+|\w+ization)\b"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_words_that_the_course_does_not_use(page):
    prose = re.sub(r"`[^`]*`", "", _prose(page.read_text(encoding="utf-8")))
    assert re.findall(FORBIDDEN, prose) == []
    assert "http" not in prose, "a page must not depend on the network"


# --- the interactive figure against the library


NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_interactive_neuron_computes_what_the_library_computes(tmp_path):
    generator = torch.Generator().manual_seed(7)
    cases = []
    for index in range(60):
        decay, threshold, v0 = (float(x) for x in torch.rand(3, generator=generator, dtype=torch.float64))
        currents = (2 * torch.rand(40, generator=generator, dtype=torch.float64)).tolist()
        cases.append({"currents": currents, "decay": decay, "threshold": 0.2 + 1.8 * threshold, "v0": v0})
        cases[-1]["hard"] = index % 2 == 1
    cases.append({"currents": [0.5] * 16, "decay": 1.0, "threshold": 1.0, "v0": 0.0, "hard": False})
    script = tmp_path / "run.cjs"
    script.write_text(
        f"const {{ simulate }} = require({json.dumps(str(BOOK / '_static' / 'figures' / 'lif.js'))});\n"
        f"console.log(JSON.stringify({json.dumps(cases)}.map((c) => simulate(c.currents, c))));\n"
    )
    found = json.loads(subprocess.run([NODE, str(script)], check=True, capture_output=True, text=True).stdout)
    for case, trace in zip(cases, found, strict=True):
        reset = dynamics.HardReset() if case["hard"] else dynamics.SoftReset()

        def step(v, x, case=case, reset=reset):
            return dynamics.lif_step(v, x, decay=case["decay"], threshold=case["threshold"], reset=reset)

        currents = torch.tensor(case["currents"], dtype=torch.float64)
        expected = dynamics.simulate(step, currents, v0=case["v0"])
        assert trace["spikes"] == expected.spikes.tolist()
        assert trace["charge"] == pytest.approx(expected.charge.tolist(), abs=1e-12)
        assert trace["v"] == pytest.approx(expected.v.tolist(), abs=1e-12)
    assert sum(found[-1]["spikes"]) == 8


# --- the table of conventions against the libraries


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.25]), min_size=1, max_size=20),
    st.sampled_from([0.5, 0.75]),
)
def test_conventions_table_holds_for_the_libraries(values, decay):
    x = torch.tensor(values)[:, None]
    expected = _own(x, decay, at_threshold=True)
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")
    jelly = neuron.LIFNode(tau=1 / (1 - decay), decay_input=False, v_reset=None, step_mode="m")
    assert torch.equal(jelly(x).detach(), expected)

    snntorch = pytest.importorskip("snntorch", reason="the peers are in the extra `bench`")
    leaky, mem, late = snntorch.Leaky(beta=decay, threshold=1.0), torch.zeros(1), []
    for current in x:
        spike, mem = leaky(current, mem)
        late.append(spike)
    assert torch.equal(torch.stack(late).detach(), _delayed(x, decay))

    norse = pytest.importorskip("norse.torch.functional.lif_box", reason="the peers are in the extra `bench`")
    rate = torch.tensor(1000 * (1 - decay))
    state, boxed = norse.LIFBoxFeedForwardState(v=torch.zeros(1)), []
    for current in x:
        spike, state = norse.lif_box_feed_forward_step(
            current / (1 - decay), state, norse.LIFBoxParameters(tau_mem_inv=rate), dt=0.001
        )
        boxed.append(spike)
    assert torch.equal(torch.stack(boxed), _own(x, decay, at_threshold=False, hard=True))

    sinabs = pytest.importorskip("sinabs.layers", reason="the peers are in the extra `bench`")
    single = importlib.import_module("sinabs.activation").SingleSpike
    layer = sinabs.LIF(tau_mem=torch.tensor(-1 / math.log(decay)), norm_input=False, spike_fn=single)
    assert torch.equal(layer(x[None]).detach()[0], expected)


def _own(x, decay, *, at_threshold, hard=False):
    """The neuron in plain Python numbers, written apart from the library."""
    v, spikes = 0.0, []
    for current in x.flatten().tolist():
        v = decay * v + current
        fires = v >= 1 if at_threshold else v > 1
        spikes.append(float(fires))
        if fires:
            v = 0.0 if hard else v - 1
    return torch.tensor(spikes)[:, None]


def _delayed(x, decay):
    v, spikes = 0.0, []
    for current in x.flatten().tolist():
        fired = v > 1
        v = decay * v + current - fired
        spikes.append(float(v > 1))
    return torch.tensor(spikes)[:, None]


# --- the site


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.sources, self.ids, self.images, self.headings = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids.extend(value for key, value in attrs if key == "id")
        if tag in {"script", "img", "iframe", "source", "embed", "audio", "video"}:
            self.sources.append(attributes.get("src", ""))
        if tag == "link" and attributes.get("rel") not in {"author", "canonical"}:
            self.sources.append(attributes.get("href", ""))
        if tag == "img":
            self.images.append(attributes)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


@pytest.fixture(scope="session")
def pages(site):
    """The pages of the site, parsed, by their path in it."""
    files = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    return {path.relative_to(site).as_posix(): _Page(path.read_text(encoding="utf-8")) for path in files}


def _article(page):
    return re.search(r"<article.*</article>", page.read_text(encoding="utf-8"), flags=re.S)[0]


def test_every_page_of_the_contents_is_in_the_site(pages):
    assert len(CONTENTS) >= 10
    for name in CONTENTS:
        assert f"{name}.html" in pages


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for name, page in pages.items():
        assert [source for source in page.sources if re.match(r"(https?:)?//", source)] == [], name
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8", errors="replace")
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import\s+(url\()?['\"]?(https?:)?//", text), sheet


def test_no_sources_and_no_solutions_are_published(site):
    names = [path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()]
    assert [name for name in names if re.search(r"_sources/|\.(ipynb|py|map|md)$", name)] == []
    marks = "BEGIN SOLUTION", "BEGIN HIDDEN TESTS"  # a page for instructors shows how they are written
    sets = [page.read_text(encoding="utf-8") for page in (site / "exercises").rglob("*.html")]
    assert sets
    assert not any(mark in page for page in sets for mark in marks)


def test_links_and_anchors_resolve(site):
    lychee = shutil.which(
        "lychee", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    assert lychee, "lychee is missing; it comes with the extra `dev`"
    command = [lychee, "--offline", "--include-fragments", "--no-progress", "--exclude-path", "macros.html"]
    checked = subprocess.run([*command, str(site)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    total = re.search(r"(\d+) Total", checked.stdout)
    assert total, checked.stdout
    assert int(total[1]) > 100


def test_figures_in_the_site_have_number_caption_and_alternative_text(site):
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        drawn, played = _figures(text)
        page = site / path.relative_to(ROOT).with_suffix(".html")
        html = page.read_text(encoding="utf-8")
        for name in [figure[0] for figure in drawn + played]:
            figure = re.search(rf'<figure[^>]* id="{name}".*?</figure>', html, flags=re.S)
            assert figure, f"{name} is not on {page}"
            assert re.search(r'<span class="caption-number">Figure [\d.]+ </span>', figure[0]), name
        assert all(image.get("alt", "").strip() for image in _Page(html).images), page


def test_headings_descend_by_one_level(site):
    for page in (site / "book").rglob("*.html"):
        headings = _Page(_article(page)).headings
        assert headings.count(1) == 1, page
        assert all(after - before <= 1 for before, after in itertools.pairwise(headings)), page


def _public_names():
    for module in pkgutil.walk_packages(snnkit.__path__, "snnkit."):
        if any(part.startswith("_") for part in module.name.split(".")):
            continue
        loaded = importlib.import_module(module.name)
        for name in getattr(loaded, "__all__", [name for name in vars(loaded) if not name.startswith("_")]):
            thing = getattr(loaded, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield module.name, name, thing


def test_api_reference_has_every_public_function_and_class(site):
    html = "".join(page.read_text(encoding="utf-8") for page in (site / "book/reference/api").glob("*.html"))
    ids = set(re.findall(r'<dt[^>]* id="([\w.]+)"', html))
    missing = []
    for module, name, thing in _public_names():
        origin = thing.__module__ or ""
        own = origin == module or "__all__" in vars(importlib.import_module(module))
        if (
            own
            and origin.startswith("snnkit")
            and not {f"{module}.{name}", f"{origin}.{thing.__qualname__}"} & ids
        ):
            missing.append(f"{module}.{name}")
    assert not missing, f"not on the API pages (no docstring, or not in __all__): {missing}"
    assert "snnkit.dynamics.lif_step" in ids


def test_signatures_are_as_a_reader_would_write_them(site):
    """No address, no repr of a class, no path to a type; ``~`` is what a signature that does not parse keeps."""
    odd, seen = {}, 0
    for page in sorted((site / "book/reference/api").glob("*.html")):
        for heading in re.findall(r'<dt class="sig.*?</dt>', page.read_text(encoding="utf-8"), flags=re.S):
            seen += 1
            text = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", heading))).strip()
            if re.search(r"object at 0x|<\w|~|Annotated\[", text) or len(text) > 500:
                odd.setdefault(page.stem, []).append(text[:120])
    assert odd == {}
    assert seen > 300


def test_no_sentence_is_taken_for_a_type(site):
    """Of the docstring of an attribute or a result, Napoleon takes what stands before a colon for the type."""
    taken, seen = {}, 0
    for page in sorted((site / "book/reference/api").glob("*.html")):
        found = re.findall(
            r"<dt[^>]*>(?:Type|(?:Return|Yield) type)<.*?</dt>\s*<dd[^>]*>(.*?)</dd>",
            page.read_text(encoding="utf-8"),
            flags=re.S,
        )
        types = [unescape(re.sub(r"<[^>]+>", "", text)).strip() for text in found]
        seen += len(types)
        if sentences := [text for text in types if not re.fullmatch(r"[\w.]+(\[.*\])?", text)]:
            taken[page.stem] = sentences
    assert taken == {}
    assert seen > 3


def test_pages_are_light(site):
    for name in ("book/foundations/lif.html", "book/index.html"):
        page = site / name
        parsed = _Page(page.read_text(encoding="utf-8"))
        local = {
            source.split("?")[0] for source in parsed.sources if source and not source.startswith("data:")
        }
        weight = page.stat().st_size + sum(
            (page.parent / source).resolve().stat().st_size for source in local
        )
        assert weight < 2_500_000, f"{name}: {weight} bytes before compression"
    vendored = sum(
        path.stat().st_size for path in (site / "_static/vendor/mathjax").rglob("*") if path.is_file()
    )
    assert vendored < 2_500_000
    assert (site / "_static/vendor/mathjax/LICENSE").exists()


@pytest.mark.parametrize("page", CHAPTERS, ids=_name)
def test_no_chapter_shows_a_number_as_python_writes_it(page, site):
    html = (site / page.relative_to(ROOT).with_suffix(".html")).read_text(encoding="utf-8")
    article = re.search(r"<article.*?</article>", html, flags=re.S)
    assert article
    kept = r"<(pre|script|style|code|svg)\b.*?</\1>|\\[(\[].*?\\[)\]]"
    text = re.sub(r"<[^>]+>", "", re.sub(kept, "", article[0], flags=re.S))
    assert not re.findall(r"(?<![\w.)\]–−-])-\d[\d.]*|\d(?:\.\d+)?e[+-]\d+", text)
