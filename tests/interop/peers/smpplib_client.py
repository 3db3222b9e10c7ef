"""An ESME of Python's smpplib: smpplib_client.py HOST PORT SYSTEM_ID PASSWORD [ROOTS]

With ROOTS, a file of certificates, it speaks TLS.
"""

import itertools
import ssl
import sys

import smpplib.client
from smpplib import consts
import smpplib.gsm
import smpplib.smpp

import peer

WAIT_SECONDS = 20
# The library has no name for it.
SMSC_DELIVERY_RECEIPT = 0x04
references = itertools.count(1)


class Esme:
    """One session. smpplib reads only when it is told to: what comes meanwhile waits in the socket."""

    def __init__(self, host, port, system_id, password, roots=None):
        tls = None
        if roots:
            tls = ssl.create_default_context(cafile=roots)
            # The library does not say whom it connects to; the certificate is checked nevertheless.
            tls.check_hostname = False
        # Strict: a parameter that smpplib does not know is an error.
        self._client = smpplib.client.Client(
            host, port, timeout=WAIT_SECONDS, ssl_context=tls, allow_unknown_opt_params=False)
        self._credentials = {"system_id": system_id, "password": password}
        self._answers = []
        self._receipts = []
        self._messages = []
        self._client.set_message_sent_handler(lambda pdu: self._answers.append(pdu))
        self._client.set_query_resp_handler(lambda pdu: self._answers.append(pdu))
        self._client.set_message_received_handler(self._take)

    def bind(self, mode):
        self._client.connect()
        response = getattr(self._client, f"bind_{mode}")(**self._credentials)
        return {"system_id": response.system_id.decode()}

    def submit(self, sender, to, text, alphabet="gsm", long=None):
        coding = consts.SMPP_ENCODING_ISO10646 if alphabet == "ucs2" else consts.SMPP_ENCODING_DEFAULT
        parts, fields = self._cut(text, coding, long)
        ids = []
        for part in parts:
            self._client.send_message(
                source_addr_ton=consts.SMPP_TON_ALNUM, source_addr=sender,
                dest_addr_ton=consts.SMPP_TON_INTL, dest_addr_npi=consts.SMPP_NPI_ISDN, destination_addr=to,
                data_coding=coding, registered_delivery=True, **fields, **part)
            ids.append(self._answer().message_id.decode())
        return {"ids": ids}

    @staticmethod
    def _cut(text, coding, long):
        """The fields of each part, and those that all have in common."""
        if long == "payload":
            return [{"message_payload": smpplib.gsm.ENCODINGS[coding][0](text)}], {}
        parts, _, esm_class = smpplib.gsm.make_parts(text, coding, use_udhi=long != "sar")
        if long != "sar":
            return [{"short_message": part} for part in parts], {"esm_class": esm_class}
        return ([{"short_message": part, "sar_segment_seqnum": number} for number, part in enumerate(parts, 1)],
                {"sar_msg_ref_num": next(references), "sar_total_segments": len(parts)})

    def receipt(self):
        while not self._receipts:
            self._read()
        return self._receipts.pop(0)

    def message(self):
        while not self._messages:
            self._read()
        return self._messages.pop(0)

    def query(self, sender, id):
        self._client.query_message(message_id=id, source_addr_ton=consts.SMPP_TON_ALNUM, source_addr=sender)
        pdu = self._answer()
        return {"id": pdu.message_id.decode(), "state": pdu.message_state, "final_date": pdu.final_date.decode()}

    def enquire(self):
        enquiry = smpplib.smpp.make_pdu("enquire_link", client=self._client)
        self._client.send_pdu(enquiry)
        response = self._client.read_pdu()
        if (response.command, response.sequence) != ("enquire_link_resp", enquiry.sequence):
            raise ValueError(f"{response.command} instead of enquire_link_resp")
        return {}

    def unbind(self):
        response = self._client.unbind()
        self._client.disconnect()
        return {"answer": response.command}

    def _answer(self):
        while not self._answers:
            self._read()
        return self._answers.pop(0)

    def _read(self):
        self._client.read_once(auto_send_enquire_link=False)

    def _take(self, pdu):
        if not pdu.esm_class & SMSC_DELIVERY_RECEIPT:
            alphabet = "utf-16-be" if pdu.data_coding == consts.SMPP_ENCODING_ISO10646 else "ascii"
            self._messages.append({
                "from": pdu.source_addr.decode(), "to": pdu.destination_addr.decode(),
                "text": pdu.short_message.decode(alphabet)})
            return
        said = peer.parse_receipt(pdu.short_message.decode("ascii"))
        self._receipts.append({
            "id": said["id"], "stat": said["stat"], "from": pdu.source_addr.decode(),
            "tlv_id": pdu.receipted_message_id.decode(), "tlv_state": pdu.message_state})


def main():
    esme = Esme(*sys.argv[1:])
    for verb, arguments in peer.commands(sys.stdin):
        try:
            peer.say(getattr(esme, verb)(**arguments))
        except Exception as error:  # Whatever the library raises is the answer.
            peer.say(peer.failure(error))


if __name__ == "__main__":
    main()
