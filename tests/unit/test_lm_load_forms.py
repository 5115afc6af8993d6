"""Loading what people have: damaged and quantised checkpoints in one line, folders of adapters, files for folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from scripts.common.errors import UserError
from scripts.lm import load
from scripts.lm.load import load_model, load_tokenizer
from tests.unit.lm_tiny import save, tiny


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny(), tmp_path_factory.mktemp("sound"))


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "model"))


def refused(folder: Path, told: str = "") -> str:
    """Return the one line with which a folder is refused."""
    with pytest.raises(UserError) as error:
        load_model(str(folder), device="cpu")
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)
    assert told in str(error.value)
    return str(error.value)


def loaded_or_refused(folder: Path) -> str:
    """Return the line with which a folder is refused, an empty text where it loads."""
    try:
        load_model(str(folder), device="cpu")
    except UserError as error:
        return str(error)
    return ""


def change(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "quantised (bitsandbytes); install bitsandbytes, or"),
        ({"load_in_8bit": True}, "quantised (bitsandbytes); install bitsandbytes, or take"),
        ({"quant_method": "gptq", "bits": 4}, "quantised (gptq); install gptqmodel, or take the model in full prec"),
        ({"quant_method": "awq"}, "quantised (awq); install gptqmodel, or"),
        ({"quant_method": "of_tomorrow"}, "quantised (of_tomorrow); no library for them is known here: take the model"),
        ({}, "quantised (None)"),
        ("gptq", "quantised (None)"),
    ],
)
def test_quantised_checkpoints_need_their_library(folder: Path, method: Any, told: str) -> None:
    needed = load.QUANTISERS.get(method.get("quant_method", "bitsandbytes")) if isinstance(method, dict) else None
    if needed and load.is_installed(needed):
        pytest.skip(f"{needed} is here")
    change(folder, quantization_config=method)
    assert told in refused(folder)


DEEP = "[" * 100_000
LONG = "1" * 10_000


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "5", '"a"', DEEP, f'{{"a": {LONG}}}', "\0\0", "\ufeff{}", "{}", '{"model": {}}']
)
def test_a_broken_file_is_one_line(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    if file == "tokenizer_config.json" and text in ("{}", "\ufeff{}", '{"model": {}}', f'{{"a": {LONG}}}'):
        assert "\n" not in loaded_or_refused(folder)  # nothing that it says is needed
        return
    assert str(folder) in refused(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": []},
        {"model_type": "no_such_type"},
        {"model_type": "bert"},
        {"hidden_size": "many"},
        {"hidden_size": -1},
        {"hidden_size": None},
        {"num_attention_heads": 0},
        {"num_attention_heads": 5},
        {"vocab_size": 10},
        {"hidden_act": "no_such_function"},
        {"rope_parameters": "x"},
        {"num_hidden_layers": 3},
        {"max_position_embeddings": "far"},
    ],
    ids=str,
)
def test_a_config_that_does_not_fit_is_one_line(folder: Path, changes: dict[str, Any]) -> None:
    change(folder, **changes)
    assert str(folder) in refused(folder)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_no_damage_ends_in_a_traceback(sound: Path, tmp_path_factory: Any, file: str, data: Any) -> None:
    """Bytes changed, cut, doubled at random: loaded all the same, or refused in one line."""
    body = bytearray((sound / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(body) - 1, 4000)))
        kind = data.draw(st.sampled_from(["flip", "cut", "double", "insert"]))
        if kind == "flip":
            body[at] = data.draw(st.integers(0, 255))
        elif kind == "cut" and len(body) > 2:
            del body[at : at + data.draw(st.integers(1, 40))]
        elif kind == "double":
            body[at:at] = body[at : at + 20]
        else:
            body[at:at] = data.draw(st.sampled_from([b"[", b"}", b'"', b"-", b"9" * 5000, b"\xff", b"null", b","]))
        body = body or bytearray(b" ")
    folder = Path(shutil.copytree(sound, tmp_path_factory.mktemp("fuzz") / "m"))
    (folder / file).write_bytes(bytes(body))
    assert "\n" not in loaded_or_refused(folder)
    shutil.rmtree(folder)


def test_a_file_instead_of_a_folder_says_what_makes_a_folder_of_it(tmp_path: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    with pytest.raises(
        UserError, match=r"is a file; a GGUF file becomes a model's folder by scripts.data.download_model"
    ):
        load_model(str(tmp_path / "own.gguf"))


# ---- adapters ----------------------------------------------------------------------------------------------------


def adapted(base: Path, folder: Path, kind: str = "lora", **options: Any) -> Any:
    """Train nothing, but give a model of `base` adapters that change it; save them in `folder`; return the model."""
    torch.manual_seed(1)
    config = {
        "lora": lambda: LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", **options),
        "prompt": lambda: PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2),
    }[kind]()
    model = get_peft_model(load_model(str(base), device="cpu").model, config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_()
    model.save_pretrained(folder)
    settings_file = folder / "adapter_config.json"
    settings_file.write_text(
        json.dumps({**json.loads(settings_file.read_text()), "base_model_name_or_path": str(base)})
    )
    return model.eval()


def say(folder: Path, **changes: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


IDS = torch.tensor([[3, 9, 4, 11, 5]])


@pytest.mark.parametrize("where", ["absolute", "relative", "beside"])
def test_adapters_are_merged_into_the_base_model_they_name(folder: Path, tmp_path: Path, where: str) -> None:
    model = adapted(folder, tmp_path / "adapter")
    named = {"absolute": str(folder), "relative": "../model", "beside": "somebody/model"}[where]
    say(tmp_path / "adapter", base_model_name_or_path=named)
    loaded = load_model(str(tmp_path / "adapter"), device="cpu")
    torch.testing.assert_close(loaded.model(IDS).logits, model(IDS).logits, rtol=1e-4, atol=1e-4)
    plain = load_model(str(folder), device="cpu").model(IDS).logits
    assert (loaded.model(IDS).logits - plain).abs().max() > 0.01
    assert not [name for name, _ in loaded.model.named_parameters() if "lora" in name]
    assert load_tokenizer(str(tmp_path / "adapter"))("w1")["input_ids"] == loaded.tokenizer("w1")["input_ids"]


def test_the_adapters_own_tokenizer_comes_first(folder: Path, tmp_path: Path) -> None:
    adapted(folder, tmp_path / "adapter")
    tokenizer = tiny().tokenizer
    tokenizer.add_tokens(["new"])
    tokenizer.save_pretrained(tmp_path / "adapter")
    assert len(load_model(str(tmp_path / "adapter"), device="cpu").tokenizer) == len(tiny().tokenizer) + 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("base", "base model 'nobody/nothing': model nobody/nothing: not found"),
        ("unnamed", "key 'base_model_name_or_path' is missing"),
        ("pickle", "no adapter_model.safetensors; save the adapters as safetensors"),
        ("lacks", "lacks base_model"),
        ("foreign", "has no place in the model; these adapters are not of this base model"),
        ("shape", "cannot be merged into its base model"),
        ("prompt", "cannot be merged into its base model"),
        ("cut", "cannot be merged into its base model"),
        ("type", "cannot be merged into its base model"),
        ("json", "adapter_config.json"),
    ],
)
def test_adapters_that_cannot_be_used_are_one_line(folder: Path, tmp_path: Path, fault: str, told: str) -> None:
    adapter = tmp_path / "adapter"
    adapted(folder, adapter, "prompt" if fault == "prompt" else "lora")
    weights = adapter / "adapter_model.safetensors"
    state = load_file(weights)
    if fault in ("base", "unnamed"):
        say(adapter, base_model_name_or_path="nobody/nothing" if fault == "base" else None)
    elif fault == "pickle":
        weights.rename(adapter / "adapter_model.bin")
    elif fault == "lacks":
        state.pop(next(key for key in state if "lora_B" in key))
        save_file(state, weights)
    elif fault == "foreign":
        save_file(
            {**state, "base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight": torch.ones(2, 32)}, weights
        )
    elif fault == "shape":
        save_file({key: torch.ones(3, 3) for key in state}, weights)
    elif fault == "cut":
        weights.write_bytes(weights.read_bytes()[:-9])
    elif fault == "type":
        say(adapter, peft_type="NO_SUCH")
    elif fault == "json":
        (adapter / "adapter_config.json").write_text("[1")
    assert told in refused(adapter)


def test_adapters_with_words_of_their_own(folder: Path, tmp_path: Path) -> None:
    base = load_model(str(folder), device="cpu").model
    base.resize_token_embeddings(90, mean_resizing=False)
    model = get_peft_model(
        base, LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"])
    )
    model.save_pretrained(tmp_path / "adapter")
    say(tmp_path / "adapter", base_model_name_or_path=str(folder))
    loaded = load_model(str(tmp_path / "adapter"), device="cpu")
    assert loaded.model.get_input_embeddings().weight.shape[0] == 90
    torch.testing.assert_close(loaded.model(IDS).logits, model.eval()(IDS).logits, rtol=1e-4, atol=1e-4)
