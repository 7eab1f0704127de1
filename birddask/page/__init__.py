"""The page that ``birddask report`` writes: what was heard, and what was listened to."""
