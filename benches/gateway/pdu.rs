//! PDUs of an OTP's SMS: one text segment with its validity period out, its response and its delivery receipt
//! in. Decoding includes cutting the frame out of the stream.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use smpp::codec::{Decoded, decode, encode};
use smpp::frame::{COMMAND_LENGTH_MAX, cut};
use smpp::pdu::{
    Address, Body, DeliverSm, EsmClass, FINAL_RECEIPT, MessageState, Pdu, SequenceNumber, SubmitSm,
    SubmitSmResp,
};
use smpp::receipt::Receipt;
use smpp::tlv::{Tag, TlvBuffer};

/// 153 characters of the GSM 7-bit alphabet, as a payment's SMS has.
const TEXT: &[u8] = b"BANK CONTOH: 482913 is the code to pay IDR 1,250,000,000.00 to PT SINAR CONTOH ABADI, \
    account 1234567890. Ref 7KQ2, until 16:15. NEVER give it to anyone.";
const RECEIPT: &[u8] = b"id:0123456789ABCDEF sub:001 dlvrd:001 submit date:2611220915 done date:2611220916 \
    stat:DELIVRD err:000 text:BANK CONTOH: 482913 ";

pub(crate) fn bench(criterion: &mut Criterion) {
    let submit_sm = SubmitSm {
        source: Address::alphanumeric(b"BANKCONTOH"),
        destination: Address::international(b"6281234567845"),
        validity_period: b"000000000250000R",
        registered_delivery: FINAL_RECEIPT,
        short_message: TEXT,
        ..Default::default()
    };
    let submit_sm_resp = SubmitSmResp { message_id: b"0123456789ABCDEF", ..Default::default() };
    let mut tlvs = TlvBuffer::new();
    tlvs.push_c_string(Tag::RECEIPTED_MESSAGE_ID, b"0123456789ABCDEF")
        .expect("an id without NUL")
        .push_u8(Tag::MESSAGE_STATE, MessageState::DELIVERED.0);
    let deliver_sm = DeliverSm {
        source: Address::international(b"6281234567845"),
        destination: Address::alphanumeric(b"BANKCONTOH"),
        esm_class: EsmClass::RECEIPT,
        short_message: RECEIPT,
        tlvs: tlvs.as_tlvs(),
        ..Default::default()
    };

    let mut group = criterion.benchmark_group("pdu");
    codec(&mut group, "submit_sm", Body::SubmitSm(submit_sm));
    codec(&mut group, "submit_sm_resp", Body::SubmitSmResp(submit_sm_resp));
    codec(&mut group, "deliver_sm", Body::DeliverSm(deliver_sm));
    group.throughput(Throughput::Elements(1));
    group.bench_function("receipt read from deliver_sm", |bencher| {
        bencher.iter(|| Receipt::parse(black_box(&deliver_sm)).expect("a receipt"));
    });
    group.finish();
}

fn codec(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, body: Body<'_>) {
    let pdu = Pdu::new(SequenceNumber::FIRST, body);
    let mut stream = Vec::new();
    encode(&pdu, &mut stream).expect("a PDU as SMPP 3.4 wants it");
    assert_eq!(read(&stream).pdu, pdu);
    group.throughput(Throughput::Elements(1));
    group.bench_function(format!("{name} encoded"), |bencher| {
        let mut out = Vec::with_capacity(stream.len());
        bencher.iter(|| {
            out.clear();
            encode(black_box(&pdu), &mut out)
        });
    });
    group.bench_function(format!("{name} decoded"), |bencher| bencher.iter(|| read(black_box(&stream))));
}

fn read(stream: &[u8]) -> Decoded<'_> {
    let frame = cut(stream, COMMAND_LENGTH_MAX).expect("a length within the bounds");
    decode(frame.expect("a whole PDU")).expect("a well-formed PDU")
}
