"""What a worker has from its client: interceptors and plugins that are for workers, too."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from actorflow.client import Client
from actorflow.client.interceptor import check_instances
from actorflow.worker.interceptor import Interceptor
from actorflow.worker.plugin import Plugin


def interceptors_of(client: Client, own: Sequence[Interceptor]) -> Sequence[Interceptor]:
    """The interceptors of a worker, outermost first: those of its client are around its own.

    Raises:
        TypeError: one of its own is none.
    """
    check_instances("interceptors", own, Interceptor, "actorflow.worker.Interceptor")
    given: Sequence[Any] = client.config(active_config=True).get("interceptors", ())
    return (*[one for one in given if isinstance(one, Interceptor)], *own)


def plugins_of(client: Client, own: Sequence[Plugin]) -> Sequence[Plugin]:
    """The plugins of a worker: those of its client, then its own.

    Raises:
        TypeError: one of its own is none.
    """
    check_instances("plugins", own, Plugin, "actorflow.worker.Plugin")
    given: Sequence[Any] = client.config(active_config=True).get("plugins", ())
    inherited = [one for one in given if isinstance(one, Plugin)]
    for twice in {type(one) for one in inherited} & {type(one) for one in own}:
        warnings.warn(
            f"a plugin {twice.__qualname__} is there twice, for the client and for its worker; the client's is enough",
            stacklevel=3,
        )
    return (*inherited, *own)
