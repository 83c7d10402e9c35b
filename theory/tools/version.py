"""The version of georecall, in one place."""

VERSION = "0.1.0"
