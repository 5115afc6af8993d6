"""Perturbed demonstrations: no input, no label, random labels, wrong labels (the paper's robustness study).

# DEVIATION: the released code draws random and wrong labels anew for the distiller and for the language model and with
# the training's generator, shows the right label in a demonstration that it cuts, and its branch for wrong labels stops
# with an error; here both read the same labels, every draw is seeded, and a wrong label is never the right one.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.seeding import generator

PERTURBATIONS = ("none", "no_input", "no_label", "random_label", "wrong_label")


def perturb(rows: Sequence[Mapping[str, Any]], kind: str, seed: int) -> list[dict[str, Any]]:
    """Return demonstrations (rows of the classification schema) with one kind of fault in every row.

    no_input, no_label: that field is empty, what it held is kept as `hidden_input` or `hidden_output`, because the
    release cuts a demonstration before it leaves the part out. random_label: drawn evenly from the row's options.
    wrong_label: drawn evenly from its other options. Draws depend on seed, kind and a row's place. Raises `UserError`
    for an unknown kind and for label faults in rows without options (or with a single one, if they are to be wrong).
    """
    if kind not in PERTURBATIONS:
        raise UserError(
            f"perturbation '{kind}': unknown{did_you_mean(kind, PERTURBATIONS)}; one of {', '.join(PERTURBATIONS)}"
        )
    if kind == "none":
        return [dict(row) for row in rows]
    if kind in ("no_input", "no_label"):
        field = "input" if kind == "no_input" else "output"
        return [{**row, field: "", f"hidden_{field}": row[field]} for row in rows]
    draw = generator(seed, "mend", "perturb", kind)
    result = []
    for number, row in enumerate(rows):
        choices = [option for option in row["options"] if kind == "random_label" or option != row["output"]]
        if not choices:
            raise UserError(
                f"task {row['task']}, demonstration {number + 1}: {len(row['options'])} options;"
                f" perturbation '{kind}' needs {'one' if kind == 'random_label' else 'two'} or more"
            )
        result.append({**row, "output": choices[int(draw.integers(len(choices)))]})
    return result
