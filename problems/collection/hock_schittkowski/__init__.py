"""Test problems of Hock and Schittkowski (1981), in the form CUTEst gives them.

Constraints carry their right-hand side, ``c(x) - b``, and stand in CUTEst's order; an inequality is ``>= 0``
or ``<= 0`` as in its SIF file. HS58, HS82, HS94 and HS115 do not exist in the book. HS67 is left out: its
intermediate quantities come from an iteration whose number of steps depends on x, so that its functions jump
(HS114 is the smooth form of the same plant). HS87 stays although its objective jumps where a price rises.

Source: W. Hock and K. Schittkowski, Test Examples for Nonlinear Programming Codes, Lecture Notes in Economics
and Mathematical Systems 187, Springer, 1981.
"""
