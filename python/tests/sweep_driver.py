"""A program that drives a sweep over Dask, to be killed in the middle by its test.

sweep_driver.py RESULTS COUNT
"""

from __future__ import annotations

import sys

import memoom


def trials(count: int) -> list[dict[str, object]]:
    """Small real OOMs, and runs without one."""
    return [
        {"limit": "4M", "hogs": [{"name": f"hog_{number}", "step": "2M"}], "steps": 1 + number % 5}
        | {"parameters": {"number": number}}
        for number in range(count)
    ]


def main() -> None:
    from distributed import Client, LocalCluster

    output, count = sys.argv[1], int(sys.argv[2])
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        results = memoom.sweep(trials(count), executor=client.get_executor(), output=output)
    print(len(results), flush=True)


if __name__ == "__main__":
    main()
