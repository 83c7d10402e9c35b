"""How little could ever do: rigorous floors."""
