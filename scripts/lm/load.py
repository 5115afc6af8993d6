"""Loading a language model with its tokenizer: safetensors only, no remote code, dtype and device by capability.

A model is a local folder or a hub id. The common architectures are imported by name, because the `Auto` classes of
transformers cost seconds at every start.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

from scripts.common.checksums import check_seal
from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import read_json

FAMILIES = ("causal", "encoder_decoder", "encoder")
DTYPES = {
    "float32": "float32",
    "fp32": "float32",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "float16": "float16",
    "fp16": "float16",
}
# Model classes that are imported by name; every other architecture goes through the slower `Auto` classes.
MODEL_CLASSES = {
    ("causal", "gpt2"): "GPT2LMHeadModel",
    ("causal", "llama"): "LlamaForCausalLM",
    ("causal", "opt"): "OPTForCausalLM",
    ("encoder_decoder", "t5"): "T5ForConditionalGeneration",
    ("encoder", "bert"): "BertModel",
}
AUTO_CLASSES = {"causal": "AutoModelForCausalLM", "encoder_decoder": "AutoModelForSeq2SeqLM", "encoder": "AutoModel"}
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
PLAIN_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")
NO_LIMIT = 1_000_000  # window of models with relative positions that state none
# The package that reads quantised weights, by the name that a checkpoint gives its method.
QUANTISERS = {
    "awq": "gptqmodel",
    "bitsandbytes": "bitsandbytes",
    "compressed-tensors": "compressed_tensors",
    "gptq": "gptqmodel",
    "hqq": "hqq",
    "quanto": "optimum_quanto",
    "torchao": "torchao",
}
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run: in evaluation mode, on its device.

    window: the most tokens of context the model was made for. T5 has relative positions and no hard limit: there it is
    the length its configuration states, or `NO_LIMIT`.
    """

    model: Any
    tokenizer: Any
    device: Any
    dtype: Any
    family: str
    window: int


def load_model(
    source: str,
    *,
    family: str = "causal",
    dtype: str = "auto",
    device: str = "auto",
    threads: int = 1,
) -> LoadedModel:
    """Load a model and its tokenizer from a local folder or the hub.

    source: folder or hub id; a folder of adapters (LoRA and its kin) is merged into its base model. family: `causal`,
    `encoder_decoder` or `encoder`. dtype: a torch name, or `auto`: bfloat16 on a device that computes in it,
    float32 elsewhere. device: `cpu`, `cuda`, `cuda:N`, or
    `auto`: CUDA where there is one. threads: torch's CPU threads.
    Raises `UserError` for a missing or damaged model and for a device that is not there.
    """
    family = family.replace("-", "_")
    if family not in FAMILIES:
        raise UserError(
            f"model {source}: unknown family '{family}'{did_you_mean(family, FAMILIES)}; expected {', '.join(FAMILIES)}"
        )
    folder = find_model(source)
    check_seal(folder)
    adapter = folder if is_adapter(folder) else None
    if adapter is not None:
        folder = base_of(adapter)
        check_seal(folder)
    config = _read_config(folder)
    _model_class(_class_name(config, family))  # before any model is there, see `spared_imports`
    import torch

    torch.set_num_threads(threads)
    chosen = choose_device(device)
    kind = choose_dtype(dtype, chosen)
    model = _load_weights(folder, config, family, kind, chosen)
    if adapter is not None:
        from scripts.lm.merge_adapter import merge_adapter

        model = merge_adapter(model, adapter)
    tokenizer = load_tokenizer(str(adapter or folder))
    return LoadedModel(model, tokenizer, chosen, kind, family, context_window(model.config))


