from revertrisk.streams import Position
from revertrisk.streams.kafka_partitions import BATCH, MAX_BUFFERED, AssignedPartitions, Buffered


def put(held: AssignedPartitions, name: str, offset: int) -> None:
    epoch = held.epoch(name)
    assert epoch is not None
    held.put(Buffered(b"{}", Position(name, offset, epoch)))


def test_only_what_is_done_and_ours_is_committed() -> None:
    """A commit names the next offset, once, and only of partitions that are held; the beginning comes first."""
    held = AssignedPartitions()
    held.assign({"t[0]": 0, "t[1]": 7, "t[2]": None})
    assert held.take_uncommitted() == {"t[0]": 0, "t[1]": 7}
    put(held, "t[0]", 5)
    record = held.next_record()
    assert record is not None
    assert held.take_uncommitted() == {}
    held.note_done(record.position)
    held.note_done(Position("t[9]", 1, 1))
    assert held.take_uncommitted() == {"t[0]": 6}
    assert held.take_uncommitted() == {}


def test_d10_what_is_no_record_is_passed_when_all_before_it_is_done() -> None:
    """D10: a tombstone behind something in flight waits for it; one behind nothing is done at once."""
    held = AssignedPartitions()
    held.assign({"t[0]": 0})
    epoch = held.epoch("t[0]") or 0

    def put_nothing(offset: int) -> None:
        held.put(Buffered(None, Position("t[0]", offset, epoch)))

    put_nothing(2)
    assert held.next_record() is None
    assert held.take_uncommitted() == {"t[0]": 3}
    for offset in (3, 4):
        put(held, "t[0]", offset)
    put_nothing(6)
    first, second = held.next_record(), held.next_record()
    assert first is not None
    assert second is not None
    assert held.next_record() is None
    held.note_done(first.position)
    assert held.take_uncommitted() == {"t[0]": 4}
    held.note_done(second.position)
    assert held.take_uncommitted() == {"t[0]": 7}


def test_a_commit_that_failed_is_taken_again() -> None:
    """What the brokers refused is asked for again, with what is done by then."""
    held = AssignedPartitions()
    held.assign({"t[0]": 0})
    first = Position("t[0]", 5, held.epoch("t[0]") or 0)
    held.note_done(first)
    failed = held.take_uncommitted()
    held.note_done(Position("t[0]", 7, first.epoch))
    held.put_back_uncommitted(failed)
    assert held.take_uncommitted() == {"t[0]": 8}


def test_a_partition_that_comes_back_knows_nothing_of_its_first_time() -> None:
    """Records that wait are dropped with their partition, and what is done later of them moves nothing."""
    held = AssignedPartitions()
    held.assign({"t[0]": 0})
    for offset in (1, 2):
        put(held, "t[0]", offset)
    old = held.next_record()
    assert old is not None
    held.release(["t[0]"])
    assert held.next_record() is None
    held.assign({"t[0]": 0})
    held.note_done(old.position)
    assert held.take_uncommitted() == {"t[0]": 0}
    assert held.epoch("t[0]") != old.position.epoch


def test_a_leaving_partition_waits_for_what_is_in_flight_and_hands_out_no_more() -> None:
    """Idle is when everything handed out is done; what waits stays for the next owner."""
    held = AssignedPartitions()
    held.assign({"t[0]": 0})
    for offset in (1, 2):
        put(held, "t[0]", offset)
    record = held.next_record()
    assert record is not None
    assert not held.wait_until_idle(["t[0]"], timeout_s=0)
    assert held.next_record() is None
    held.note_done(record.position)
    assert held.wait_until_idle(["t[0]"], timeout_s=0)
    assert held.take_uncommitted() == {"t[0]": 2}


def test_a_full_buffer_has_no_room_until_a_batch_has_gone() -> None:
    """Memory is bounded, and so is the number of times that a thread is woken for it."""
    held = AssignedPartitions()
    held.assign({"t[0]": 0})
    offset = 0
    while held.wait_for_room(0):
        put(held, "t[0]", offset)
        offset += 1
    assert MAX_BUFFERED - BATCH < offset <= MAX_BUFFERED
    held.next_record()
    assert held.wait_for_room(0)


def test_all_is_read_when_every_partition_is_at_its_end_and_nothing_waits() -> None:
    """Without partitions nothing is known, and a new record means that there is more."""
    held = AssignedPartitions()
    assert not held.all_read
    held.assign({"t[0]": 0, "t[1]": 0})
    held.note_end("t[0]")
    assert not held.all_read
    held.note_end("t[1]")
    assert held.all_read
    put(held, "t[1]", 0)
    held.note_end("t[1]")
    assert not held.all_read
    held.next_record()
    assert held.all_read


def test_nothing_waits_once_reading_has_stopped() -> None:
    """What was not handed out is let go, while commits still count."""
    held = AssignedPartitions()
    held.assign({"t[0]": 0})
    put(held, "t[0]", 0)
    record = held.next_record()
    assert record is not None
    put(held, "t[0]", 1)
    held.stop_reading()
    assert held.next_record() is None
    assert held.epoch("t[0]") is None
    held.note_done(record.position)
    assert held.take_uncommitted() == {"t[0]": 1}
