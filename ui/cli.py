"""The command line: arguments in, sentences or JSON out."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.printing import (
    count,
    err,
    in_context,
    out,
    plain,
    print_address,
    print_answer,
    print_build,
    print_composed,
    print_json,
    print_notes,
    print_passages,
    print_receiver,
    print_report,
    print_table,
    progress_bars,
)

if TYPE_CHECKING:
    from index.build import BuildConfig, BuildReport
    from index.embedding import Encoder
    from qa.reader import Reader
    from qa.retrieval import Filters

EXIT_PROBLEM = 1
EXIT_USAGE = 2
EXIT_SKIPPED = 3

DEFAULT_CORPUS = Path("seeds")

app = typer.Typer(
    name="pincite",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Ask your documents; every answer is a quote you can check.\n\n"
    "Start with [bold]pincite index FOLDER[/], then [bold]pincite ask 'who controls Idlib?'[/] or "
    "[bold]pincite chat[/].",
    epilog="Exit codes: 0 done · 1 check or cite found something wrong · 2 not possible, the message says why · "
    "3 index --strict skipped files.",
)

IndexOption = Annotated[
    Path | None,
    typer.Option("--index", metavar="DIR", help="Index folder. Default: $PINCITE_INDEX, else .pincite here."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="PATTERN", help="Only documents whose path or publisher matches, 'seeds/*.txt'."),
]
DocumentOption = Annotated[
    list[str] | None, typer.Option("--document", metavar="ID", help="Only this document. May be repeated.")
]
SinceOption = Annotated[str | None, typer.Option("--since", metavar="DATE", help="Only from this date on, 2017-03-03.")]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="DATE", help="Only up to this date.")]
ReaderOption = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="NAME",
        help="Find answers with this question-answering model of transformers, a folder or a hub name, instead of the "
        "bundled reader. Its threshold is not calibrated: pincite eval --reader NAME shows what it gives.",
    ),
]

LlmUrlOption = Annotated[
    str | None,
    typer.Option(
        "--llm-url",
        metavar="URL",
        help="Also ask a language model at this address of the OpenAI protocol, http://localhost:11434/v1. It is sent "
        "the question and passages. Default: $PINCITE_LLM_URL, else none; '' for none.",
    ),
]
LlmModelOption = Annotated[
    str | None,
    typer.Option(
        "--llm-model", metavar="NAME", help="Its name there. Default: $PINCITE_LLM_MODEL. The key: $PINCITE_LLM_KEY."
    ),
]


def main() -> None:
    """Run the command line; every foreseen error is one sentence on standard error."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    app()


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # takes a tenth of a second to import

        typer.echo(f"pincite {version('pincite')}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version and exit.", callback=_tell_version, is_eager=True)
]


@app.callback()
def _before_commands(version: VersionOption = False) -> None:
    pass


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Turn foreseen errors into a sentence and an exit code."""
    from index.errors import IndexingError
    from qa.errors import AnsweringError

    try:
        yield
    except (IndexingError, AnsweringError, OSError) as error:
        _complain(_sentence(error))


def _sentence(error: Exception) -> str:
    from index.errors import IndexingError

    if isinstance(error, OSError) and not isinstance(error, IndexingError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    return str(error)


def _complain(sentence: str) -> None:
    err.print(plain(sentence))
    raise typer.Exit(EXIT_USAGE)


@app.command()
def index(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Folders to cover from now on. Default: those covered, else seeds."),
    ] = None,
    index_dir: IndexOption = None,
    model: Annotated[
        str | None,
        typer.Option(help="Embedding model: all-MiniLM-L6-v2 (bundled), or another sentence-transformers model."),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Read and cut every file again; needed for another --model.")
    ] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Go on when more than half of the files are gone.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when a file had to be skipped.")] = False,
    max_file_mb: Annotated[int, typer.Option(min=1, help="Skip larger files.")] = 100,
    max_files: Annotated[int, typer.Option(min=1, help="Refuse folders that hold more files.")] = 1_000_000,
    watch: Annotated[
        bool, typer.Option("--watch", help="Then go on: build again whenever files change. Ctrl-C ends it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the index, or bring it up to date.

    Only what changed is read and embedded again. Files that cannot be read are listed with the reason. A folder once
    given stays covered: later runs without arguments update it.

    [dim]pincite index seeds   ·   pincite index ~/reports ~/clippings   ·   pincite index[/]
    """
    with _one_sentence():
        from index.build import BuildConfig, build_index
        from index.embedding import BUNDLED_MODEL, load_encoder
        from index.store import default_index, stored_meta

        folder = index_dir or default_index()
        roots = paths or ([] if stored_meta(folder, "roots") else [DEFAULT_CORPUS])
        made_with = (stored_meta(folder, "encoder") or {}).get("model")
        encoder = load_encoder(model or made_with or BUNDLED_MODEL)
        config = BuildConfig(allow_shrink=allow_shrink, rebuild=rebuild, max_file_mb=max_file_mb, max_files=max_files)
        with progress_bars() as on_progress:
            report = build_index(folder, roots, encoder=encoder, config=config, on_progress=on_progress)
        print_json(report.to_dict()) if as_json else print_build(report)
        if watch:
            _watch(folder, encoder, replace(config, rebuild=False, allow_shrink=False), report.generation)
    if strict and any(note.skipped for note in report.notes):
        raise typer.Exit(EXIT_SKIPPED)


