"""Models by name: a folder, what was downloaded before, the hub, in that order; without a network quickly."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from index.errors import ModelError
from index.hub import load_named


class Loads:
    """Counts how it is called; loads from the hub alone."""

    def __init__(self) -> None:
        self.calls: list[bool] = []

    def __call__(self, *, local_files_only: bool) -> str:
        self.calls.append(local_files_only)
        if local_files_only:
            raise OSError("not here")
        return "model"


def test_what_is_not_here_is_loaded_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(huggingface_hub, "model_info", lambda name, timeout: asked.append(name))
    load = Loads()
    assert load_named("acme/model", load, advice="") == "model"
    assert (load.calls, asked) == ([True, False], ["acme/model"])


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, timeout: float) -> None:
        raise ConnectionError(timeout)

    monkeypatch.setattr(huggingface_hub, "model_info", unreachable)
    load = Loads()
    with pytest.raises(ModelError, match=r"^The model 'acme/model' cannot be loaded \(ConnectionError\)\. Do that\.$"):
        load_named("acme/model", load, advice="Do that.")
    assert load.calls == [True]


def test_the_hub_is_not_asked_for_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "model_info", lambda name, timeout: pytest.fail("the hub was asked"))
    with pytest.raises(ModelError, match=r"cannot be loaded \(OSError\)"):
        load_named(str(tmp_path), Loads(), advice="")