def find_model(source: str) -> Path:
    """Return the local folder of a model, fetching a hub id if the cache lacks it.

    Fetches configuration, tokenizer and safetensors files only. Raises `UserError` if there is no such folder or id.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise UserError(
            f"model {source}: is a file; a GGUF file becomes a model's folder by scripts.data.download_model, "
            f'--settings \'{{"name": "own", "local": "{source}"}}\''
        )
    if folder.is_absolute() or source.startswith(".") or source.count("/") > 1 or source.startswith("resources/"):
        raise UserError(f"model {source}: no such folder; check the path or build the model first")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(source, allow_patterns=list(HUB_FILES), ignore_patterns=["*/*", "consolidated*"]))
    except (OSError, HFValidationError) as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE", "YES", "ON")
        remedy = "HF_HUB_OFFLINE is set: unset it or give a local folder" if offline else "check id and network"
        raise UserError(
            f"model {source}: not found on the hub or in its cache ({type(error).__name__}); {remedy}"
        ) from None


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds adapters and no model of its own."""
    return (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()


def base_of(adapter: Path) -> Path:
    """Return the folder of the model that a folder of adapters belongs to.

    Looked for where adapter_config.json says: as it stands, from the adapter's folder, beside it, then on the hub.
    Raises `UserError` if it is nowhere.
    """
    settings = adapter / "adapter_config.json"
    content = _read_object(settings)
    name = content.get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise UserError(f"{settings}: key 'base_model_name_or_path' is missing; it must name the adapters' base model")
    for folder in (Path(name), adapter / name, adapter.parent / Path(name).name):
        if folder.is_dir() and folder.resolve() != adapter.resolve():
            return folder
    if content.get("revision") not in (None, "main"):
        logging.getLogger(__name__).warning("%s: revision %s is not heeded", settings, content["revision"])
    try:
        return find_model(name)
    except UserError as error:
        raise UserError(f"{settings}: base model '{name}': {error}; or name its folder there") from None


def load_tokenizer(source: str) -> Any:
    """Return the tokenizer of a folder or hub id, without importing the models. Raises `UserError` if it has none."""
    folder = find_model(source)
    if is_adapter(folder) and not any((folder / name).is_file() for name in TOKENIZER_FILES):
        folder = base_of(folder)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(f"{folder}: no tokenizer (one of {', '.join(TOKENIZER_FILES)}); save it beside the model")
    settings = folder / "tokenizer_config.json"
    content = _read_object(settings) if settings.is_file() else {}
    kind = content.get("tokenizer_class")
    try:
        if kind in PLAIN_TOKENIZERS and (folder / "tokenizer.json").is_file():
            from transformers import PreTrainedTokenizerFast

            tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(str(folder))
        else:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - the libraries fail in many ways on damaged files: each is one line
        raise UserError(
            f"{folder}: no usable tokenizer ({_first_line(error)}); add tokenizer.json, or fetch it again"
        ) from None
    # transformers notes here whether HF_HUB_OFFLINE was set, and writes it beside every model that is saved.
    tokenizer.init_kwargs.pop("local_files_only", None)
    return tokenizer


def choose_device(device: str) -> Any:
    """Return the torch device for `auto`, `cpu`, `cuda` or `cuda:N`. Raises `UserError` if it is not there.

    Of several processes on one machine (torchrun names them by LOCAL_RANK) each gets a CUDA device of its own.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UserError(f"device '{device}': not a device; use auto, cpu, cuda or cuda:N") from None
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device '{device}': this machine shows {torch.cuda.device_count()} CUDA devices; use device cpu or auto"
        )
    return chosen


CPU_ARITHMETIC = {"bfloat16": ("amx_bf16", "avx512_bf16"), "float16": ("amx_fp16", "avx512_fp16")}
"""Instructions of a CPU, one of which makes a dtype faster than float32; without them it is some fifty times slower."""


def computes_in(dtype: str, device: Any) -> bool:
    """Return whether a device has arithmetic of its own for bfloat16 or float16."""
    import torch

    if device.type == "cuda":
        return dtype == "float16" or torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in CPU_ARITHMETIC[dtype])


def choose_dtype(dtype: str, device: Any) -> Any:
    """Return the torch dtype for a name or `auto`: bfloat16 where the device has such arithmetic, else float32.

    CUDA devices have it from compute capability 8.0 on, CPUs with AMX or AVX512-BF16.
    """
    import torch

    if dtype == "auto":
        return torch.bfloat16 if computes_in("bfloat16", device) else torch.float32
    if dtype not in DTYPES:
        raise UserError(
            f"dtype '{dtype}': unknown{did_you_mean(dtype, list(DTYPES))}; use auto, float32, bfloat16 or float16"
        )
    if DTYPES[dtype] != "float32" and device.type == "cpu" and not computes_in(DTYPES[dtype], device):
        text = "this CPU has no %s arithmetic, so it is far slower than float32: --dtype auto takes the faster one"
        logging.getLogger(__name__).warning(text, DTYPES[dtype])
    return getattr(torch, DTYPES[dtype])


def context_window(config: Any) -> int:
    """Return how many tokens of context a model's configuration allows (`NO_LIMIT` if it states no limit)."""
    config = getattr(config, "text_config", None) or config
    stated = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if stated is None or stated < 1:  # XLNet states -1
        return NO_LIMIT
    if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        return stated - 2  # their positions start behind the padding index
    return int(stated)


def _read_config(folder: Path) -> dict[str, Any]:
    """Return a model folder's configuration after checking that the folder is complete."""
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: config.json is missing; this is not a model folder")
    config = _read_object(folder / "config.json")
    if not isinstance(config.get("model_type"), str):
        raise UserError(f"{folder / 'config.json'}: key 'model_type' is missing; this is not a transformers model")
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder}: no .safetensors file; pickles are not loaded: python -m scripts.data.download_model converts "
            f'them, --settings \'{{"name": "{folder.name}", "local": "{folder}"}}\''
        )
    _check_quantisation(folder, config)
    return config


