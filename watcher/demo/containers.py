"""One container on its node: what the kubelet does with it, and the status it writes each time.

A death shows in `state.terminated`; the first restart comes at once; later deaths become `waiting CrashLoopBackOff`
with the termination in `lastState`, for 10 s doubling to 300 s from the time of death, and start anew after ten minutes
of running (client-go util/flowcontrol/backoff.go as the kubelet uses it). A container that exits within a second is
never seen running, since status writes are coalesced. Image pulls alternate ErrImagePull and ImagePullBackOff on a
back-off of their own. What this means for the pod (phase, conditions, deletion) is in lifecycle.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from watcher.demo.behaviour import (
    Behaviour,
    CannotPull,
    CannotStart,
    Die,
    Run,
    back_off_text,
    go_duration,
    pull_failure,
)
from watcher.demo.clock import Handle, parse_time, rfc3339
from watcher.demo.events import Note
from watcher.demo.names import container_id, fraction, image_id
from watcher.demo.pods import Container, running, terminated, waiting
from watcher.demo.resources import JsonObject

_FIRST = timedelta(seconds=10)
_LIMIT = timedelta(seconds=300)
_RESET = 2 * _LIMIT
_COALESCED = timedelta(seconds=1)
# The kubelet syncs a pod that it could not start about this often.
_RESYNC = timedelta(seconds=12)
_PROBE_PERIOD = timedelta(seconds=10)
_PULL_TIME = timedelta(seconds=1.2)


class BackOff:
    """flowcontrol.Backoff for one key: 10 s, doubling, at most 300 s, forgotten after 600 s without use."""

    def __init__(self) -> None:
        self.delay = timedelta()
        self.updated: datetime | None = None

    def blocks(self, since: datetime, now: datetime) -> bool:
        """Whether a retry must still wait, counted from `since`."""
        if self.updated is None or since - self.updated > _RESET:
            return False
        return now - since < self.delay

    def next(self, now: datetime) -> None:
        """A try is made: the next one waits longer."""
        if self.updated is None or now - self.updated > _RESET:
            self.delay = _FIRST
        else:
            self.delay = min(self.delay * 2, _LIMIT)
        self.updated = now


class Home(Protocol):
    """The pod, as its containers see it (lifecycle.PodRun)."""

    modern: bool

    @property
    def uid(self) -> str: ...

    @property
    def title(self) -> str:
        """`name_namespace(uid)`, as in the kubelet's messages."""
        ...

    def now(self) -> datetime: ...

    def after(self, delay: timedelta, action: Callable[[], None]) -> Handle: ...

    def write(self) -> None:
        """Write the status of the pod."""
        ...

    def note(self, note: Note) -> None: ...

    def log(self, container_id: str, lines: Iterable[str]) -> None: ...

    def forget_log(self, container_id: str) -> None: ...

    def started(self, container: ContainerRun) -> None:
        """A container runs."""
        ...

    def ended(self, container: ContainerRun) -> bool:
        """A container has ended; whether it is to be started again."""
        ...

    def cached(self, image: str) -> bool:
        """Whether the node has the image; it has from then on."""
        ...


def healthy(container: Container) -> Behaviour:
    """What a container does when all is well: init containers end, the others stay."""
    return Die(exit=0, after=timedelta(seconds=2)) if container.kind == "init" else Run()


