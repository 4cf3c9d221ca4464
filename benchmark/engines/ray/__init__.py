"""The Ray engine: runs on every machine of a Ray cluster, or on this one. Needs ``ganbench[ray]``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmark.engines.ray import cluster, driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmark.engines.base import Wish


@contextmanager
def opened(wish: Wish) -> Iterator[driver.Engine]:
    """The engine on the cluster at the address, on one that Ray finds by itself, or on one made for it.

    Raises:
        UserError: Ray is not installed, no such cluster, or it has no such device.

    """
    ray = cluster.module()
    try:
        cluster.connect(ray, wish.address)
        engine = driver.Engine(ray, cluster.choice(ray, wish.device), wish)
        try:
            yield engine
        finally:
            engine.close()
    finally:
        ray.shutdown()
