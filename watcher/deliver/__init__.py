"""Adapters to the outside world of receivers: a notification in; delivered, try later or give up out.

One module per channel: a pure `payload` that renders the message by the channel's own means and limits, and a Sender
that carries it there. Nothing here decides whether or when something is sent or tried again, keeps state that a
restart would miss, or lets a secret (addresses hold tokens) into a log line, an error or an outcome.
"""
