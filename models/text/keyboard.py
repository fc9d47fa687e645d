"""Which keys are next to each other, to make typing errors and to recognise them."""

from typing import Final

_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _keyboard_neighbours() -> dict[str, str]:
    neighbours: dict[str, str] = {}
    for y, row in enumerate(_ROWS):
        for x, key in enumerate(row):
            near = [
                _ROWS[y + dy][x + dx]
                for dy, dx in ((0, -1), (0, 1), (-1, 0), (-1, 1), (1, 0), (1, -1))
                if 0 <= y + dy < len(_ROWS) and 0 <= x + dx < len(_ROWS[y + dy])
            ]
            neighbours[key] = "".join(near)
    return neighbours


NEIGHBOURS: Final = _keyboard_neighbours()
"""For each letter, those whose keys touch its own."""
