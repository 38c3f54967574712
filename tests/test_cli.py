"""The command line: what it prints, its JSON, its exit codes, and one sentence for each foreseen error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import PROJECT, SEEDS, StubEncoder, StubReader
from typer.testing import CliRunner

import index.embedding
import qa.corpus
from ui.cli import app

Run = "typing.Callable[..., tuple[int, str, str]]"


@pytest.fixture
def run(index_dir: Path, encoder: StubEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return a function that runs a command on a stub encoder: exit code, standard output, standard error."""
    monkeypatch.setattr(index.embedding, "load_encoder", lambda model: encoder)
    monkeypatch.setattr(qa.corpus, "load_encoder", lambda model: encoder)
    monkeypatch.setattr(qa.corpus, "SpanReader", StubReader)
    monkeypatch.setenv("PINCITE_INDEX", str(index_dir))
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return invoke


@pytest.fixture
def indexed(run: Run, folder: Path) -> Run:
    run("index", str(folder))
    return run


def test_index_reports_what_it_did_and_what_it_skipped(run: Run, folder: Path) -> None:
    (folder / "film.mp4").write_bytes(b"x")
    code, out, _ = run("index", str(folder))
    assert code == 0
    assert "3 documents, 3 passages" in out
    assert "docs/film.mp4  no reader for .mp4" in out
    code, out, _ = run("index", "--json")
    assert json.loads(out)["added"] == 0
    assert run("index", "--strict")[0] == 3


def test_index_covers_seeds_when_nothing_else_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "a.txt").write_text("A text.")
    assert "1 document, 1 passage" in run("index")[1]


def test_ask_prints_a_cited_answer_and_the_same_as_json(indexed: Run) -> None:
    code, out, _ = indexed("ask", "Which river flows through Vienna?")
    assert code == 0
    assert "The Danube flows through Vienna." in out
    assert "docs/rivers.txt, characters 0-32" in out
    plain = json.loads(indexed("ask", "--json", "Which river flows through Vienna?")[1])
    assert plain["verdict"] == "answered"
    assert plain["claims"][0]["quotes"][0]["citation"]["id"] in out


def test_ask_names_the_author_of_a_quote(run: Run, folder: Path) -> None:
    (folder / "ferry.md").write_text("---\nauthor: Jane van der Doe\n---\nThe ferry of Lindau carries nine cars.\n")
    run("index", str(folder))
    assert "Jane van der Doe" in run("ask", "What carries the ferry of Lindau?")[1]


def test_ask_says_when_the_documents_do_not(indexed: Run) -> None:
    code, out, _ = indexed("ask", "Who won the World Cup in Brazil?")
    assert code == 0
    assert "Not in the documents." in out
    assert "Found nowhere: won, World, Cup, Brazil" in out


def test_ask_says_which_words_it_read_as_others(indexed: Run) -> None:
    out = indexed("ask", "Which river flows thruogh Viena?")[1]
    assert "The Danube flows through Vienna." in out
    assert "“Viena” stands nowhere in the documents and was read as “Vienna”." in out
    assert json.loads(indexed("ask", "--json", "Which river flows thruogh Viena?")[1])["read_as"] == {
        "thruogh": "through",
        "Viena": "Vienna",
    }


def test_search_lists_passages_with_scores_and_filters(indexed: Run) -> None:
    out = indexed("search", "Danube", "-k", "1")[1]
    assert "1.000  docs/rivers.txt, characters 0-65" in out
    assert [row["path"] for row in json.loads(indexed("search", "x", "--json", "--source", "*.md")[1])] == [
        "docs/space.md"
    ]
    assert "No passage matches." in indexed("search", "x", "--since", "2030-01-01")[1]


def test_status_says_what_is_indexed_and_what_changed_since(indexed: Run, folder: Path) -> None:
    os.utime(folder / "rivers.txt", (1_600_000_000, 1_600_000_000))
    (folder / "new.txt").write_text("new")
    out = indexed("status")[1]
    assert "3 documents, 3 passages" in out
    assert "1 new" in out
    assert json.loads(indexed("status", "--json")[1])["pending"]["new"] == ["docs/new.txt"]


