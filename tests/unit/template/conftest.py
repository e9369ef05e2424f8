"""As in the package of the custom resource's Lambda, and in the layer: processing/ is where imports begin."""

import sys

from tests.unit.template.stack import ROOT

sys.path.insert(0, str(ROOT / "processing"))
