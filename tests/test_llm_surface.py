"""Where a language model is configured, and what the command line and the page make of it: quotes first, always."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import StubEncoder, StubReader
from llm import Server
from typer.testing import CliRunner

import index.embedding
import qa.corpus
from qa.corpus import Corpus
from qa.escaping import escape
from qa.followups import Asked, complete
from qa.llm.client import Endpoint
from qa.llm.composing import Composer
from qa.llm.settings import SettingsError
from ui import handlers
from ui.cli import app
from ui.language_model import configured
from ui.workers import Workers

QUESTION = "Which river flows through Vienna?"
WORKERS = Workers()

# --- where it is configured -----------------------------------------------------------------------------------------


def written(home: Path, text: str) -> dict[str, str]:
    (home / "pincite").mkdir()
    (home / "pincite" / "config.toml").write_text(text)
    return {"XDG_CONFIG_HOME": str(home)}


def test_an_option_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[llm]\nurl = "http://file/v1"\nmodel = "in file"\nprompt_tokens = 900\nseconds = 30\n')
    environ = {**file, "PINCITE_LLM_URL": "http://environment/v1", "PINCITE_LLM_KEY": "sesame"}
    found = [configured(None, None, environ=file), configured(None, None, environ=environ)]
    found.append(configured("http://option/v1", "option", environ=environ))
    assert [(each.host, each.model, each.api_key) for each in found if each] == [
        ("file", "in file", None),
        ("environment", "in file", "sesame"),
        ("option", "option", "sesame"),
    ]
    assert {(each.prompt_tokens, each.seconds) for each in found if each} == {(900, 30)}


def test_nothing_is_configured_by_itself_and_an_empty_address_turns_it_off(tmp_path: Path) -> None:
    nowhere = {"XDG_CONFIG_HOME": str(tmp_path), "OPENAI_BASE_URL": "http://elsewhere/v1", "OPENAI_API_KEY": "k"}
    assert configured(None, "m", environ=nowhere) is None
    assert configured("", None, environ={**nowhere, "PINCITE_LLM_URL": "http://h/v1", "PINCITE_LLM_MODEL": "m"}) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[llm]\napi_key = "sesame"\n', "PINCITE_LLM_KEY"),
        ("[llm]\nurl = 5\n", "url is not a setting"),
        ("[llm]\nprompt_tokens = true\n", "prompt_tokens is not a setting"),
        ('llm = "x"\n', "llm is not a setting"),
        ("[llm\n", "cannot be read"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        configured(None, None, environ=written(tmp_path, text))
    assert "config.toml" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_an_address_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--llm-model"):
        configured("http://h/v1", None, environ={"XDG_CONFIG_HOME": str(tmp_path)})


# --- the command line -----------------------------------------------------------------------------------------------

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(corpus: Corpus, index_dir: Path, encoder: StubEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command: exit code, standard output, standard error."""
    monkeypatch.setattr(index.embedding, "load_encoder", lambda model: encoder)
    monkeypatch.setattr(qa.corpus, "load_encoder", lambda model: encoder)
    monkeypatch.setattr(qa.corpus, "SpanReader", StubReader)
    monkeypatch.setenv("PINCITE_INDEX", str(index_dir))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def invoke(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return invoke


def test_the_quotes_come_first_then_the_models_words_then_what_is_unsupported(run: Run, llm_server: Server) -> None:
    extractive = run("ask", QUESTION)[1]
    code, out, err = run("ask", QUESTION, "--llm-url", f"{llm_server.url}/v1", "--llm-model", "good")
    assert code == 0
    assert out.startswith(extractive)
    after = out.removeprefix(extractive)
    words, quote = after.index("The Danube flows through Vienna. (m1)"), after.index("(m1) The Danube")
    apart, lie = after.index("Unsupported"), after.index("Zoltan Quiroga won 77 votes.")
    assert words < quote < apart < lie
    assert f"Sent to good at {llm_server.url.removeprefix('http://')} (this machine): the question, passages" in err


@pytest.mark.parametrize("fault", ["500", "cut", "garbage"])
def test_a_model_that_fails_takes_nothing_away(run: Run, llm_server: Server, fault: str) -> None:
    extractive = run("ask", QUESTION)[1]
    code, out, err = run("ask", QUESTION, "--llm-url", f"{llm_server.url}/v1", "--llm-model", fault)
    assert code == 0
    assert out.startswith(extractive)
    assert err.count("\n") == 2  # who was sent the text, what went wrong
    assert "Traceback" not in err


def test_json_holds_the_answer_as_it_was_and_what_was_composed(run: Run, llm_server: Server) -> None:
    plain = json.loads(run("ask", QUESTION, "--json")[1])
    out = run("ask", QUESTION, "--json", "--llm-url", f"{llm_server.url}/v1", "--llm-model", "good")[1]
    both = json.loads(out)
    composed = both.pop("composed")
    assert both == plain
    assert [sentence["state"] for sentence in composed["sentences"]] == ["supported", "unsupported", "unsupported"]
    assert composed["prompt_tokens"] > 100


def test_without_a_model_nothing_of_it_is_loaded_or_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.language_model.composer_for", lambda corpus, settings: None if settings is None else 1 / 0)
    code, _, err = run("ask", QUESTION)
    assert (code, err) == (0, "")


def test_an_address_that_is_none_is_one_sentence(run: Run) -> None:
    code, out, err = run("ask", QUESTION, "--llm-url", "ollama", "--llm-model", "m")
    assert (code, out) == (2, "")
    assert "'ollama' is not the address of a language model" in err


# --- the page -------------------------------------------------------------------------------------------------------


def steps(corpus: Corpus, server: Server, model: str, question: str = QUESTION) -> list[handlers.Progress]:
    composer = Composer(corpus, Endpoint(server.settings(model)))
    return list(handlers.ask(corpus, WORKERS, question, (), composer=composer))


def test_the_page_shows_the_quotes_before_it_asks_the_model_and_keeps_them(corpus: Corpus, llm_server: Server) -> None:
    alone = list(handlers.ask(corpus, WORKERS, QUESTION, ()))[-1].turns[-1].reply
    searching, extractive, *later = (step.turns[-1].reply for step in steps(corpus, llm_server, "good"))
    assert "Searching" in searching
    assert extractive == alone
    quotes = (
        alone[: alone.index('<details class="related">')]
        if "related" in alone
        else alone[: alone.index('<div class="acts')]
    )
    assert all(reply.startswith(quotes) for reply in later)
    assert 'class="composed"' in later[-1]


def test_the_page_sets_unsupported_sentences_apart(corpus: Corpus, llm_server: Server) -> None:
    last = steps(corpus, llm_server, "good")[-1]
    prose, apart = last.turns[-1].reply.split('<details class="unsupported">')
    assert "Danube" in prose[prose.index('class="prose"') :]
    assert "Quiroga" not in prose
    assert "Quiroga" in apart
    assert last.announcement == "The language model wrote 1 checked sentence."


def test_a_span_that_is_quoted_already_has_the_number_of_its_quote(corpus: Corpus, llm_server: Server) -> None:
    reply = steps(corpus, llm_server, "good")[-1].turns[-1].reply
    section = reply[reply.index('<section class="composed">') :].split("</section>")[0]
    assert "</span>1</a>" in section
    assert "blockquote" not in section


def test_what_is_saved_of_an_answer_holds_the_models_checked_part(corpus: Corpus, llm_server: Server) -> None:
    turns = steps(corpus, llm_server, "good")[-1].turns
    saved = json.loads(handlers.export(turns, 0, "save-json").text)
    states = [sentence["state"] for sentence in saved["composed"]["sentences"]]
    assert states == ["supported", "unsupported", "unsupported"]
    markdown = handlers.export(turns, 0, "markdown").text
    quotes, beside = markdown.split("## Language model: ")
    assert "> The Danube flows through Vienna." in quotes
    assert "Danube" in beside
    assert "[1]" in beside.replace("\\", "")
    assert "Quiroga" not in markdown
    assert "Left out: 2 sentences that the documents do not bear out." in beside
    without = list(handlers.ask(corpus, WORKERS, QUESTION, ()))[-1].turns
    assert "Language model" not in handlers.export(without, 0, "markdown").text
    assert "composed" not in json.loads(handlers.export(without, 0, "save-json").text)


def test_the_page_says_what_went_wrong_and_that_the_quotes_stand(corpus: Corpus, llm_server: Server) -> None:
    last = steps(corpus, llm_server, "500")[-1]
    assert "answered with an error" in last.turns[-1].reply
    assert "The quotes above do not depend on it" in last.turns[-1].reply
    assert "(500)" in last.announcement.replace("&#40;", "(").replace("&#41;", ")")


def test_an_index_that_is_gone_meanwhile_takes_no_quote_away(
    corpus: Corpus, llm_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Corpus, "segments", lambda *args, **kwargs: 1 / 0)
    last = steps(corpus, llm_server, "good")[-1].turns[-1].reply
    assert "Danube" in last
    assert "Something went wrong" in last


@pytest.mark.parametrize(
    ("says", "searched"),
    [
        ("Which river flows through Cologne?", "Which river flows through Cologne?"),
        ("Which river flows through Paris?", None),  # nobody named Paris: the rules complete the question
    ],
)
def test_a_follow_up_is_rewritten_by_the_model_and_the_rewrite_is_shown(
    corpus: Corpus, llm_server: Server, says: str, searched: str | None
) -> None:
    turns = list(handlers.ask(corpus, WORKERS, QUESTION, ()))[-1].turns
    by_rules = complete("and Cologne?", Asked(QUESTION, ("The Danube",)))
    composer = Composer(corpus, Endpoint(llm_server.settings(f"says {says}")))
    last = list(handlers.ask(corpus, WORKERS, "and Cologne?", turns, composer=composer))[-1].turns[-1]
    assert last.answer is not None
    assert last.answer.question == (searched or by_rules)
    assert f"<q><bdi>{escape(last.answer.question)}</bdi></q>" in last.reply


def test_the_strip_says_who_receives_text(corpus: Corpus) -> None:
    assert "offline" in handlers.status(corpus)
    told = handlers.status(corpus, "llama3 at models.example")
    assert "offline" not in told
    assert "text goes to" in told