def _read_object(path: Path) -> dict[str, Any]:
    """Return a JSON object. Raises `UserError` in one line for whatever else a file may hold."""
    try:
        content = read_json(path)
    except (RecursionError, ValueError) as error:  # nested without end, integers of thousands of digits
        raise UserError(f"{path}: cannot be read ({_first_line(error)}); fetch or build the model again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(content).__name__}; fetch the model again")
    return content


def is_installed(package: str) -> bool:
    """Return whether transformers finds a package that reads quantised weights."""
    from transformers import utils

    return bool(getattr(utils, f"is_{package}_available", lambda: False)())


def _check_quantisation(folder: Path, config: dict[str, Any]) -> None:
    """Raise `UserError` where a checkpoint's weights are quantised and the library that reads them is not here."""
    settings = config.get("quantization_config")
    if settings is None:
        return
    method = settings.get("quant_method") if isinstance(settings, dict) else None
    if isinstance(settings, dict) and method is None and ("load_in_4bit" in settings or "load_in_8bit" in settings):
        method = "bitsandbytes"
    needed = QUANTISERS.get(str(method))
    if needed is not None and is_installed(needed):
        return
    remedy = f"install {needed.replace('_', '-')}, or" if needed else "no library for them is known here:"
    raise UserError(
        f"{folder}: its weights are quantised ({str(method)[:40]}); {remedy} take the model in full precision"
    )


def _warn_of_eight_bits(folder: Path, config: dict[str, Any]) -> None:
    """Say what bitsandbytes' 8 bits do to the texts; its own line for every product would hide everything else."""
    if config["quantization_config"].get("load_in_8bit"):
        logger = logging.getLogger(__name__)
        logger.warning(
            "%s: its 8 bits round the texts' vectors too, by what is largest among the texts that run together: "
            "scores depend a little on batch_tokens",
            folder,
        )
        logging.getLogger("bitsandbytes.autograd").setLevel(logging.ERROR)


def _class_name(config: dict[str, Any], family: str) -> str:
    return MODEL_CLASSES.get((family, config["model_type"]), AUTO_CLASSES[family])


@functools.cache
def _model_class(name: str) -> Any:
    """Return a class of transformers, imported without the garbage collector."""
    before_any_model = _model_class.cache_info().currsize == 0
    with spared_imports(freeze=before_any_model):
        import transformers

        return getattr(transformers, name)


@contextlib.contextmanager
def spared_imports(*, freeze: bool) -> Iterator[None]:
    """Import libraries without rounds of the garbage collector; freeze: and keep what is there out of later rounds.

    The libraries make half a million objects that nothing ever frees: looking through them again and again is a fifth
    of a small job's start. Freeze only before a model is loaded, so that no model is kept out of the rounds.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if freeze:
            gc.freeze()
    finally:
        if enabled:
            gc.enable()


def _load_weights(folder: Path, config: dict[str, Any], family: str, dtype: Any, device: Any) -> Any:
    """Return the model with the file's weights, on its device and in evaluation mode.

    A weight missing from the file is an error, never a random start.
    """
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    name = _class_name(config, family)
    options: dict[str, Any] = {} if name != AUTO_CLASSES[family] else {"trust_remote_code": False}
    quantised = config.get("quantization_config") is not None
    if quantised:  # such a model is made where it stays
        options["device_map"] = {"": str(device)}
        _warn_of_eight_bits(folder, config)
    try:
        model, report = _model_class(name).from_pretrained(
            str(folder), dtype=dtype, use_safetensors=True, output_loading_info=True, local_files_only=True, **options
        )
    except SafetensorError as error:
        raise UserError(
            f"{folder}: damaged .safetensors file ({_first_line(error)}); fetch or build the model again"
        ) from None
    except Exception as error:  # noqa: BLE001 - a damaged file can make the library fail in any way: each is one line
        raise UserError(
            f"{folder}: cannot load as {family} model ({_first_line(error)}); check family and files"
        ) from None
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if missing or report["mismatched_keys"]:
        fault = (
            f"weight '{missing[0]}' is missing"
            if missing
            else f"shape of {sorted(map(str, report['mismatched_keys']))[0]} differs"
        )
        raise UserError(f"{folder}: {fault} in the .safetensors file; it does not fit the family or config.json")
    return (model if quantised else model.to(device)).eval()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
