"""One page that states every claim and shows what came out when it was checked."""

from verify.report.content import Content, gather
from verify.report.page import page
from verify.report.write import write

__all__ = ["Content", "gather", "page", "write"]
