"""The button, the choices, the training as it goes, and what came of it."""

from __future__ import annotations

from dataclasses import replace

from prolip_core import spec, storage
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import Job, Project
from prolip_core.types import Step
from tests.pages.conftest import OpenPage, add_photos, make_project, shown

PAGE = "pages/train.py"


def ready(db: Database) -> Project:
    project = make_project(db, classes=("Nut", "Bolt"))
    add_photos(db, project, 5)
    return project


def running(db: Database, project: Project) -> Job:
    storage.jobs.enqueue(db, project.id, "train", {"spec": spec.as_dict(PilotSpec())})
    job = storage.jobs.claim(db, "auto", ("auto",))
    assert job is not None
    return job


def test_nothing_to_train_is_said_on_the_button(db: Database, open_page: OpenPage) -> None:
    app = open_page(PAGE, make_project(db, classes=("Nut", "Bolt")))
    assert app.button(key="start_training").disabled
    assert "There is no training photo of" in shown(app)
    assert app.button(key="next_compare").disabled


def test_the_button_puts_the_choices_into_the_queue_once(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    app = open_page(PAGE, project)
    assert "**10** training photos · 2 classes · 5 in each class" in shown(app)
    assert "cross-validation" in shown(app)
    key = project.id
    app.number_input(key=f"views_{key}_en").set_value(3).run()
    app.selectbox(key=f"lam_{key}_en").set_value("1/N").run()
    saved = storage.projects.get(db, project.id)
    assert saved is not None
    assert (saved.spec["n_views"], saved.spec["fit"]["lam"]) == (3, "1/N")
    app.button(key="start_training").click().run()
    assert not app.exception
    job = storage.jobs.live(db, project.id)
    assert job is not None
    assert spec.from_dict(job.payload["spec"]).n_views == 3
    assert "Starting." in shown(app)
    assert not [button for button in app.button if button.key == "start_training"]


def test_the_defaults_come_back(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    app = open_page(PAGE, project)
    app.number_input(key=f"seed_{project.id}_en").set_value(7).run()
    app.button(key=f"defaults_{project.id}").click().run()
    assert not app.exception
    saved = storage.projects.get(db, project.id)
    assert saved is not None and saved.spec == spec.as_dict(PilotSpec())
    assert app.number_input(key=f"seed_{project.id}_en").value == 0


def test_a_model_that_does_not_exist_is_named_and_the_old_choice_kept(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    app = open_page(PAGE, project)
    app.selectbox(key=f"backbone_{project.id}_en").set_value("own").run()
    app.text_input(key=f"own_backbone_{project.id}_en").set_value("nonsense").run()
    assert "There is no backbone" in shown(app)
    saved = storage.projects.get(db, project.id)
    assert saved is not None and saved.spec["backbone"]["name"] == "starter"

    # Not with the old choice either, which is not what is seen.
    assert app.button(key="start_training").disabled
    app.text_input(key=f"own_backbone_{project.id}_en").set_value("ViT-B-32:openai").run()
    assert not app.button(key="start_training").disabled


def test_a_click_right_after_a_change_is_not_lost(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    app = open_page(PAGE, project)
    app.number_input(key=f"views_{project.id}_en").set_value(3)
    app.button(key="start_training").click().run()
    job = storage.jobs.live(db, project.id)
    assert job is not None
    assert spec.from_dict(job.payload["spec"]).n_views == 3


def test_what_another_tab_has_chosen_is_shown_and_kept(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    app = open_page(PAGE, project)
    app.number_input(key=f"views_{project.id}_en").set_value(2).run()
    other = PilotSpec(n_views=5, seed=7, fit=FitConfig(solver="adam", lam=0.25, epochs=20))
    storage.projects.set_spec(db, project.id, spec.as_dict(other))
    app.number_input(key=f"seed_{project.id}_en").set_value(9).run()
    saved = storage.projects.get(db, project.id)
    assert saved is not None
    assert spec.from_dict(saved.spec) == replace(other, seed=9)
    app.run()
    assert app.number_input(key=f"views_{project.id}_en").value == 5
    assert app.number_input(key=f"epochs_{project.id}_en").value == 20
    assert app.number_input(key=f"own_lam_{project.id}_en").value == 0.25
    assert spec.from_dict(storage.projects.get(db, project.id).spec) == replace(other, seed=9)  # type: ignore[union-attr]


def test_every_choice_is_saved(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    app = open_page(PAGE, project)
    app.selectbox(key=f"backbone_{project.id}_en").set_value("own").run()
    app.text_input(key=f"own_backbone_{project.id}_en").set_value("ViT-B-32:some.pt").run()
    app.button_group(key=f"solver_{project.id}_en").set_value(["adam"]).run()
    app.number_input(key=f"lr_{project.id}_en").set_value(0.01).run()
    app.selectbox(key=f"lam_{project.id}_en").set_value("own").run()
    app.number_input(key=f"own_lam_{project.id}_en").set_value(0.5).run()
    assert not app.exception
    saved = storage.projects.get(db, project.id)
    assert saved is not None
    chosen = spec.from_dict(saved.spec)
    assert chosen.backbone.name == "ViT-B-32:some.pt"
    assert chosen.fit == FitConfig(solver="adam", learning_rate=0.01, lam=0.5)
    assert app.selectbox(key=f"backbone_{project.id}_en").value == "own"
    app.selectbox(key=f"lam_{project.id}_en").set_value("1/N2").run()
    app.button(key=f"defaults_{project.id}").click().run()
    assert app.selectbox(key=f"backbone_{project.id}_en").value == "starter"
    assert app.button(key=f"defaults_{project.id}").disabled


def test_a_running_training_shows_stage_curve_and_stop(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    job = running(db, project)
    storage.jobs.set_progress(db, job.id, "features", 40, 100, 12.5, 4.0, used_device="CPU, 2 threads")
    app = open_page(PAGE, project)
    assert "Reading the photos" in shown(app)
    assert "on CPU, 2 threads" in shown(app).replace("\\", "")
    storage.jobs.set_progress(db, job.id, "fit", 0, 0)
    storage.jobs.add_steps(db, job.id, [Step(n, 300, 1 / n, 0.9 / n, 0.1 / n, 0.5, 0.1 * n) for n in range(1, 11)])
    app.run()
    assert not app.exception
    assert "Step 10 of at most 300" in shown(app)
    app.button(key=f"stop_{job.id}").click().run()
    stopping = storage.jobs.get(db, job.id)
    assert stopping is not None and stopping.stop_requests == 1
    assert "Stopping …" in shown(app)
    assert app.button(key=f"stop_{job.id}").disabled
    storage.jobs.set_progress(db, job.id, "measure_kept", 2, 15)
    app.run()
    assert "Measuring what was kept" in shown(app)
    assert "Stop once more to discard it" in shown(app)
    app.button(key=f"stop_{job.id}").click().run()
    discarding = storage.jobs.get(db, job.id)
    assert discarding is not None and discarding.stop_requests == 2


def test_a_japanese_reader_reads_japanese_about_the_processor(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    job = running(db, project)
    storage.jobs.set_progress(db, job.id, "features", 40, 100, used_device="CPU, 2 threads (bfloat16)")
    told = shown(open_page(PAGE, project, "ja")).replace("\\", "")
    assert "CPU（2 スレッド、bfloat16）" in told
    assert "threads" not in told


def test_every_name_of_a_list_is_told_but_no_name_at_length(db: Database, open_page: OpenPage) -> None:
    names = [f"Part number {number}" for number in range(20)]
    told = shown(open_page(PAGE, make_project(db, classes=[*names, "x" * 100]))).replace("\\", "")
    assert f"There is no training photo of: {', '.join(names)}, {'x' * 59}…" in told


def test_the_place_in_the_queue_is_told(db: Database, open_page: OpenPage) -> None:
    other, project = ready(db), make_project(db, "second", classes=("Nut", "Bolt"))
    running(db, other)
    storage.jobs.enqueue(db, project.id, "train", {"spec": spec.as_dict(PilotSpec())})
    assert "Waiting in the queue: 1 piece of work is ahead of yours." in shown(open_page(PAGE, project))


def test_a_failure_is_told_with_its_remedy_in_japanese(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    job = running(db, project)
    values = {"filename": "![](http://example.com/x)", "names": "Nut, Bolt"}
    error = {
        "message": "The photo “{filename}” lies in two classes: {names}.",
        "remedy": "Keep it in the right one and exclude it from the other.",
        "values": values,
    }
    storage.jobs.finish(db, job.id, "failed", error=error)
    app = open_page(PAGE, project, "ja")
    (told,) = [element.value for element in app.error]
    assert "2つの種類に入っています" in told and "除外してください" in told
    assert "![](http" not in told


def test_a_stop_with_nothing_to_keep_is_told(db: Database, open_page: OpenPage) -> None:
    project = ready(db)
    job = running(db, project)
    storage.jobs.finish(db, job.id, "stopped")
    assert "nothing of it was kept" in shown(open_page(PAGE, project))


def test_names_that_the_model_cannot_read_are_told_before_the_training(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("歯車", "Bolt"))
    add_photos(db, project, 4)
    app = open_page(PAGE, project)
    assert "these names are not English: 歯車" in shown(app)
    assert not app.button(key="start_training").disabled
    steps = [link.proto.label for link in app.sidebar.get("page_link")]
    assert "needs attention" in next(label for label in steps if label.startswith("Classes"))
