"""Watcher sees what breaks in a Kubernetes cluster and tells people once, with the cause and the evidence."""

from importlib.metadata import version

__version__ = version("watcher")
