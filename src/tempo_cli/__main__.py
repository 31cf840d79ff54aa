"""`python -m tempo_cli` is the `tempo` command."""

from .cli.main import main

if __name__ == "__main__":
    main()
