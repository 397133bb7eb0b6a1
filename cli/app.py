"""The ``revertrisk`` command. Each subcommand imports its program only when it runs."""

import os
import sys
from typing import Annotated

import typer

app = typer.Typer(
    name="revertrisk",
    help="Score wiki edits for revert risk, and publish each prediction through EventGate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

HostOption = Annotated[str, typer.Option("--host", help="Address to listen on.")]


@app.callback()
def revertrisk() -> None:
    """Score wiki edits for revert risk, and publish each prediction through EventGate."""


@app.command()
def serve(
    http_host: Annotated[
        str | None, typer.Option(help="Address of the HTTP listener [env: HTTP_HOST].")
    ] = None,
    http_port: Annotated[
        int | None, typer.Option(help="HTTP port, 0 for any free one [env: HTTP_PORT].")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="gRPC port, 0 for any free one [env: GRPC_PORT].")
    ] = None,
) -> None:
    """Run the KServe model server; every other setting comes from the environment."""
    from model_server.__main__ import main as run_server  # noqa: PLC0415 - torch and kserve load here only

    flags = {"http_host": http_host, "http_port": http_port, "grpc_port": grpc_port}
    raise typer.Exit(run_server(**{name: value for name, value in flags.items() if value is not None}))


def main() -> None:
    """Run the command line."""
    try:
        app()
    except BrokenPipeError:  # the reader of our output has gone: `revertrisk page-changes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
