"""A Kafka cluster for tests: librdkafka's mock brokers, which are in the package confluent-kafka, and a consumer of what they have.

Reads a command a line (`down BROKER`, `up BROKER`, `leader PARTITION BROKER`, `ids`) and answers with a line of JSON.
"""

import ctypes
import glob
import json
import os
import sys
import threading
import time

import confluent_kafka

topic, partitions, brokers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
folder = os.path.join(os.path.dirname(os.path.dirname(confluent_kafka.__file__)), "confluent_kafka.libs")
lib = ctypes.CDLL(glob.glob(os.path.join(folder, "librdkafka*.so*"))[0])


def function(name, result, *arguments):
    found = getattr(lib, name)
    found.restype, found.argtypes = result, arguments
    return found


pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
conf = function("rd_kafka_conf_new", pointer)()
# Type 0 is a producer; the mock cluster only needs a handle to live in.
handle = function("rd_kafka_new", pointer, number, pointer, text, ctypes.c_size_t)(0, conf, None, 0)
cluster = function("rd_kafka_mock_cluster_new", pointer, pointer, number)(handle, brokers)
bootstrap = function("rd_kafka_mock_cluster_bootstraps", text, pointer)(cluster).decode()
function("rd_kafka_mock_topic_create", number, pointer, text, number, number)(
    cluster, topic.encode(), partitions, brokers
)
set_down = function("rd_kafka_mock_broker_set_down", number, pointer, ctypes.c_int32)
set_up = function("rd_kafka_mock_broker_set_up", number, pointer, ctypes.c_int32)
set_leader = function("rd_kafka_mock_partition_set_leader", number, pointer, text, ctypes.c_int32, ctypes.c_int32)


class Reader(threading.Thread):
    """Reads everything as it comes: a mock broker keeps only the last 5 MiB of a partition."""

    def __init__(self):
        super().__init__(daemon=True)
        self.found = [[] for _ in range(partitions)]
        self.failed = None
        # Where a partition ends is asked by another one: this one would answer after its `poll`, which never ends.
        self.ends = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "ends"})
        self.consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "tests",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
            }
        )
        parts = [confluent_kafka.TopicPartition(topic, partition, 0) for partition in range(partitions)]
        self.consumer.assign(parts)

    def run(self):
        while True:
            record = self.consumer.poll(1)
            if record is None:
                continue
            error = record.error()
            if error is None:
                headers = dict(record.headers() or [])
                self.found[record.partition()].append(
                    [headers["id"].decode(), record.key().decode(), record.partition()]
                )
            elif error.code() == confluent_kafka.KafkaError._AUTO_OFFSET_RESET:
                self.failed = str(error)

    def ids(self):
        """The header `id` of every record, and its key and partition."""
        for partition in range(partitions):
            at = confluent_kafka.TopicPartition(topic, partition, 0)
            _, end = self.ends.get_watermark_offsets(at, timeout=20)
            until = time.monotonic() + 20
            while len(self.found[partition]) < end:
                if self.failed or time.monotonic() > until:
                    print(f"cannot read: {self.failed or 'nothing comes'}", file=sys.stderr, flush=True)
                    # Not `sys.exit`: it would wait for a thread that waits for the brokers.
                    os._exit(1)
                time.sleep(0.01)
        return [row for rows in self.found for row in rows]


reader = Reader()
reader.start()
print(json.dumps(bootstrap), flush=True)
for line in sys.stdin:
    command, *rest = line.split()
    if command == "down":
        set_down(cluster, int(rest[0]))
        answer = "ok"
    elif command == "up":
        set_up(cluster, int(rest[0]))
        answer = "ok"
    elif command == "leader":
        set_leader(cluster, topic.encode(), int(rest[0]), int(rest[1]))
        answer = "ok"
    else:
        answer = reader.ids()
    print(json.dumps(answer), flush=True)
