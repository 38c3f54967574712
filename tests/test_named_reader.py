"""A reader by name: exact characters, windows, no answer, and models that cannot read; models are made here, tiny."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, SEEDS, StubEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import index.embedding
import qa.corpus
import ui.server
from index.build import build_index
from index.documents import Document, Source, Span
from index.errors import ModelError
from qa.corpus import Corpus
from qa.errors import ReaderError
from qa.named_reader import NamedReader
from qa.reader import Query, Readable, Reading
from qa.restoring import load_restorer
from qa.results import Citation, Passage
from qa.spans import whole_words
from ui.cli import app

MARKERS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TEXT = "In 1893, Ida Marlow (an engineer) built the bridge. It was closed in 1951."
ANY_TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_characters="\x00"),
        st.sampled_from("aé ñ1,.2 ’'\u0301\u200d東京ไทย\n[SEP]</s>🏳️\u200d🌈ﬁ"),
    ),
    max_size=120,
)


# --- models -----------------------------------------------------------------------------------------------------------


def save_word_tokenizer(folder: Path, words: Iterable[str]) -> int:
    """Save a fast tokenizer that knows these words and letters; return how many it knows."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    known = {word: number for number, word in enumerate(dict.fromkeys((*MARKERS, *words)))}
    tokenizer = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    return len(known)


