"""``python -m detector keys create | list | revoke``: the keys of the API."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from detector.commands.opening import ACTOR, open_workspace
from detector.exposure import is_loopback, require_closed_api, require_closed_dashboard
from detector.terminal import say

if TYPE_CHECKING:
    from detector.service.keys import KeyInfo
    from detector.settings import Settings

#: As in ``detector.service.access``; the command line starts without loading it.
ROLES = ("viewer", "service", "analyst", "lead")


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command ``keys``."""
    keys = commands.add_parser("keys", help="make, list and revoke keys of the API")
    actions = keys.add_subparsers(required=True, metavar="ACTION")

    create = actions.add_parser("create", help="make a key, and print it once; from then on every request needs one")
    create.set_defaults(command=_create)
    create.add_argument("name", metavar="NAME", help="who will use it; stands in the log")
    create.add_argument("--role", choices=ROLES, required=True, help="service scores; viewer reads; analyst decides; "
                        "lead does everything")  # fmt: skip
    create.add_argument("--days", type=int, metavar="N", help="valid for so many days (default: until it is revoked)")

    listing = actions.add_parser("list", help="list the keys, never the secrets")
    listing.set_defaults(command=_list)

    revoke = actions.add_parser("revoke", help="end a key; it is refused within a quarter of a second")
    revoke.set_defaults(command=_revoke)
    revoke.add_argument("id", metavar="ID", help="the id, as the list shows it")
    revoke.add_argument("--reason", default="", help="kept in the log")


def require_closed_servers(settings: Settings) -> None:
    """Refuse to serve beyond this machine while nobody has settled who may come in; raises ``ExposureError``."""
    require_closed_dashboard(settings.dashboard_host, settings)
    if not is_loopback(settings.api_host):
        with open_workspace(settings) as workspace:
            keys_are_set = workspace.keys.look().required
        require_closed_api(settings.api_host, settings, keys_are_set=keys_are_set)


def _create(options: argparse.Namespace) -> None:
    from detector.service.keys import create_key

    with open_workspace() as workspace:
        made = create_key(workspace, options.name, options.role, actor=ACTOR, days=options.days)
    until = f"until {made.info.expires_at:%Y-%m-%d %H:%M} UTC" if made.info.expires_at else "until it is revoked"
    say(f"Key {made.info.id} for {made.info.name}, role {made.info.role}, valid {until}.")
    say("This is the only time that it is shown; keep it where secrets are kept. Send it as: Authorization: Bearer KEY")
    print(made.key)


def _list(_options: argparse.Namespace) -> None:
    from detector.service.keys import list_keys

    with open_workspace() as workspace:
        found = list_keys(workspace, actor=ACTOR)
    if not found:
        print("No key has been set: the API serves programs on this machine only, without one.")
        return
    print(f"{'ID':<14}{'ROLE':<9}{'MADE':<12}{'LAST USED':<12}{'STATE':<22}NAME")
    for info in found:
        used = f"{info.last_used_at:%Y-%m-%d}" if info.last_used_at else "never"
        print(f"{info.id:<14}{info.role:<9}{info.created_at:%Y-%m-%d}  {used:<12}{_state(info):<22}{info.name}")


def _revoke(options: argparse.Namespace) -> None:
    from detector.service.keys import list_keys, revoke_key

    with open_workspace() as workspace:
        info = revoke_key(workspace, options.id, actor=ACTOR, reason=options.reason)
        left = [one for one in list_keys(workspace, actor=ACTOR) if one.revoked_at is None]
    print(f"Key {info.id} ({info.name}) is revoked.")
    if not left:
        print("No key is left: the API serves programs on this machine again, without one, and nobody else.")


def _state(info: KeyInfo) -> str:
    if info.ended is not None:
        return info.ended
    if info.expires_at is None:
        return "in force"
    left = max(timedelta(0), info.expires_at - datetime.now(UTC))
    return f"in force, {left.days} days left"
