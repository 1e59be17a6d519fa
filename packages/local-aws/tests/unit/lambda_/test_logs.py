from local_aws.lambda_.logs import forget_oldest


def test_a_long_log_keeps_its_newest_events_and_never_grows_beyond_twice_as_many():
    events: list[int] = []
    for number in range(100):
        events.append(number)
        forget_oldest(events, kept=10)
        assert len(events) <= 20
    assert events[-10:] == list(range(90, 100))
