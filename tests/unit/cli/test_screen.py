import io

from rich.console import Console

from local.cli.screen import Screen


def plain() -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    return Screen(Console(file=file, highlight=False, soft_wrap=True)), file


def show_everything(screen: Screen) -> None:
    screen.heading("Heading")
    with screen.live():
        screen.doing("Tune")
        screen.doing("Tune", "1 of 2 trials")
        screen.detail("trial 1")
        screen.done("Tune", 2.0, "best 3.1")
        screen.doing("Evaluate")
        screen.done("Evaluate", 0.5, ok=False)
    screen.block("Subject: x\n\ntext")
    screen.facts([("MSE", "8.7"), ("RMSE", "2.9")])
    screen.table(("a", "b"), [("1", "[red]2[/red]")])
    screen.failure("It failed.")
    screen.close()


def test_without_a_terminal_there_is_nothing_but_plain_ascii_lines() -> None:
    screen, file = plain()
    show_everything(screen)
    assert file.getvalue().isascii()
    assert "\x1b" not in file.getvalue()
    assert "\r" not in file.getvalue()


def test_without_a_terminal_details_are_printed_once_as_they_happen() -> None:
    screen, file = plain()
    show_everything(screen)
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    assert lines[2:5] == ["trial 1", "ok Tune 2.0 s best 3.1", "FAIL Evaluate 0.5 s"]


def test_on_a_terminal_details_stay_below_their_step_and_the_cursor_is_restored() -> None:
    file = io.StringIO()
    screen = Screen(Console(file=file, force_terminal=True, width=100, legacy_windows=False))
    show_everything(screen)
    shown = file.getvalue()
    assert shown.rindex("Tune") < shown.rindex("trial 1") < shown.rindex("Evaluate")
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_text_from_others_is_not_markup() -> None:
    screen, file = plain()
    show_everything(screen)
    assert "[red]2[/red]" in file.getvalue()


def test_long_lines_are_not_broken() -> None:
    screen, file = plain()
    screen.line("x" * 300)
    screen.block("y" * 300)
    screen.table(("a", "b"), [("z" * 90, "z" * 90)])
    assert {len(line) >= 180 for line in file.getvalue().splitlines() if "a" not in line} == {True}


def test_without_a_terminal_an_upload_says_each_tenth_once() -> None:
    screen, file = plain()
    with screen.progress("cars.csv", 200_000_000) as uploaded:
        for _ in range(25):
            uploaded(8_000_000)
    lines = file.getvalue().splitlines()
    assert (lines[0], lines[-1]) == ("  cars.csv: 24 of 200 MB, 10 %", "  cars.csv: 200 of 200 MB, 100 %")
    assert len(lines) == 10


def test_on_a_terminal_an_upload_is_a_bar_with_the_files_own_name() -> None:
    file = io.StringIO()
    screen = Screen(Console(file=file, force_terminal=True, width=100, legacy_windows=False))
    with screen.progress("[red]cars\x1b.csv", 2_000_000) as uploaded:
        uploaded(1_000_000)
    assert "[red]cars .csv" in file.getvalue()
    assert "/2.0 MB" in file.getvalue()
