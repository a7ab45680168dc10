# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "skip"}
# **How this becomes slides.**
# Each cell has a slide type (JupyterLab: View, Right sidebar, Property inspector, Slide type): `slide` begins a new slide, `-` continues
# it, `notes` is for you (the key N shows it), `skip` is left out.
# Code is hidden, its output is shown; the tag `show-code` shows a cell's code.
#
# In a terminal, in this folder:
#
# ```bash
# jupyter nbconvert --config slides_config.py slides.ipynb
# ```
#
# Open `slides.slides.html` in a browser.
# The arrow keys, the space bar and a click change slides; print the page into a PDF to hand it in.
# Nothing is loaded from another computer; formulas are set by the copy of MathJax that comes with the course, so build in this folder.
#
# The slides below are a skeleton with an experiment that is small and simulated: replace all of it.

# %% slideshow={"slide_type": "skip"}
# %config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
import torch

import snnkit.plot
from snnkit.conversion import unevenness

_ = snnkit.plot.style()
torch.set_default_dtype(torch.float64)

# %% [markdown] slideshow={"slide_type": "slide"}
# # A question that an experiment can answer
#
# Names of the three of you, the group, the date
#
# One sentence: what you found.

# %% [markdown] slideshow={"slide_type": "notes"}
# Who says what, and for how long. One minute a slide.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What is known
#
# The two or three formulas that your question stands on, such as the balance of charge:
#
# $$\phi^l(T) = W^l \phi^{l-1}(T) + b^l - \frac{v^l(T) - v^l(0)}{T}$$
#
# - what each symbol means, and which conventions you chose
# - what is assumed, and what is not known

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we did
#
# | choice | ours | why |
# |---|---|---|
# | network and data | | |
# | baseline | | |
# | seeds, budget | | |
# | what is counted as a time step | | |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The title says what the figure shows

# %% slideshow={"slide_type": "-"}
shares = []
for seed in range(5):  # simulated: random weights, not trained
    network = unevenness.random_dense_net(layers=6, width=64, samples=100, seed=seed)
    shares.append([layer.uneven for layer in unevenness.depth_profile(network, 8)])
shares = torch.tensor(shares)
mean, error = shares.mean(0), shares.std(0) / len(shares) ** 0.5
figure, axes = plt.subplots(figsize=(6, 3))
axes.errorbar(range(1, 7), mean, yerr=error, fmt="o-", capsize=3)
axes.set(xlabel="layer", ylabel="share of uneven neurons", ylim=(0, None))
plt.show()

# %% [markdown] slideshow={"slide_type": "-"}
# What is drawn, over how many seeds, with which error bars, and the one thing to see.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Why
#
# - the mechanism that explains the figure
# - a prediction of it that you tested
# - a case in which it fails

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What it costs, and what we do not know
#
# - time steps, first passes, training: counted in full, and compared with the plain network that is given as much
# - limits: data, size, seeds
# - what you would do next

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where it comes from
#
# - papers, code of others, and what each of you did
# - command, seed and version that give every number on these slides
