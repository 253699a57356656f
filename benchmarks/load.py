"""Many visitors at once: does anybody get an error, and how long does one wait for a first character and a map?

    python benchmarks/load.py                               30 visitors press Generate at the same moment
    python benchmarks/load.py --visitors 50 --seconds 120   a crowd that comes and goes for two minutes

Ends with 1 after an error, after a text that is not the one of its seed, and after a crowd also if memory grew by more than
50 MB from the half of the time on.

It starts `python app.py` on a free port of this machine and visits it with plain HTTP requests from one thread, so that the
visitors cost the machine little; what they did cost is told beside what the server did. A visitor of a class has 300
characters written, while somebody looks at one map after the other. A visitor of a crowd has 200 written, looks at one
map of them, pauses for about a second, and begins again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

ROOT = Path(__file__).resolve().parent.parent
PROMPTS = [
    "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the s",
    "HAMLET:\nTo be, or not to be: that is the question:\nWhether 'tis nobler in the mind to",
    "First Citizen:\nBefore we",
    "The printer is out of paper and",
]
GROWTH = 50  # MB


class Server:
    """`python app.py` as a child process."""

    def __enter__(self) -> Server:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        environment = {
            **os.environ,
            "GRADIO_ANALYTICS_ENABLED": "False",
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

    def cpu(self) -> float:
        """Seconds of CPU that it has used (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)


class Visit:
    """What the visitors met, all together. Each request is a few lines of HTTP on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.host, self.port = httpx.URL(url).host, httpx.URL(url).port
        self.first: list[float] = []  # seconds to the first character
        self.whole: list[float] = []  # to the last one
        self.maps: list[float] = []
        self.characters = 0
        self.errors: Counter[str] = Counter()

    async def ask(
        self, method: str, path: str, data: object = None
    ) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request; the status and the connection, of which the head of the answer has been read."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=2**22)
        body = b"" if data is None else json.dumps({"data": data}).encode()
        head = f"{method} /gradio_api/{path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        status = int((await reader.readline()).split()[1])
        while (await reader.readline()).strip():
            pass
        return status, reader, writer

    async def answer(self, path: str, data: object) -> bytes:
        status, reader, writer = await self.ask("POST", path, data)
        told = await reader.read()
        writer.close()
        if status != 200:
            raise RuntimeError(f"{status} from {path}: {told[:100]!r}")
        return told

    async def generate(self, prompt: str, count: int, seed: int) -> str | None:
        begun, first, text = time.perf_counter(), None, None
        try:
            told = await self.answer("call/generate", [prompt, count, 0.8, 0, 1.0, seed])
            event = json.loads(told[told.index(b"{") : told.rindex(b"}") + 1])["event_id"]
            _, reader, writer = await self.ask("GET", f"call/generate/{event}")
            kind = b""
            while line := await reader.readline():
                if line.startswith(b"event: "):
                    kind = line[7:].strip()
                elif line.startswith(b"data: ") and kind in (b"generating", b"complete"):
                    first = first or time.perf_counter() - begun
                    (text,) = json.loads(line[6:])
                elif line.startswith(b"data: ") and kind == b"error":
                    raise RuntimeError(line.decode())
            writer.close()
            if text is None or len(text) != len(prompt) + count or first is None:
                raise RuntimeError(f"a text that is not whole: {text!r:.60}")
        except Exception as error:  # whatever it is, it is counted
            self.errors[f"{type(error).__name__}: {str(error)[:100]}"] += 1
            return None
        self.first.append(first)
        self.whole.append(time.perf_counter() - begun)
        self.characters += count
        return text

    async def look(self, text: str, layer: int, head: int) -> None:
        begun = time.perf_counter()
        try:
            await self.answer("run/attention", [text, layer, head])
        except Exception as error:
            self.errors[f"{type(error).__name__}: {str(error)[:100]}"] += 1
            return
        self.maps.append(time.perf_counter() - begun)


async def a_class(visit: Visit, visitors: int, characters: int) -> dict[tuple[str, int], str | None]:
    """All press at the same moment; one more looks at a new map every 0.2 seconds. The texts, by prompt and seed."""
    asked = [(PROMPTS[i % len(PROMPTS)], i) for i in range(visitors)]
    writing = asyncio.gather(*(visit.generate(prompt, characters, seed) for prompt, seed in asked))
    number = 0
    while not writing.done():
        await visit.look(f"{PROMPTS[2]}{'abcdefgh'[: number % 8]}", 1 + number % 6, 1 + number // 6 % 6)
        await asyncio.wait([writing], timeout=0.2)
        number += 1
    return dict(zip(asked, await writing, strict=True))


async def crowd(visit: Visit, server: Server, visitors: int, seconds: float, characters: int) -> list[float]:
    """They come and go; the server's memory half-way and at the end."""
    end = time.perf_counter() + seconds

    async def visitor(number: int) -> None:
        choose = random.Random(number)
        await asyncio.sleep(choose.uniform(0, 1))
        while time.perf_counter() < end:
            text = await visit.generate(choose.choice(PROMPTS), characters, choose.randrange(10**6))
            if text is not None:
                await visit.look(text, choose.randint(1, 6), choose.randint(1, 6))
            await asyncio.sleep(choose.uniform(0.5, 1.5))

    everybody = asyncio.gather(*(visitor(i) for i in range(visitors)))
    await asyncio.sleep(seconds / 2)
    used = [server.memory()]
    await everybody
    return [*used, server.memory()]


