"""Pure decisions on plain numbers: no files, no torch, no clock, no chance."""
