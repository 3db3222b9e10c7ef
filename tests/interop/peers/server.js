// An SMSC of npm's smpp: server.js SYSTEM_ID PASSWORD [CERTIFICATE KEY]
// It answers each submit with an id, then sends the receipt of a delivery to the session that receives, and asks each
// session once whether it is alive. With a certificate it speaks TLS.
'use strict';

const fs = require('node:fs');
const { say } = require('./peer.js');
const smpp = require('smpp');

const [system_id, password, certificate, key] = process.argv.slice(2);
const tls = certificate === undefined ? {} : { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
// The vendor's tag of the challenge's id and the send's ordinal.
const MARK_TLV = 0x1400;
let last_id = 1000;
let receiver;

function bind(session, pdu) {
    const refused = pdu.system_id === system_id
        ? (pdu.password === password ? smpp.ESME_ROK : smpp.ESME_RINVPASWD)
        : smpp.ESME_RINVSYSID;
    if (pdu.command !== 'bind_transmitter') receiver = session;
    session.send(pdu.response({ command_status: refused, system_id: 'npm-smpp' }));
    say({ event: 'bound', mode: pdu.command, status: refused, version: pdu.interface_version });
    session.enquire_link({}, (answer) => say({ event: 'enquired', status: answer.command_status }));
}

function submit(session, pdu) {
    const id = String(++last_id);
    session.send(pdu.response({ message_id: id }));
    say({
        event: 'submit',
        from: pdu.source_addr,
        to: pdu.destination_addr,
        ton: [pdu.source_addr_ton, pdu.dest_addr_ton],
        text: pdu.short_message.message,
        registered_delivery: pdu.registered_delivery,
        // The library makes it a date from now on.
        valid_seconds: (pdu.validity_period - Date.now()) / 1000,
        reference: pdu.user_message_reference,
        // What the library does not know it leaves as octets.
        mark: pdu[MARK_TLV] && pdu[MARK_TLV].toString('hex'),
    });
    receiver.deliver_sm({
        esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
        source_addr_ton: pdu.dest_addr_ton,
        source_addr: pdu.destination_addr,
        dest_addr_ton: pdu.source_addr_ton,
        destination_addr: pdu.source_addr,
        data_coding: 0,
        short_message: `id:${id} sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:DELIVRD err:000 text:`,
        receipted_message_id: id,
        message_state: smpp.MESSAGE_STATE.DELIVERED,
    }, (answer) => say({ event: 'receipt_answered', status: answer.command_status }));
}

const server = smpp.createServer(tls, (session) => {
    for (const mode of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
        session.on(mode, (pdu) => bind(session, pdu));
    }
    session.on('submit_sm', (pdu) => submit(session, pdu));
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => {
        say({ event: 'unbind' });
        session.send(pdu.response());
    });
    session.on('close', () => say({ event: 'closed' }));
    session.on('error', (error) => say({ event: 'error', error: String(error) }));
});
server.listen(0, '127.0.0.1', () => say({ event: 'listening', port: server.address().port }));
