// An ESME of npm's smpp: client.js HOST PORT SYSTEM_ID PASSWORD [ROOTS]
// With ROOTS, a file of certificates, it speaks TLS.
'use strict';

const fs = require('node:fs');
const readline = require('node:readline');
const { say, parseReceipt } = require('./peer.js');
const smpp = require('smpp');

const [host, port, system_id, password, roots] = process.argv.slice(2);
const tls = roots === undefined ? {} : { tls: true, ca: fs.readFileSync(roots) };
// The octets of text in a part, after the user data header where there is one.
const PART = { gsm: 153, ucs2: 134 };
// 0 rather than the library's choice: it writes the GSM alphabet and calls it ASCII (1).
const CODING = { gsm: 0, ucs2: 8 };
const ENCODING = { gsm: 'ASCII', ucs2: 'UCS2' };

let session;
let reference = 0;

/** What the SMSC has sent of one kind, and who waits for it. */
class Queue {
    #items = [];
    #waiting = [];

    put(item) {
        this.#waiting.length > 0 ? this.#waiting.shift()(item) : this.#items.push(item);
    }

    next() {
        return this.#items.length > 0 ? this.#items.shift() : new Promise((arrived) => this.#waiting.push(arrived));
    }
}

const receipts = new Queue();
const messages = new Queue();

function take(pdu) {
    session.send(pdu.response());
    const text = pdu.short_message.message;
    if (!(pdu.esm_class & smpp.ESM_CLASS.MC_DELIVERY_RECEIPT)) {
        messages.put({ from: pdu.source_addr, to: pdu.destination_addr, text });
        return;
    }
    const said = parseReceipt(text);
    receipts.put({
        id: said.id,
        stat: said.stat,
        from: pdu.source_addr,
        tlv_id: pdu.receipted_message_id,
        tlv_state: pdu.message_state,
    });
}

/** Sends a request and waits for its answer. */
function call(command, options) {
    return new Promise((answer, fail) => {
        session.once('error', fail);
        session[command](options, (pdu) => {
            session.removeListener('error', fail);
            if (pdu.command_status === 0) return answer(pdu);
            const name = Object.keys(smpp.errors).find((key) => smpp.errors[key] === pdu.command_status);
            fail(new Error(name ?? `command_status ${pdu.command_status}`));
        });
    });
}

/** The fields of each part of a text. */
function cut(text, alphabet, long) {
    const octets = smpp.encodings[ENCODING[alphabet]].encode(text);
    if (long === undefined) return [{ short_message: octets }];
    if (long === 'payload') return [{ message_payload: octets }];
    const count = Math.ceil(octets.length / PART[alphabet]);
    reference += 1;
    return Array.from({ length: count }, (_, index) => {
        const part = octets.subarray(index * PART[alphabet], (index + 1) * PART[alphabet]);
        if (long === 'udh') {
            const udh = Buffer.from([5, 0, 3, reference, count, index + 1]);
            return { short_message: { udh, message: part } };
        }
        return {
            short_message: part,
            sar_msg_ref_num: reference,
            sar_total_segments: count,
            sar_segment_seqnum: index + 1,
        };
    });
}

const verbs = {
    async bind({ mode }) {
        session = smpp.connect({ host, port: Number(port), ...tls });
        session.on('deliver_sm', take);
        const event = roots === undefined ? 'connect' : 'secureConnect';
        await new Promise((connected, fail) => session.once(event, connected).once('error', fail));
        session.removeAllListeners('error');
        const response = await call(`bind_${mode}`, { system_id, password });
        return { system_id: response.system_id };
    },
    async submit({ sender, to, text, alphabet = 'gsm', long }) {
        const answers = cut(text, alphabet, long).map((fields) => call('submit_sm', {
            source_addr_ton: smpp.TON.ALPHANUMERIC,
            source_addr: sender,
            dest_addr_ton: smpp.TON.INTERNATIONAL,
            dest_addr_npi: smpp.NPI.ISDN,
            destination_addr: to,
            data_coding: CODING[alphabet],
            registered_delivery: 1,
            ...fields,
        }));
        return { ids: (await Promise.all(answers)).map((pdu) => pdu.message_id) };
    },
    receipt: () => receipts.next(),
    message: () => messages.next(),
    async query({ sender, id }) {
        const pdu = await call('query_sm', {
            message_id: id,
            source_addr_ton: smpp.TON.ALPHANUMERIC,
            source_addr: sender,
        });
        // The library turns the date into one of JavaScript's, which must be valid.
        return { id: pdu.message_id, state: pdu.message_state, final_date: pdu.final_date && pdu.final_date.toISOString() };
    },
    async enquire() {
        await call('enquire_link', {});
        return {};
    },
    async unbind() {
        const closed = new Promise((done) => session.once('close', done));
        const response = await call('unbind', {});
        session.close();
        await closed;
        return { answer: response.command };
    },
};

(async () => {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const { do: verb, ...rest } = JSON.parse(line);
        try {
            say(await verbs[verb](rest));
        } catch (error) {
            say({ error: String(error) });
        }
    }
    process.exit(0);
})();
