"""The parts of `bench/gpu.py`, each in a module and in a process of its own."""
