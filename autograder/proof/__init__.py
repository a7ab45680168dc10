"""Proof that the checks are right: samples with known outcomes, mutants of the reference, many seeds.

``python -m autograder.proof`` runs them. What is known of a set stands in its home, ``solutions/<set>/``: ``samples.toml``,
``proof.toml``, and samples that are whole cells of another hand, such as ``second_correct.py``.
"""
