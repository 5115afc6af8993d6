"""What DDG's tables and figures show."""

from __future__ import annotations

from typing import Annotated

from scripts.common.fields import Settings, setting

TaskName = Annotated[str, setting("a row of ddg.tasks", key_of="ddg.tasks")]
MethodName = Annotated[str, setting("a row of ddg.methods, or zero_shot", min_length=1)]


class Table1(Settings):
    """DiLM's Table 1."""

    tasks: list[TaskName] = setting("tasks shown, rows of ddg.tasks", min_length=1, unique=True)
    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)
    dpcs: list[Annotated[int, setting("texts a class", unit="texts", ge=1)]] = setting(
        "sizes shown",
        min_length=1,
        unique=True,
    )


class Table2(Settings):
    """DiLM's Table 2: other learners."""

    learners: list[Annotated[str, setting("a row of ddg.learners", key_of="ddg.learners")]] = setting(
        "learners shown",
        min_length=1,
        unique=True,
    )
    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)
    dpc: int = setting("texts a class", source="DiLM: 20", unit="texts", ge=1)


class Table7(Settings):
    """DiLM's Table 7."""

    dpc: int = setting("texts a class", source="DiLM: 5", unit="texts", ge=1)


class Table8(Table7):
    """DiLM's Table 8."""

    dpc: int = setting("texts a class", source="DiLM: 10", ge=1)


class Table3(Settings):
    """DiLM's Table 3: in context."""

    task: str = setting("a row of ddg.tasks", source="DiLM: SST-2", key_of="ddg.tasks")
    models: list[Annotated[str, setting("a row of config/models.yaml", registry="models")]] = setting(
        "language models asked",
        min_length=1,
    )
    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)
    protocol: str = setting("a row of ddg.in_context.protocols", key_of="ddg.in_context.protocols")
    round: int = setting("texts of each class shown", source="DiLM: 5", unit="texts", ge=1)


class Table4(Settings):
    """DiLM's Table 4: ablation."""

    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)
    dpc: int = setting("texts a class", source="DiLM: 5", unit="texts", ge=1)


class TablePaired(Settings):
    """Differences paired over seeds (beyond the papers)."""

    pairs: list[Annotated[list[MethodName], setting("two methods", min_length=2, max_length=2)]] = setting(
        "differences: the first minus the second",
        min_length=1,
    )


class TableMain(Settings):
    """DDG's main table."""

    tasks: list[TaskName] = setting("tasks shown, rows of ddg.tasks", min_length=1, unique=True)
    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)
    protocol: str = setting("a row of ddg.in_context.protocols", key_of="ddg.in_context.protocols")
    round: int = setting("texts of each class shown", source="DDG: 5", unit="texts", ge=1)


class TableLong(Settings):
    """DDG's table on many classes, by rounds."""

    tasks: list[TaskName] = setting("tasks shown, rows of ddg.tasks", min_length=1, unique=True)
    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)


class TableAblation(Settings):
    """DDG's ablation."""

    tasks: list[TaskName] = setting("tasks shown, rows of ddg.tasks", min_length=1, unique=True)
    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)
    dpc: int = setting("texts a class", unit="texts", ge=1)


class FigureSensitivity(Settings):
    """DDG's sensitivity."""

    task: str = setting("a row of ddg.tasks", key_of="ddg.tasks")
    dpc: int = setting("texts a class of the sweeps", unit="texts", ge=1)
    decay: list[MethodName] = setting("methods whose teacher's decay is swept")
    temperature: list[MethodName] = setting("methods whose temperature is swept")
    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)


class FigureTraining(Settings):
    """DDG's training curve."""

    task: str = setting("a row of ddg.tasks", key_of="ddg.tasks")
    variants: list[Annotated[str, setting("a row of ddg.variants", key_of="ddg.variants")]] = setting(
        "trainings shown",
        min_length=1,
    )


class TableExamples(Settings):
    """DDG's examples."""

    tasks: list[TaskName] = setting("tasks shown, rows of ddg.tasks", min_length=1, unique=True)
    method: str = setting("a row of ddg.methods, or zero_shot", min_length=1)
    n: int = setting("texts of each class shown", unit="texts", ge=1)