def _watch(folder: Path, encoder: Encoder, config: BuildConfig, generation: int) -> None:
    """Build after every change, one line for each new generation, until Ctrl-C."""
    from index.build import build_index
    from index.store import stored_meta
    from index.watching import SETTLE_S, keep_built, watch_folders

    def tell(report: BuildReport) -> None:
        nonlocal generation
        if report.generation != generation:
            _print_round(report)
        generation = report.generation

    config = replace(config, settle_s=SETTLE_S)
    roots = [Path(root) for root in stored_meta(folder, "roots") if Path(root).is_dir()]
    err.print("Watching the folders. Ctrl-C ends it.")
    with suppress(KeyboardInterrupt):  # in a build too: what was not committed is built next time
        keep_built(
            lambda: build_index(folder, [], encoder=encoder, config=config),
            watch_folders(roots, exclude=folder),
            on_report=tell,
            on_error=lambda error: err.print(plain(_sentence(error))),
        )


def _print_round(report: BuildReport) -> None:
    out.print(
        f"{datetime.now():%H:%M:%S}  {report.added} added, {report.removed} removed, "
        f"{count(report.embedded, 'passage')} embedded in {report.seconds:.1f} s · index {report.index_id}"
    )


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question in plain words; - reads it from standard input.")],
    index_dir: IndexOption = None,
    source: SourceOption = None,
    document: DocumentOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    reader: ReaderOption = None,
    llm_url: LlmUrlOption = None,
    llm_model: LlmModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question with quotes, each with its exact place, or say that the documents do not.

    [dim]pincite ask 'who controls Idlib?'   ·   pincite ask --since 2020-01-01 --json 'how many people fled?'[/]
    """
    with _one_sentence():
        from qa.corpus import Corpus
        from qa.export import as_dict
        from ui.language_model import composer_for, configured

        settings = configured(llm_url, llm_model)
        filters = _filters(source, document, since, until)
        corpus = Corpus.open(index_dir, reader=_named_reader(reader))
        answer = corpus.ask(_given(question), filters=filters)
        if not as_json:
            print_answer(answer)
        composer = composer_for(corpus, settings)
        if composer is None:
            if as_json:
                print_json(answer.to_dict())
            return
        print_receiver(composer.settings)
        steps = composer.compose(answer, filters=filters)
        if as_json:
            *_, composed = steps
            print_json(as_dict(answer, composed))
        else:
            print_composed(steps)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words or a question; - reads it from standard input.")],
    k: Annotated[int, typer.Option("-k", help="How many passages, 1 to 200.")] = 5,
    index_dir: IndexOption = None,
    source: SourceOption = None,
    document: DocumentOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the best passages for a query, each with its score and place.

    [dim]pincite search 'refugees at the Turkish border'   ·   pincite search -k 20 --json Idlib[/]
    """
    with _one_sentence():
        from qa.corpus import Corpus

        filters = _filters(source, document, since, until)
        passages = Corpus.open(index_dir).retrieve(_given(query), k, filters=filters)
    print_json([passage.to_dict() for passage in passages]) if as_json else print_passages(passages)


