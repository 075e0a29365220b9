"""Customer-service messages (客服消息) that follow the replies."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from wxstack.apiproxy.v1 import apiproxy_pb2, apiproxy_pb2_grpc
from wxstack.message.v1 import message_pb2

LEAD = 0.5  # seconds in which the reply reaches the follower first: nobody is told when it has
SEND_TIMEOUT = 10.0  # seconds that a message is worth trying
RETRY_PAUSE = 1.0

log = logging.getLogger("outbox")


class Outbox:
    """Sends texts through api-proxy, which knows the account's token."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._proxy = apiproxy_pb2_grpc.ApiProxyServiceStub(channel)
        self._workers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="outbox")

    def send(self, msg: message_pb2.Message, key: str, content: str) -> None:
        """Sends to whoever wrote msg, and returns at once: a reply never waits for what follows it."""
        request = apiproxy_pb2.SendCustomerServiceMessageRequest(
            app_id=msg.app_id,
            to_user=msg.from_user_name,
            message=message_pb2.Reply(text=message_pb2.TextReply(content=content)),
            idempotency_key=key,
        )
        self._workers.submit(self._deliver, request)

    def close(self) -> None:
        """Waits until what was to be sent is sent or given up."""
        self._workers.shutdown(wait=True)

    def _deliver(self, request: apiproxy_pb2.SendCustomerServiceMessageRequest) -> None:
        time.sleep(LEAD)
        end = time.monotonic() + SEND_TIMEOUT
        while True:
            try:
                answer = self._proxy.SendCustomerServiceMessage(
                    request, timeout=max(0.0, end - time.monotonic()), wait_for_ready=True
                )
            except grpc.RpcError as error:
                # The idempotency key makes it safe to send again.
                if error.code() == grpc.StatusCode.UNAVAILABLE and time.monotonic() + RETRY_PAUSE < end:
                    time.sleep(RETRY_PAUSE)
                    continue
                log.warning("customer-service message was not sent: %s %s", error.code(), error.details())
                return
            if answer.errcode != 0:
                log.warning("customer-service message was refused by WeChat with errcode %d", answer.errcode)
            return
