"""Use the fixtures that call commands."""

from tests.commands import call as call
from tests.commands import run_dir as run_dir
