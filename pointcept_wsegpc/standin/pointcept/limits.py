"""What the stand-in does not do: one line that says so and points to Pointcept."""

INSTALL = (
    "install Pointcept: git clone --branch v1.7.0 https://github.com/Pointcept/Pointcept, "
    "follow its README, then set POINTCEPT_ROOT to that folder"
)


class NotInStandIn(NotImplementedError, KeyError):
    """Only Pointcept has this (a KeyError too: so do Pointcept's registries answer)."""

    def __init__(self, what: str):
        super().__init__(what)  # as pickle calls it again: the text is added once

    def __str__(self) -> str:  # KeyError would show the quoted repr
        return f"{self.args[0]} not part of the stand-in; {INSTALL}"
