import pytest

from watcher.lib.exitcodes import read_exit

READ = [
    (0, None, "exited without error"),
    (1, "Error", "application error"),
    (2, "Error", "wrong use of a shell command, or a Go panic"),
    (3, None, "application error"),
    (125, None, "the container could not be run"),
    (126, None, "command is not executable"),
    (127, "ContainerCannotRun", "command not found"),
    (128, "StartError", "the container could not be started"),
    (130, None, "interrupted (SIGINT)"),
    (134, None, "aborted (SIGABRT)"),
    (137, "Error", "killed (SIGKILL)"),
    (137, "OOMKilled", "killed for using more memory than it may"),
    (2, "OOMKilled", "killed for using more memory than it may"),
    (0, "OOMKilled", "killed for using more memory than it may"),
    (137, "ContainerStatusUnknown", "its end was not seen: the container was gone"),
    (139, None, "segmentation fault (SIGSEGV)"),
    (143, "Error", "asked to stop (SIGTERM)"),
    (159, None, "forbidden system call (SIGSYS)"),
    (162, None, "ended by signal 34"),
    (200, None, "application error"),
    (255, "Unknown", "found dead after its node or runtime restarted"),
    (255, "Error", "exit status -1 or unknown"),
    (-1, None, "application error"),
    (3221225477, None, "application error"),
]


@pytest.mark.parametrize(("code", "reason", "words"), READ, ids=[f"{code} {reason}" for code, reason, _ in READ])
def test_an_exit_code_is_said_in_words(code: int, reason: str | None, words: str) -> None:
    assert read_exit(code, reason) == words


@pytest.mark.parametrize("reason", [None, "Error", "Completed", "ContainerStatusUnknown", "Unknown"])
def test_137_without_the_reason_is_never_called_a_lack_of_memory(reason: str | None) -> None:
    words = read_exit(137, reason).lower()
    assert "memory" not in words
    assert "oom" not in words
