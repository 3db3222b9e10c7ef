"""An SMSC of Python's smpp.twisted3: twisted_server.py SYSTEM_ID PASSWORD

It answers each submit with an id, then sends the receipt of a delivery to the session that receives, and asks each
session once whether it is alive. It drops parameters of vendors without a word.
"""

import datetime
import itertools
import logging
import sys

from smpp.pdu import operations, pdu_types
from smpp.pdu.sm_encoding import SMStringEncoder
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse, SMPPServerProtocol
from smpp.twisted.server import IAuthenticatedSMPP, SMPPServerFactory
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor
from zope.interface import implementer

import peer

RESPONSE_SECONDS = 20
ids = itertools.count(1001)


@implementer(IRealm)
class Realm:
    """What one has logged in to; nothing is asked of it."""

    def requestAvatar(self, avatar_id, mind, *interfaces):
        return IAuthenticatedSMPP, avatar_id, lambda: None


@implementer(ICredentialsChecker)
class Checker:
    """Lets in who has the password."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, system_id, password):
        self._right = system_id, password

    def requestAvatarId(self, credentials):
        if (credentials.username, credentials.password) != self._right:
            raise UnauthorizedLogin
        return credentials.username


class Session(SMPPServerProtocol):
    """One session, which says what it sees."""

    def onPDURequest_unbind(self, reqPDU):
        peer.say({"event": "unbind"})
        super().onPDURequest_unbind(reqPDU)

    def sendResponse(self, reqPDU, status=pdu_types.CommandStatus.ESME_ROK, **params):
        super().sendResponse(reqPDU, status, **params)
        if isinstance(reqPDU, operations.BindTransceiver | operations.BindTransmitter | operations.BindReceiver):
            peer.say({
                "event": "bound", "mode": reqPDU.id.name, "status": 0,
                "version": reqPDU.params["interface_version"]})
            enquiry = self.sendRequest(operations.EnquireLink(), RESPONSE_SECONDS)
            enquiry.addCallback(lambda result: peer.say({"event": "enquired", "status": status_of(result)}))
        elif isinstance(reqPDU, operations.SubmitSM) and status == pdu_types.CommandStatus.ESME_ROK:
            receiver = self.factory.getBoundConnections(self.system_id).getNextBindingForDelivery()
            receipt = receiver.sendDataRequest(receipt_of(reqPDU.params, params["message_id"]))
            receipt.addCallback(lambda result: peer.say({"event": "receipt_answered", "status": status_of(result)}))

    def connectionLost(self, reason):
        super().connectionLost(reason)
        peer.say({"event": "closed"})


def status_of(result):
    """The command_status of an answer, as a number; the library raises for any other than 0."""
    return {pdu_types.CommandStatus.ESME_ROK: 0}[result.response.status]


def receipt_of(submit, message_id):
    text = (b"id:%s sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:DELIVRD err:000 text:"
            % message_id)
    return operations.DeliverSM(
        source_addr_ton=submit["dest_addr_ton"], source_addr=submit["destination_addr"],
        dest_addr_ton=submit["source_addr_ton"], destination_addr=submit["source_addr"],
        esm_class=pdu_types.EsmClass(
            pdu_types.EsmClassMode.DEFAULT, pdu_types.EsmClassType.SMSC_DELIVERY_RECEIPT),
        short_message=text, receipted_message_id=message_id,
        message_state=pdu_types.MessageState.DELIVERED)


def take(system_id, session, pdu):
    """Answers a submit."""
    peer.say({
        "event": "submit",
        "from": pdu.params["source_addr"].decode(), "to": pdu.params["destination_addr"].decode(),
        "ton": [ton_of(pdu.params["source_addr_ton"]), ton_of(pdu.params["dest_addr_ton"])],
        "text": SMStringEncoder().decodeSM(pdu).unicode,
        "registered_delivery":
            int(pdu.params["registered_delivery"].receipt
                == pdu_types.RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED),
        "valid_seconds": seconds_of(pdu.params["validity_period"]),
        "reference": pdu.params.get("user_message_reference"),
    })
    return DataHandlerResponse(status=pdu_types.CommandStatus.ESME_ROK, message_id=b"%d" % next(ids))


def seconds_of(validity):
    """From now on; the library makes a relative validity a tuple, and one in UTC a date without a time zone."""
    if isinstance(validity, datetime.datetime):
        return (validity - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)).total_seconds()
    return validity.hours * 3600 + validity.minutes * 60 + validity.seconds


def ton_of(ton):
    """The number of a type of number, as SMPP writes it."""
    return [pdu_types.AddrTon.UNKNOWN, pdu_types.AddrTon.INTERNATIONAL, pdu_types.AddrTon.NATIONAL,
            pdu_types.AddrTon.NETWORK_SPECIFIC, pdu_types.AddrTon.SUBSCRIBER_NUMBER,
            pdu_types.AddrTon.ALPHANUMERIC].index(ton)


def main():
    logging.basicConfig(level=logging.ERROR)
    system_id, password = sys.argv[1:]
    portal = Portal(Realm())
    portal.registerChecker(Checker(system_id, password))
    factory = SMPPServerFactory(SMPPServerConfig(msgHandler=take, systems={system_id: {"max_bindings": 8}}), portal)
    factory.protocol = Session
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    peer.say({"event": "listening", "port": port.getHost().port})
    reactor.run()


if __name__ == "__main__":
    main()
