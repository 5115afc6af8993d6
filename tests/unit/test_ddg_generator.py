"""The generator: class tokens, training strings, the two losses, nucleus sampling."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from scripts.common.errors import UserError
from scripts.ddg.generator import Generator, Writing, padded_width, text_losses
from scripts.ddg.sampling import nucleus_draw, sample_texts
from scripts.ddg.settings_steps import Sampling
from tests.unit.ddg_tiny import generator, task
from tests.unit.lm_tiny import tiny

SAMPLING = Sampling(top_p=0.95, max_new_tokens=8, batch_size=5)


def embeddings(made: Generator) -> torch.Tensor:
    return made.model.get_input_embeddings().weight


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_class_tokens_begin_as_copies_of_the_begin_token(kind):
    made = generator(kind)
    assert len(set(made.class_ids)) == 3
    for token in made.class_ids:
        assert torch.equal(embeddings(made)[token], embeddings(made)[made.end_id])  # no begin token: end-of-text
    assert not torch.equal(embeddings(made)[made.separator_id], embeddings(made)[made.end_id])
    old = tiny(kind).model.get_input_embeddings().weight
    assert torch.equal(embeddings(made)[: len(old)], old)


def test_training_string_is_class_columns_with_separator_end():
    made = generator(given=task(columns=2))
    (ids,) = made.encode([("w1 w2", "w3")], [2], 20)
    words = made.tokenizer.convert_ids_to_tokens(ids)
    assert words == ["<class_2>", "w1", "w2", "<sep>", "w3", "</s>"]
    assert made.encode([("w1 w2", "w3")], [2], 3) == [ids[:3]]
    assert made.decode(ids[1:-1]) == ("w1 w2", "w3")


def test_decoding_wants_all_columns_filled_and_drops_what_follows():
    made = generator(given=task(columns=2))
    one, two, sep = *made.tokenizer.convert_tokens_to_ids(["w1", "w2"]), made.separator_id
    assert made.decode([one, sep, two, sep, one]) == ("w1", "w2")
    assert made.decode([one, two]) is None
    assert made.decode([one, sep]) is None
    assert made.decode([sep, one]) is None


def losses_by_hand(made: Generator, ids: list[int]) -> float:
    logits = made.model(input_ids=torch.tensor([ids])).logits[0, :-1].detach()
    return float(F.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum"))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_both_losses_are_those_by_hand(kind):
    made, given = generator(kind), task()
    encoded = made.encode(given.texts[:4], given.labels[:4], 20)
    width = padded_width(max(map(len, encoded)), 8)
    assert width == 8
    padded = text_losses(made, encoded, Writing("padded", 8))
    tokens = text_losses(made, encoded, Writing("tokens", 8))
    for row, ids in enumerate(encoded):
        total = losses_by_hand(made, ids)
        assert float(padded[row].detach()) == pytest.approx(total / (width - 1), abs=1e-5)
        assert float(tokens[row].detach()) == pytest.approx(total / (len(ids) - 1), abs=1e-5)


def test_more_padding_changes_the_padded_loss_by_its_factor_only():
    made, given = generator(), task()
    encoded = made.encode(given.texts[:4], given.labels[:4], 20)
    narrow, wide = (text_losses(made, encoded, Writing("padded", multiple)) for multiple in (8, 24))
    assert torch.allclose(wide, narrow * (8 - 1) / (24 - 1), atol=1e-6)
    named = text_losses(made, encoded, Writing("padded", 8), widths=[24] * 4)
    assert torch.allclose(named, wide, atol=1e-6)
    plain = [text_losses(made, encoded, Writing("tokens", multiple)) for multiple in (8, 24)]
    assert torch.equal(*plain)


def test_losses_of_a_text_do_not_depend_on_the_others():
    made, given = generator(), task()
    encoded = made.encode(given.texts[:6], given.labels[:6], 20)
    together = text_losses(made, encoded, Writing("tokens", 8))
    alone = torch.cat([text_losses(made, [ids], Writing("tokens", 8)) for ids in encoded])
    assert torch.allclose(together, alone, atol=1e-5)


def test_nucleus_is_the_fewest_likeliest_tokens():
    probabilities = torch.tensor([[0.5, 0.02, 0.3, 0.1, 0.08]])
    logits = probabilities.log()
    numbers = torch.linspace(0, 0.9999, 1001)
    drawn = nucleus_draw(logits.expand(1001, -1), numbers, 0.85)  # 0.5 + 0.3 < 0.85 <= 0.5 + 0.3 + 0.1
    assert set(drawn.tolist()) == {0, 2, 3}
    shares = [float((drawn == token).float().mean()) for token in (0, 2, 3)]
    assert shares == pytest.approx([5 / 9, 3 / 9, 1 / 9], abs=0.003)
    assert set(nucleus_draw(logits.expand(1001, -1), numbers, 0.5).tolist()) == {0}
    assert set(nucleus_draw(logits.expand(1001, -1), numbers, 1.0).tolist()) == {0, 1, 2, 3, 4}


def test_a_wide_nucleus_looks_at_the_whole_vocabulary():
    logits = torch.zeros(1, 1000)
    assert int(nucleus_draw(logits, torch.tensor([0.9999]), 1.0)) == int(logits.topk(1000)[1][0, 999])


def test_texts_do_not_depend_on_how_many_are_drawn_nor_on_the_batch():
    made = generator()
    many, _ = sample_texts(made, 1, 40, SAMPLING, 7, "x")
    few, _ = sample_texts(made, 1, 9, SAMPLING, 7, "x")
    large, _ = sample_texts(made, 1, 40, Sampling(top_p=0.95, max_new_tokens=8, batch_size=64), 7, "x")
    assert many[:9] == few
    assert many == large
    assert sample_texts(made, 1, 9, SAMPLING, 8, "x")[0] != few
    assert sample_texts(made, 1, 9, SAMPLING, 7, "y")[0] != few


def test_cached_sampling_is_greedy_decoding_in_a_tiny_nucleus():
    made = generator()
    (text,), _ = sample_texts(made, 0, 1, Sampling(top_p=1e-6, max_new_tokens=6, batch_size=1), 0, "x")
    ids = [made.class_ids[0]]
    for _ in range(6):
        logits = made.model(input_ids=torch.tensor([ids])).logits[0, -1]
        logits[made.forbidden_ids] = -torch.inf
        if int(logits.argmax()) == made.end_id:
            break
        ids.append(int(logits.argmax()))
    assert text == made.decode(ids[1:])


def test_class_tokens_are_never_drawn():
    made = generator()
    with torch.no_grad():
        made.model.get_output_embeddings().weight[made.class_ids] = 50 * embeddings(made).abs().max()
    texts, _ = sample_texts(made, 0, 30, SAMPLING, 0, "x")
    assert not any("<class" in text[0] or "<pad>" in text[0] for text in texts)


def test_a_generator_of_empty_texts_is_named():
    made = generator()
    forward = made.next_logits

    def only_end(ids, cache):
        logits = forward(ids, cache)
        logits[:, made.end_id] = 1e4
        return logits

    made.next_logits = only_end
    with pytest.raises(UserError, match="more than 4 of its draws for class 'label0' were empty"):
        sample_texts(made, 0, 4, SAMPLING, 0, "x")


def test_a_tokenizer_without_class_tokens_is_refused():
    with pytest.raises(UserError, match="lacks '<class_0>'"):
        Generator(tiny(), ["a", "b"], ["text"])
