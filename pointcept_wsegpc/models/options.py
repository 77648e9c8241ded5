"""Values of a model's options that cannot be meant, refused before anything is built."""

import math


def check_choice(name, value, known):
    """Raise ValueError for a value that is not among the known ones."""
    if value not in known:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(known)}")


def check_ranges(low, high=math.inf, **values):
    """Raise ValueError for a value outside low..high, ends included; NaN is outside."""
    for name, value in values.items():
        if not low <= value <= high:
            expected = f"at least {low}" if high == math.inf else f"{low} to {high}"
            raise ValueError(f"{name} is {value}; expected {expected}")
