"""Loading models: what is read, and one clear line for everything that is missing or damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from scripts.common.errors import UserError
from scripts.lm.load import NO_LIMIT, choose_device, choose_dtype, context_window, load_model, load_tokenizer


def save_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1, "b": 2}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(folder)


@pytest.fixture
def causal(tmp_path: Path) -> Path:
    """A folder with a tiny Llama, saved in fp16, and its tokenizer."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=5,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=33,
    )
    LlamaForCausalLM(config).half().save_pretrained(tmp_path / "causal")
    save_tokenizer(tmp_path / "causal")
    return tmp_path / "causal"


def test_causal_model(causal: Path) -> None:
    loaded = load_model(str(causal))
    assert isinstance(loaded.model, LlamaForCausalLM)
    assert not loaded.model.training
    assert (loaded.window, loaded.family) == (33, "causal")
    assert loaded.tokenizer("a b c")["input_ids"] == [1, 2, 0]
    if loaded.device.type == "cpu":
        assert loaded.dtype == loaded.model.dtype == torch.float32  # not the file's fp16


def test_t5_with_a_head_of_its_own_keeps_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = {"vocab_size": 5, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    model = T5ForConditionalGeneration(T5Config(**size, decoder_start_token_id=0, tie_word_embeddings=False))
    model.lm_head.weight = torch.nn.Parameter(torch.randn(5, 8))
    model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    loaded = load_model(str(tmp_path), family="encoder-decoder", device="cpu")
    assert torch.equal(loaded.model.lm_head.weight, model.lm_head.weight)
    assert torch.equal(loaded.model.shared.weight, model.shared.weight)
    assert not torch.equal(loaded.model.lm_head.weight, loaded.model.shared.weight)
    assert not loaded.model.config.scale_decoder_outputs
    assert (loaded.family, loaded.window) == ("encoder_decoder", NO_LIMIT)


def test_encoder_needs_no_pooler(tmp_path: Path) -> None:
    size = {"vocab_size": 5, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertForMaskedLM(BertConfig(**size)).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    assert load_model(str(tmp_path), family="encoder", device="cpu").window == 512


def test_windows_of_roberta_and_of_xlnet_that_has_none() -> None:
    from transformers import RobertaConfig, XLNetConfig

    assert context_window(RobertaConfig(max_position_embeddings=514)) == 512
    assert context_window(XLNetConfig()) == NO_LIMIT


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("config", "config.json is missing; this is not a model folder"),
        ("type", "key 'model_type' is missing"),
        ("weights", "no .safetensors file; pickles are not loaded: python -m scripts.data.download_model converts"),
        ("pickle", "no .safetensors file; pickles are not loaded: python -m scripts.data.download_model converts"),
        ("cut", "damaged .safetensors file"),
        ("lost", "is missing in the .safetensors file"),
        ("tokenizer", "no tokenizer \\(one of tokenizer.json"),
    ],
)
def test_incomplete_folder(causal: Path, fault: str, message: str) -> None:
    weights = causal / "model.safetensors"
    if fault == "config":
        (causal / "config.json").unlink()
    elif fault == "type":
        config = json.loads((causal / "config.json").read_text())
        del config["model_type"]
        (causal / "config.json").write_text(json.dumps(config))
    elif fault == "weights":
        weights.unlink()
    elif fault == "pickle":
        torch.save({}, causal / "pytorch_model.bin")
        weights.unlink()
    elif fault == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif fault == "lost":
        from safetensors.torch import load_file, save_file

        kept = load_file(weights)
        kept.pop("model.norm.weight")
        save_file(kept, weights, metadata={"format": "pt"})
    else:
        (causal / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=message) as caught:
        load_model(str(causal), device="cpu")
    assert str(causal) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder; check the path"):
        load_model(str(tmp_path / "absent"))
    with pytest.raises(UserError, match="model nobody/nothing: not found on the hub or in its cache"):
        load_tokenizer("nobody/nothing")


def test_wrong_family(causal: Path) -> None:
    with pytest.raises(UserError, match=r"unknown family 'casual' \(did you mean 'causal'\?\)"):
        load_model(str(causal), family="casual")
    with pytest.raises(UserError, match="cannot load as encoder_decoder model"):
        load_model(str(causal), family="encoder_decoder", device="cpu")


def test_device_and_dtype() -> None:
    cpu = choose_device("cpu")
    assert choose_dtype("auto", cpu) in (torch.float32, torch.bfloat16)
    assert choose_dtype("bf16", cpu) == torch.bfloat16
    with pytest.raises(UserError, match=r"dtype 'float23': unknown \(did you mean 'float32'\?\)"):
        choose_dtype("float23", cpu)
    with pytest.raises(UserError, match="device 'gpu': not a device"):
        choose_device("gpu")
    with pytest.raises(UserError, match="device 'cuda:99': this machine shows"):
        choose_device("cuda:99")


@pytest.mark.parametrize(
    ("able", "dtype", "slow"),
    [
        ({"amx_bf16": True}, torch.bfloat16, ["float16"]),
        ({"avx512_bf16": True, "avx512_fp16": True}, torch.bfloat16, []),
        ({"avx2": True, "amx_bf16": False}, torch.float32, ["bfloat16", "float16"]),
        ({}, torch.float32, ["bfloat16", "float16"]),
    ],
)
def test_auto_asks_the_processor(
    able: dict[str, bool], dtype: torch.dtype, slow: list[str], monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    cpu = choose_device("cpu")
    assert choose_dtype("auto", cpu) == dtype
    for name in ("bfloat16", "float16"):
        choose_dtype(name, cpu)
    assert [record.args[0] for record in caplog.records] == slow


def test_each_process_of_several_has_its_own_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "98")
    with pytest.raises(UserError, match="device 'cuda:98': this machine shows"):
        choose_device("cuda")
    assert choose_device("cpu").type == "cpu"


def test_a_small_llama_loads_without_slow_imports(causal: Path, repo_root: Path) -> None:
    code = (
        "import sys; from scripts.lm.load import load_model; load_model(sys.argv[1], device='cpu');"
        "print('transformers.models.auto.tokenization_auto' in sys.modules, 'pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(causal)]
    done = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_tokenizer_without_weights(causal: Path, tmp_path: Path) -> None:
    folder = tmp_path / "only_tokenizer"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(causal / name, folder / name)
    assert load_tokenizer(str(folder))("b")["input_ids"] == [2]


def test_a_saved_tokenizer_does_not_tell_whether_the_machine_was_offline(causal: Path, tmp_path: Path) -> None:
    load_tokenizer(str(causal)).save_pretrained(tmp_path / "saved")
    assert "local_files_only" not in json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
