"""An evaluated model: its report, kept files, figures and first predictions."""
