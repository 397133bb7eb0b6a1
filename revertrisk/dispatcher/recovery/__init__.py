"""Recovery after an outage: sends given-up events again, and finds missing predictions."""
