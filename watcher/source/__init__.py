"""Sources: what Watcher sees, as observations: the Kubernetes API, evidence on request, and recordings.

This package must not judge: it neither filters by health nor decides what is an alert, and it never writes state.
`client` is the one home of kubernetes_asyncio. What goes out is narrow (watcher.model.kube), whatever came in.
"""
