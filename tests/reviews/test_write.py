"""A file or a folder of parts: whole or not at all, and never in the place of something else."""

from pathlib import Path

import pytest

from starcast.cli.errors import UserError
from starcast.reviews.write import (
    FINISHED,
    check_folder,
    check_replaceable,
    open_file,
    open_folder,
    part_name,
)


def write(output: Path, *parts: str) -> None:
    with open_folder(output) as folder:
        for part in parts:
            (folder / part).write_text(part)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_names_of_parts_are_in_their_order() -> None:
    numbers = [0, 9, 10, 99_999]
    assert sorted(part_name(number, ".csv") for number in reversed(numbers)) == [
        part_name(n, ".csv") for n in numbers
    ]


def test_it_appears_when_it_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    with open_folder(output) as folder:
        (folder / part_name(0, ".csv")).write_text("a")
        assert not output.exists()
    assert names(output) == {"part-00000.csv", FINISHED}
    assert names(tmp_path) == {"out.csv"}


def test_a_finished_one_replaces_an_earlier_one(tmp_path: Path) -> None:
    write(tmp_path / "out.csv", "part-00000.csv", "part-00001.csv")
    write(tmp_path / "out.csv", "part-00000.csv")
    assert names(tmp_path / "out.csv") == {"part-00000.csv", FINISHED}
    assert names(tmp_path) == {"out.csv"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_one_that_does_not_end_well_leaves_the_earlier_one(
    tmp_path: Path, error: type[BaseException]
) -> None:
    write(tmp_path / "out.csv", "part-00007.csv")
    with pytest.raises(error), open_folder(tmp_path / "out.csv") as folder:  # noqa: PT012
        (folder / "part-00000.csv").write_text("half")
        raise error
    assert names(tmp_path / "out.csv") == {"part-00007.csv", FINISHED}
    assert names(tmp_path) == {"out.csv"}


def test_what_a_killed_process_left_is_not_in_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".out.csv.parts"
    left.mkdir()
    (left / "part-00009.csv").write_text("half")
    write(tmp_path / "out.csv", "part-00000.csv")
    assert names(tmp_path / "out.csv") == {"part-00000.csv", FINISHED}


def test_two_do_not_write_one_folder(tmp_path: Path) -> None:
    with open_folder(tmp_path / "out.csv") as folder:
        (folder / "part-00000.csv").write_text("mine")
        with (
            pytest.raises(UserError, match="another process is writing it"),
            open_folder(tmp_path / "out.csv"),
        ):
            pass
    assert (tmp_path / "out.csv" / "part-00000.csv").read_text() == "mine"


@pytest.mark.parametrize(
    "there",
    [
        (),
        ("part-00000.csv",),
        (FINISHED, "thesis.doc"),
        (FINISHED, "part-00000.csv", "part-.csv"),
        (FINISHED, "part-1.csv"),
    ],
)
def test_another_folder_is_refused(tmp_path: Path, there: tuple[str, ...]) -> None:
    output = tmp_path / "out.csv"
    output.mkdir()
    for name in there:
        (output / name).touch()
    with pytest.raises(UserError, match="is a folder of other files"):
        check_replaceable(output)


def test_a_file_is_refused_and_an_empty_place_is_not(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "out.csv")
    (tmp_path / "out.csv").touch()
    with pytest.raises(UserError, match="is a file, and executor=spark writes a folder of parts"):
        check_replaceable(tmp_path / "out.csv")


def test_what_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    with pytest.raises(UserError, match="is a file"), open_folder(output):
        output.write_text("another's")
    assert output.read_text() == "another's"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"cannot be written \(No such file or directory\)"),
        open_folder(tmp_path / "no" / "out.csv"),
    ):
        pass


def test_a_folder_that_is_missing_or_closed_is_told_with_the_right_advice(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*/no; make it, or name another"):
        check_folder(tmp_path / "no" / "out.csv")
    check_folder(tmp_path / "out.csv")
    with (
        pytest.raises(UserError, match="let this user write there, or name"),
        open_file(Path("/sys/out.csv")),
    ):
        pass  # where not even root may write


def test_a_link_in_the_place_of_a_hidden_file_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / ".out.csv.part").symlink_to(precious)
    with pytest.raises(UserError, match="cannot be written"), open_file(tmp_path / "out.csv"):
        pass
    assert precious.read_text() == "mine"
