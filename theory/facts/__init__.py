"""Facts: tables that are held or computed, files of them, questions about them."""
