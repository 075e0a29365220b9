"""A model for logic of your own in Python: an account book (记账本) that followers write to, the same as
../own-logic-go. README.md tells how to run it, docs/own-logic.md what the gateway expects of such a program."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from ledger import Entry, Ledger, Owner
from outbox import Outbox
from wxstack.logic.v1 import logic_pb2, logic_pb2_grpc
from wxstack.message.v1 import message_pb2

HELP = "发送「项目 金额」来记账，例如：咖啡 18。发送「合计」看总数。"
AMOUNT = re.compile(r"[0-9]{1,6}")  # in whole yuan

# Each question that waits for something holds a thread meanwhile.
THREADS = 32
STOP_GRACE = 15.0  # seconds for the questions that are being answered

SERVER_OPTIONS = [
    # The gateway looks every 10 s whether the connection is alive. Without the first two gRPC would take that for
    # an attack and cut the connection.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # Gateways then look up their peers again, so that new processes get work.
    ("grpc.max_connection_age_ms", 30_000),
    # A port that is taken is an error, and not shared.
    ("grpc.so_reuseport", 0),
]

log = logging.getLogger("own-logic-python")


def text(content: str, rule: str) -> logic_pb2.ReplyResponse:
    return logic_pb2.ReplyResponse(
        reply=message_pb2.Reply(text=message_pb2.TextReply(content=content)), rule=rule
    )


class Logic(logic_pb2_grpc.LogicServiceServicer):
    """Answers the gateway. It leaves Converse to the generated class, which says UNIMPLEMENTED: the gateway then
    asks with Reply, a call a message."""

    def __init__(self, account: str, budget: int, outbox: Outbox) -> None:
        self._account = account
        self._budget = budget
        self._outbox = outbox
        self._ledger = Ledger()

    def Reply(self, request: logic_pb2.ReplyRequest, context: grpc.ServicerContext) -> logic_pb2.ReplyResponse:
        try:
            return self._answer(request)
        except Exception:  # would reach the gateway's log with all it says
            log.exception("handler failed")
            return text("记账本出了点问题，请稍后再试。", "")

    def _answer(self, request: logic_pb2.ReplyRequest) -> logic_pb2.ReplyResponse:
        msg = request.message
        if self._account not in (msg.app_id, msg.to_user_name):
            return text("这个公众号不记账。", "elsewhere")
        kind = msg.WhichOneof("content")
        event = msg.event.name.lower()  # WeChat writes these now in this case, now in that
        if kind == "text":
            return self._text(request, msg.text.content.strip())
        if event == "subscribe":
            return text("欢迎！" + HELP, "ledger")
        if event == "click" and msg.event.key == "TOTAL":
            return self._total(msg)
        return logic_pb2.ReplyResponse(rule="ledger")  # silence

    def _text(self, request: logic_pb2.ReplyRequest, content: str) -> logic_pb2.ReplyResponse:
        if content == "合计":
            return self._total(request.message)
        words = content.split()
        if len(words) != 2 or not AMOUNT.fullmatch(words[1]):
            return text("看不懂。" + HELP, "ledger")
        return self._record(request, words[0], int(words[1]))

    def _record(self, request: logic_pb2.ReplyRequest, item: str, yuan: int) -> logic_pb2.ReplyResponse:
        msg, key = request.message, request.message_key
        if request.shadow:
            return recorded(self._ledger.preview(owner_of(msg), key, item, yuan))
        entry = self._ledger.record(owner_of(msg), key, item, yuan)
        if entry.total - entry.yuan <= self._budget < entry.total:
            # The key makes it one message, however often this is asked and sent.
            self._outbox.send(msg, "over-budget/" + key, f"提醒：已经超出预算 {self._budget} 元。")
        return recorded(entry)

    def _total(self, msg: message_pb2.Message) -> logic_pb2.ReplyResponse:
        count, yuan = self._ledger.total(owner_of(msg))
        return text(f"一共 {count} 笔，合计 {yuan} 元。", "ledger")


def recorded(entry: Entry) -> logic_pb2.ReplyResponse:
    return text(f"记下了：{entry.item} {entry.yuan} 元，合计 {entry.total} 元。", "ledger")


def owner_of(msg: message_pb2.Message) -> Owner:
    return msg.app_id, msg.from_user_name


def budget() -> int:
    """Returns what a follower may spend before being warned, in yuan."""
    value = os.environ.get("LEDGER_BUDGET", "100")
    if not AMOUNT.fullmatch(value) or int(value) == 0:
        raise SystemExit("LEDGER_BUDGET: must be more than 0 yuan, in digits")
    return int(value)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    listen = os.environ.get("LOGIC_LISTEN_ADDR", "[::]:50051")
    channel = grpc.insecure_channel(os.environ.get("API_PROXY_ADDR", "dns:///localhost:50052"))
    outbox = Outbox(channel)
    logic = Logic(
        account=os.environ.get("LEDGER_ACCOUNT", "wxdev0000000000001"),
        budget=budget(),
        outbox=outbox,
    )
    server = grpc.server(ThreadPoolExecutor(max_workers=THREADS), options=SERVER_OPTIONS)
    logic_pb2_grpc.add_LogicServiceServicer_to_server(logic, server)
    try:
        server.add_insecure_port(listen)
    except RuntimeError as error:
        raise SystemExit(f"LOGIC_LISTEN_ADDR: {error}") from None

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    log.info("answering on %s", listen)
    stop.wait()
    # The gateway asks elsewhere from now on; what it has asked is answered, and what follows a reply is sent.
    server.stop(STOP_GRACE).wait()
    outbox.close()
    channel.close()
    log.info("stopped")


if __name__ == "__main__":
    main()
