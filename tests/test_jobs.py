"""The supervisor alone, with processes and a clock that the test makes up."""

from __future__ import annotations

import threading

import pytest

from prolip_core import jobs, spec, storage
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import Job


class Process:
    """Runs until `code` is set."""

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.code = -9

    def wait(self) -> int | None:
        return self.code


class World:
    """What the supervisor sees of the computer: who lives, what time it is, which processes were started."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        self.alive: set[str] = set()
        self.started: list[tuple[str, Process]] = []
        self.db = db
        self.supervisor = jobs.Supervisor(db, lambda: self.now_s)
        monkeypatch.setattr(jobs, "_start", self._start)
        monkeypatch.setattr(jobs, "is_alive", lambda device: device in self.alive)

    def _start(self, device: str) -> Process:
        self.started.append((device, Process()))
        return self.started[-1][1]

    def of(self, device: str) -> list[Process]:
        return [process for name, process in self.started if name == device]

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.supervisor.check()

    def live_and_die(self, device: str, lifetime_s: float, *, ready: bool = False) -> None:
        """The newest worker of this device takes its lock, lives, and dies by an error."""
        self.alive.add(device)
        storage.jobs.worker_beat(self.db, device, device if ready else "", ())
        self.pass_s(lifetime_s)
        self.alive.discard(device)
        self.of(device)[-1].code = 1
        self.supervisor.check()


@pytest.fixture
def world(db: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(db, monkeypatch)


def enqueue(db: Database, device: str) -> Job:
    project = storage.projects.create(db, "x", spec.as_dict(PilotSpec()))
    return storage.jobs.enqueue(db, project.id, "train", {}, device=device)


def now(db: Database, job: Job) -> Job:
    found = storage.jobs.get(db, job.id)
    assert found is not None
    return found


@pytest.mark.parametrize("lifetime_s", [1.0, 45.0])
def test_workers_that_fail_are_not_started_at_full_speed_and_waiting_jobs_are_told(
    db: Database, world: World, lifetime_s: float
) -> None:
    job = enqueue(db, "auto")
    world.supervisor.check()
    for number in range(1, jobs.MAX_FAILURES + 1):
        assert now(db, job).state == "queued"
        assert len(world.started) == number
        world.live_and_die("auto", lifetime_s)
    failed = now(db, job)
    assert failed.state == "failed"
    assert failed.error is not None and "cannot be started" in failed.error["message"]
    for _ in range(int(jobs.BACK_OFF_S) - 1):
        world.pass_s(1.0)
    assert len(world.of("auto")) == jobs.MAX_FAILURES
    late = enqueue(db, "auto")
    world.supervisor.check()
    assert now(db, late).state == "failed"  # not left waiting for the next try
    world.pass_s(1.0)
    assert len(world.of("auto")) == jobs.MAX_FAILURES + 1


def test_a_worker_that_came_through_its_start_and_lived_is_no_failure(db: Database, world: World) -> None:
    job = enqueue(db, "auto")
    world.supervisor.check()
    for _ in range(2 * jobs.MAX_FAILURES):
        world.live_and_die("auto", jobs.SETTLED_S, ready=True)
    assert now(db, job).state == "queued"
    assert len(world.started) == 2 * jobs.MAX_FAILURES + 1


def test_a_process_that_never_takes_its_lock_is_ended_and_not_joined_by_others(db: Database, world: World) -> None:
    world.supervisor.check()
    world.pass_s(jobs.START_TIME_S - 1)
    assert len(world.started) == 1
    world.pass_s(1.0)
    assert [process.code for process in world.of("auto")] == [-9, None]


def test_jobs_of_a_device_are_not_left_to_an_automatic_worker_that_is_dead(db: Database, world: World) -> None:
    storage.jobs.worker_beat(db, "auto", "cpu", ("cpu",))  # its last sign of life
    job = enqueue(db, "cpu")
    world.supervisor.check()
    assert world.of("cpu") == []  # it is being started again, and will serve the job
    for _ in range(jobs.MAX_FAILURES):
        world.of("auto")[-1].code = 1
        world.supervisor.check()
    world.supervisor.check()
    assert len(world.of("cpu")) == 1
    for _ in range(jobs.MAX_FAILURES):
        world.of("cpu")[-1].code = 1
        world.supervisor.check()
    assert now(db, job).state == "failed"


def test_no_worker_of_its_own_for_a_device_before_the_automatic_one_has_told_which_it_uses(
    db: Database, world: World
) -> None:
    enqueue(db, "cpu")
    enqueue(db, "cuda")
    world.alive.add("auto")
    storage.jobs.worker_beat(db, "auto", "", ())
    world.supervisor.check()
    assert world.started == []
    storage.jobs.worker_beat(db, "auto", "cuda", ("cuda", "cpu"))
    world.supervisor.check()
    assert [device for device, _ in world.started] == ["cpu"]


def test_the_supervisor_goes_on_after_an_error_that_nobody_thought_of(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jobs, "CHECK_EVERY_S", 0.0)
    keeper = jobs.Supervisor(db)
    seen = threading.Event()
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("x")
        seen.set()

    monkeypatch.setattr(keeper, "check", check)
    keeper.start()
    assert seen.wait(10)
    keeper.stop()
    assert "unexpected error while looking after the workers" in caplog.text


def test_a_worker_that_came_back_serves_its_device_alone_again(db: Database, world: World) -> None:
    """Its failures are over as soon as it lives: a second process for the same device would train at the same time."""
    world.supervisor.check()
    for _ in range(jobs.MAX_FAILURES):
        world.live_and_die("auto", 1.0)
    world.pass_s(jobs.BACK_OFF_S + 1)
    world.alive.add("auto")
    storage.jobs.worker_beat(db, "auto", "cpu", ("cpu",))
    enqueue(db, "cpu")
    world.pass_s(1.0)
    assert world.of("cpu") == []
