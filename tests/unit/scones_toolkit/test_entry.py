import sys
from collections.abc import Sequence
from types import ModuleType

import pytest

from scones_toolkit.entry import main


class Interrupted:
    """Finds every module with a Ctrl-C."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        del name, path, target
        raise KeyboardInterrupt


def test_an_interrupt_while_the_program_loads_is_one_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "scones_toolkit.usage", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "interrupted\n")
