"""What a check says, and how it is reached from margins."""
