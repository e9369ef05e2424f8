"""What `templates/drift.html` shows of a Drift and a QualityChange."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.drift import Drift, FeatureTest, QualityChange
from model.change import Change
from model.drift_words import data_change, error_change
from web.histograms import HistogramPlot, histogram_plot

# The most features in view; a page folds the others.
_SHOWN = 20


@dataclass(frozen=True)
class Feature:
    """A feature's tests, and its histogram, if there is one."""

    name: str
    tests: Sequence[FeatureTest]
    histogram: HistogramPlot | None

    @property
    def drifted(self) -> bool:
        """Whether any of its tests found a drift."""
        return any(test.drifted for test in self.tests)


@dataclass(frozen=True)
class DriftView:
    """The sentences on data and error, the features that drifted, and the others, which are folded."""

    drift: Drift | None
    data: Change
    error: Change
    shown: Sequence[Feature]
    folded: Sequence[Feature]


def drift_view(
    drift: Drift | None,
    change: QualityChange | None,
    package_arn: str = "",
    subject: str = "The upload",
    rows: str = "new test rows",
) -> DriftView:
    """What there is to show. `package_arn` names the approved model if there is no drift that does.

    The subject is compared with the approved model's data; on the rows, its error was measured.
    """
    package_arn = package_arn or (drift.model_package_arn if drift else "")
    features = _features(drift) if drift else []
    shown = min(_SHOWN, sum(feature.drifted for feature in features))
    return DriftView(
        drift,
        data_change(drift, subject),
        error_change(change, package_arn, rows),
        features[:shown],
        features[shown:],
    )


def _features(drift: Drift) -> list[Feature]:
    """Those that drifted first, then the others in their order."""
    by_name: dict[str, list[FeatureTest]] = {name: [] for name in drift.drifted_features}
    for test in drift.tests:
        by_name.setdefault(test.name, []).append(test)
    return [Feature(name, tests, _histogram(tests)) for name, tests in by_name.items()]


def _histogram(tests: Sequence[FeatureTest]) -> HistogramPlot | None:
    found = (test.histogram for test in tests if test.histogram)
    return next((plot for histogram in found if (plot := histogram_plot(histogram))), None)
