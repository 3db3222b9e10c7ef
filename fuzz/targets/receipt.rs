//! Receipts: text as it is, and in deliver_sm and data_sm with whatever parameters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smpp::codec::decode;
use smpp::pdu::Body;
use smpp::receipt::Receipt;
use smpp::time::CalendarTime;

fuzz_target!(|data: &[u8]| {
    text(data);
    let Some((&[esm_class, text_bytes], rest)) = data.split_first_chunk() else { return };
    let (text, tlvs) = rest.split_at(usize::from(text_bytes).min(rest.len()));
    let text_bytes = u8::try_from(text.len()).expect("as many as a byte said, or fewer");
    let fields = [b"\0\0\0\0\0\0\0", &[esm_class, 0, 0, 0, 0, 0, 0, 0, 0, text_bytes][..], text, tlvs];
    let deliver_sm = frame(5, &fields.concat());
    if let Ok(Body::DeliverSm(message)) = decode(&deliver_sm).map(|decoded| decoded.pdu.body) {
        read(Receipt::parse(&message));
    }
    let data_sm = frame(0x103, &[b"\0\0\0\0\0\0\0", &[esm_class, 0, 0][..], rest].concat());
    if let Ok(Body::DataSm(message)) = decode(&data_sm).map(|decoded| decoded.pdu.body) {
        read(Receipt::parse_data_sm(&message));
    }
});

fn frame(command_id: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("inputs are short");
    let header = [length, command_id, 0, 1].map(u32::to_be_bytes).concat();
    [&header, body].concat()
}

fn read(receipt: Option<Receipt<'_>>) {
    if let Some(receipt) = receipt {
        assert!((1..=2).contains(&receipt.ids().count()));
        assert!(receipt.ids().all(|id| !id.is_empty()));
        assert!(format!("{receipt:?}").len() < 2_048);
    }
}

/// What is read and written is read again, less the seconds.
fn text(text: &[u8]) {
    let receipt = Receipt::from_text(text);
    let mut written = Vec::new();
    receipt.write_text(&mut written);
    let minute = |date: CalendarTime| CalendarTime { second: 0, ..date };
    let expected = Receipt {
        submit_date: receipt.submit_date.map(minute),
        done_date: receipt.done_date.map(minute),
        err: if receipt.err.is_empty() { b"000" } else { receipt.err },
        ..receipt
    };
    assert_eq!(Receipt::from_text(&written), expected);
    for date in [receipt.submit_date, receipt.done_date].into_iter().flatten() {
        assert!(date.is_valid());
        assert_eq!(CalendarTime::from_unix_seconds(date.unix_seconds()), date);
    }
}
