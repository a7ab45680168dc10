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

# %% [markdown]
# # Problem set 0: start here
#
# This is a practice set.
# It shows how every other set works: you get a notebook, write answers, check them, and hand the notebook in.
# Its points do not count.
#
# | | |
# |---|---|
# | **You will be able to** | answer a question and read its check; use the hints; say why a green check is not yet the grade; hand in a set |
# | **Objectives** | LIF-3 (a neuron at its threshold fires), in its smallest form |
# | **Points** | {points by checks} by checks, {points by readers} for an answer read by a person; none of them counts |
# | **Your time** | about 40 minutes |
# | **Computing** | about 2 s |
# | **You need** | a little Python, arrays of NumPy |
#
# ## How a set works
#
# 1. **Get it.** You are looking at it. It came as a file, or from the *Assignment List* of JupyterLab (menu
#    *Nbgrader*), where your instructor uses it.
# 2. **Answer.** Write your code where it says `raise NotImplementedError`, delete that line, and run the cell with
#    Shift + Enter.
# 3. **Check.** Run the cell below it, which begins with `check`. It says what is right, what is not yet, and why.
# 4. **Hand in.** The last section says how.
#
# Cells that you cannot edit are restored before grading.
# Everything else is yours: put experiments into cells of your own (key B makes one below).

# %% given="setup"
import numpy as np

from autograder import check

# %% [markdown]
# ## 1. Answer, check, hint
#
# A neuron adds up what it receives, its *charge* $m$, and fires when the charge has reached its threshold $\theta$:
#
# $$s = \begin{cases} 1, & m \ge \theta \\ 0, & m < \theta. \end{cases}$$
#
# (This is the middle step of the neuron in the chapter *The leaky integrate-and-fire neuron*, section *Charge, fire,
# reset*.)
#
# **Question 1 ({points of spike_count}).** Write `spike_count(charge, threshold)`: how many of the neurons whose charges stand in the
# array `charge` fire.
# An array without elements is allowed, and has no spikes.
#
# First run the two cells as they are, to see what an unanswered question looks like.


# %% answer="spike_count"
def spike_count(charge, threshold):
    """Number of elements of the array `charge` that reach the threshold."""
    ### BEGIN SOLUTION
    return int((charge >= threshold).sum())
    ### END SOLUTION


# %% check="spike_count"

# %% [markdown]
# Each question has parts, and each part has its points: half an answer gives half the points.
# Under a part that is not right yet stand the case in which it failed, your number and the right one.
# If the mistake is a known one, a sentence names it.
#
# Stuck? Ask for a hint.
# There are three, each says more than the one before, and they cost nothing.

# %%
check("ps0.spike_count", hint=1)

# %% [markdown]
# ## 2. A green check is not yet the grade
#
# **Question 2 ({points of longest_silence}).** Write `longest_silence(train)`: the largest number of steps *in a row* without a spike, in
# an array `train` that holds 1 for a spike and 0 for none.
# Silence before the first spike and after the last one counts.
# A train without a silent step, or without any step, gives 0.


# %% answer="longest_silence"
def longest_silence(train):
    """Largest number of steps in a row without a spike."""
    ### BEGIN SOLUTION
    current = longest = 0
    for spike in train:
        current = 0 if spike else current + 1
        longest = max(longest, current)
    return longest
    ### END SOLUTION


# %% check="longest_silence"

# %% [markdown]
# Some of the trains above are fixed, the others are drawn at random from a *seed*, a number from which a computer
# draws always the same numbers.
# The check in this notebook uses a seed that everybody knows.
#
# Here is an answer that knows nothing about silence.
# Its author wrote down the right numbers that the check had shown, until it was green:

# %% given="memorised"
SHOWN = {
    "0": 1, "0000": 4, "1000": 3, "0001": 3, "0100010": 3, "10001001": 3, "0011100": 2,
    "0010000": 4, "0000100": 4, "000001010011000": 5, "0010000001001010": 6,
    "0001100100100000": 5, "00001010011000": 4, "00100000100110": 5, "00011010010000": 4,
}  # fmt: skip


