"""What an exit code says, in words.

The conventions of shells and container runtimes: 125 to 128 mean that nothing was run, 128 + n that signal
n ended the process. A code alone never says why: 137 is SIGKILL, by whomever; only the runtime's reason
OOMKilled makes it a lack of memory, and that reason comes with other codes too.
"""

from typing import Final

_CODES: Final = {
    0: "exited without error",
    1: "application error",
    2: "wrong use of a shell command, or a Go panic",
    125: "the container could not be run",
    126: "command is not executable",
    127: "command not found",
    128: "invalid exit status, or the container could not be started",
    255: "exit status -1 or unknown",
}
_SIGNALS: Final = {
    1: "hung up (SIGHUP)",
    2: "interrupted (SIGINT)",
    3: "quit (SIGQUIT)",
    4: "illegal instruction (SIGILL)",
    5: "trapped (SIGTRAP)",
    6: "aborted (SIGABRT)",
    7: "bus error (SIGBUS)",
    8: "arithmetic error (SIGFPE)",
    9: "killed (SIGKILL)",
    10: "ended by SIGUSR1",
    11: "segmentation fault (SIGSEGV)",
    12: "ended by SIGUSR2",
    13: "broken pipe (SIGPIPE)",
    14: "ended by a timer (SIGALRM)",
    15: "asked to stop (SIGTERM)",
    24: "used too much CPU time (SIGXCPU)",
    25: "wrote too large a file (SIGXFSZ)",
    31: "forbidden system call (SIGSYS)",
}
_LAST_SIGNAL: Final = 64
_REASONS: Final = {
    "OOMKilled": "killed for using more memory than it may",
    "ContainerStatusUnknown": "its end was not seen: the container was gone",
    "StartError": "the container could not be started",
    "ContainerCannotRun": "the container could not be started",
}
_FOUND_DEAD: Final = "found dead after its node or runtime restarted"


def read_exit(code: int, reason: str | None = None) -> str:
    """A few words for an exit code and the runtime's `terminated.reason`, without the code itself.

    The reason goes before the code where it knows more (OOMKilled, StartError, a status that the kubelet made
    up); 126 and 127 keep their own words, which are the more exact ones.
    """
    if reason == "Unknown" and code == 255:
        return _FOUND_DEAD
    if reason in _REASONS and code not in (126, 127):
        return _REASONS[reason]
    if code in _CODES:
        return _CODES[code]
    if 128 < code <= 128 + _LAST_SIGNAL:
        return _SIGNALS.get(code - 128, f"ended by signal {code - 128}")
    return "application error"
