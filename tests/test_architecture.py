"""Dependencies point one way: ui -> qa -> index; a heavy library is imported in the file that owns it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT

LAYERS = {"index": {"index"}, "qa": {"index", "qa"}, "ui": {"index", "qa", "ui"}}
OWNERS = {
    "faiss": {"index/vectors.py"},
    "tantivy": {"index/lexical.py"},
    "apsw": {"index/database.py"},
    "sentence_transformers": {"index/embedding.py"},
    "transformers": {"index/hub.py", "qa/named_reader.py"},
    "huggingface_hub": {"index/hub.py"},
    "torch": {"index/gpu.py", "qa/named_reader.py"},
    "onnx": {"index/graphs.py"},
    "onnxruntime": {"index/graphs.py"},
    "selectolax": {"index/loading/html.py"},
    "charset_normalizer": {"index/loading/decoding.py"},
    "defusedxml": {"index/loading/safe_xml.py"},
    "pypdfium2": {"index/loading/pdf.py"},
    "striprtf": {"index/loading/rtf.py"},
    "yaml": {"index/loading/plain.py"},
    "filelock": {"index/build.py"},
    "watchfiles": {"index/watching.py"},
    "mcp": {"ui/tool_server.py"},
    "mcp_types": {"ui/tool_server.py"},
    "langchain_core": {"qa/for_langchain.py"},
    "llama_index": {"qa/for_llama_index.py"},
    "gradio": {"ui/app.py", "ui/server.py"},
    "openai": {"qa/llm/client.py"},
    "httpx2": {"qa/llm/client.py"},
    "tiktoken": {"qa/llm/budget.py"},
    "typer": {"ui/cli.py"},
    "rich": {"ui/cli.py", "ui/printing.py"},
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for layer in LAYERS:
        for path in sorted((PROJECT / layer).rglob("*.py")):
            yield path.relative_to(PROJECT).as_posix(), ast.parse(path.read_text())


def imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize(("path", "tree"), list(modules()), ids=[path for path, _ in modules()])
def test_imports_point_one_way_and_heavy_libraries_have_one_owner(path: str, tree: ast.Module) -> None:
    names = imported(tree)
    layer = Path(path).parts[0]
    assert not names & (LAYERS.keys() - LAYERS[layer])
    for library in names & OWNERS.keys():
        assert path in OWNERS[library]
