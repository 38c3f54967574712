"""Which language model is asked, where, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from qa.errors import AnsweringError


class LanguageModelError(AnsweringError, RuntimeError):
    """The language model gave nothing usable; the message says why, and never holds its key."""


class SettingsError(AnsweringError, ValueError):
    """A setting of the language model makes no sense; the message says which."""


@dataclass(frozen=True, slots=True)
class Settings:
    """An endpoint that speaks the OpenAI protocol, and bounds on each request to it.

    Attributes:
        url: its base, ``http://localhost:11434/v1``; questions and passages are sent there and nowhere else.
        model: the name it knows the model by.
        api_key: sent as the bearer token; None sends none.
        prompt_tokens: passages are packed until the whole prompt has about so many; fits the smallest usual window.
        answer_tokens: what the model may write.
        seconds: after so long the answer is cut off.
        answer_bytes: of the response; a token takes about 300 bytes on the wire, so this is ten times what is asked.
    """

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    prompt_tokens: int = 2800
    answer_tokens: int = 500
    seconds: float = 120.0
    answer_bytes: int = 1_500_000

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise SettingsError(
                f"{self.url[:80]!r} is not the address of a language model; one looks like http://localhost:11434/v1"
            )
        if parts.username or parts.password:
            raise SettingsError(
                "The language model's address holds a name or password; give the key in PINCITE_LLM_KEY."
            )
        if not self.model.strip():
            raise SettingsError("Name the language model: --llm-model, or PINCITE_LLM_MODEL.")
        for name in ("prompt_tokens", "answer_tokens", "seconds", "answer_bytes"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} of the language model must be above 0.")

    @property
    def host(self) -> str:
        """Who receives the text, with the port where one is given."""
        return urlsplit(self.url).netloc

    @property
    def is_local(self) -> bool:
        """Whether the text stays on this machine."""
        name = urlsplit(self.url).hostname or ""
        return name in ("localhost", "::1") or name.startswith("127.")

    def receiver(self) -> str:
        """Return who receives text, in words."""
        return f"{self.model} at {self.host}{' (this machine)' if self.is_local else ''}"
