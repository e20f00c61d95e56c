"""Everything that touches the disk: files that are whole or not there, parameters, checkpoints."""
