"""Reading measured values back: what a table or figure asks of the files that its plan names."""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence

from scripts.common.files import PathLike, read_csv
from scripts.common.metrics import ALL_SEEDS, PUBLISHED_COLUMNS, read_merged, with_value
from scripts.common.spread import Spread, spreads_by
from scripts.common.tables import Missing

NOT_MEASURED = "Not measured in this run."
KEY = ("experiment", "setting", "model", "method", "metric")


class Measured:
    """Measured values, the reasons why some are missing, and the published values of one table or figure.

    Experiment and model need naming only where several are among the files: a question with two answers is an error.
    """

    def __init__(self, rows: Sequence[dict[str, str]], published: Sequence[Mapping[str, str]] = ()) -> None:
        self.rows = with_value(rows)
        self.reasons = [row for row in rows if row["reason"]]
        self.published = list(published)
        self._found: dict[tuple[str, str, str], list[tuple[str, str, Spread]]] = {}
        for (experiment, setting, model, method, metric), value in spreads_by(self.rows, KEY).items():
            self._found.setdefault((setting, method, metric), []).append((experiment, model, value))

    @classmethod
    def read(cls, files: Iterable[PathLike], published: PathLike, artifact: str) -> Measured:
        """Return the values of the files and, of the published ones, those that the paper prints in the artifact."""
        known = [row for row in read_csv(published, PUBLISHED_COLUMNS) if artifact in row["artifact"].split()]
        return cls(read_merged(files), known)

    def of_seeds(self, seeds: Iterable[int | str]) -> Measured:
        """Return the values of some seeds, with those that no seed changes; reasons and published values stay."""
        wanted = {ALL_SEEDS, *map(str, seeds)}
        return Measured([*(row for row in self.rows if row["seed"] in wanted), *self.reasons], self.published)

    def cell(
        self,
        setting: str,
        method: str,
        metric: str,
        *,
        experiment: str | None = None,
        model: str | None = None,
        otherwise: str = NOT_MEASURED,
    ) -> Spread | Missing:
        """Return a measured value with its spread, or the reason why there is none.

        Raises ValueError if several experiments or models have such a value and the call names none.
        """
        found = [
            (name, about, value)
            for name, about, value in self._found.get((setting, method, metric), [])
            if experiment in (None, name) and model in (None, about)
        ]
        if len(found) > 1:
            which = ", ".join(f"{name} with {about}" for name, about, _ in found)
            raise ValueError(f"{setting}/{method}/{metric} was measured for {which}: name experiment and model")
        if found:
            return found[0][2]
        reason = self.reason(setting, method, metric, experiment=experiment, model=model)
        return Missing(sentence(reason) if reason else otherwise)

    def number(
        self,
        setting: str,
        method: str,
        metric: str,
        *,
        experiment: str | None = None,
        model: str | None = None,
        otherwise: str = NOT_MEASURED,
    ) -> float | Missing:
        """Return a measured value that does not vary over seeds, or their mean; else as `cell`."""
        value = self.cell(setting, method, metric, experiment=experiment, model=model, otherwise=otherwise)
        return value if isinstance(value, Missing) else value.mean

    def reason(
        self,
        setting: str = "",
        method: str = "",
        metric: str = "",
        *,
        experiment: str | None = None,
        model: str | None = None,
    ) -> str | None:
        """Return why such a value is missing, as it was written; None if nobody said.

        What a reason leaves open holds for all; a question that leaves something open takes reasons on all of it only.
        """
        for row in self.reasons:
            asked = (("setting", setting), ("method", method), ("metric", metric))
            if (
                experiment in (None, row["experiment"])
                and (model is None or row["model"] in ("", model))
                and all(row[column] in ("", value) for column, value in asked)
            ):
                return row["reason"]
        return None

    def settings_of(self, metric: str) -> list[str]:
        """Return the settings in which a metric was measured: in the paper's order, then by name."""
        known = list(dict.fromkeys(row["setting"] for row in self.published if row["metric"] == metric))
        found = sorted({row["setting"] for row in self.rows if row["metric"] == metric})
        return [name for name in known if name in found] + [name for name in found if name not in known]

    def published_value(
        self, setting: str, method: str, metric: str, *, experiment: str | None = None, model: str | None = None
    ) -> float | None:
        """Return the paper's value, None if it gives none. Raises ValueError if several fit what the call names."""
        asked = (("setting", setting), ("method", method), ("metric", metric), ("experiment", experiment))
        found = [
            float(row["value"])
            for row in self.published
            if all(value in (None, row[column]) for column, value in (*asked, ("model", model)))
        ]
        if len(found) > 1:
            raise ValueError(f"{len(found)} published values of {setting}/{method}/{metric}: name experiment and model")
        return found[0] if found else None

    def prints(self, setting: str, metric: str) -> bool:
        """Return whether the paper prints a metric in a setting, for any method."""
        return any((row["setting"], row["metric"]) == (setting, metric) for row in self.published)

    def count(self, setting: str, metric: str) -> int | None:
        """Return what a metric's values were averaged over: the largest n, where some methods have fewer."""
        found = [int(r["n"]) for r in self.rows if (r["setting"], r["metric"]) == (setting, metric)]
        return max(found, default=None)

    def published_note(self, model: str, dataset: str) -> list[str]:
        """Say from where the published values are, and for which model if it is another one than the run's."""
        if not self.published:
            return []
        models = sorted({row["model"] for row in self.published})
        note = f"Published: {self.published[0]['source']}."
        if models != [model]:
            note += (
                f" It is about {', '.join(models)}; this run about {model} on {dataset},"
                " so the columns are no comparison of like with like."
            )
        return [note]


def sentence(text: str) -> str:
    """Return a reason as a sentence: a capital letter first, a full stop last."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
