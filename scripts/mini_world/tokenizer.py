"""The word-level tokenizer of the mini models, made from the vocabulary of the synthetic world.

Whitespace does not matter, a newline is a token, the template's markers are tokens wherever they stand (also glued to a
word), `</s>` is read from text, nothing is put before a text. Decoding gives plain text back: words with single blanks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.data.synthetic_words import EOS, MARKERS, PAD, SPECIALS, UNKNOWN, World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


CLS, SEP, MASK = "[CLS]", "[SEP]", "[MASK]"
"""Special tokens of the encoder; they take the ids of the world's first reserved words."""


def build_tokenizer(world: World, window: int) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a world; ids follow `World.vocabulary`. window: the model's longest context in tokens."""
    return _word_tokenizer(world.vocabulary, window, {}, eos_token=EOS)


def build_encoder_tokenizer(world: World, window: int) -> PreTrainedTokenizerFast:
    """Return the tokenizer of the encoder: the same words and ids, but `[CLS] text [SEP]` and pairs as BERT wants."""
    names = {"<reserved_0>": CLS, "<reserved_1>": SEP, "<reserved_2>": MASK}
    words = tuple(names.get(token, token) for token in world.vocabulary)
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return _word_tokenizer(
        words, window, names, cls_token=CLS, sep_token=SEP, mask_token=MASK, model_input_names=inputs
    )


def _word_tokenizer(
    words: Sequence[str], window: int, renamed: Mapping[str, str], **settings: Any
) -> PreTrainedTokenizerFast:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {token: index for index, token in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (*SPECIALS, *renamed.values())])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in MARKERS])
    pieces = Regex(r"<reserved_\d+>|\w+(?:-\w+)*|[^\w\s]")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pieces, behavior="removed", invert=True)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(Regex(r"^(?!\n)"), " "),
            decoders.Fuse(),
            decoders.Replace(Regex(r"(?<=\n) "), ""),
            decoders.Strip(" ", 1, 0),
        ]
    )
    if renamed:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{CLS} $A {SEP}",
            pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
            special_tokens=[(CLS, ids[CLS]), (SEP, ids[SEP])],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        model_max_length=window,
        clean_up_tokenization_spaces=False,
        padding_side="right",
        **settings,
    )
