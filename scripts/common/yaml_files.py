"""Reading YAML; a module of its own because not every environment has the library."""

from __future__ import annotations

from typing import Any

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_text


def read_yaml(path: PathLike) -> Any:
    """Return the content of a YAML file. Raises `UserError` if it is missing or broken."""
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, name: PathLike) -> Any:
    """Return the content of a YAML text. Raises `UserError` that calls it `name` if it is broken."""
    import yaml

    # libyaml reads some ten times as fast as PyYAML's own Python; a PyYAML built without it has only the latter.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise UserError(f"{name}: broken YAML ({' '.join(str(error).split())}); mend it") from None
    finally:
        loader.dispose()
