"""Which sizes a problem makes sense at."""


def check_size(name: str, value: int, *, least: int, step: int = 1) -> None:
    """Raise ValueError unless value is one of least, least + step, least + 2 step, ...

    Indices that leave the variables on one side come back on the other in numpy: a size too small
    for a problem would silently give another problem.
    """
    if value < least or (value - least) % step:
        allowed = (
            f"at least {least}" if step == 1 else f"one of {least}, {least + step}, {least + 2 * step}, ..."
        )
        raise ValueError(f"{name} must be {allowed}, got {value}")