def test_status_says_who_receives_text(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nobody: no language model is configured" in indexed("status")[1]
    assert json.loads(indexed("status", "--json")[1])["language_model"] is None
    monkeypatch.setenv("PINCITE_LLM_URL", "https://models.example/v1")
    monkeypatch.setenv("PINCITE_LLM_MODEL", "large")
    assert "sent to  large at models.example" in indexed("status")[1]


def test_cite_shows_the_words_in_context_and_says_when_they_are_gone(indexed: Run, folder: Path) -> None:
    quote = json.loads(indexed("ask", "--json", "Which river flows through Vienna?")[1])["claims"][0]["quotes"][0]
    code, out, _ = indexed("cite", quote["citation"]["id"])
    assert code == 0
    assert out.startswith("valid   docs/rivers.txt")
    assert "The Rhine flows through Cologne." in out
    (folder / "rivers.txt").write_text("Nothing of it is left.")
    indexed("index")
    code, out, _ = indexed("cite", quote["citation"]["id"])
    assert (code, out.split()[0]) == (1, "changed")


def test_check_finds_a_flipped_byte_and_repairs_it(indexed: Run, index_dir: Path) -> None:
    assert indexed("check")[0] == 0
    path = index_dir / "search" / "1" / "vectors" / "1.vectors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    code, out, _ = indexed("check")
    assert code == 1
    assert "search/1/vectors/1.vectors is damaged: its checksum differs; pincite check --repair" in out
    assert indexed("check", "--repair")[0] == 0
    assert json.loads(indexed("check", "--json")[1])["sound"] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["index", "nowhere"], "nowhere is not a folder. Give the folder that holds the documents."),
        (["index", "void"], "Looked at 0 files. Formats read: .csv, .docx"),
        (["index"], "seeds is not a folder."),
        (["ask", "who?"], "There is no index in"),
        (["search", "who?"], "There is no index in"),
        (["status"], "There is no index in"),
        (["check"], "There is no index in"),
        (["chat"], "There is no index in"),
        (["eval", "nowhere.json"], "nowhere.json"),
    ],
)
def test_without_an_index_or_documents_one_sentence_says_what_to_do(
    run: Run, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "void").mkdir()
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ask", ""], "Please type a question."),
        (["ask", "a" * 1_000_000], "at most 4,000 characters are read."),
        (["ask", "--since", "May", "who?"], "'May' is not a date; write it as 2017-03-03."),
        (["cite", "nonsense"], "'nonsense' is not a citation id"),
    ],
)
def test_bad_input_is_one_sentence(indexed: Run, arguments: list[str], sentence: str) -> None:
    code, out, err = indexed(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err


def test_a_question_may_come_from_standard_input(indexed: Run) -> None:
    assert "The Danube flows" in indexed("ask", "-", stdin="Which river flows through Vienna?\n")[1]
    code, _, err = indexed("ask", "-", stdin="a" * 1_000_000)
    assert code == 2
    assert "1,000,000 characters; at most 4,000" in err


def test_terminal_codes_in_documents_are_shown_not_obeyed(run: Run, folder: Path) -> None:
    (folder / "evil.txt").write_text("Evil \x1b[2J\x1b]0;title\x07 [red]markup[/red] stands here.")
    run("index", str(folder))
    out = run("search", "evil markup", "-k", "1")[1]
    assert "\x1b[2J" not in out
    assert "⟦U+001B⟧[2J" in out
    assert "[red]markup[/red]" in out


def pincite(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from ui.cli import main; main()", *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert CliRunner().invoke(app, ["--version"]).stdout == f"pincite {project['version']}\n"


def test_help_and_status_load_no_model_library() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from ui.cli import app;"
        "CliRunner().invoke(app, ['--help']); CliRunner().invoke(app, ['status']);"
        "heavy = 'torch transformers sentence_transformers gradio mcp openai langchain_core llama_index'.split();"
        "import qa; print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_status_of_an_index_loads_neither_numpy_nor_a_search_library_nor_pydantic(indexed: Run) -> None:
    slow = ("numpy", "faiss", "tantivy", "onnx", "onnxruntime", "tokenizers", "pydantic", "rich.table")
    program = (
        "import atexit, sys; from ui.cli import main; sys.argv = ['pincite', 'status'];"
        f"atexit.register(lambda: print([m for m in {slow} if m in sys.modules])); main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "3 documents" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["index", "ask", "search", "chat", "mcp", "status", "cite", "check", "eval"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 8


@pytest.mark.model
def test_the_seed_is_answered_by_the_bundled_model_from_a_shell(tmp_path: Path) -> None:
    index_dir = str(tmp_path / "index")
    built = pincite("index", str(SEEDS), PINCITE_INDEX=index_dir)
    assert built.returncode == 0, built.stderr
    asked = pincite("ask", "--json", "who controls Idlib?", PINCITE_INDEX=index_dir)
    answer = json.loads(asked.stdout)
    assert "Hayat Tahrir al Sham" in answer["claims"][0]["quotes"][0]["quote"]
    refused = pincite("ask", "Who won the 2018 World Cup?", PINCITE_INDEX=index_dir)
    assert "Not in the documents." in refused.stdout


@pytest.mark.model
def test_an_unknown_model_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("A text.")
    arguments = ("index", str(tmp_path / "docs"), "--model", "no-such-model")
    done = pincite(*arguments, PINCITE_INDEX=str(tmp_path / "index"))
    assert done.returncode == 2
    assert "The model 'no-such-model' cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr
