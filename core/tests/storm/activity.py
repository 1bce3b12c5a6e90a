"""A Python host of the storm: calls, runs and labs in random order, until somebody ends it."""

import os
import random

import memoom


def grow(mib: int) -> int:
    return len(bytearray(mib << 20))


def act(chance: random.Random) -> None:
    match chance.randrange(3):
        case 0:
            memoom.call(grow, 4, limit="64M", call_path=chance.random() < 0.5).result()
        case 1:
            memoom.run(["sleep", "1000"], limit="32M", timeout=chance.random() / 20, call_path=False)
        case _:
            with memoom.Lab(parent=os.environ["MEMOOM_STORM_BASE"], call_path=chance.random() < 0.5) as lab:
                hogs = [lab.group(limit="32M").hog() for _ in range(chance.randrange(4))]
                for hog in hogs:
                    hog.grow("4M", 10)


def main() -> None:
    # Before this Python itself answers to SIGINT, and not always by dying of it.
    print("up", flush=True)
    chance = random.Random(os.environ["MEMOOM_STORM_HOST"])
    while True:
        try:
            act(chance)
        except memoom.MemoomError as error:
            # Its people were shot; it goes on.
            print(f"Python {type(error).__name__}: {error}", flush=True)


if __name__ == "__main__":
    main()
