"""Many visitors at once: does anybody get an error, and how long does one wait for a first character and a map?

    python benchmarks/load.py                               20 visitors for 20 seconds
    python benchmarks/load.py --visitors 50 --seconds 120   a crowd
    python benchmarks/load.py --memory                      the server's memory after 50 and after 500 generations

Ends with 1 after an error, and with --memory also if memory grew by more than 50 MB.

It starts `python app.py` on a free port of this machine and visits it with gradio_client, as a program would. A
visitor has a text written (200 characters), looks at one attention map of it, pauses for about a second, and
begins again. Visitors share the machine's cores with the server, so real ones wait less than these.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import httpx
from gradio_client import Client

ROOT = Path(__file__).resolve().parent.parent
PROMPTS = ["ROMEO:\n", "To be, or not to be", "First Citizen:\nBefore we", "The printer is out of paper and"]
NEW = 200  # characters
GROWTH = 50  # MB that 450 more generations may add
REFUSALS = ("Queue is full", "Please try again")  # what a full house says, kindly


class Server:
    """`python app.py` as a child process."""

    def __enter__(self) -> Server:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        environment = {
            **os.environ,
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(port),
        }
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
        )
        while not self.answers():
            if self.process.poll() is not None or time.perf_counter() - begun > 300:
                self.__exit__()
                raise SystemExit("The app did not start: see what it says above.")
            time.sleep(0.05)
        print(f"python app.py answers after {time.perf_counter() - begun:.1f} s, with {self.memory():.0f} MB")
        return self

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}gradio_api/startup-events").status_code == 200
        except httpx.TransportError:
            return False

    def memory(self) -> float:
        """Resident memory in MB (Linux)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)


class Visit:
    """What the visitors met, all together."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.first: list[float] = []  # seconds to the first character
        self.whole: list[float] = []  # to the last one
        self.map: list[float] = []
        self.errors: Counter[str] = Counter()
        self.refused = 0
        self.places: list[int] = []  # in the queue, the furthest that each text was told

    def failed(self, error: Exception) -> None:
        with self.lock:
            if any(words in str(error) for words in REFUSALS):
                self.refused += 1
            else:
                self.errors[f"{type(error).__name__}: {str(error)[:100]}"] += 1

    def generate(self, client: Client, prompt: str, seed: int) -> str | None:
        begun, first, text = time.perf_counter(), None, None
        try:
            job = client.submit(prompt, NEW, 0.8, 0, 1.0, seed, api_name="/generate")
            place = 0
            while not job.done() and not job.outputs():
                place = max(place, job.status().rank or 0)
                time.sleep(0.1)
            for so_far in job:
                first, text = first or time.perf_counter() - begun, so_far
            with self.lock:
                self.places.append(place)
        except Exception as error:  # whatever it is, it is counted
            self.failed(error)
            return None
        with self.lock:
            self.first.append(first)
            self.whole.append(time.perf_counter() - begun)
        return text

    def look(self, client: Client, text: str, layer: int, head: int) -> None:
        begun = time.perf_counter()
        try:
            client.predict(text, layer, head, api_name="/attention")
        except Exception as error:
            self.failed(error)
            return
        with self.lock:
            self.map.append(time.perf_counter() - begun)


def visitor(number: int, client: Client, visit: Visit, end: float) -> None:
    choose = random.Random(number)
    time.sleep(choose.uniform(0, 1))
    while time.perf_counter() < end:
        text = visit.generate(client, choose.choice(PROMPTS), choose.randrange(10**6))
        if text is not None:
            visit.look(client, text, choose.randint(1, 6), choose.randint(1, 6))
        time.sleep(choose.uniform(0.5, 1.5))


def crowd(server: Server, visitors: int, seconds: float) -> bool:
    """Visit, print, and say whether nobody met an error."""
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: Client(server.url, verbose=False), range(visitors)))
    visit, begun = Visit(), time.perf_counter()
    end = begun + seconds
    threads = [
        threading.Thread(target=visitor, args=(i, client, visit, end)) for i, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    used = [server.memory()]
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(1.0, seconds / 10))
        if len(used) == 1 and time.perf_counter() > begun + seconds / 2:
            used.append(server.memory())
    took = time.perf_counter() - begun
    print(f"{visitors} visitors for {took:.0f} s on {os.cpu_count()} cores, {NEW} characters a text:")
    print(
        f"  texts {len(visit.whole)}, maps {len(visit.map)}, {len(visit.whole) * NEW / took:.0f} characters/s"
    )
    for name, times in (("first character", visit.first), ("whole text", visit.whole), ("map", visit.map)):
        if len(times) > 1:
            p95 = statistics.quantiles(times, n=20)[-1]
            print(
                f"  {name + ':':17} p50 {statistics.median(times):6.2f} s   p95 {p95:6.2f} s   worst {max(times):6.2f} s"
            )
    print(f"  refused by a full house: {visit.refused}")
    print(f"  errors: {sum(visit.errors.values())}")
    for error, count in visit.errors.most_common():
        print(f"    {count} x {error}")
    waited = [place for place in visit.places if place]
    print(
        f"  told their place in the queue: {len(waited)} texts, at most {max(waited, default=0)} before them"
    )
    print(
        f"  memory in MB at first, half-way, at the end: {', '.join(f'{mb:.0f}' for mb in [*used, server.memory()])}"
    )
    return not visit.errors


def memory(server: Server, few: int, many: int) -> bool:
    """Does memory grow with use? Generations and maps of ever new texts, by four visitors in turns."""
    clients = [Client(server.url, verbose=False) for _ in range(4)]
    visit, after = Visit(), {}
    for i in range(1, many + 1):
        client = clients[i % len(clients)]
        text = visit.generate(client, PROMPTS[i % len(PROMPTS)], i)
        visit.look(client, text or "ROMEO:", 1 + i % 6, 1 + i % 6)
        if i in (few, many):
            after[i] = server.memory()
            print(f"memory after {i} generations and maps: {after[i]:.0f} MB")
    grown = after[many] - after[few]
    print(f"grown by {grown:.0f} MB (at most {GROWTH}); errors: {sum(visit.errors.values())}")
    return not visit.errors and grown <= GROWTH


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--memory", action="store_true", help="measure memory instead of waiting times")
    parser.add_argument("--few", type=int, default=50, help="generations before memory is looked at first")
    parser.add_argument("--many", type=int, default=500, help="generations before memory is looked at again")
    asked = parser.parse_args()
    with Server() as server:
        if asked.memory:
            sys.exit(not memory(server, asked.few, asked.many))
        sys.exit(not crowd(server, asked.visitors, asked.seconds))


if __name__ == "__main__":
    main()
