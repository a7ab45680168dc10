"""Running student code in isolation: only plain data crosses between it and the grader.

The trusted side (:mod:`session`, :mod:`link`, :mod:`source`, :mod:`wire`, :mod:`withhold`) never unpickles and never
evaluates text that a student wrote. The student's side (:mod:`worker`, :mod:`shell`) is forked by a warm parent
(:mod:`warm_parent`) and enclosed by :mod:`sandbox`; it holds no test, reference, score or database. Both speak
:mod:`wire`.

The modules import each other relatively: the warm parent loads this folder under another name, without the
rest of ``autograder``, so that nothing of the checks is in its memory.
"""
