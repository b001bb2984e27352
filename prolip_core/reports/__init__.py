"""The report for people who decide: one content model (`content`, made by `build`), three writers that only lay it out."""

from prolip_core.reports.build import build
from prolip_core.reports.content import Report
from prolip_core.reports.source import Choices, Source

__all__ = ["Choices", "Report", "Source", "build"]
