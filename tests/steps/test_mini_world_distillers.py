"""The last step of the shipped distillers: half precision, card, curve."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.files import read_json, read_jsonl, write_json
from scripts.mend.distiller import DistillerInfo, load_distiller, save_distiller, tokenizer_digest
from scripts.mini_world import describe_distillers
from tests.unit.lm_tiny import tiny
from tests.unit.mend_tiny import DISTILL, FORMAT, distiller

STEPS = 60


def history(score: float | None = 0.625) -> dict:
    losses = {name: [float(step) for step in range(STEPS)] for name in ("kl", "lm", "total")}
    best = None if score is None else {"step": STEPS, "score": score}
    return {"steps": STEPS, "losses": losses, "scores": [], "best": best}


def arguments(folder: Path, name: str = "distiller") -> list[str]:
    return [
        "--distillers", str(folder / "trained"), "--history", str(folder / "history.json"), "--names", name,
        "--dev-tasks", "2", "--models-out", str(folder / "shipped"), "--curves-out", str(folder / "curve.jsonl"),
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "trained" / "distiller"
    target.mkdir(parents=True)
    tokenizer, training = tiny().tokenizer, {**DISTILL, "seed": 1}
    info = DistillerInfo("causal", 3, 32, "none", tokenizer_digest(tokenizer), dataclasses.asdict(FORMAT), training)
    save_distiller(target, distiller(), tokenizer, info)
    write_json(tmp_path / "history.json", {"distiller": history()})
    return tmp_path


def test_a_distiller_is_shipped_in_half_precision_with_its_card(folder: Path) -> None:
    describe_distillers.main(arguments(folder))
    before = load_distiller(folder / "trained" / "distiller", dtype="float32", device="cpu").module.state_dict()
    after = load_distiller(folder / "shipped", dtype="float32", device="cpu").module.state_dict()
    assert all(torch.equal(after[name], tensor.half().float()) for name, tensor in before.items())
    card = read_json(folder / "shipped" / "card.json")
    assert card["dtype"] == "fp16"
    assert card["bytes"] == (folder / "shipped" / "model.safetensors").stat().st_size
    assert (card["measures"]["new_tasks"]["value"], card["measures"]["new_tasks"]["n"]) == (0.625, 8)
    assert card["measures"]["loss_kl"]["value"] == pytest.approx(54.5), "the mean of the last steps, 50 to 59"
    assert [point["step"] for point in read_jsonl(folder / "curve.jsonl")] == [25, 50, 60]
    assert "fp16" in (folder / "shipped" / "README.md").read_text(encoding="utf-8")


def test_what_cannot_be_described_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"'distil' is not in .*history\.json; it has distiller"):
        describe_distillers.main(arguments(folder, "distil"))
    write_json(folder / "history.json", {"distiller": history(None)})
    with pytest.raises(UserError, match="never scored in training; set evaluate_steps"):
        describe_distillers.main(arguments(folder))
    assert not (folder / "shipped").exists()
