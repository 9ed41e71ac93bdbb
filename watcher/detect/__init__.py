"""Stage 1: observations -> what is remembered of a pod, and signals. One module per subject.

Values in, values out: no I/O, no clock, no rules, nothing about alerts. Facts: docs/signals.md names each field;
the field-by-field behaviour of Kubernetes is cited where it is used.
"""
