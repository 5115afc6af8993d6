"""What a judging model is asked about answers to AlpacaEval and MT-Bench, and how its verdict is read.

# DEVIATION: the questions are our own wording of what AlpacaEval and MT-Bench ask (preference of one of two answers; a
# grade from 1 to 10 in double brackets). For the very prompts of those tools run them on our answers, which are written
# in their formats.
"""

from __future__ import annotations

from scripts.judging.judge import Template

_SYSTEM = (
    "You are a careful and impartial judge of answers given by AI assistants. Neither the length of an answer, nor its"
    " place, nor its tone counts: only how well it does what was asked, correctly and completely."
)

PAIR = Template(
    system=_SYSTEM,
    user=(
        "Two assistants were given the same instruction. Say whose answer is better.\n\n"
        "[Instruction]\n{instruction}\n\n"
        "[A correct answer, where one is known]\n{reference}\n\n"
        "[Answer of assistant A]\n{output_1}\n[End of answer A]\n\n"
        "[Answer of assistant B]\n{output_2}\n[End of answer B]\n\n"
        "Explain your judgement in a few sentences, then end with exactly one of: [[A]] if A is better, [[B]] if B is"
        " better, [[C]] if they are equally good."
    ),
    pattern=r"\[\[([ABC])\]\]",
    values={"A": 1.0, "B": 2.0, "C": 1.5},
)

GRADE = Template(
    system=_SYSTEM,
    user=(
        "Grade the assistant's answer to the user's last question on a scale from 1 to 10, for helpfulness, relevance,"
        " correctness, depth and level of detail.\n\n"
        "[Conversation so far]\n{earlier}\n"
        "[Question]\n{question}\n\n"
        "[A correct answer, where one is known]\n{reference}\n\n"
        "[Answer of the assistant]\n{answer}\n[End of the answer]\n\n"
        'Explain your judgement in a few sentences, then end with the grade in this form: "Rating: [[5]]".'
    ),
    pattern=r"\[\[(\d+(?:\.\d+)?)\]\]",
)