def save_marking_model(folder: Path, words: Iterable[str], *, starts: str, ends: str, positions: int = 66) -> Path:
    """Save a model that marks one word as start and one as end, wherever they stand, and nothing else.

    All its layers are zero, so a token's last state is its embedding, normalised. Of four numbers one is set: the
    second for the start, the third for the end, the fourth for [CLS], the first for any other word. Normalised, the set
    one is sqrt(3) and the others are -1/sqrt(3). The start logit is sqrt(3) times the second number and 2/sqrt(3) times
    the fourth: 3 - 2/3 at the start, 2 - 1 at [CLS], -1 - 2/3 elsewhere. The end logit is the same with the third.
    """
    import torch
    from transformers import BertConfig, BertForQuestionAnswering

    size = save_word_tokenizer(folder, words)
    known = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    config = BertConfig(
        vocab_size=size,
        hidden_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=4,
        max_position_embeddings=positions,
    )
    model = BertForQuestionAnswering(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
        table = model.bert.embeddings.word_embeddings.weight
        table[:, 0] = 1000
        for column, word in ((1, starts), (2, ends), (3, "[CLS]")):
            table[known[word]] = torch.eye(4)[column] * 1000
        model.qa_outputs.weight[:] = torch.tensor([[0, 3, 0, 2], [0, 0, 3, 2]]) / math.sqrt(3)
    model.save_pretrained(folder)
    return folder


def save_random_model(folder: Path, *, positions: int = 98, head: bool = True) -> Path:
    """Save a model of the RoBERTa family with random weights and a tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForQuestionAnswering, RobertaModel

    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    config = RobertaConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=positions,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    (RobertaForQuestionAnswering if head else RobertaModel)(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def marking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers everything with what stands from "ida" to "marlow"; it reads 64 tokens."""
    words = "in ida marlow an engineer built the bridge it was closed who ? , . ( ) 1893 1951".split()
    return save_marking_model(tmp_path_factory.mktemp("marking"), words, starts="ida", ends="marlow")


@pytest.fixture(scope="module")
def marker(marking: Path) -> NamedReader:
    return NamedReader.load(str(marking))


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> NamedReader:
    """A model with random weights; it reads 96 bytes."""
    return NamedReader.load(str(save_random_model(tmp_path_factory.mktemp("noise"))))


def readable(text: str, *, before: str = "", rank: int = 1) -> Readable:
    """A passage that is the end of a document which begins with ``before``."""
    document = Document.from_raw(before + text, Source("folder/file.txt"))
    span = Span(len(before), len(document.text))
    return Readable(Passage(rank, 0.5, 0.5, 1.0, Citation.from_document(document, span)), (span,))


def query(text: str) -> Query:
    return Query(text, np.zeros(384, dtype=np.float32), ())


def words_of(reading: Reading) -> str:
    passage = reading.readable.passage
    return passage.text[reading.answer.start - passage.span.start : reading.answer.end - passage.span.start]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_marked_words_are_found_with_the_probability_of_their_margin(marker: NamedReader) -> None:
    best = marker.read(query("Who built the bridge?"), [readable(TEXT, before="Page one. ")])[0]
    assert words_of(best) == "Ida Marlow"
    assert best.answer.start == len("Page one. In 1893, ")
    # (3 - 2/3) + (3 - 2/3) - 2 * (2 - 1) = 8/3; 1 / (1 + e^(-8/3)) = 0.935031
    assert best.score == pytest.approx(0.935031, abs=1e-4)


@pytest.mark.parametrize(
    ("before", "answer", "after"),
    [
        ("😀👩\u200d🚀 (", "Ida 𝐱𝐲𝐳 Marlow", "), 🏳️\u200d🌈."),
        ("İstanbul ﬁn “", "ida marlow", "” …"),
        ("e\u0301te\u0301\n\n\t", "IDA\n  MARLOW", "\n"),
        ("東京", "Ida Marlow", "東京"),
    ],
)
def test_the_characters_are_exact_among_all_kinds_of_others(
    marker: NamedReader, before: str, answer: str, after: str
) -> None:
    best = marker.read(query("Who?"), [readable(before + answer + after)])[0]
    assert words_of(best) == answer


def test_text_without_punctuation_is_read_with_marks_and_quoted_without(marker: NamedReader) -> None:
    text = (
        "The bridge was closed in 1951 It was the work of many hands In 1893 the engineer Ida Marlow who came from "
        "the north built it over the river in two years The town paid for it and the ferry went on until the winter "
        "However nobody knows the names of the others Many of them stayed in the town"
    )
    assert load_restorer().restore(text).text.count(".") > 2
    best = marker.read(query("Who built the bridge?"), [readable(text, before="Page one ")])[0]
    assert words_of(best) == "Ida Marlow"


def test_items_of_a_list_without_the_last_lose_what_a_broken_span_loses(marker: NamedReader) -> None:
    best = marker.read(query("Who built the bridge?"), [readable("Built by Ida, Marlow, and an engineer.")])[0]
    assert words_of(best) == "Ida, Marlow"
    # 8/3, as above, less Decoding.broken: 1 / (1 + e^(-5/3)) = 0.841131
    assert best.score == pytest.approx(0.841131, abs=1e-4)


def test_what_only_repeats_the_question_is_no_answer(marker: NamedReader) -> None:
    passage = readable("Some say ida marlow, and nobody knows.")
    assert "ida marlow" in map(words_of, marker.read(query("Who built it?"), [passage]))
    assert "ida marlow" not in map(words_of, marker.read(query("Where was Ida Marlow built?"), [passage]))


def test_a_passage_without_the_words_is_no_answer(marker: NamedReader) -> None:
    there, elsewhere = readable(TEXT, rank=2), readable("The bridge was closed in 1951.", rank=1)
    readings = marker.read(query("Who built the bridge?"), [elsewhere, there])
    assert {r.readable.passage.rank for r in readings if r.score >= marker.threshold} == {2}
    assert readings[0].readable.passage.rank == 2
    assert [r.score for r in readings] == sorted((r.score for r in readings), reverse=True)
    # 2 * (-1 - 2/3) - 2 * (2 - 1) = -16/3; 1 / (1 + e^(16/3)) = 0.004805
    assert min(r.score for r in readings) == pytest.approx(0.004805, abs=1e-4)


@pytest.mark.parametrize("fillers", range(20, 100, 3))
def test_words_at_any_place_of_a_long_passage_are_found_whole(marker: NamedReader, fillers: int) -> None:
    """The answer is 12 tokens long and windows hold about 50, so some fall over the end of a window."""
    answer = f"Ida {'the ' * 10}Marlow"
    text = f"{'bridge ' * fillers}{answer}{' engineer' * 200}"
    best = marker.read(query("Who built it?"), [readable(text)])[0]
    assert words_of(best) == answer
    assert best.score > marker.threshold


def test_words_that_look_like_markers_are_read_as_text(marker: NamedReader) -> None:
    """The model marks [CLS] as strongly as "no answer", which it stands for at the beginning."""
    best = marker.read(query("[CLS] [SEP] who?"), [readable("[SEP] [CLS] [PAD] the bridge [SEP]")])[0]
    assert best.score == pytest.approx(0.004805, abs=1e-4)


def test_a_question_longer_than_the_model_reads_leaves_room_for_the_passage(marker: NamedReader) -> None:
    assert words_of(marker.read(query("who " * 1000), [readable(TEXT)])[0]) == "Ida Marlow"


def test_nothing_to_read_gives_nothing(marker: NamedReader) -> None:
    assert marker.read(query("Who?"), []) == []
    assert marker.read(query("  "), [readable(TEXT)]) == []
    assert marker.read(query("Who?"), [readable("… — !")]) == []


def test_the_best_span_is_the_best_of_all_spans(noise: NamedReader) -> None:
    """All pairs of start and end of a text that fits one window, as the model itself marks them."""
    import torch

    question, text = "Who?", "Ida built one bridge, 9 m 😀"
    encoded = noise._tokenizer(question, text, return_offsets_mapping=True, return_tensors="pt")
    offsets, side = encoded.pop("offset_mapping")[0].tolist(), encoded.sequence_ids(0)
    with torch.inference_mode():
        marked = noise._model(**encoded)
    start, end = marked.start_logits[0].tolist(), marked.end_logits[0].tolist()
    own = [at for at in range(len(side)) if side[at] == 1]
    spans = [(start[s] + end[e], offsets[s][0], offsets[e][1]) for s in own for e in own if s <= e < s + 30]
    margin, first, last = max(spans)
    best = noise.read(query(question), [readable(text)])[0]
    assert (best.answer.start, best.answer.end) == whole_words(text, first, last)
    assert best.score == pytest.approx(1 / (1 + math.exp(start[0] + end[0] - margin)), abs=1e-5)


def test_what_is_read_beside_a_passage_changes_nothing(noise: NamedReader) -> None:
    places = random.Random(0)
    texts = ["".join(places.choices("abc 1é😀", k=places.randrange(5, 150))) + "." for _ in range(20)]
    passages = [readable(text, rank=rank) for rank, text in enumerate(texts, 1)]
    together = noise.read(query("Who?"), passages)
    for passage in passages:
        alone = noise.read(query("Who?"), [passage])
        beside = [reading for reading in together if reading.readable is passage]
        assert [r.answer for r in alone] == [r.answer for r in beside]
        np.testing.assert_allclose([r.score for r in alone], [r.score for r in beside], atol=1e-5)


@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=3), question=ANY_TEXT)
@settings(deadline=None, max_examples=25)
def test_answers_stand_inside_their_passage_at_exact_offsets(
    noise: NamedReader, texts: list[str], question: str
) -> None:
    readables = [readable(text + " and more", before="Start: ", rank=i) for i, text in enumerate(texts, 1)]
    readings = noise.read(query(question), readables)
    for reading in readings:
        assert reading.readable.passage.span.contains(reading.answer)
        assert words_of(reading) == words_of(reading).strip() != ""
        assert 0 <= reading.score <= 1
    assert not question.strip() or {r.readable.passage.rank for r in readings} == {r.passage.rank for r in readables}


