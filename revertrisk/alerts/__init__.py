"""Surge and silence: alerts on the counts of a stream, with a budget for false alarms."""
