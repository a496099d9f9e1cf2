"""What a trained object is called, without importing the library that made it."""


def library_name(step: object) -> str:
    """`sklearn.Ridge`, whatever module of the library it comes from.

    A subclass has its own name: it may do other things.
    """
    kind = type(step)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
