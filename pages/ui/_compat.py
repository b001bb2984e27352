"""Inner parts of Streamlit that are used for want of a public way; `tests/pages/test_compat.py` tells when they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route
from streamlit import config, runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile


def forget_uploads(files: Iterable[UploadedFile]) -> None:
    """Gives the memory of uploaded files back: Streamlit keeps their bytes even after the widget is emptied or the tab closed."""
    context = get_script_run_ctx()
    if context is None:
        return
    for file in files:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)  # type: ignore[attr-defined]


_ROUTE = "prolip_files"


def hand_out_files(find: Callable[[str], tuple[Path, str] | None]) -> str | None:
    """Lets this server hand out large files from the disk, block by block; Streamlit's own downloads lie in memory as a whole.

    find: token → file and the name that it gets. Gives the address to which a token is added, None where the server has no place
    for it. Called again, it changes nothing.
    """
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return None
    sessions = getattr(runtime.get_instance(), "_session_mgr", None)
    info = None if sessions is None else sessions.get_active_session_info(context.session_id)
    app = getattr(getattr(getattr(info, "client", None), "_websocket", None), "app", None)
    routes = getattr(getattr(app, "router", None), "routes", None)
    if not isinstance(routes, list):
        return None
    # Below "media", where nothing is packed on its way: a packed answer cannot say how long it is.
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    path = f"{'/' + base if base else ''}/media/{_ROUTE}/"
    if all(getattr(route, "name", None) != _ROUTE for route in routes):

        async def hand_out(request: Request) -> FileResponse:
            found = find(request.path_params["token"])
            if found is None:
                raise HTTPException(404)
            file, name = found
            headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
            return FileResponse(file, filename=name, media_type="application/octet-stream", headers=headers)

        routes.insert(0, Route(path + "{token}", hand_out, name=_ROUTE, methods=["GET"]))
    return path
