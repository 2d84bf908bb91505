"""Print a table for a person: fitted to the terminal, or aligned lines where there is none."""

from starcast.cli.terminal import can_repaint
from starcast.reports.table import Table, plain


def print_table(table: Table) -> None:
    """Print a table between empty lines."""
    if not can_repaint():
        print(f"\n{table.text()}\n", flush=True)
        return
    from rich.console import Console  # a tenth of a second, spent only on a terminal
    from rich.table import Table as Shown
    from rich.text import Text

    shown = Shown(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, right in zip(table.head, table.numeric, strict=True):
        shown.add_column(Text(plain(name)), justify="right" if right else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(plain(cell)) for cell in row))
    print()
    Console(highlight=False).print(shown)
    print(flush=True)
