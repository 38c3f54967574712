"""A model by name: from a folder, from what was downloaded before, or from the hub, in that order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, TypeVar

from index.errors import ModelError

HUB_TIMEOUT_S = 10

Model = TypeVar("Model", covariant=True)


class Load(Protocol[Model]):
    """Loads one model; fails in any way when it cannot, without asking the hub when ``local_files_only``."""

    def __call__(self, *, local_files_only: bool) -> Model: ...


def load_named(name: str, load: Load[Model], *, advice: str) -> Model:
    """Return what ``load`` gives. Without a network it fails in seconds.

    Args:
        name: a folder, or a name on the hub.
        advice: the sentence that says what may be given instead.

    Raises:
        ModelError: the model cannot be loaded.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # without it transformers asks a service of the hub to convert weights that are there in no safe format
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "true")
    from huggingface_hub import model_info
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        return load(local_files_only=True)
    except Exception as error:  # the libraries let errors of half a dozen others through
        reason = error
    try:
        if not Path(name).is_dir():
            # asks once; loading asks again and again, for minutes, where there is no network
            model_info(name, timeout=HUB_TIMEOUT_S)
            return load(local_files_only=False)
    except Exception as error:
        reason = error
    raise ModelError(f"The model {name!r} cannot be loaded ({type(reason).__name__}). {advice}") from reason