@app.command()
def chat(
    index_dir: IndexOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Anything but 127.0.0.1 lets others in.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port. Default: 7860, or the next free one.")] = None,
    reader: ReaderOption = None,
    llm_url: LlmUrlOption = None,
    llm_model: LlmModelOption = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the chat page on this machine. Ctrl-C stops it.

    [dim]pincite chat   ·   pincite chat --port 8000 --open[/]
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one question a core: two on one thread each end before two on two
    with _one_sentence():
        from qa.corpus import Corpus
        from ui.language_model import composer_for, configured
        from ui.server import serve

        settings = configured(llm_url, llm_model)
        err.print("Loading …")
        corpus = Corpus.open(index_dir, reader=_named_reader(reader))
        composer = composer_for(corpus, settings)
        if composer:
            print_receiver(composer.settings)
        serve(corpus, host=host, port=port, composer=composer, open_browser=open_browser, on_ready=print_address)


@app.command()
def mcp(index_dir: IndexOption = None, reader: ReaderOption = None) -> None:
    """Offer the documents as tools to a language model's program, over the Model Context Protocol.

    Such a program starts this command itself and talks to it on standard input and output. Tell it the command and its
    arguments; the tools are ask, retrieve, cite and status. Needs: pip install "pincite\\[mcp]"

    [dim]{"mcpServers": {"pincite": {"command": "pincite", "args": \\["mcp", "--index", "/home/me/.pincite"]}}}[/]
    """
    with _one_sentence():
        from functools import cache

        from qa.corpus import Corpus
        from qa.errors import ExtraMissing

        try:
            from ui.tool_server import serve
        except ModuleNotFoundError as error:
            raise ExtraMissing("pincite mcp", "mcp") from error

        if sys.stdin.isatty():
            err.print("A program that speaks the Model Context Protocol starts this command. Ctrl-C ends it.")
        # opened at the first call, so that an index which is not there yet is told to the model, and tried again
        serve(cache(lambda: Corpus.open(index_dir, reader=_named_reader(reader))))


@app.command()
def status(index_dir: IndexOption = None, as_json: JsonOption = False) -> None:
    """Say what is indexed, from what, when, what has changed on disk since, and which language model receives text."""
    with _one_sentence():
        from index.changes import pending_changes
        from index.status import status_of
        from index.store import default_index
        from ui.language_model import configured

        settings = configured(None, None)
        receiver = settings.receiver() if settings else None
        state = status_of(index_dir or default_index())
        pending = pending_changes(state.index_dir)
    if as_json:
        print_json({**state.to_dict(), "pending": pending.to_dict(), "language_model": receiver})
        return
    out.print(plain(f"{count(state.documents, 'document')}, {count(state.chunks, 'passage')} · index {state.index_id}"))
    out.print(plain(f"folders  {', '.join(state.roots)}"))
    out.print(plain(f"built    {state.built_at}, generation {state.generation}, in {state.index_dir}"))
    out.print(plain(f"model    {state.model}"))
    out.print(plain(f"newest   {state.newest_date or 'no document has a date'}"))
    out.print(plain(f"sent to  {receiver or 'nobody: no language model is configured'}"))
    print_notes(state.notes)
    if pending:
        counts = f"{len(pending.new)} new, {len(pending.changed)} changed, {len(pending.removed)} removed"
        out.print(plain(f"{counts} on disk since. Update: pincite index"))
    else:
        out.print("Up to date with the folders.")


@app.command()
def cite(
    citation_id: Annotated[str, typer.Argument(metavar="ID", help="A citation id, from any answer.")],
    index_dir: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a citation: valid, moved, changed or deleted; print the quote in its context.

    Exits with 1 when the words no longer stand in the documents.
    """
    with _one_sentence():
        from qa.corpus import Corpus
        from qa.errors import QuestionError
        from qa.results import CitationState

        corpus = Corpus.open(index_dir)
        try:
            checked = corpus.cite(citation_id)
        except ValueError as error:
            raise QuestionError(str(error)) from error
        citation = checked.citation
        text = corpus.document(citation.doc_id).text if citation else ""
    if as_json:
        print_json(checked.to_dict())
    else:
        out.print(plain(f"{checked.state.value}   {checked.path or 'no file the index remembers'}"))
        if citation:
            out.print(plain(f"{citation.title} · {citation.place}\n"))
            out.print(in_context(text, citation.span.start, citation.span.end))
    if checked.state in (CitationState.CHANGED, CitationState.DELETED):
        raise typer.Exit(EXIT_PROBLEM)


@app.command()
def check(
    index_dir: IndexOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make again what can be: passages, vectors, search files.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify the whole index: every hash, every place, every vector. Exits with 1 when something is wrong."""
    with _one_sentence():
        from index.check import check_index
        from index.store import default_index

        with progress_bars() as on_progress:
            report = check_index(index_dir or default_index(), repair=repair, on_progress=on_progress)
    if as_json:
        print_json(report.to_dict())
    else:
        out.print(f"{count(report.documents, 'document')}, {count(report.chunks, 'passage')} read.")
        for problem in report.store_problems:
            out.print(plain(problem))
        remedy = "made again." if report.repaired else "pincite check --repair makes it again; nothing is lost."
        for problem in (*report.document_problems, *filter(None, [report.search_problem])):
            out.print(plain(f"{problem}; {remedy}"))
        if report.is_sound:
            out.print("The index is sound.")
    if not report.is_sound:
        raise typer.Exit(EXIT_PROBLEM)


@app.command(name="eval")
def evaluate(
    data: Annotated[Path, typer.Argument(help="A SQuAD-format JSON file, a BEIR folder, or a feedback.jsonl.")],
    stripped: Annotated[
        bool, typer.Option("--stripped", help="Run on a copy without punctuation: only letters, digits and spaces.")
    ] = False,
    index_dir: Annotated[
        Path | None, typer.Option("--index", metavar="DIR", help="Keep the index here, so nothing is embedded twice.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first N questions.")] = None,
    retrieval_only: Annotated[
        bool, typer.Option("--retrieval-only", help="Do not score answers; several times faster.")
    ] = False,
    as_json: JsonOption = False,
    questions: Annotated[bool, typer.Option("--questions", help="With --json: one row per question too.")] = False,
    model: Annotated[str | None, typer.Option(help="Embedding model. Default: the bundled one.")] = None,
    reader: ReaderOption = None,
) -> None:
    """Measure retrieval and answers on questions whose answers are known.

    Each paragraph of a SQuAD file is a document. A BEIR folder holds corpus.jsonl, queries.jsonl and qrels; a line of
    queries.jsonl may carry "answers", [] when there is none. The questions of a feedback.jsonl, what people thought of
    quotes on the page, are asked of the index again, to see which judgements its answers respect now.

    [dim]pincite eval dev-v2.0.json   ·   pincite eval dev-v2.0.json --stripped --index /tmp/kept --limit 500 --json[/]
    """
    if data.suffix == ".jsonl":
        return _evaluate_feedback(data, index_dir, reader, as_json=as_json)
    with _one_sentence():
        from functools import partial

        from index.embedding import BUNDLED_MODEL, load_encoder
        from qa.evaluation import EvaluationConfig, index_of_documents, run_evaluation

        encoder = load_encoder(model or BUNDLED_MODEL)
        answering = _named_reader(reader)
        with progress_bars() as on_progress:
            report = run_evaluation(
                data,
                partial(index_of_documents, encoder=encoder, reader=answering, on_progress=on_progress),
                index_dir=index_dir,
                stripped=stripped,
                config=EvaluationConfig(limit=limit, answers=not retrieval_only, reader=reader or "bundled"),
                on_progress=partial(on_progress, "asking"),
            )
    if as_json:
        print_json(report.to_dict(questions=questions))
        return
    print_report(report)


def _evaluate_feedback(data: Path, index_dir: Path | None, reader: str | None, *, as_json: bool) -> None:
    with _one_sentence():
        from qa.corpus import Corpus
        from qa.feedback import read_feedback, respected

        if not data.is_file():
            _complain(f"{data} is no file.")
        given = read_feedback(data)
        corpus = Corpus.open(index_dir, reader=_named_reader(reader))
        found = respected(corpus, given)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    rows = [(each.judgement, str(each.judged), str(each.respected)) for each in found]
    print_table(str(data), ("judgement", "judged", "respected now"), rows)


def _given(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _named_reader(name: str | None) -> Reader | None:
    """Return the reader of that name, loaded; None, which stands for the bundled one, when none is named."""
    if name is None:
        return None
    from qa.named_reader import NamedReader

    return NamedReader.load(name)


def _filters(source: list[str] | None, document: list[str] | None, since: str | None, until: str | None) -> Filters:
    from qa.retrieval import Filters

    return Filters(tuple(document or ()), tuple(source or ()), since, until)
