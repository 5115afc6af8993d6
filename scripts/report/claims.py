"""Claims of the papers as data, and the rule by which a tier's measurements decide them.

A claim says that one side measures better than the other. Both sides are looked up among the measured values and
paired by seed; settings that a query matches together are averaged within a seed. The rule, fixed before any tier runs:

- interval: Student's 95 % over the paired differences; where a single value has a standard error, the normal
  approximation with both sides taken as independent; counted values have no interval;
- verdict: `holds` or `contrary` by the sign of the difference if its p-value passes the Benjamini-Hochberg procedure
  at 5 % over all claims that the tier measured, else `not told apart`; `not run` and why, where a side is missing;
- a claim with a margin holds if the first side is better, or worse by less than the margin.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.spread import spread, t_chance

HOLDS, CONTRARY, UNDECIDED, NOT_RUN = "holds", "contrary", "not told apart", "not run"
VERDICTS = (HOLDS, CONTRARY, UNDECIDED, NOT_RUN)
LEVEL = 0.05
"""Share of false ones among the verdicts `holds` and `contrary` of a tier that the procedure allows on average."""
QUERY = ("experiment", "setting", "model", "method", "metric")
NEEDED = ("paper", "where", "claim", "better", "worse", "query", "tiers")
BESIDE = ("base", "all")
KEYS = (*NEEDED, *BESIDE, "published", "lower", "margin", "counted", "error")
CLAIM_COLUMNS = (
    "claim", "paper", "where", "text", "tier", "metric", "published", "difference", "low", "high", "n", "p_value",
    "verdict", "reason", "better_mean", "worse_mean", "base_mean", "all_mean",
)  # fmt: skip
"""published: the printed difference; difference, low, high: better minus worse with its 95 % interval; better_mean,
worse_mean: what was subtracted; base_mean, all_mean: what the untouched model and all data reach, if that was measured.
"""
UNITS = (("_percent", "points", 1.0), ("exact_match", "points", 100.0), ("accuracy", "points", 100.0),
         ("nats_per_token", "nats a token", 1.0), ("auc", "AUC", 1.0), ("_1_to_10", "grades", 1.0))  # fmt: skip
"""Ending of a metric's name, the unit of its differences, and what they are multiplied by."""
NOT_MEASURED = "this tier does not measure it"


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim of a paper, or one beyond the papers (`where` says so).

    better, worse: what tells the sides apart, keys of `QUERY` (patterns with * in experiment and setting), or `value`,
    a constant; query: what both share; tiers: {tier: further keys of both}, those that measure it; published: further
    keys for the published values, None where the paper prints no such pair; base, all: keys of the untouched model and
    of all data, which are shown beside and decide nothing; lower: whether the lower value is the better one; margin:
    see the rule; counted: both are counts without chance; error: metric of a standard error.
    """

    name: str
    paper: str
    where: str
    claim: str
    better: Mapping[str, Any]
    worse: Mapping[str, Any]
    query: Mapping[str, Any]
    tiers: Mapping[str, Mapping[str, Any]]
    published: Mapping[str, Any] | None = None
    lower: bool = False
    margin: float = 0.0
    counted: bool = False
    error: str | None = None
    base: Mapping[str, Any] | None = None
    all: Mapping[str, Any] | None = None

    def side(self, which: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the query of a side ("better", "worse", "base", "all"); given: further keys of a tier or the paper."""
        own = {key: value for key, value in given.items() if key in QUERY}
        return {**self.query, **own, **(getattr(self, which) or {}), **given.get(which, {})}


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a tier says of a claim: better minus worse (the other way round where lower is better), its 95 % interval,
    the pairs or rows it is of, the p-value; `reason` where it was not run. better, worse: the means of the two sides.
    """

    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    p_value: float | None = None
    counted: bool = False
    reason: str = ""
    better: float | None = None
    worse: float | None = None


def unit_of(metric: str) -> tuple[str, float]:
    """Return the unit of a metric's differences and their factor; numbers of operations have a unit of their own."""
    return next(((unit, factor) for ending, unit, factor in UNITS if metric.endswith(ending)), ("operations", 1.0))


