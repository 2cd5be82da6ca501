"""Drift demo: five weeks of transactions whose columns change, one file at a time."""

import streamlit as st

from detector.service import demo
from detector.ui.demo_panels import figures_so_far, schema_so_far, week_panels
from detector.ui.frame import actor, opening
from detector.ui.states import escaped

ws = opening(
    "Drift demo", "Five weekly files. Columns come, go and change; watch what the detector makes of it.", right="manage"
)
weeks = demo.demo_weeks()
played = demo.demo_state(ws)

with st.container(horizontal=True, vertical_alignment="center"):
    place = st.container(horizontal=True)
    if played and st.button("Start over", key="demo_reset"):
        demo.reset_demo(ws, actor=actor())
        st.rerun()
if len(played) < len(weeks):
    following = weeks[len(played)]
    if place.button(f"Play week {following.week}", type="primary", key="demo_play", icon=":material/play_arrow:"):
        with st.spinner(f"Week {following.week}: scoring first, then learning"):
            demo.play_week(ws, following.week, actor=actor())
        st.rerun()
    st.markdown(f"**Next, week {following.week}.** {escaped(following.story)}")
else:
    st.markdown("**All five weeks are played.** The files are made up and their frauds known, so they can be counted.")

if not played:
    st.caption("A plain isolation forest that knows only the columns of week 1 runs beside it on the same files.")
    st.stop()

figures_so_far(played)
schema_so_far(weeks, played)
st.subheader("Week by week", anchor=False)
week_panels(weeks, played)