def test_several_threads_may_read_at_once(noise: NamedReader) -> None:
    """A tokenizer keeps the length at which it cuts, so threads get each other's; here one in a hundred."""
    restored = [load_restorer().restore(TEXT * 3)]
    alone = noise._windows("Who built it?", restored)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            for together in threads.map(lambda _: noise._windows("Who built it?", restored), range(800)):
                assert together == alone
    finally:
        sys.setswitchinterval(interval)


# --- models that cannot read ------------------------------------------------------------------------------------------


def test_a_model_that_was_not_trained_to_answer_is_refused(tmp_path: Path) -> None:
    folder = save_random_model(tmp_path / "encoder", head=False)
    with pytest.raises(ReaderError, match=r"encoder' is not trained to answer questions: it lacks qa_outputs\.bias"):
        NamedReader.load(str(folder))


def test_a_tokenizer_without_offsets_is_refused(tmp_path: Path, marking: Path) -> None:
    shutil.copytree(marking, tmp_path / "slow")
    (tmp_path / "slow" / "tokenizer.json").unlink()
    (tmp_path / "slow" / "tokenizer_config.json").write_text('{"tokenizer_class": "CanineTokenizer"}')
    with pytest.raises(ReaderError, match=r"The tokenizer of .*slow' \(CanineTokenizer\) does not tell where its"):
        NamedReader.load(str(tmp_path / "slow"))


def test_a_model_that_fails_on_a_few_words_is_refused(tmp_path: Path, marking: Path) -> None:
    """Its tokenizer knows more words than the model."""
    shutil.copytree(marking, tmp_path / "torn")
    save_word_tokenizer(tmp_path / "torn", [*(f"w{number}" for number in range(100)), "somebody"])
    with pytest.raises(ReaderError, match=r"torn' does not mark words of a text \(IndexError\)\. Give an extractive"):
        NamedReader.load(str(tmp_path / "torn"))


