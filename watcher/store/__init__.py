"""The store: tables, the state in SQL, the outbox and the history; and the twin in memory for replay and tests.

It decides nothing: it keeps what the core answered (`Changes`) in one transaction, and gives it back. It reads no
clock (times are arguments), draws no ids, logs nothing, and retries nothing: what failed is a `StoreError`.
"""
