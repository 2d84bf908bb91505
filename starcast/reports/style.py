"""Colours, marks and widths that all figures share."""

# Colours of Okabe and Ito, which colour-blind readers can tell apart, and markers that differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKS = ("o", "s", "D", "^", "P", "<")
GREY = "0.4"
WIDTH = 6.9  # inches: on a telephone, the text of such a figure can still be read
PALE = 0.12  # opacity of black lines behind the data


def amount(value: float) -> str:
    """Return a number of any size in a few characters: `0.5`, `200`, `20k`, `1.5M`."""
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"
