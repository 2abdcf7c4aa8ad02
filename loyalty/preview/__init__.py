"""Looks before leaping: what a changed program would make of everything that has happened in a shop. It touches nothing.

``ask`` checks what is asked; ``compare`` answers at once, ``start`` and ``step`` as a run of kind ``KIND``, whose ``result`` can be read when
it is done.
"""

from loyalty.preview.running import KIND, Asked, ask, compare, latest, result, start, step

__all__ = ["KIND", "Asked", "ask", "compare", "latest", "result", "start", "step"]
