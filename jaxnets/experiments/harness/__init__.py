"""The parts that experiments share: flags, reports, and to run, save, draw, print and end."""
