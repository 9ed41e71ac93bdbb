"""HTTP: health, readiness, metrics, and our own endpoints about deliveries; Alertmanager's API comes with its issue.

It answers from what it is given; it decides nothing and changes no state but through the intake.
"""
