"""The console command: its sub-commands, their help, types of options, how they end."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli import wsegpc
from click.testing import CliRunner

from pointcept_wsegpc import __version__
from pointcept_wsegpc.commands import COMMANDS, arguments
from pointcept_wsegpc.jobs.process import StepFailed
from pointcept_wsegpc.jobs.scenes import JobOptions

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_command_itself_needs_no_torch():
    code = (
        "import sys\nfrom pointcept_wsegpc.commands import main\n"
        "main(['--help'], standalone_mode=False)\nassert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert __version__ in wsegpc("--version").stdout
    assert all(f"\n  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name):
    result = wsegpc(name, "--help")
    assert result.exit_code == 0
    examples = result.stdout.partition("Examples:")[2]
    assert f"wsegpc {name}" in examples or f"tools/{name}.sh" in examples


def test_an_unknown_command_names_the_nearest():
    result = wsegpc("regoins")
    assert result.exit_code == 2 and "regions" in result.stderr
    assert wsegpc("qqqq").exit_code == 2


def parsed(kind, text):
    return kind.convert(text, None, None)


def test_types():
    assert parsed(arguments.SIZE, "320x240") == parsed(arguments.SIZE, "320X240") == (240, 320)
    assert parsed(arguments.KEY_VALUE, "a=1,2") == ("a", "1,2")
    assert parsed(arguments.KEY_VALUE, "path=/x/{scene}.npy") == ("path", "/x/{scene}.npy")
    assert parsed(arguments.SHARD, "2/8") == (2, 8)


def test_job_options_arrive_together():
    @click.command
    @arguments.job_options
    def command(jobs):
        click.echo(f"{jobs}")

    words = ["--workers", "3", "--shard", "2/5", "--scheduler", "s.json"]
    said = CliRunner().invoke(command, words).stdout
    assert said == f"{JobOptions(3, (2, 5), 's.json')}\n"


@pytest.mark.parametrize("text", ["320", "320x", "0x240", "320x-1", "1x2x3", "axb", "", "1.5x2"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(click.BadParameter, match="320x240"):
        parsed(arguments.SIZE, text)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "root", "--workers", "0"),
        ("check", "root", "--shard", "3/2"),
        ("regions", "root", "--set", "max_angle"),
        ("synthesize", "--out", "root", "--workers", "-1"),
        ("synthrooms", "--out", "root", "--edition", "huge"),
    ],
)
def test_wrong_values_are_refused_before_the_work(words):
    assert wsegpc(*words).exit_code == 2


def test_several_values_after_one_option():
    words = ["root", "--split", "a", "b", "--set", "x=1", "--split=c", "d"]
    spread = arguments.spread(words, {"--split", "--set"})
    assert spread == ["root", "--split", "a", "--split", "b", "--set", "x=1", "--split=c", "d"]


def ending(error, name="toy"):
    """What a command that raises ends with."""

    @arguments.subcommand(name, "wsegpc toy")
    def command():
        raise error

    return CliRunner().invoke(command)


@pytest.mark.parametrize("error", [ValueError("no\nluck"), StepFailed("no luck")])
def test_wrong_input_is_one_line_and_status_one(error):
    result = ending(error)
    assert (result.exit_code, result.stderr) == (1, "toy: no luck\n")


def test_ctrl_c_has_a_status_of_its_own():
    result = ending(KeyboardInterrupt())
    assert result.exit_code == 130 and "the same command goes on" in result.stderr


def test_ctrl_c_while_a_command_is_imported(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pointcept_wsegpc.commands.importlib.import_module", interrupt)
    result = wsegpc("check", "anything")
    assert result.exit_code == 130 and "interrupted" in result.stderr


def test_other_errors_are_not_hidden():
    assert isinstance(ending(TypeError("bug")).exception, TypeError)


def test_every_command_has_a_door():
    """tools/<sub_command>.py is the command."""
    doors = [REPOSITORY / f"tools/{n.replace('-', '_')}.py" for n in COMMANDS]
    assert all(path.is_file() for path in doors)
    result = subprocess.run([sys.executable, doors[1], "--help"], capture_output=True, text=True)
    assert result.stdout == wsegpc("link", "--help").stdout