def report(visit: Visit, took: float, cpu: float, own: float) -> None:
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg()[:2])
    print(
        f"  {len(visit.whole)} texts, {len(visit.maps)} maps in {took:.1f} s, {visit.characters / took:.0f} characters/s"
    )
    for name, times in (("first character", visit.first), ("whole text", visit.whole), ("map", visit.maps)):
        if len(times) > 1:
            p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
            print(
                f"  {name + ':':17} p50 {statistics.median(times):6.2f} s   p95 {p95:6.2f} s   worst {max(times):6.2f} s"
            )
    print(
        f"  CPU: the server {cpu:.1f} s, these visitors {own:.1f} s, on {os.cpu_count()} cores; load {load}"
    )
    print(f"  errors: {sum(visit.errors.values())}")
    for error, count in visit.errors.most_common():
        print(f"    {count} x {error}")


CHECKED = 8  # texts, which takes as long as they take one after the other


def others(texts: dict[tuple[str, int], str | None], characters: int) -> int:
    """How many of the first few texts are not what `sg.generate` writes alone."""
    import shakespeare_gpt as sg

    model = sg.load()
    return sum(
        text is not None and text != prompt + sg.generate(model, prompt, characters, seed=seed)
        for (prompt, seed), text in list(texts.items())[:CHECKED]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--seconds", type=float, help="a crowd that comes and goes for so long (at most 600)")
    parser.add_argument("--characters", type=int, help="of a text (default: 300 in a class, 200 in a crowd)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often the class presses (default: %(default)s)"
    )
    asked = parser.parse_args()
    bad = False
    with Server() as server:
        warm = Visit(server.url)
        asyncio.run(a_class(warm, 2, 20))
        bad |= bool(warm.errors)
        used = [server.memory()]
        for number in range(1 if asked.seconds else asked.rounds):
            visit, begun = Visit(server.url), time.perf_counter()
            cpu, own = server.cpu(), time.process_time()
            texts: dict[tuple[str, int], str | None] = {}
            if asked.seconds:
                characters = asked.characters or 200
                print(f"{asked.visitors} visitors who come and go, {characters} characters a text:")
                used += asyncio.run(crowd(visit, server, asked.visitors, min(asked.seconds, 600), characters))
            else:
                characters = asked.characters or 300
                print(
                    f"{asked.visitors} visitors at the same moment, {characters} characters each, round {number + 1}:"
                )
                texts = asyncio.run(a_class(visit, asked.visitors, characters))
                used.append(server.memory())
            report(visit, time.perf_counter() - begun, server.cpu() - cpu, time.process_time() - own)
            differ = others(texts, characters)
            if texts:
                print(f"  of {CHECKED} texts, not those of their seeds alone: {differ}")
            bad |= bool(visit.errors or differ)
    print(f"memory in MB: {', '.join(f'{mb:.0f}' for mb in used)}")
    grown = used[-1] - used[-2]
    sys.exit(bad or (bool(asked.seconds) and grown > GROWTH))


if __name__ == "__main__":
    main()
