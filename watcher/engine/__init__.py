"""The loops: the writer, the dispatcher, evidence, supervision. They move values between queues, store and core.

No loop decides anything: what is sent, when and why is the pipeline's. No adapter is imported here; the loops know
the ports.
"""
