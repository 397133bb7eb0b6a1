"""JSON Schemas of the events that are read and produced, as data.

The folders are laid out like Wikimedia's schema repositories, ``<title>/<version>.yaml``; a name without an
extension, ``latest`` and ``current.yaml`` are links to those files. ``reading/`` holds no event schemas but
reading contracts: what must hold of an incoming event for it to be understood here.
"""
