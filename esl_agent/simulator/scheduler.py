"""The switch's task scheduler: whole seconds, looked at every half second.

As src/switch_scheduler.c has it: one thread walks the tasks, runs those whose
second has come, then waits for half a second or for the next task that is
added or deleted.  So `+N` runs between N−1 and N+0.5 s after it was asked for.
A time in the past is taken for a distance and repeats (`switch_scheduler_add_task_ex`),
which is why a past absolute time for a hangup, doubled, never comes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

POLL_US: Final = 500_000

#: How many deleted tasks may linger in the heap before it is swept.
_DELETED_MAX: Final = 10_000


@dataclass(slots=True, eq=False)
class Task:
    """One thing to do; `runtime_s` is the second of the epoch from which on it is due."""

    id: int
    group: str
    runtime_s: int
    repeat_s: int  # 0: once
    do: Callable[[], object]


class Scheduler:
    """Tasks by id and group.  Whoever owns it calls `poll` when `next_poll_us` has come."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._groups: dict[str, list[int]] = {}
        self._due: list[tuple[int, int]] = []  # runtime and id, deleted ones among them
        self._last_id = 0
        self.next_poll_us: int | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, now_us: int, runtime_s: int, group: str, do: Callable[[], object]) -> Task:
        """Add a task; it runs at the earliest at the next poll, which is at once."""
        now_s = now_us // 1_000_000
        repeat_s = 0
        if runtime_s < now_s:
            repeat_s = runtime_s & 0xFFFF_FFFF
            runtime_s += now_s
        self._last_id += 1
        task = Task(self._last_id, group or "none", runtime_s, repeat_s, do)
        self._tasks[task.id] = task
        self._groups.setdefault(task.group, []).append(task.id)
        self._push(task)
        self.next_poll_us = now_us
        return task

    def delete_id(self, task_id: int) -> int:
        """Delete one task; how many that were."""
        return int(self._delete(task_id))

    def delete_group(self, group: str) -> int:
        """Delete all tasks of a group; how many that were."""
        return sum(self._delete(task_id) for task_id in list(self._groups.get(group, ())))

    def poll(self, now_us: int) -> int:
        """Run what is due, in the order it was added; how many tasks that were."""
        now_s = now_us // 1_000_000
        due = set()
        while self._due and self._due[0][0] <= now_s:
            runtime_s, task_id = heapq.heappop(self._due)
            if task_id in self._tasks and self._tasks[task_id].runtime_s == runtime_s:
                due.add(task_id)
        for task_id in sorted(due):
            task = self._tasks.get(task_id)
            if task is None:
                continue  # deleted by one before it
            if task.repeat_s:
                task.runtime_s = now_s + task.repeat_s
                self._push(task)
            else:
                self._delete(task_id)
            task.do()
        self.next_poll_us = now_us + POLL_US if self._tasks else None
        return len(due)

    def tasks(self) -> list[Task]:
        return list(self._tasks.values())

    def clear(self) -> None:
        """Forget all tasks, as a restart does."""
        self._tasks.clear()
        self._groups.clear()
        self._due.clear()
        self._last_id = 0
        self.next_poll_us = None

    def _push(self, task: Task) -> None:
        heapq.heappush(self._due, (task.runtime_s, task.id))
        if len(self._due) > len(self._tasks) + _DELETED_MAX:
            self._due = [(task.runtime_s, task.id) for task in self._tasks.values()]
            heapq.heapify(self._due)

    def _delete(self, task_id: int) -> bool:
        task = self._tasks.pop(task_id, None)
        if task is None:
            return False
        members = self._groups[task.group]
        members.remove(task_id)
        if not members:
            del self._groups[task.group]
        return True
