"""Run sub-commands of `wsegpc` in this process."""

from click.testing import CliRunner, Result

from pointcept_wsegpc.commands import main


def wsegpc(*arguments) -> Result:
    """What the command ends with: exit_code, stdout, stderr. Unexpected errors are raised."""
    words = [str(word) for word in arguments]
    return CliRunner().invoke(main, words, catch_exceptions=False, prog_name="wsegpc")


def refused(*arguments) -> str:
    """The one line of a command that ends with status 1 before it has said anything."""
    result = wsegpc(*arguments)
    assert result.exit_code == 1, result.output
    line = result.stderr.rstrip("\n")
    assert line.startswith(f"{arguments[0]}: ") and "\n" not in line, line
    return line