def memorised(train):
    """Looks the answer up."""
    return SHOWN.get("".join(str(spike) for spike in train), 0)


check("ps0.longest_silence", namespace={"longest_silence": memorised})

# %% [markdown]
# Green.
# The course's grader draws with another seed, which nobody knows beforehand and which is a different one for each student.
# You can do the same with any seed you like:

# %% given="other_seed"
check("ps0.longest_silence", namespace={"longest_silence": memorised}, seed=1)

# %% [markdown]
# A rule that is right stays right, whatever is drawn.
# Try yours with a few seeds, in a cell of your own: `check("ps0.longest_silence", seed=1)`.
#
# An answer also has to come to its end: a check stops one that uses more than {seconds of check} of processor time, and
# grading one that uses more than {seconds of grading}.
# What other programs on the machine use is not counted.

# %% [markdown]
# ## 3. Half right is half the points
#
# **Question 3 ({points of shares}).** The output of a network is a table `counts`, an array `[N, classes]` with the number of
# spikes of each output neuron (a column) for each picture (a row).
# Write `shares(counts)`: an array of the same shape in which each row is divided by its sum.
#
# - A row without a spike stays a row of zeros.
# - `counts` itself must not change: the network's owner still needs it.


# %% answer="shares"
def shares(counts):
    """Each row of counts [N, classes] divided by its sum; a row without a spike stays 0."""
    ### BEGIN SOLUTION
    total = counts.sum(axis=1, keepdims=True)
    return counts / np.maximum(total, 1)
    ### END SOLUTION


# %% check="shares"

# %% [markdown]
# ## 4. An answer that a person reads
#
# Some answers cannot be checked by a program.
# They go into a cell like the one below: double-click it, write, and run it with Shift + Enter.
# A person reads them with a list of criteria, and you see the points when the graded notebook comes back.
#
# **Discussion ({points of discussion_green}, read by a person).**
# All your checks are green.
# Give a reason why your grade may still be lower than what they add up to, and say what you do about it before you hand
# in.
# Two or three sentences.

# %% [markdown] read="discussion_green" points=1
# The checks here draw their inputs from a known seed and the grader draws others, so an answer that fits only the visible
# cases loses points. Before I hand in I run the checks with other seeds and ask myself which inputs the question allows
# that I have not tried, such as an empty array. I also restart the kernel and run everything from the top, because
# an answer may use a variable of a cell that I have changed or deleted since.

# %% [markdown] tags=["instructor"]
# **Rubric of the discussion (instructor only).** The points do not count; a remark is what the student needs.
#
# | points | criterion |
# |---|---|
# | 0.5 | a true reason: other inputs are drawn when it is graded, or the notebook depends on the order in which its cells were run, or a part is read by a person |
# | 0.5 | something that helps against that very reason: other seeds or own test cases; restart and run all |
#
# Strong (1 point): "The grader draws other numbers, so I ran each check with five other seeds, and then restarted the
# kernel and ran all cells, in case an answer used a variable that no longer exists."
# Middling (0.5 points): "Because the grader uses hidden tests. I check my answers again." The reason is right, the remedy
# is none.
# Weak (0 points): "If they are all green the grade is full; perhaps the computer makes mistakes."

# %% [markdown]
# ## Hand in
#
# 1. Run everything once from the top: menu *Kernel*, *Restart Kernel and Run All Cells*.
#    This finds answers that work only because of a cell that you have changed or deleted since.
#    When it is graded it is run in the same way, from the notebook alone: without your other files, the network, other
#    programs, and anybody who answers `input()`.
# 2. Look at the checks once more, and press **Validate** if your JupyterLab has it.
# 3. Save, under the notebook's own name.
# 4. Submit: in the *Assignment List*, or as your instructor told you.
#    You may submit again until the deadline; the last one counts.
#
# ## Source
#
# The neuron is that of the chapter *The leaky integrate-and-fire neuron*.
