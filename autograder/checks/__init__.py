"""The questions that come with the course.

One folder per problem set, one module per question, named like it; its id begins with the part of the set's name
before the underscore (``<set>/<question>.py`` of ``ps2_surrogates``: ``ps2.<question>``). What several questions of a
set share stands beside them.
"""
