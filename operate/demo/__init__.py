"""A small bicycle shop to look around in: its people, its texts, and what customers asked. See `story`."""
