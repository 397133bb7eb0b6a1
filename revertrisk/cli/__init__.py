"""The ``revertrisk`` command and the demo. It is the only package that may import all others."""
