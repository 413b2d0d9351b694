"""Assemble the commands."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli import (
    android,
    data,
    debug,
    demo,
    diagnose,
    evaluate,
    export,
    inspect,
    parity,
    predict,
    record,
    report,
    run,
    sign,
    trace,
    train,
    verify,
)
from pipeline.cli.boundary import Boundary

app = typer.Typer(
    name="pipeline",
    cls=Boundary,
    help=(
        "Export a trained Keras image classifier to a TFLite file that carries its own proof.\n\n"
        "Exit codes: 0 ok, 1 gate failed, 2 usage or bad input, 3 environment, 4 inconclusive, "
        "70 a bug in pipeline."
    ),
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    # Help drawn by rich would take a third of its time to import what draws it.
    rich_markup_mode=None,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("export")(export.export)
app.command("parity")(parity.parity)
app.command("verify")(verify.verify)
app.command("evaluate")(evaluate.evaluate)
app.command("record")(record.record)
app.command("sign")(sign.sign)
app.add_typer(android.app, name="android")
app.command("inspect")(inspect.inspect)
app.command("debug")(debug.debug)
app.command("diagnose")(diagnose.diagnose)
app.command("trace")(trace.trace)
app.command("predict")(predict.predict)
app.command("report")(report.report)
app.command("run")(run.run)
app.command("demo")(demo.demo)
