"""The rule of a setting and its value in words, for the page of all settings and for `--help`."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from scripts.common.schema_faults import KINDS

LONGEST = 60
"""Letters of a value that are shown; the YAML file has the rest."""


def type_text(rule: Mapping[str, Any]) -> str:
    """Return a rule's type in words: "a whole number or null", "a list (text)"."""
    kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
    words = [KINDS[kind] for kind in kinds]
    text = " or ".join(words)
    items = rule.get("items", {})
    return f"{text} ({type_text(items)})" if items.get("type", "object") != "object" else text


def allowed(rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a rule demands beside the type: choices, bounds, form, registry, number of entries."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    if "enum" in rule:
        yield ", ".join(f"`{value_text(choice)}`" for choice in rule["enum"])
    bounds = [f"{sign} {rule[keyword]}" for keyword, sign in signs.items() if keyword in rule]
    if bounds:
        yield " and ".join(bounds)
    if "pattern" in rule:
        yield f"form `{rule['pattern']}`"
    if "minLength" in rule:
        yield "not empty"
    if "registry" in rule:
        yield f"a row of `config/{rule['registry']}.yaml`"
    if "keyOf" in rule:
        yield f"a key of `{rule['keyOf']}`"
    if "named" in rule:
        yield "an entry of `scripts/selection/methods.py`"
    for least, most in (("minItems", "maxItems"), ("minProperties", "maxProperties")):
        if least in rule or most in rule:
            ends = [str(rule[end]) for end in (least, most) if end in rule]
            count = "at least " + ends[0] if len(ends) == 1 else ends[0] if ends[0] == ends[1] else " to ".join(ends)
            yield f"{count} {'entry' if ends[-1] == '1' else 'entries'}"
    if rule.get("uniqueItems"):
        yield "no entry twice"
    if "items" in rule and "properties" not in rule["items"]:
        yield from (f"each: {text}" for text in allowed(rule["items"]))


def value_text(value: Any) -> str:
    """Return a value as YAML has it, on one line; what is longer than LONGEST ends in dots and says its entries."""
    if isinstance(value, str):
        text = value.replace("\n", "\\n") if value.strip() == value and value else f'"{value}"'.replace("\n", "\\n")
    elif value is None or isinstance(value, bool):
        text = str(value).lower().replace("none", "null")
    elif isinstance(value, list):
        text = f"[{', '.join(map(value_text, value))}]"
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{key}: {value_text(inner)}" for key, inner in value.items()) + "}"
    else:
        text = str(value)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}…" + (f" ({len(value)} entries)" if isinstance(value, (list, Mapping)) else "")
