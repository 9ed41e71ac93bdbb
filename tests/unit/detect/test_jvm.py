"""How much heap a JVM may take, beside its container's limit."""

from __future__ import annotations

import pytest

from watcher.detect.jvm import Heap, heap
from watcher.model.kube import Container, EnvVar

MI = 1 << 20
LIMIT = 512 * MI


def container(*args: str, **env: str) -> Container:
    return Container(args=list(args), env=[EnvVar(name=name, value=value) for name, value in env.items()])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (container("-Xmx512m"), Heap(flag="-Xmx512m", bytes=LIMIT, words="-Xmx512m beside a limit of 512 Mi")),
        (container("-Xmx2G"), Heap(flag="-Xmx2G", bytes=2048 * MI, words="-Xmx2G beside a limit of 512 Mi")),
        (container("-Xmx1048576"), Heap(flag="-Xmx1048576", bytes=MI, words="-Xmx1048576 beside a limit of 512 Mi")),
        (container("-Xmx1024k"), Heap(flag="-Xmx1024k", bytes=MI, words="-Xmx1024k beside a limit of 512 Mi")),
        (
            container("-XX:MaxHeapSize=256m"),
            Heap(flag="-XX:MaxHeapSize=256m", bytes=256 * MI, words="-XX:MaxHeapSize=256m beside a limit of 512 Mi"),
        ),
        (
            container(JAVA_OPTS="-XX:MaxRAMPercentage=75.0"),
            Heap(
                flag="-XX:MaxRAMPercentage=75.0",
                bytes=384 * MI,
                words="-XX:MaxRAMPercentage=75.0 (384 Mi) beside a limit of 512 Mi",
            ),
        ),
        (
            container("-XX:MaxRAMFraction=2"),
            Heap(
                flag="-XX:MaxRAMFraction=2",
                bytes=256 * MI,
                words="-XX:MaxRAMFraction=2 (256 Mi) beside a limit of 512 Mi",
            ),
        ),
        (
            container("-XX:MaxRAM=1g"),
            Heap(flag="-XX:MaxRAM=1g", bytes=256 * MI, words="-XX:MaxRAM=1g (256 Mi) beside a limit of 512 Mi"),
        ),
        (
            container("-XX:MaxRAM=1g -XX:MaxRAMPercentage=50"),
            Heap(
                flag="-XX:MaxRAMPercentage=50",
                bytes=LIMIT,
                words="-XX:MaxRAMPercentage=50 (512 Mi) beside a limit of 512 Mi",
            ),
        ),
    ],
    ids=["Xmx", "gibibytes", "bytes", "kibibytes", "MaxHeapSize", "percentage", "fraction", "MaxRAM", "both"],
)  # fmt: skip
def test_a_flag_tells_the_heap_beside_the_limit(given: Container, expected: Heap) -> None:
    assert heap(given, LIMIT) == expected


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        (container("-Xmx1g -Xmx2g"), "-Xmx2g"),
        (container("-Xmx1g", JAVA_TOOL_OPTIONS="-Xmx2g"), "-Xmx1g"),
        (container("-Xmx1g", JDK_JAVA_OPTIONS="-Xmx2g"), "-Xmx1g"),
        (container("-Xmx1g", _JAVA_OPTIONS="-Xmx2g"), "-Xmx2g"),
        (container(JAVA_TOOL_OPTIONS="-Xmx1g", JAVA_OPTS="-Xmx2g"), "-Xmx2g"),
        (container("-XX:MaxRAMPercentage=80", JAVA_TOOL_OPTIONS="-Xmx1g"), "-Xmx1g"),
        (container(JAVA_OPTS="-XX:MaxRAMPercentage=50", _JAVA_OPTIONS="'-XX:MaxRAMPercentage=60'"),
         "-XX:MaxRAMPercentage=60"),
        (Container(command=["-Xmx1g"], args=["-Xmx3g"]), "-Xmx3g"),
    ],
    ids=["the last", "command line", "launcher's variable", "_JAVA_OPTIONS", "a script's variable", "a size", "quotes",
         "arguments"],
)  # fmt: skip
def test_the_flag_that_the_jvm_reads_last_wins_and_a_size_over_a_percentage(given: Container, flag: str) -> None:
    found = heap(given, 4096 * MI)
    assert found is not None
    assert found.flag == flag


@pytest.mark.parametrize(
    "given", [Container(), container("-Xms512m"), container("-XX:MaxRAMFraction=0"), container("-Xmx")]
)
def test_where_no_flag_tells_it_nothing_is_said(given: Container) -> None:
    assert heap(given, LIMIT) is None


def test_without_a_limit_a_size_is_still_told_and_a_percentage_is_of_nothing_known() -> None:
    assert heap(container("-Xmx1g"), None) == Heap(
        flag="-Xmx1g", bytes=1024 * MI, words="-Xmx1g without a memory limit"
    )
    share = heap(container("-XX:MaxRAMPercentage=50"), None)
    assert share == Heap(
        flag="-XX:MaxRAMPercentage=50", bytes=None, words="-XX:MaxRAMPercentage=50 without a memory limit"
    )
