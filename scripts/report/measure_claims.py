"""Decide every claim of the papers by a tier's measured values; the rule stands in `scripts.report.claims`."""

from __future__ import annotations

import argparse
from typing import Any, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv, write_csv
from scripts.common.metrics import PUBLISHED_COLUMNS, read_metrics, with_value
from scripts.common.yaml_files import read_yaml
from scripts.report.claims import (
    BESIDE,
    CLAIM_COLUMNS,
    Claim,
    Finding,
    beside,
    find,
    published_difference,
    read_claims,
    verdicts,
)


def number(value: float | None) -> str:
    """Return a number as the CSV holds it, an empty text for none."""
    return "" if value is None else f"{value:.9g}"


def claim_row(
    claim: Claim, tier: str, finding: Finding, verdict: str, printed: float | None, shown: Sequence[float | None]
) -> dict[str, Any]:
    """Return what a tier says of a claim as a row of the CSV. shown: what base model and all data reach."""
    metric = claim.side("better", claim.tiers.get(tier, {})).get("metric", "")
    told = (claim.name, claim.paper, claim.where, claim.claim, tier, metric, number(printed))
    measured = [number(value) for value in (finding.difference, finding.low, finding.high)]
    rest = (finding.n if finding.difference is not None else "", number(finding.p_value), verdict, finding.reason)
    means = [number(value) for value in (finding.better, finding.worse, *shown)]
    return dict(zip(CLAIM_COLUMNS, (*told, *measured, *rest, *means), strict=True))


def main(argv: Sequence[str] | None = None) -> None:
    """Decide the claims of one tier."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", required=True, help="YAML: the claims")
    parser.add_argument("--metrics", required=True, help="CSV of all measured values")
    parser.add_argument("--published", required=True, nargs="+", help="CSVs of published values, one a paper")
    parser.add_argument("--papers", required=True, nargs="+", help="papers whose claims are decided")
    parser.add_argument("--tier", required=True)
    parser.add_argument("--claims-out", required=True, help="CSV: a row for each claim, in the order of the YAML")
    args = parser.parse_args(argv)
    claims = [claim for claim in read_claims(read_yaml(args.claims), args.claims) if claim.paper in args.papers]
    metrics = read_metrics(args.metrics)
    published = [
        row for path in args.published for row in read_csv(path, PUBLISHED_COLUMNS) if row["origin"] == "paper"
    ]
    findings, printed, shown = [], [], []
    for claim in claims:
        own = [row for row in metrics if row["paper"] == claim.paper]
        values = with_value(own)
        findings.append(find(claim, args.tier, values, [row for row in own if row["reason"]]))
        shown.append([beside(claim, which, args.tier, values) for which in BESIDE])
        printed.append(published_difference(claim, [row for row in published if row["paper"] == claim.paper]))
    decisions = verdicts(claims, findings)
    rows = [claim_row(*row) for row in zip(claims, [args.tier] * len(claims), findings, decisions, printed, shown)]
    write_csv(args.claims_out, rows, CLAIM_COLUMNS)


if __name__ == "__main__":
    run_step(main)
