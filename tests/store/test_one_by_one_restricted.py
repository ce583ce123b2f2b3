"""As test_one_by_one.py, for restrictions; apart, for its accounts have the same names."""

from __future__ import annotations

import test_restrictions
from test_one_by_one import new_database as new_database

globals().update({name: thing for name, thing in vars(test_restrictions).items() if name not in globals()})
