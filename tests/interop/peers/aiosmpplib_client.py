"""An ESME of Python's aiosmpplib: aiosmpplib_client.py HOST PORT SYSTEM_ID PASSWORD

aiosmpplib binds again by itself when the link is lost, and sends enquire_link by itself. It does not know query_sm,
tells of a long message only the answer to its last part, and closes after unbind without reading the answer.
"""

import asyncio
import logging
import sys

import aiosmpplib
from aiosmpplib import protocol, state

import peer

WAIT_SECONDS = 20
# Of silence, before it asks whether the link is alive.
ENQUIRE_SECONDS = 0.1
UDHI = 0x40
# What a deliver_sm is queued as that is one.
RECEIPT = "receipt"


class Ears(aiosmpplib.AbstractHook):
    """Sorts what comes from the SMSC into queues."""

    def __init__(self):
        self._queues = {}

    def queue(self, kind):
        return self._queues.setdefault(kind, asyncio.Queue())

    async def next(self, kind):
        heard = await asyncio.wait_for(self.queue(kind).get(), WAIT_SECONDS)
        if isinstance(heard, Exception):
            raise heard
        return heard

    async def sending(self, smpp_message, pdu, client_id):
        pass

    async def received(self, smpp_message, pdu, client_id):
        if smpp_message is not None:
            receipt = isinstance(smpp_message, protocol.DeliverSm) and smpp_message.is_receipt()
            self.queue(RECEIPT if receipt else type(smpp_message)).put_nowait(smpp_message)
            return
        # Without a message it is a part of a long one, for which aiosmpplib answers by itself, or an error without
        # a body, as SMPP has it, which aiosmpplib cannot read.
        header = protocol.SmppMessage.parse_header(pdu)
        if header.command_status != state.SmppCommandStatus.ESME_ROK:
            error = ConnectionRefusedError(header.command_status.name)
            self.queue(protocol.MESSAGE_TYPE_MAP[header.smpp_command]).put_nowait(error)

    async def send_error(self, smpp_message, error, client_id):
        self.queue(protocol.SubmitSmResp).put_nowait(error)


class Esme:
    """One session."""

    def __init__(self, host, port, system_id, password):
        self._address = {"smsc_host": host, "smsc_port": int(port)}
        self._credentials = {"system_id": system_id, "password": password}
        self._ears = Ears()
        self._esme = self._running = None

    async def bind(self, mode):
        self._esme = aiosmpplib.ESME(
            **self._address, **self._credentials, bind_mode=state.BindMode[mode.upper()], hook=self._ears,
            enquire_link_interval=ENQUIRE_SECONDS, log_level=logging.CRITICAL)
        self._running = asyncio.create_task(self._esme.start())
        response = await self._ears.next(getattr(protocol, f"Bind{mode.capitalize()}Resp"))
        return {"system_id": response.system_id}

    async def submit(self, sender, to, text, alphabet="gsm", long=None):
        udh = long == "udh"
        await self._esme.broker.enqueue(protocol.SubmitSm(
            short_message=text, source=state.PhoneNumber(sender), destination=state.PhoneNumber(to),
            encoding="ucs2" if alphabet == "ucs2" else None, esm_class=UDHI if udh else 0,
            auto_message_payload=not udh))
        response = await self._ears.next(protocol.SubmitSmResp)
        if response.command_status != state.SmppCommandStatus.ESME_ROK:
            raise ValueError(response.command_status.name)
        return {"ids": [response.message_id]}

    async def receipt(self):
        message = await self._ears.next(RECEIPT)
        said = message.parse_receipt()
        parameters = {parameter.tag: parameter.value for parameter in message.optional_params}
        return {
            "id": said["id"], "stat": said["stat"], "from": message.source.number,
            "tlv_id": parameters[state.RECEIPTED_MESSAGE_ID], "tlv_state": parameters[state.MESSAGE_STATE]}

    async def message(self):
        message = await self._ears.next(protocol.DeliverSm)
        return {
            "from": message.source.number, "to": message.destination.number, "text": message.short_message}

    async def enquire(self):
        answers = self._ears.queue(protocol.EnquireLinkResp)
        while not answers.empty():
            answers.get_nowait()
        # The next one may answer an enquiry that was already on its way.
        await self._ears.next(protocol.EnquireLinkResp)
        await self._ears.next(protocol.EnquireLinkResp)
        return {}

    async def unbind(self):
        await self._esme.stop()
        await self._running
        return {"answer": None}


async def main():
    esme = Esme(*sys.argv[1:])
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        for verb, arguments in peer.commands([line]):
            try:
                peer.say(await getattr(esme, verb)(**arguments))
            except Exception as error:  # Whatever the library raises is the answer.
                peer.say(peer.failure(error))


if __name__ == "__main__":
    asyncio.run(main())