def read_claims(content: Any, path: str) -> list[Claim]:
    """Return the claims of config/published/claims.yaml. Raises `UserError` naming the claim and the key."""
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected claims by name, found {type(content).__name__}")
    claims = []
    for name, row in content.items():
        for key in row:
            if key not in KEYS:
                raise UserError(f"{path}: {name}.{key}: unknown key{did_you_mean(key, list(KEYS))}")
        missing = [key for key in NEEDED if key not in row]
        if missing:
            raise UserError(f"{path}: {name}.{missing[0]}: is missing; every claim gives {', '.join(NEEDED)}")
        claims.append(Claim(name, **row))
    return claims


def values_of(query: Mapping[str, Any], rows: Sequence[Mapping[str, str]]) -> dict[str, tuple[float, int]]:
    """Return {seed: (value, what it was averaged over)} of the rows that a query matches, averaged over its settings.

    Raises `UserError` if one seed has two values of one setting: then the query does not tell two measurements apart.
    """
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for row in rows:
        if not all(_matches(key, query[key], row[key]) for key in QUERY if key in query):
            continue
        seen = found.setdefault(row["seed"], {})
        value = (float(row["value"]), int(row["n"]))
        if seen.setdefault(row["setting"], value) != value:
            told = ", ".join(f"{key} {value}" for key, value in query.items())
            raise UserError(
                f"claims: two values for {told}, setting {row['setting']}, seed {row['seed']}; name more keys"
            )
    return {
        seed: (math.fsum(value for value, _ in by.values()) / len(by), max(n for _, n in by.values()))
        for seed, by in found.items()
    }


def _matches(key: str, wanted: Any, value: str) -> bool:
    if key in ("experiment", "setting"):
        return fnmatch.fnmatchcase(value, str(wanted))
    return value == str(wanted)


def find(claim: Claim, tier: str, rows: Sequence[Mapping[str, str]], reasons: Sequence[Mapping[str, str]]) -> Finding:
    """Return what a tier's measured values say of a claim. rows: those with values; reasons: those that say why not."""
    if tier not in claim.tiers:
        return Finding(reason=NOT_MEASURED)
    sides: list[dict[str, tuple[float, int]]] = []
    errors = []
    for which in ("better", "worse"):
        query = claim.side(which, claim.tiers[tier])
        if "value" in query:
            sides.append({})
            errors.append(0.0)
            continue
        found = values_of(query, rows)
        if not found:
            return Finding(reason=_reason(query, reasons))
        sides.append(found)
        errors.append(_error({**query, "metric": claim.error}, rows) if claim.error else 0.0)
    constant = claim.worse.get("value")
    sign = -1.0 if claim.lower else 1.0
    if constant is not None:
        pairs = {seed: (value, float(constant)) for seed, (value, _) in sides[0].items()}
    else:
        pairs = {seed: (sides[0][seed][0], sides[1][seed][0]) for seed in sides[0] if seed in sides[1]}
    if not pairs:
        return Finding(reason="the two sides have no seed in common")
    differences = [sign * (first - second) for first, second in pairs.values()]
    n = len(pairs) if len(pairs) > 1 else max(n for side in sides for _, n in side.values())
    better, worse = (math.fsum(pair[place] for pair in pairs.values()) / len(pairs) for place in (0, 1))
    if claim.counted:
        return Finding(differences[0], n=n, counted=True, better=better, worse=worse)
    if claim.error:
        found_of = _of_errors(differences[0], math.hypot(*errors), n, claim.margin)
    else:
        found_of = _of_pairs(differences, n, claim.margin)
    return dataclasses.replace(found_of, better=better, worse=worse)


