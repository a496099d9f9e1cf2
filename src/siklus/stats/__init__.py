"""Pure statistics on numpy arrays: scores and their intervals, paired comparisons, reference profiles.

Nothing here knows a contract, a file or a clock: values come in, values go out, chance comes as a seed.
`profile` needs numpy and msgspec only, so that a server can count with it; the rest also needs scipy.
"""
