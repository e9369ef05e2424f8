"""The custom resource's Lambda is directly in processing/, as in its package."""

import sys

from tests.unit.template.stack import ROOT

sys.path.insert(0, str(ROOT / "processing"))
