"""The instances of `sealed` as pandas holds them."""

import numpy as np
import pandas as pd

FRAME = pd.DataFrame(
    {
        "distance": [100.5, np.nan, -2],
        "seats": [3, None, 0],
        "carrier": ["UA", None, "ZZ"],
        "is late": [True, None, False],
        "time_hour": ["2013-01-02T05:00:00", "2013-01-07T23:00:00", "2013-01-06T00:00:00Z"],
        "wind": [1.0, 0.0, 2.5],
    }
)
