"""Is it fair to all? The answers of a finished run by the tags of its photos: group by group, and the gap between groups."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.ui import cached, components, evidence_study, photo_tags, registry, run_choice, session
from pages.ui.evidence_study import Ask
from pages.ui.text import _, _n, note, number, percent, right_in_short, short, translator
from prolip_core import group_charts, groups, guide, storage
from prolip_core.charts import Chart
from prolip_core.group_charts import GroupRow, GroupTexts
from prolip_core.groups import Gap, Group, Share, TagReport
from prolip_core.storage.records import Project, RunRecord
from prolip_core.types import Note

SHOWN_GROUPS = 30


def asks(_project: Project) -> tuple[Ask, ...]:
    """Nothing to wait for: the answers are there, and what is asked of them takes milliseconds."""
    return ()


def show(project: Project) -> None:
    """The part below its title."""
    runs = storage.runs.list_(cached.database(), project.id)
    if not runs:
        st.info(_("There is no result yet. Train first."))
        st.page_link(registry.file_of("train"), label=_("Go to the training"), query_params=session.address())
        return
    tags = photo_tags.names_of(cached.photos(project))
    if not tags:
        _how_to_tag()
        return
    left, right = st.columns(2)
    by_id = {run.id: run_choice.title(run) for run in runs}
    run_id = components.box(left, _("Result"), by_id, f"groups_run_{project.id}_{runs[0].id}")
    tag = components.box(right, _("Tag"), {name: short(name) for name in tags}, f"groups_tag_{project.id}")
    run = cached.run_record(run_id)
    found = cached.groups_of_run(run_id, project, tag)
    _measured_on(project, run, found.gone)
    _said(found.report)
    shown = _largest(found.report)
    key = ("groups", run_id, project.id, str(project.changed_at), tag, session.language())
    drawn, data = cached.chart(key, lambda: _chart(shown))
    st.vega_lite_chart(data, drawn, width="stretch", key="group_ranges", theme=None)
    _table(shown)
    _how_to_read(len(tags))


def _how_to_tag() -> None:
    st.info(
        _(
            "No photo carries a tag yet. Tags say where a photo comes from: its line, camera, shift, region or supplier. Tick "
            "photos on the page of the photos and set a tag, or fill in a table there. Nothing has to be trained again."
        )
    )
    st.page_link(registry.file_of("photos"), label=_("Go to the photos"), query_params=session.address())


def _measured_on(project: Project, run: RunRecord, gone: int) -> None:
    if guide.is_stale(run.summary, cached.fingerprint(project)):
        st.warning(
            _(
                "Classes, sentences or photos were changed since this training. The numbers below belong to the photos as they "
                "were then. Train again to bring them up to date."
            )
        )
    st.info(evidence_study.measured_on({**run.result, "query_count": run.summary.count}))
    if gone:
        st.warning(
            _n(
                "{count} of these photos is not in the project any more and counts as being without the tag.",
                "{count} of these photos are not in the project any more and count as being without the tag.",
                gone,
            )
        )


def _said(report: TagReport) -> None:
    """The result in sentences, for the training first: it is what will be used."""
    if report.prolip is None or report.zero_shot is None:  # for want of photos, which are the same for both
        st.info("\n\n".join(note(one) for one in groups.notes(report, None)))
        return
    for who, gap in ((_("After (ProLIP)"), report.prolip), (_("Before (zero-shot)"), report.zero_shot)):
        first, *more = groups.notes(report, gap)
        st.markdown(f"**{who}**\n\n{'⚠️ ' if gap.is_told else ''}{note(first)}", help=_test(gap))
        for one in more:
            st.caption(note(one))


def _test(gap: Gap) -> str:
    return _(
        "Permutation test within classes of the largest difference between groups: p = {p}. The range is Newcombe's, widened for "
        "all pairs.",
        p=f"{gap.p:.2g}",
    )


def _title(group: Group) -> str:
    """Not Markdown."""
    title = groups.title(group.value)
    return translator().note(title) if isinstance(title, Note) else short(title)


def _largest(report: TagReport) -> TagReport:
    """The groups that fit on a screen, told where there are more."""
    if len(report.groups) <= SHOWN_GROUPS:
        return report
    st.warning(
        _(
            "This tag has {count} different values, and the {shown} groups with the most photos are shown. Fewer values with "
            "more photos each say more.",
            count=number(len(report.groups)),
            shown=number(SHOWN_GROUPS),
        )
    )
    kept = sorted(report.groups, key=lambda group: -group.count)[:SHOWN_GROUPS]
    return replace(report, groups=tuple(group for group in report.groups if group in kept))


def _chart(report: TagReport) -> Chart:
    def figures(share: Share) -> tuple[float, float, float]:
        return (share.accuracy, *share.interval)

    rows = [
        GroupRow(
            f"{_title(group)} ({number(group.count)})", figures(group.zero_shot), figures(group.prolip), group.is_small
        )
        for group in report.groups
    ]
    texts = GroupTexts(
        _("Before (zero-shot)"),
        _("After (ProLIP)"),
        _("How often it was right (bar: likely range, 95 %)"),
        _("likely from"),
        _("likely to"),
    )
    return group_charts.group_ranges(rows, texts)


def _table(report: TagReport) -> None:
    rows = [
        {
            _("Group"): _title(group),
            _("Photos"): group.count,
            _("Before: right (likely)"): _right(group.zero_shot, group.count),
            _("After: right (likely)"): _right(group.prolip, group.count),
            _("After: expected"): percent(group.prolip.expected),
            _("Enough photos?"): _("too few to tell") if group.is_small else _("yes"),
        }
        for group in report.groups
    ]
    expected = _(
        "So often it would be right if each class of this group were recognised as often as in all photos. A group with harder "
        "classes has less to expect."
    )
    st.dataframe(
        pd.DataFrame(rows),
        column_config={_("After: expected"): st.column_config.TextColumn(help=expected)},
        hide_index=True,
        width="stretch",
        height="content",
        key="group_table",
    )


def _right(share: Share, count: int) -> str:
    return right_in_short(share.correct, count, *share.interval)


def _how_to_read(n_tags: int) -> None:
    lines = [
        _(
            "Groups are compared on photos of the same classes, so a group that merely shows harder classes is not called worse. "
            "Groups with fewer than {limit} photos are shown faintly and not compared.",
            limit=number(groups.MIN_PHOTOS),
        ),
        _(
            "Every photo counts as independent of the others: many photos of one moment, a burst or a single shift, make a gap "
            "look surer than it is."
        ),
    ]
    if n_tags > 1:
        lines.append(
            _(
                "Each tag is a question of its own, asked before and after the training: of ten tags without any gap, about one "
                "shows a gap by luck."
            )
        )
    st.caption(" ".join(lines))
