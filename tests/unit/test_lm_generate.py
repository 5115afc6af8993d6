"""Generation: equal to `model.generate` one prompt at a time, whatever the batch; ends, stops, prefixes, sampling."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch

from scripts.common.errors import UserError
from scripts.lm.generate import encode_prompts, end_token_ids, generate
from tests.unit.lm_tiny import EOS, tiny, words


def prompts(n: int = 9) -> list[str]:
    """Prompts of 1 to 20 words."""
    rng = random.Random(1)
    return [words(rng.randint(1, 20), rng) for _ in range(n)]


def one_by_one(loaded, texts, n_new):
    """Answers of `model.generate`, one prompt at a time, without padding or cache sharing."""
    answers = []
    for text in texts:
        ids = torch.tensor([loaded.tokenizer(text)["input_ids"]])
        out = loaded.model.generate(input_ids=ids, max_new_tokens=n_new, do_sample=False)[0]
        start = 1 if loaded.family == "encoder_decoder" else ids.shape[1]
        answers.append(loaded.tokenizer.decode(out[start:], skip_special_tokens=True))
    return answers


@pytest.mark.parametrize("kind", ["llama", "mistral", "gpt2", "opt", "t5"])
@pytest.mark.parametrize("batch_size", [1, 4, 9])
def test_greedy_equals_one_by_one(kind, batch_size):
    loaded = tiny(kind)
    answers = generate(loaded, prompts(), max_new_tokens=10, batch_size=batch_size)
    assert answers == one_by_one(loaded, prompts(), 10)
    assert len(set(answers)) > 3  # the model says different things, so an order mistake would show


@pytest.mark.parametrize("kind", ["llama", "mistral", "gpt2", "opt", "t5"])
def test_shared_prefix_equals_concatenation(kind):
    loaded = tiny(kind)
    prefix = words(15, random.Random(2)) + " "
    joined = generate(loaded, [prefix + text for text in prompts()], max_new_tokens=8, batch_size=3)
    assert generate(loaded, prompts(), max_new_tokens=8, batch_size=4, shared_prefix=prefix) == joined
    assert joined != generate(loaded, prompts(), max_new_tokens=8, batch_size=4)


def test_answer_ends_at_the_end_token():
    loaded = tiny()
    first = generate(loaded, prompts(), max_new_tokens=8, batch_size=3)
    with torch.no_grad():  # make the third word of the first answer the end token's twin
        third = loaded.tokenizer(first[0])["input_ids"][2]
        loaded.model.lm_head.weight[EOS] = loaded.model.lm_head.weight[third] * 1.01
    again = generate(loaded, prompts(), max_new_tokens=8, batch_size=3)
    assert again[0].split() == first[0].split()[:2]
    assert again == one_by_one(loaded, prompts(), 8)


def test_stop_strings_cut_the_text_and_only_that_row():
    loaded = tiny()
    plain = generate(loaded, prompts(), max_new_tokens=12, batch_size=9)
    stop = " ".join(plain[1].split()[4:6])
    stopped = generate(loaded, prompts(), max_new_tokens=12, batch_size=9, stop=["never said", stop])
    expected = [text[: text.index(stop)] if stop in text else text for text in plain]
    assert stopped == expected
    assert len(stopped[1].split()) <= 4 < len(plain[1].split())
    assert sum(one == other for one, other in zip(stopped, plain)) >= 5


def test_stop_string_in_the_prompt_does_not_stop():
    loaded = tiny()
    text = prompts()[0]
    plain = generate(loaded, [text], max_new_tokens=6, batch_size=1)
    only_there = next(word for word in text.split() if word + " " not in plain[0] + " ")
    assert generate(loaded, [text], max_new_tokens=6, batch_size=1, stop=[only_there + " "]) == plain


def test_sampling_depends_on_seed_and_place_but_not_on_batch_or_global_state():
    loaded = tiny()
    options = {"max_new_tokens": 8, "temperature": 1.0}
    torch.manual_seed(5)
    before = torch.get_rng_state()
    sampled = generate(loaded, prompts(), batch_size=2, seed=3, **options)
    assert torch.equal(before, torch.get_rng_state())
    assert generate(loaded, prompts(), batch_size=9, seed=3, **options) == sampled
    assert generate(loaded, prompts(), batch_size=9, seed=4, **options) != sampled
    twice = generate(loaded, [prompts()[0]] * 2, batch_size=2, seed=3, **options)
    assert twice[0] != twice[1]


def test_sampling_follows_the_softmax():
    loaded = tiny()
    n = 4000
    drawn = Counter(generate(loaded, [prompts()[0]] * n, max_new_tokens=1, batch_size=n, temperature=2.0))
    ids = torch.tensor([loaded.tokenizer(prompts()[0])["input_ids"]])
    with torch.no_grad():
        expected = torch.softmax(loaded.model(input_ids=ids).logits[0, -1] / 2.0, dim=-1)
    likely = [token for token in expected.topk(8).indices.tolist() if token > EOS]  # special ones leave no text
    for token in likely[:5]:
        p = expected[token].item()
        share = drawn[loaded.tokenizer.decode([token])] / n
        assert abs(share - p) < 5 * (p * (1 - p) / n) ** 0.5


def test_low_temperature_is_greedy():
    loaded = tiny()
    greedy = generate(loaded, prompts(), max_new_tokens=6, batch_size=4)
    assert generate(loaded, prompts(), max_new_tokens=6, batch_size=4, temperature=1e-4) == greedy


def test_too_long_prompt_names_itself_and_the_window():
    texts = [words(5, random.Random(0)), words(60, random.Random(0))]
    with pytest.raises(UserError, match=r"prompt 1: 60 prompt \+ 8 new tokens exceed the model's window of 64"):
        generate(tiny(), texts, max_new_tokens=8, batch_size=2)
    with pytest.raises(UserError, match=r"prompt 0: 40 prefix \+ 30 prompt"):
        generate(tiny(), [words(30, random.Random(0))], max_new_tokens=1, batch_size=1, shared_prefix=words(40, random))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"batch_size": 0}, "batch_size"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"stop": [""]}, "stop"),
        ({"stop": "abc"}, "stop"),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(UserError, match=message):
        generate(tiny(), ["w1"], **{"max_new_tokens": 1, "batch_size": 1, **change})


def test_empty_prompt_and_no_prompts():
    with pytest.raises(UserError, match="prompt 1: no tokens"):
        generate(tiny(), ["w1", ""], max_new_tokens=1, batch_size=2)
    assert generate(tiny(), [], max_new_tokens=1, batch_size=2) == []


def test_end_tokens_of_another_vocabulary_are_not_believed():
    loaded = tiny()
    loaded.model.generation_config.eos_token_id = 7
    assert end_token_ids(loaded) == [EOS]
    loaded.model.generation_config.eos_token_id = [7, EOS]
    assert end_token_ids(loaded) == [EOS, 7]


def test_a_causal_prompt_keeps_no_automatic_end_token():
    from tokenizers import processors

    loaded = tiny()
    loaded.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", EOS)]
    )
    assert encode_prompts(loaded, ["w1 w2"]) == [loaded.tokenizer("w1 w2", add_special_tokens=False)["input_ids"]]
    assert encode_prompts(loaded, ["w1 </s>"])[0][-1] == EOS  # written by the caller: kept