@pytest.mark.parametrize("damage", ["empty", "weights", "code"])
def test_a_folder_that_holds_no_usable_model_is_refused(tmp_path: Path, marking: Path, damage: str) -> None:
    folder = tmp_path / "model"
    if damage == "empty":
        folder.mkdir()
    else:
        shutil.copytree(marking, folder)
    if damage == "weights":
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    if damage == "code":
        config = json.loads((folder / "config.json").read_text())
        names = {"AutoConfig": "evil.Config", "AutoModelForQuestionAnswering": "evil.Model"}
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "evil", "auto_map": names}))
        (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nConfig = Model = None\n")
    with pytest.raises(ModelError, match=r"cannot be loaded \(\w+\)\. Leave --reader out for the bundled reader, or"):
        NamedReader.load(str(folder))
    assert not (tmp_path / "ran").exists()


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sham(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows the words of the seeds and answers with what stands from "hayat" to "sham"."""
    text = " ".join(path.read_text() for path in sorted(SEEDS.glob("*.txt")))
    words = dict.fromkeys(re.findall(r"\w+", text.lower()))
    return save_marking_model(tmp_path_factory.mktemp("sham"), words, starts="hayat", ends="sham")


@pytest.fixture(scope="module")
def seeds_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds") / "index"
    build_index(folder, [SEEDS], encoder=StubEncoder())
    return folder


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch, seeds_index: Path) -> CliRunner:
    """A runner of commands on the seeds, embedded by the stub encoder; no other reader can be loaded."""
    monkeypatch.setattr(index.embedding, "load_encoder", lambda model: StubEncoder())
    monkeypatch.setattr(qa.corpus, "load_encoder", lambda model: StubEncoder())
    monkeypatch.setattr(qa.corpus.SpanReader, "load", lambda: pytest.fail("the bundled reader was loaded"))
    monkeypatch.setenv("PINCITE_INDEX", str(seeds_index))
    return CliRunner()


def test_ask_answers_with_the_named_reader(stubbed: CliRunner, sham: Path) -> None:
    done = stubbed.invoke(app, ["ask", "--json", "--reader", str(sham), "Which terror group is Hayat Tahrir al Sham?"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    quote = answer["claims"][0]["quotes"][0]
    text = Corpus.open(encoder=StubEncoder()).document(quote["citation"]["doc_id"]).text
    assert text[quote["answer_start"] : quote["answer_end"]] == "Hayat Tahrir al Sham"


def test_chat_is_served_with_the_named_reader(stubbed: CliRunner, sham: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Corpus] = []
    monkeypatch.setattr(ui.server, "serve", lambda corpus, **options: served.append(corpus))
    done = stubbed.invoke(app, ["chat", "--reader", str(sham)])
    assert done.exit_code == 0, done.output
    assert served[0].ask("Which terror group is Hayat Tahrir al Sham?").claims[0].text == "Hayat Tahrir al Sham"


def test_eval_scores_the_named_reader(stubbed: CliRunner, sham: Path, tmp_path: Path) -> None:
    answer = {"text": "Hayat Tahrir al Sham", "answer_start": 0}
    question = {"id": "1", "question": "Who controls Idlib?", "answers": [answer], "is_impossible": False}
    paragraph = {"context": "Hayat Tahrir al Sham controls Idlib", "qas": [question]}
    (tmp_path / "one.json").write_text(json.dumps({"data": [{"title": "Idlib", "paragraphs": [paragraph]}]}))
    done = stubbed.invoke(app, ["eval", str(tmp_path / "one.json"), "--reader", str(sham), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["answers"]["EM"] == 1.0


@pytest.mark.model
def test_a_model_downloaded_before_is_found_by_its_name_without_a_network(tmp_path: Path, sham: Path) -> None:
    """The commands run in one process, since importing the libraries takes longer than all of them."""
    cached = tmp_path / "hub" / "models--acme--reader"
    shutil.copytree(sham, cached / "snapshots" / "0123abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0123abc")
    program = (
        "from typer.testing import CliRunner; from ui.cli import app\n"
        "for command in (['index', 'seeds'], *(['ask', 'who controls Idlib?', '--reader', f'acme/{name}']"
        " for name in ('reader', 'other'))): print(CliRunner().invoke(app, command).output, end='---\\n')"
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PINCITE_INDEX": str(tmp_path / "index")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    _, known, unknown, _ = done.stdout.split("---\n")
    assert known.startswith("Hayat Tahrir al Sham\n")
    assert unknown.startswith("The model 'acme/other' cannot be loaded (OfflineModeIsEnabled). Leave --reader out")
    assert unknown.count("\n") == 1
    assert done.stderr == ""
