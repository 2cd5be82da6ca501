"""The pages ``/docs`` and ``/redoc``, whole on a machine without internet.

The scripts come with the package ``fastapi-offline``. The one address of another host that they would ask by
themselves, a logo, is taken out, and a content security policy keeps both pages from asking any.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_ASSETS = "docs-assets"
#: What anybody may read, with or without a key: how the API is used, and the scripts that show it. Nothing of the data.
PUBLIC = frozenset({"/docs", "/redoc", "/openapi.json"})
PUBLIC_FOLDER = f"/{_ASSETS}/"

_STATIC = Path(str(files("fastapi_offline"))) / "static"
_REDOC = "redoc.standalone.js"
_REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"

_SWAGGER_START = """
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null, tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout"
});
"""
_REDOC_START = """
Redoc.init("openapi.json", {theme: {typography: {
  fontFamily: "system-ui, sans-serif", headings: {fontFamily: "system-ui, sans-serif"}}}},
  document.getElementById("page"));
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
{head}
<style>body {{ margin: 0 }}</style>
</head>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript; the description itself is in <a href="openapi.json">openapi.json</a>.</noscript>
<script src="{assets}/{script}"></script>
<script>{start}</script>
</body>
</html>
"""


def is_docs(path: str) -> bool:
    """Whether ``path`` belongs to the description of the API."""
    return path in PUBLIC or path.startswith(PUBLIC_FOLDER)


def add_docs(app: FastAPI) -> None:
    """Serve ``/docs`` (Swagger UI), ``/redoc`` and their scripts; a path prefix in front does no harm."""
    style = f'<link rel="stylesheet" href="{_ASSETS}/swagger-ui.css">'
    swagger = _page("Try the API", style, "swagger-ui-bundle.js", _SWAGGER_START)
    redoc = _page("The API", "", _REDOC, _REDOC_START)

    async def show_swagger(_request: Request) -> Response:
        return HTMLResponse(swagger, headers=_headers(_SWAGGER_START))

    async def show_redoc(_request: Request) -> Response:
        return HTMLResponse(redoc, headers=_headers(_REDOC_START))

    def redoc_script(_request: Request) -> Response:
        script = (_STATIC / _REDOC).read_bytes().replace(_REDOC_LOGO, b"data:,")
        return Response(script, media_type="text/javascript")

    app.add_api_route("/docs", show_swagger, include_in_schema=False)
    app.add_api_route("/redoc", show_redoc, include_in_schema=False)
    app.add_api_route(f"/{_ASSETS}/{_REDOC}", redoc_script, include_in_schema=False)
    app.mount(f"/{_ASSETS}", StaticFiles(directory=_STATIC), name=_ASSETS)


def _page(title: str, head: str, script: str, start: str) -> str:
    return _PAGE.format(title=title, head=head, assets=_ASSETS, script=script, start=start)


def _headers(start: str) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(start.encode()).digest()).decode()
    policy = (
        f"default-src 'self'; script-src 'self' 'sha256-{digest}'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'self'"
    )
    return {"Content-Security-Policy": policy}
