"""JAX as it is shipped, whatever environment variables say: numbers must not depend on who runs it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from georecall.theory.tools.errors import MissingExtraError

_SHIPPED = {
    "jax_enable_x64": False,
    "jax_numpy_rank_promotion": "allow",
    "jax_numpy_dtype_promotion": "standard",
    "jax_default_matmul_precision": None,
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_disable_jit": False,
    "jax_random_seed_offset": 0,
    "jax_transfer_guard": None,
}
"""What decides numbers or refuses operations, as JAX has it where no environment variable says otherwise."""


def started() -> Any:
    """JAX, with a device.

    Raises:
        MissingExtraError: it is not installed, or does not start.
    """
    try:
        import jax

        jax.devices()
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name or 'JAX'} is not installed: pip install 'georecall[learn]'"
        ) from error
    except (AssertionError, RuntimeError, ValueError) as error:  # JAX_PLATFORMS=cuda, =abacus, X64=perhaps
        why = str(error) or f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}"
        raise MissingExtraError(f"JAX does not start as its environment variables ask: {why}") from error
    return jax


@contextmanager
def as_shipped(**but: Any) -> Iterator[Any]:
    """JAX as it is shipped but for what is named, `jax_enable_x64` for example; afterwards as it was."""
    jax = started()
    before = {name: getattr(jax.config, name) for name in _SHIPPED}
    for name, value in (_SHIPPED | but).items():
        jax.config.update(name, value)
    try:
        yield jax
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
