"""The web app. Start it with `streamlit run app.py`."""

import streamlit as st

from prolip_core import __version__

st.set_page_config(page_title="ProLIP Studio", page_icon="🔎")
st.title("ProLIP Studio")
st.markdown(
    "Find out in one sitting whether a few photos per class are enough to recognise your products. "
    "Nothing leaves this computer.\n\n"
    "数枚の写真だけで製品を見分けられるかを、その場で確かめるためのツールです。データがこのコンピューターの外に出ることはありません。"
)
st.markdown("The whole pilot runs from the command line / 試行は次のコマンドで実行できます:")
st.code(
    "python -m prolip_core sample SAMPLE\npython -m prolip_core pilot SAMPLE/train --test SAMPLE/test --out RUN",
    language="sh",
)
st.caption(f"Version {__version__}")
