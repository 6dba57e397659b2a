"""The only package that knows Prefect: it composes the field, runs the chain and reports.

`build_domain_model` is loaded when it is used, so that Prefect's own start-up (which imports `flows.plugin`) stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.build import build_domain_model
    from flows.config import FieldConfig, load_field

__all__ = ["FieldConfig", "build_domain_model", "load_field"]


def __getattr__(name: str) -> Any:
    if name == "build_domain_model":
        from flows.build import build_domain_model

        return build_domain_model
    if name in ("FieldConfig", "load_field"):
        import flows.config

        return getattr(flows.config, name)
    raise AttributeError(name)
