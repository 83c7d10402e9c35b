"""One page that states every claim and shows what came out when it was checked."""

from georecall.verify.report.content import Content, gather
from georecall.verify.report.page import page

__all__ = ["Content", "gather", "page"]
