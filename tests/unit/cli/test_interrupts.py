import os
import signal

import pytest

from local.cli.interrupts import Interrupted, Interrupts


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_raises_with_the_exit_code_of_a_shell(signum: signal.Signals) -> None:
    with Interrupts(), pytest.raises(Interrupted) as raised:
        os.kill(os.getpid(), signum)
    assert raised.value.exit_code == 128 + signum


def test_a_signal_waits_until_the_held_section_is_over() -> None:
    done = []

    def section(interrupts: Interrupts) -> None:
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("the rest of the section")
        done.append("what comes after it")

    with Interrupts() as interrupts, pytest.raises(Interrupted):
        section(interrupts)
    assert done == ["the rest of the section"]


def test_a_nested_held_section_does_not_release_signals_early() -> None:
    done = []

    def section(interrupts: Interrupts) -> None:
        with interrupts.held():
            with interrupts.held():
                os.kill(os.getpid(), signal.SIGINT)
            done.append("the rest of the outer section")

    with Interrupts() as interrupts, pytest.raises(Interrupted):
        section(interrupts)
    assert done == ["the rest of the outer section"]


def test_only_the_first_signal_raises() -> None:
    with Interrupts():
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)


def test_no_signal_raises_once_they_are_ignored() -> None:
    with Interrupts() as interrupts:
        interrupts.ignore()
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_previous_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
