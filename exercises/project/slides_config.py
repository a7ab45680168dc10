"""How nbconvert makes the slides: run the notebook, use the template ``offline``, ask no other computer for anything."""

from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.NbConvertApp.export_format = "slides"
c.ExecutePreprocessor.enabled = True
c.ExecutePreprocessor.extra_arguments = ["--log-level=40"]
c.SlidesExporter.template_name = "offline"
c.SlidesExporter.extra_template_basedirs = [str(Path(__file__).resolve().parent)]