class ContainerRun:
    """State and flow of one container."""

    def __init__(self, home: Home, template: Container, behaviour: Behaviour) -> None:
        self.home = home
        self.template = template
        self.behaviour = behaviour
        self.state: JsonObject = waiting("ContainerCreating")
        self.last: JsonObject = {}
        self.restarts = 0
        self.ready = False
        self.identity = ""
        """The id of the present or last instance; empty before the first."""
        self.begun = False
        """Its turn has come, whether or not it could be started."""
        self._deaths = 0
        self._back_off = BackOff()
        self._pulls = BackOff()
        self._due: Handle | None = None
        self._probing: Handle | None = None

    @property
    def is_init(self) -> bool:
        return self.template.kind == "init"

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """None: it has not ended."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    def status(self) -> JsonObject:
        """As in containerStatuses."""
        status: JsonObject = {"name": self.template.name, "state": self.state, "lastState": self.last}
        ready = self.exit_code == 0 if self.is_init else self.ready
        status |= {"ready": ready, "restartCount": self.restarts, "image": self.template.image}
        status["imageID"] = image_id(self.template.image) if self.identity else ""
        if self.identity:
            status["containerID"] = self.identity
        status["started"] = self.running
        resources = self.template.resources()
        return status | ({"resources": resources} if resources and self.identity else {})

    def start(self) -> bool:
        """Start it, or fail to; whether the status has changed in a way that is written."""
        self.begun = True
        if isinstance(self.behaviour, CannotPull):
            self._pull()
            return False
        if isinstance(self.behaviour, CannotStart):
            self._fail_to_start(self.behaviour)
            return True
        return self._launch()

    def _launch(self) -> bool:
        self._have_image()
        self._begin()
        self._note("Created", f"Created container: {self.template.name}")
        self._note("Started", f"Started container {self.template.name}")
        self.home.started(self)
        behaviour = self.behaviour
        if isinstance(behaviour, Die):
            self.home.log(self.identity, behaviour.logs)
            self._plan(behaviour.after, self.die)
            if (self.template.ready_after or timedelta()) < behaviour.after:
                self._await_readiness(None)
            return behaviour.after >= _COALESCED
        if isinstance(behaviour, Run):
            self.home.log(self.identity, behaviour.logs)
            self._follow(behaviour)
        return True

    def _begin(self) -> None:
        """A new instance. The dead one moves to lastState, the one before it is forgotten."""
        if "terminated" in self.state:
            self._push_back()
        if self.identity:
            self.restarts += 1
        self.identity = container_id(self.home.uid, self.template.name, str(self.restarts))
        self.state = running(self.home.now())
        self.ready = False

    def _push_back(self) -> None:
        forgotten = self.last.get("terminated", {}).get("containerID")
        if forgotten:
            self.home.forget_log(forgotten)
        self.last = self.state

    def die(self) -> None:
        """It ends as its behaviour says; then the pod decides what follows."""
        behaviour = self.behaviour if isinstance(self.behaviour, Die) else Die()
        self.end(behaviour.exit, behaviour.word, behaviour.message)
        self._deaths += 1
        if behaviour.times and self._deaths >= behaviour.times:
            self.behaviour = healthy(self.template)
        self.home.write()
        if self.home.ended(self):
            self._restart_soon()

    def end(self, code: int, reason: str, message: str = "") -> None:
        """The instance ends now. Nothing is written, nothing follows."""
        self.cancel()
        started = self.state.get("running", {}).get("startedAt", rfc3339(self.home.now()))
        self.state = terminated(code, reason, started=parse_time(started), ended=self.home.now())
        if message:
            self.state["terminated"]["message"] = message
        self.state["terminated"]["containerID"] = self.identity
        self.ready = False

    def _restart_soon(self) -> None:
        delay = 0.3 + 0.6 * fraction(self.home.uid, self.template.name)
        self._plan(timedelta(seconds=delay), self._sync_dead)

    def _sync_dead(self) -> None:
        ended = self.state.get("terminated") or self.last["terminated"]
        finished, now = parse_time(ended["finishedAt"]), self.home.now()
        if not self._back_off.blocks(finished, now):
            self._retry()
            return
        delay = self._back_off.delay
        where = f"restarting failed container={self.template.name} pod={self.home.title}"
        self.wait("CrashLoopBackOff", f"back-off {go_duration(delay)} {where}")
        name, _, rest = self.home.title.partition("_")
        words = f"Back-off restarting failed container {self.template.name} in pod {name}_{rest}"
        self._note("BackOff", words, warning=True)
        self.home.write()
        self._plan(finished + delay - now, self._retry)

    def _retry(self) -> None:
        self._back_off.next(self.home.now())
        if self.start():
            self.home.write()

    def wait(self, reason: str, message: str = "") -> None:
        """Waiting; what was terminated in `state` is in `lastState` from now on (convertToAPIContainerStatuses)."""
        if "terminated" in self.state:
            self._push_back()
        self.state = waiting(reason, message)
        self.ready = False

    def _fail_to_start(self, behaviour: CannotStart) -> None:
        self._have_image()
        if behaviour.reason == "RunContainerError":
            self._note("Created", f"Created container: {self.template.name}")
            self._begin()
            self.end(128, "StartError", behaviour.message)
        self.wait(behaviour.reason, behaviour.message)
        self._note("Failed", f"Error: {behaviour.message}", warning=True)
        if behaviour.reason == "RunContainerError":
            self._restart_soon()
        else:
            self._plan(_RESYNC, self._start_and_write)

    def _start_and_write(self) -> None:
        if self.start():
            self.home.write()

    def _have_image(self) -> None:
        image = self.template.image
        if self.home.cached(image):
            self._note("Pulled", f'Container image "{image}" already present on machine')
            return
        self._note("Pulling", f'Pulling image "{image}"')
        took = "1.1s (1.1s including waiting). Image size: 47485901 bytes."
        self._note("Pulled", f'Successfully pulled image "{image}" in {took}')

    def _pull(self) -> None:
        """An attempt; its outcome is known a moment later."""
        self._note("Pulling", f'Pulling image "{self.template.image}"')
        self._plan(_PULL_TIME, self._pulled)

    def _pulled(self) -> None:
        if not isinstance(self.behaviour, CannotPull):
            self._start_and_write()
            return
        image = self.template.image
        reason, message = pull_failure(self.behaviour.cause, image, modern=self.home.modern)
        self.wait(reason, message)
        words = f'Failed to pull image "{image}": {message}' if reason == "ErrImagePull" else message
        self._note("Failed", words, warning=True)
        self._note("Failed", f"Error: {reason}", warning=True)
        self.home.write()
        if reason != "ErrImagePull":
            self._plan(_RESYNC, self._pulled)
            return
        now = self.home.now()
        self._pulls.next(now)
        retry = now + self._pulls.delay
        self._plan(timedelta(seconds=2), lambda: self._back_off_pull(message, retry))

    def _back_off_pull(self, message: str, retry: datetime) -> None:
        text = back_off_text(self.template.image, message, modern=self.home.modern)
        self.wait("ImagePullBackOff", text)
        self._note("BackOff", f'Back-off pulling image "{self.template.image}"')
        self._note("Failed", "Error: ImagePullBackOff", warning=True)
        self.home.write()
        self._plan(retry - self.home.now(), self._start_and_write)

    def _follow(self, behaviour: Run) -> None:
        if behaviour.ready:
            self._await_readiness(behaviour.ready_after)
        else:
            self._probe()

    def _await_readiness(self, after: timedelta | None) -> None:
        delay = self.template.ready_after if after is None else after
        if delay is None:
            self.ready = True
        else:
            self._probing = self.home.after(delay, self._become_ready)

    def _become_ready(self) -> None:
        if self.running and not self.ready:
            self.ready = True
            self.home.write()

    def _probe(self) -> None:
        """The readiness probe fails, again and again; the status does not change by it."""
        self._note("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", warning=True)
        self._probing = self.home.after(_PROBE_PERIOD, self._probe)

    def behave(self, behaviour: Behaviour) -> None:
        """From now on. Who runs and shall die dies at once; who waits learns it at its next attempt."""
        self.behaviour = behaviour
        self._deaths = 0
        if not self.running:
            return
        if isinstance(behaviour, Die):
            self.home.log(self.identity, behaviour.logs)
            self.die()
        elif isinstance(behaviour, Run):
            self.cancel()
            was = self.ready
            if not behaviour.ready:
                self.ready = False
                self._probe()
            elif not was:
                self._await_readiness(behaviour.ready_after or self.template.ready_after or timedelta(seconds=2))
            if was != self.ready:
                self.home.write()

    def recover(self) -> None:
        """Healthy from now on, or from its next start."""
        self.behave(healthy(self.template))

    def cancel(self) -> None:
        """Whatever was planned does not happen."""
        for handle in (self._due, self._probing):
            if handle is not None:
                handle.cancel()
        self._due = self._probing = None

    def _plan(self, delay: timedelta, action: Callable[[], None]) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = self.home.after(max(delay, timedelta()), action)

    def _note(self, reason: str, message: str, *, warning: bool = False) -> None:
        field = "containers" if self.template.kind == "app" else "initContainers"
        path = f"spec.{field}{{{self.template.name}}}"
        self.home.note(Note(reason=reason, message=message, warning=warning, path=path))
