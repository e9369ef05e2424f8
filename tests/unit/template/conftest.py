"""As in the package of the custom resource's Lambda, and in the layer: processing/ is where imports begin.

The names of runs are in functions/.
"""

import sys

from tests.unit.template.stack import ROOT

sys.path[:0] = [str(ROOT / "processing"), str(ROOT / "functions")]
