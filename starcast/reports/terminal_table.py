"""Print a table for a person: fitted to the terminal, or aligned lines where there is none."""

from starcast.cli.terminal import can_repaint
from starcast.reports.table import Table, plain

KEPT_WHOLE = 20  # characters of a cell that is not broken into lines


def print_table(table: Table) -> None:
    """Print a table between empty lines."""
    if not can_repaint():
        print(f"\n{table.text()}\n", flush=True)
        return
    from rich.console import Console, JustifyMethod  # a tenth of a second, spent only on a terminal
    from rich.table import Table as Shown
    from rich.text import Text

    shown = Shown(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, right, *cells in zip(table.head, table.numeric, *table.rows, strict=True):
        whole = max(map(len, cells), default=0) <= KEPT_WHOLE
        side: JustifyMethod = "right" if right else "left"
        shown.add_column(Text(plain(name)), justify=side, overflow="fold", no_wrap=whole)
    for row in table.rows:
        shown.add_row(*(Text(plain(cell)) for cell in row))
    print()
    Console(highlight=False).print(shown)
    print(flush=True)
