"""The report pages: self-contained HTML, for the meeting and for the file, on a desk and on a phone."""

from .about import About
from .change import Change, change_sections
from .maps import Drawing
from .plan import COLUMNS, write_report
from .workload import write_workload_summary

__all__ = ["COLUMNS", "About", "Change", "Drawing", "change_sections", "write_report", "write_workload_summary"]
