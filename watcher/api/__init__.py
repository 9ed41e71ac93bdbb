"""HTTP: health, readiness and metrics now; Alertmanager's API and our own come with their issue.

It answers from what it is given; it decides nothing and changes no state but through the intake.
"""
