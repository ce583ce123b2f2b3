"""How fast the simulated switch is: events rendered and sent, and whole calls, per second of its CPU.

Run it with `python -m tests.benchmarks.simulator`; it prints one line of JSON.

A client in a process of its own reads all there is and does nothing with it.
The clock is the simulator's own CPU time, so the figures say what one core
gives, whoever else runs on the machine.  Two subscriptions: every event of a
call, and the few that the agent asks for.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import process_time
from typing import Final

from gevent import socket

from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.simulator import Simulator
from esl_agent.simulator.traffic import TrafficConfig
from esl_agent.switch.events import EVENT_NAMES

CALLS: Final = 6_000
CALLS_PER_SECOND: Final = 2_000.0
PATIENCE_S: Final = 300.0
ALL_OF_A_CALL: Final = (
    *("CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CALL_UPDATE"),
    *("CHANNEL_HANGUP", "CHANNEL_UNBRIDGE", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"),
)


def measure() -> dict[str, float]:
    """The figures."""
    everything, sent_bytes, everything_s = _run(ALL_OF_A_CALL)
    wanted, _, wanted_s = _run(EVENT_NAMES)
    return {
        "simulator_event_bytes_mean": round(sent_bytes / everything),
        "simulator_events_per_cpu_s": round(everything / everything_s),
        "simulator_calls_per_cpu_s_all_events": round(CALLS / everything_s),
        "simulator_calls_per_cpu_s_agents_events": round(CALLS / wanted_s),
        "simulator_events_a_call_agents": round(wanted / CALLS, 1),
    }


def _run(names: tuple[str, ...]) -> tuple[int, int, float]:
    """Place the calls for a client that wants `names`; events sent, bytes sent, CPU seconds."""
    traffic = TrafficConfig(
        calls_per_second=CALLS_PER_SECOND, calls=CALLS, evenly=True, talk_ms_mean=500.0, talk_exactly=True
    )
    simulator = Simulator(SimulatorConfig(port=0, heartbeat_s=0, traffic=traffic)).start()
    subscribed = simulator.subscribed()
    with _reader(simulator.port, names) as reader:
        subscribed.wait(PATIENCE_S)
        began = process_time()
        simulator.begin_traffic()
        simulator.traffic_over.wait(PATIENCE_S)
        simulator.wait_quiet(PATIENCE_S)
        simulator.stop()
        cpu_s = process_time() - began
        output, _ = reader.communicate(timeout=PATIENCE_S)
    return simulator.summary().events_sent, int(output), cpu_s


@contextmanager
def _reader(port: int, names: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.benchmarks.simulator", "read", str(port), *names]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _read(port: int, names: list[str]) -> int:
    """Subscribe, read to the end; how many bytes came."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(f"auth ClueCon\n\nevent json {' '.join(names)}\n\n".encode())
    count = 0
    while data := sock.recv(1024 * 1024):
        count += len(data)
    sock.close()
    return count


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        print(_read(int(sys.argv[2]), sys.argv[3:]))
    else:
        gc.set_threshold(50_000)  # as the command does
        print(json.dumps(measure()))
