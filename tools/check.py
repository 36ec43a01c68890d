"""Find problems that would end a training, without starting it: ``python tools/check.py CONFIG``."""
from dmsca_mm.errors import exit_on_usage_error
from dmsca_mm.runtime import cli, run


def main() -> None:
    """Parse, check, print that nothing was found."""
    values = cli.parse(cli.parser('Find problems that would end a training, without starting it'))
    run.check(**values)
    print(f'{values["config"]}: nothing found that would keep it from training')


if __name__ == '__main__':
    exit_on_usage_error(main)
