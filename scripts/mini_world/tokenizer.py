"""The word-level tokenizer of the mini models, made from the vocabulary of the synthetic world.

Whitespace does not matter, a newline is a token, the template's markers are tokens wherever they stand (also glued to a
word), `</s>` is read from text, nothing is put before a text. Decoding gives plain text back: words with single blanks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.data.synthetic_words import EOS, MARKERS, PAD, SPECIALS, UNKNOWN, World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def build_tokenizer(world: World, window: int) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a world; ids follow `World.vocabulary`. window: the model's longest context in tokens."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {token: index for index, token in enumerate(world.vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIALS])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in MARKERS])
    words = Regex(r"<reserved_\d+>|\w+(?:-\w+)*|[^\w\s]")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(words, behavior="removed", invert=True)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(Regex(r"^(?!\n)"), " "),
            decoders.Fuse(),
            decoders.Replace(Regex(r"(?<=\n) "), ""),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        model_max_length=window,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )
