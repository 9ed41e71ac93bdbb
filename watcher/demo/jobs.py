"""Jobs and CronJobs.

A Job makes one pod after the other until one succeeds or `backoffLimit` retries have failed, with 10 s, 20 s, 40 s …
(at most 6 m) between them; its ended pods stay. A CronJob makes Jobs named after the minute they were due, and keeps
the last three that succeeded and the last that failed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from watcher.demo.clock import rfc3339
from watcher.demo.controllers import Plan, Workload
from watcher.demo.lifecycle import PodRun
from watcher.demo.resources import BY_KIND, JsonObject
from watcher.demo.world import World

_FIRST_RETRY = timedelta(seconds=10)
_LAST_RETRY = timedelta(minutes=6)


class Job(Workload):
    """One Job with one completion."""

    kind = "Job"
    backoff_limit = 6

    def __init__(self, world: World, namespace: str, name: str, replicas: int, plan: Plan) -> None:
        super().__init__(world, namespace, name, replicas, plan)
        self.condition: JsonObject | None = None
        self.owner: CronJob | None = None
        self.began = world.timeline.now()
        self._retry_at: datetime | None = None

    @property
    def succeeded(self) -> bool:
        return self.condition is not None and self.condition["type"] == "Complete"

    def _reconcile(self) -> None:
        if self.condition is not None or self.live():
            return
        now = self.world.timeline.now()
        failed = sum(run.finished and not _succeeded(run.phase) for run in self.pods)
        if any(_succeeded(run.phase) for run in self.pods):
            self._end("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
        elif failed > self.backoff_limit:
            self._end("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        elif failed and self._retry_at is None:
            self._retry_at = now + min(_FIRST_RETRY * 2 ** (failed - 1), _LAST_RETRY)
            self.world.timeline.at(self._retry_at, self.changed)
        elif self._retry_at is None or now >= self._retry_at:
            self._retry_at = None
            self._create()

    def _create(self) -> None:
        name = self.new_name(self.name)
        self.note("SuccessfulCreate", f"Created pod: {name}")
        labels = {"batch.kubernetes.io/job-name": self.name, "job-name": self.name}
        labels |= {"batch.kubernetes.io/controller-uid": self.uid, "controller-uid": self.uid}
        self.make_pod(name, self.plan, self.reference(), labels)

    def _end(self, kind: str, reason: str, message: str) -> None:
        now = rfc3339(self.world.timeline.now())
        entry = {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
        self.condition = entry | {"reason": reason, "message": message}
        if kind == "Failed":
            self.note(reason, message, warning=True)
        else:
            self.note("Completed", "Job completed")
        if self.owner is not None:
            self.owner.changed()

    def rollout(self, plan: Plan) -> None:
        """A Job cannot be changed: it is made anew, under the same name."""
        for run in self.pods:
            run.delete()
        self.condition = None
        super().rollout(plan)

    def document(self) -> JsonObject:
        spec = {"parallelism": 1, "completions": 1, "backoffLimit": self.backoff_limit}
        item = self.described(self.kind, self.name, self.uid, spec, self.status())
        if self.owner is not None:
            item["metadata"]["ownerReferences"] = [self.owner.reference()]
        return item

    def status(self) -> JsonObject:
        status: JsonObject = {"startTime": rfc3339(self.began), "active": len(self.live())}
        status["succeeded"] = sum(_succeeded(run.phase) for run in self.pods)
        status["failed"] = sum(run.finished and not _succeeded(run.phase) for run in self.pods)
        return status | ({"conditions": [self.condition]} if self.condition is not None else {})


def _succeeded(phase: str) -> bool:
    return phase == "Succeeded"


class CronJob(Workload):
    """A Job every `every`, from its creation on."""

    kind = "CronJob"
    every = timedelta(minutes=10)
    backoff_limit = 6

    def __init__(self, world: World, namespace: str, name: str, replicas: int, plan: Plan) -> None:
        super().__init__(world, namespace, name, replicas, plan)
        self.jobs: list[Job] = []

    def begin(self) -> None:
        super().begin()
        self.world.timeline.after(self.every, self._fire)

    def _fire(self) -> None:
        if self.title not in self.world.workloads:
            return
        now = self.world.timeline.now()
        job = Job(self.world, self.namespace, f"{self.name}-{int(now.timestamp()) // 60}", 1, self.plan)
        job.owner = self
        job.backoff_limit = self.backoff_limit
        self.jobs.append(job)
        self.note("SuccessfulCreate", f"Created job {job.name}")
        job.begin()
        self.world.timeline.after(self.every, self._fire)

    def _reconcile(self) -> None:
        ended = [job for job in self.jobs if job.condition is not None]
        good = [job for job in ended if job.succeeded]
        bad = [job for job in ended if not job.succeeded]
        for job in (*good[:-3], *bad[:-1]):
            job.remove()
            self.jobs.remove(job)

    def all_live(self) -> list[PodRun]:
        return [run for job in self.jobs for run in job.live()]

    def live_jobs(self) -> list[Job]:
        return [job for job in self.jobs if job.condition is None]

    def remove(self) -> None:
        super().remove()
        for job in self.jobs:
            job.remove()

    def document(self) -> JsonObject:
        minutes = max(1, int(self.every.total_seconds()) // 60)
        template = self.plan.template(self.labels())
        active = [{"kind": "Job", "namespace": job.namespace, "name": job.name} for job in self.live_jobs()]
        status: JsonObject = {"active": active} if active else {}
        if self.jobs:
            status["lastScheduleTime"] = rfc3339(self.jobs[-1].began)
        return {
            "kind": self.kind,
            "apiVersion": BY_KIND[self.kind].api_version,
            "metadata": {"name": self.name, "namespace": self.namespace, "uid": self.uid, "labels": self.labels()},
            "spec": {"schedule": f"*/{minutes} * * * *", "jobTemplate": {"spec": {"template": template}}},
            "status": status,
        }
