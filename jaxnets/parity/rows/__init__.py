"""Rows of the table that compare more than one call: update rules, training runs, a finding."""

from jaxnets.parity.rows.finding import tutorial_row
from jaxnets.parity.rows.training_runs import TRAINING, training_row
from jaxnets.parity.rows.update_rules import optimizer_row

__all__ = ["TRAINING", "optimizer_row", "training_row", "tutorial_row"]
