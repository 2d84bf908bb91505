"""Where a report comes from; apart from the page, whose template engine takes 0.2 s to import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportOrigin:
    """Where a report comes from.

    Args:
        date: when it was made.
        command: the shell command that repeats it.
        links: to its run and the like, as Markdown.
        address: of the tracking server's UI, within which the links are.
    """

    date: str
    command: str
    links: tuple[str, ...]
    address: str
