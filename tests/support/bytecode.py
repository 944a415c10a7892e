"""A pytest plugin: Python and pytest write the bytecode of what is imported from now on elsewhere, if they can."""

import os
import sys

sys.pycache_prefix = os.environ["BYTECODE_IN"]
