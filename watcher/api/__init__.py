"""HTTP: health, readiness, metrics, our own endpoints, and Alertmanager's API v2 (`v2…`).

It answers from what it is given; it decides nothing and changes no state but through the intake.
"""
