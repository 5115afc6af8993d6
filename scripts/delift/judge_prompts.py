"""What a judging model is asked about an answer: a grade from 1 to 5 by a rubric, against a reference answer.

DELIFT grades with Prometheus 2 (absolute grading with reference). The layout (task, instruction, response, reference,
rubric, feedback, then the grade behind [RESULT]) is the one that model was trained on; the words are ours.
"""

from __future__ import annotations

from scripts.judging.judge import Template

CRITERIA = (
    ("instruction following", "does the response do what the instruction asks, all of it and nothing else"),
    ("accuracy", "is what it states correct"),
    ("relevance", "does everything in it belong to the matter"),
    ("completeness", "is nothing missing that the instruction needs"),
    ("depth", "does it go as far into the matter as the instruction calls for"),
    ("clarity", "is it plain and well ordered"),
    ("creativity", "where the instruction leaves room, does it use it with thought"),
    ("helpfulness", "does it serve whoever asked"),
)
LEVELS = (
    "fails on most criteria: wrong, off the matter, or no answer",
    "meets few criteria; faults outweigh what is right",
    "meets about half of the criteria; right in part",
    "meets most criteria; only small faults",
    "meets all criteria, as well as the reference answer or better",
)
RUBRIC = "\n".join(
    [
        "How well does the response meet these criteria?",
        *(f"- {name}: {question}" for name, question in CRITERIA),
        *(f"Score {grade}: {text}." for grade, text in enumerate(LEVELS, start=1)),
    ]
)

GRADE = Template(
    system="You grade responses of language models fairly, by the rubric you are given and by nothing else.",
    user=(
        "###Task Description:\nYou are given an instruction, a response to it, a reference answer that deserves the"
        " score 5, and a rubric. First write feedback that weighs the response by the rubric. Then give the score, a"
        " whole number from 1 to 5. Write in this form: Feedback: (your feedback) [RESULT] (a whole number from 1 to"
        " 5). Write nothing after it.\n\n"
        "###The instruction to evaluate:\n{question}\n\n"
        "###Response to evaluate:\n{answer}\n\n"
        "###Reference Answer (Score 5):\n{reference}\n\n"
        f"###Score Rubrics:\n{RUBRIC}\n\n"
        "###Feedback:"
    ),
    pattern=r"\[RESULT\]\s*\(?([1-5])\b",
    lowest=1.0,
    highest=5.0,
)
