"""Use the fixture that calls commands."""

from tests.commands import call as call
