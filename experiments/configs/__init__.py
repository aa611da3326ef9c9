"""One page per experiment: what it reproduces, its command, its cost, the number to expect."""

import importlib
import pkgutil

from ..config import Config


def pages() -> dict[str, tuple[str, Config]]:
    """The text and the config of every page here, by the page's name."""
    modules = {
        page.name: importlib.import_module(f"{__name__}.{page.name}")
        for page in pkgutil.iter_modules(__path__)
    }
    return {name: (m.__doc__ or "", m.config) for name, m in modules.items()}
