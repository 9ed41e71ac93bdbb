"""The vocabulary: frozen records and enums that every other room speaks.

Nothing here decides, reads a clock, does I/O or imports anything of ours. Records are msgspec Structs because
they are five to ten times quicker to make and to change than dataclasses, and because what is stored or recorded
is simply their encoding.
"""