def beside(claim: Claim, which: str, tier: str, rows: Sequence[Mapping[str, str]]) -> float | None:
    """Return what the untouched model ("base") or all data ("all") reach, the mean over the seeds; None if unknown."""
    given = claim.tiers.get(tier)
    if given is None or (getattr(claim, which) is None and which not in given):
        return None
    values = values_of(claim.side(which, given), rows)
    return math.fsum(value for value, _ in values.values()) / len(values) if values else None


def _reason(query: Mapping[str, Any], reasons: Sequence[Mapping[str, str]]) -> str:
    for row in reasons:
        if all(key not in query or row[key] == "" or _matches(key, query[key], row[key]) for key in QUERY):
            return row["reason"]
    return "not measured in this run"


def _error(query: Mapping[str, Any], rows: Sequence[Mapping[str, str]]) -> float:
    found = values_of(query, rows)
    if not found:
        raise UserError(f"claims: no standard error {query['metric']} is measured for {query.get('method', 'a side')}")
    return next(iter(found.values()))[0]


def _of_pairs(differences: Sequence[float], n: int, margin: float) -> Finding:
    told = spread(differences)
    if told.std is None:
        return Finding(told.mean, n=n)
    error = told.std / math.sqrt(told.n)
    shifted = told.mean + margin
    if error == 0:
        p_value = 0.0 if shifted else 1.0
    else:
        p_value = 1 - t_chance(abs(shifted) / error, told.n - 1)
    return Finding(told.mean, told.low, told.high, n, p_value)


def _of_errors(difference: float, error: float, n: int, margin: float) -> Finding:
    if error == 0:
        return Finding(difference, n=n)
    p_value = math.erfc(abs(difference + margin) / error / math.sqrt(2))
    return Finding(difference, difference - 1.96 * error, difference + 1.96 * error, n, p_value)


def decided(p_values: Sequence[float | None], level: float = LEVEL) -> list[bool]:
    """Return which p-values pass the Benjamini-Hochberg procedure; those without one never do."""
    known = sorted(value for value in p_values if value is not None)
    passing = [value for place, value in enumerate(known, start=1) if value <= level * place / len(known)]
    limit = max(passing, default=-1.0)
    return [value is not None and value <= limit for value in p_values]


def verdicts(claims: Sequence[Claim], findings: Sequence[Finding]) -> list[str]:
    """Return the verdict of each claim of one tier."""
    passed = decided([finding.p_value for finding in findings])
    found = []
    for claim, finding, sure in zip(claims, findings, passed, strict=True):
        if finding.difference is None:
            found.append(NOT_RUN)
        elif not (sure or finding.counted):
            found.append(UNDECIDED)
        else:
            shifted = finding.difference + claim.margin
            found.append(HOLDS if shifted > 0 else CONTRARY if shifted < 0 else UNDECIDED)
    return found


def published_difference(claim: Claim, published: Sequence[Mapping[str, str]]) -> float | None:
    """Return the difference that the paper prints, averaged over the settings of the query; None if it prints none."""
    if claim.published is None:
        return None
    sides = []
    for which in ("better", "worse"):
        query = claim.side(which, claim.published)
        if "value" in query:
            sides.append(float(query["value"]))
            continue
        found = [row for row in published if all(_matches(k, query[k], row[k]) for k in QUERY if k in query)]
        if not found:
            raise UserError(f"claims: {claim.name}.published: no published value for {dict(query)}")
        sides.append(math.fsum(float(row["value"]) for row in found) / len(found))
    return (-1.0 if claim.lower else 1.0) * (sides[0] - sides[1])


def directions(claims: Sequence[Mapping[str, str]]) -> tuple[int, int]:
    """Return how many measured differences have the sign of the printed one, and how many have a printed one at all."""
    both = [
        float(claim["difference"]) * float(claim["published"])
        for claim in claims
        if claim["difference"] and claim["published"]
    ]
    return sum(product > 0 for product in both), len(both)
