"""Which language model was configured? An option goes before the environment, that before the configuration file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from qa.llm.composing import Composer
    from qa.llm.settings import Settings

SENT = "the question, passages that may answer it, and for a follow-up the question before and its answers"

_KINDS: dict[str, type | tuple[type, ...]] = {
    "url": str, "model": str, "prompt_tokens": int, "answer_tokens": int, "seconds": (int, float),
}  # fmt: skip


def configured(url: str | None, model: str | None, *, environ: Mapping[str, str] = os.environ) -> Settings | None:
    """Return the language model to ask, or None: then nothing is sent anywhere.

    Args:
        url: of the option; None leaves it to ``PINCITE_LLM_URL``, then to the file. An empty one means none.
        model: of the option; else ``PINCITE_LLM_MODEL``, then the file.
        environ: holds the key too, in ``PINCITE_LLM_KEY``; it is taken from nowhere else.

    Raises:
        SettingsError: what was given makes no sense.
    """
    written = _read_file(_config_file(environ))
    url = _first(url, environ.get("PINCITE_LLM_URL"), written.pop("url", None))
    model = _first(model, environ.get("PINCITE_LLM_MODEL"), written.pop("model", None))
    if not url:
        return None
    from qa.llm.settings import Settings

    return Settings(url, model or "", api_key=environ.get("PINCITE_LLM_KEY") or None, **written)


def composer_for(corpus: Corpus, settings: Settings | None) -> Composer | None:
    """Return what asks that model about a corpus; the libraries for it are loaded only here."""
    if settings is None:
        return None
    from qa.llm.client import Endpoint
    from qa.llm.composing import Composer

    return Composer(corpus, Endpoint(settings))


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


def _config_file(environ: Mapping[str, str]) -> Path:
    """Return where a person's own settings are: never a folder of documents, which others may have written."""
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pincite" / "config.toml"


def _read_file(path: Path) -> dict[str, Any]:
    """Return the table ``llm`` of the file, {} when there is no file."""
    from qa.llm.settings import SettingsError

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("llm", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    for name, value in table.items() if isinstance(table, dict) else [("llm", table)]:
        if name not in _KINDS or isinstance(value, bool) or not isinstance(value, _KINDS[name]):
            advice = " The key belongs in PINCITE_LLM_KEY." if "key" in name else ""
            raise SettingsError(f"{path}: {name} is not a setting of [llm], or of another kind.{advice}")
    return dict(table)
