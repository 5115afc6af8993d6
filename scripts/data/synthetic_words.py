"""The words of the synthetic world: topics, fillers, hidden labels, numbers, opposites, neutral instruction words.

The world is a constant, not a draw: the shipped checkpoints and their tokenizer know exactly these words, whatever the
seed of a corpus. They are plain English (and Spanish number words, for translating); which words belong to one topic is
learned from text alone.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools

from scripts.data.synthetic_topics import TOPICS

PAD, EOS, UNKNOWN = "<pad>", "</s>", "<unk>"
NEWLINE = "\n"
INSTRUCTION, INPUT, RESPONSE, LABEL = "Instruction:", "Input:", "Response:", "Label:"
SPECIALS = (PAD, EOS, UNKNOWN)
MARKERS = (NEWLINE, INSTRUCTION, INPUT, RESPONSE, LABEL)

FILLERS = tuple("the a of and to with from by at on for this that some very here there also just still".split())
LABELS = tuple(
    "amber basil cedar coral dahlia ebony fern garnet hazel indigo jade khaki lilac maple navy olive "
    "pearl quartz ruby sage teal umber violet walnut onyx topaz opal ivory cobalt crimson saffron scarlet".split()
)
NEUTRAL = tuple(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon "
    "phi chi psi omega".split()
)
NUMBERS = tuple(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four twenty-five twenty-six twenty-seven "
    "twenty-eight twenty-nine thirty".split()
)
TRANSLATIONS = tuple(
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidos veintitres veinticuatro veinticinco veintiseis veintisiete "
    "veintiocho veintinueve treinta".split()
)
OPPOSITES = tuple(
    tuple(pair.split("/"))
    for pair in (
        "hot/cold big/small fast/slow high/low old/new hard/soft wet/dry full/empty light/dark rich/poor strong/weak "
        "early/late long/short wide/narrow loud/quiet sweet/sour clean/dirty open/closed heavy/thin happy/sad "
        "brave/shy smooth/rough near/far deep/shallow"
    ).split()
)
INSTRUCTION_WORDS = tuple(
    "apply copy write again words reverse backwards give pick take first last word count how many say in spanish "
    "translate numbers opposite opposites name topic theme twice repeat next after each sort order find extract "
    "number it then".split()
)
PUNCTUATION = tuple(": . , ? ! ( ) + - * / = ; ' \"".split())
ROOM_WORDS = tuple(
    "yes no maybe premise hypothesis entailment neutral contradiction because so therefore is are was has have had "
    "not all every none nobody somebody who what where when which why if or but than more fewer less total left "
    "altogether gets gives buys sells loses finds eats apples books coins stones anna ben carla dan emma finn she he "
    "they them her his their category query service intent sentence text question answer rationale choice good bad "
    "positive negative review zero hundred".split()
)
"""Words of entailment, arithmetic with rationales and choices, which the causal model's documents do not use."""

N_RESERVED = 64


@dataclasses.dataclass(frozen=True)
class World:
    """All words of the world. `topics[i]` are the words of the topic called `topic_names[i]`."""

    topics: tuple[tuple[str, ...], ...]
    topic_names: tuple[str, ...]
    trained_topics: tuple[int, ...]
    held_out_topics: tuple[int, ...]

    @functools.cached_property
    def topic_words(self) -> tuple[str, ...]:
        """Return every topic's words in one row."""
        return tuple(itertools.chain.from_iterable(self.topics))

    @functools.cached_property
    def opposite_of(self) -> dict[str, str]:
        """Return each adjective's opposite, both ways."""
        return {a: b for pair in OPPOSITES for a, b in (pair, pair[::-1])}

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Return every token in the order of its id: specials, markers, words, and some reserved ones at the end."""
        groups = (
            SPECIALS, MARKERS, PUNCTUATION, INSTRUCTION_WORDS, FILLERS, LABELS, NEUTRAL, NUMBERS, TRANSLATIONS,
            tuple(itertools.chain.from_iterable(OPPOSITES)), self.topic_words, self.topic_names, ROOM_WORDS,
            tuple(f"<reserved_{i}>" for i in range(N_RESERVED)),
        )  # fmt: skip
        return tuple(dict.fromkeys(itertools.chain.from_iterable(groups)))


@functools.lru_cache(maxsize=4)
def build_world(n_topics: int = 240, words_per_topic: int = 5, n_held_out: int = 40) -> World:
    """Return the world. The default sizes are those of the shipped checkpoints; tests use smaller ones.

    The last `n_held_out` topics are never seen in a classification document, only in plain text.
    Raises ValueError if no topic is left to train on.
    """
    if not 0 <= n_held_out < n_topics or words_per_topic < 4:
        raise ValueError(f"{n_topics} topics of {words_per_topic} words with {n_held_out} held out: impossible world")
    if n_topics > len(TOPICS) or words_per_topic > len(TOPICS[0][1]):
        raise ValueError(f"{n_topics} topics of {words_per_topic} words: the world knows {len(TOPICS)} of 5")
    names, topics = zip(*((name, words[:words_per_topic]) for name, words in TOPICS[:n_topics]))
    split = n_topics - n_held_out
    return World(topics, names, tuple(range(split)), tuple(range(split, n_topics)))
