"""The ``revertrisk`` command and the demo: the one package that knows all the others."""
