"""How many calls a second an account may place."""

from __future__ import annotations

from esl_agent.core.admission.bucket import TokenBucket

NOW_US = 1_772_366_400_000_000
S = 1_000_000


def take(bucket: TokenBucket, *times_us: int) -> tuple[TokenBucket, list[bool]]:
    answers = []
    for time_us in times_us:
        bucket, is_there = bucket.take(NOW_US + time_us)
        answers.append(is_there)
    return bucket, answers


def test_it_begins_full() -> None:
    assert take(TokenBucket(rate=2, burst=3), 0, 0, 0, 0)[1] == [True, True, True, False]


def test_it_fills_by_the_rate() -> None:
    bucket, _ = take(TokenBucket(rate=2, burst=2), 0, 0)
    assert take(bucket, S // 2 - 1, S // 2, S // 2)[1] == [False, True, False]


def test_and_to_the_brim_only() -> None:
    bucket, _ = take(TokenBucket(rate=2, burst=2), 0, 0)
    assert take(bucket, 100 * S, 100 * S, 100 * S)[1] == [True, True, False]


def test_a_refused_call_costs_no_token() -> None:
    bucket, _ = take(TokenBucket(rate=1, burst=1), 0, 1, 2, 3)
    assert take(bucket, S)[1] == [True]


def test_a_clock_set_back_fills_nothing_and_breaks_nothing() -> None:
    bucket, _ = take(TokenBucket(rate=1, burst=1), 10 * S)
    bucket, answers = take(bucket, 0, 5 * S, 10 * S, 11 * S)
    assert answers == [False, False, False, True]


def test_an_empty_bucket_gives_nothing() -> None:
    assert take(TokenBucket(rate=0, burst=0), 0, S)[1] == [False, False]
