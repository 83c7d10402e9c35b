"""`georecall doctor`: is the installation one piece, and what does it stand on?"""

from pathlib import Path
from typing import Any

import click

import georecall
from georecall.theory.tools.version import VERSION, installed
from georecall.verify.cli.options import answering

DEPENDENCIES = (
    *("numpy", "scipy", "sympy", "matplotlib", "hypothesis", "pandas", "rich", "click", "safetensors"),
    *("latex2mathml", "python-flint", "z3-solver", "jax", "optax", "onnx", "onnxruntime"),
    *("dask", "distributed", "numba"),
)


def _show(report: dict[str, Any]) -> None:
    from georecall.verify.cli.terminal import console, table

    shown = table("", "", "", show_header=False)
    shown.add_row("georecall", report["version"], "ok")
    shown.add_row("python", report["python"], "")
    shown.add_row("origin", "", report["origin"])
    for name, version in report["dependencies"].items():
        shown.add_row(name, version or "[dim]not installed[/dim]", "")
    for pool in report["blas"]:
        shown.add_row(str(pool["library"]), str(pool["version"]), f"{pool['threads']} threads")
    console().print(shown)


@click.command(name="doctor")
@answering(_show)
def command() -> dict[str, Any]:
    """Show origin and version of the package, the dependencies and the BLAS threads.

    Exit status: 0 if the code agrees with the installed version, else 2.
    """
    report = examine()
    if report["problems"]:
        raise click.ClickException("; ".join(report["problems"]))
    return report


def examine() -> dict[str, Any]:
    """Origins, versions and threads, as `doctor --json` prints them."""
    import platform

    problems = []
    if (there := installed("georecall")) not in (None, VERSION):
        problems.append(f"the installed distribution is {there}, the code is {VERSION}: install again")
    return {
        "ok": not problems,
        "problems": problems,
        "version": VERSION,
        "origin": str(Path(georecall.__file__).resolve().parent),
        "python": platform.python_version(),
        "dependencies": {name: installed(name) for name in DEPENDENCIES},
        "blas": _blas(),
    }


def _blas() -> list[dict[str, Any]]:
    import numpy  # noqa: F401  (loads the BLAS that is asked about)
    from threadpoolctl import threadpool_info

    asked = {"library": "internal_api", "version": "version", "threads": "num_threads"}
    return [{name: pool.get(there) for name, there in asked.items()} for pool in threadpool_info()]
