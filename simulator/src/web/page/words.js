// SMPP's numbers in words (SMPP 3.4, chapter 5).

const CODINGS = {
  0: "SMSC default: GSM 7-bit",
  1: "ASCII",
  2: "bytes",
  3: "Latin-1",
  4: "bytes",
  5: "JIS",
  6: "Cyrillic",
  7: "Latin and Hebrew",
  8: "UCS-2",
  9: "pictograms",
  10: "ISO-2022-JP",
  13: "extended Kanji",
  14: "KS C 5601",
};
const TONS = ["unknown", "international", "national", "network specific", "subscriber", "alphanumeric", "abbreviated"];
const NPIS = {
  0: "unknown", 1: "ISDN (E.164)", 3: "data (X.121)", 4: "telex", 6: "land mobile (E.212)", 8: "national",
  9: "private", 10: "ERMES", 14: "Internet", 18: "WAP",
};
const MODES = ["default mode", "datagram", "forward", "store and forward"];
const TYPES = { 0: "ordinary message", 1: "delivery receipt", 2: "delivery acknowledgement", 4: "user acknowledgement", 6: "conversation abort", 8: "intermediate notification" };
const RECEIPTS = ["none", "success or failure", "failure", "reserved"];
const TAGS = {
  0x0005: "dest_addr_subunit", 0x000d: "source_addr_subunit", 0x0019: "payload_type", 0x001e: "receipted_message_id",
  0x0030: "ms_msg_wait_facilities", 0x0201: "privacy_indicator", 0x0202: "source_subaddress",
  0x0203: "dest_subaddress", 0x0204: "user_message_reference", 0x0205: "user_response_code",
  0x020a: "source_port", 0x020b: "destination_port", 0x020c: "sar_msg_ref_num", 0x020d: "language_indicator",
  0x020e: "sar_total_segments", 0x020f: "sar_segment_seqnum", 0x0304: "number_of_messages",
  0x0381: "callback_num", 0x0420: "dpf_result", 0x0423: "network_error_code", 0x0424: "message_payload",
  0x0425: "delivery_failure_reason", 0x0426: "more_messages_to_send", 0x0427: "message_state",
  0x0501: "ussd_service_op", 0x1201: "display_time", 0x1203: "sms_signal", 0x1204: "ms_validity",
  0x130c: "alert_on_message_delivery", 0x1380: "its_reply_type", 0x1383: "its_session_info",
};
const STATES = {
  enroute: "On its way", delivered: "Delivered", expired: "Expired", deleted: "Deleted",
  undeliverable: "Undeliverable", accepted: "Accepted", rejected: "Rejected", unknown: "Unknown",
};
const OUTCOMES = {
  sent: "sent, not answered yet", acknowledged: "acknowledged", refused: "refused", unanswered: "never answered",
};

export function hex(value, digits = 2) {
  return `0x${value.toString(16).toUpperCase().padStart(digits, "0")}`;
}

/** A number as SMPP writes it, and what it says. */
function said(value, words) {
  return `${hex(value)} · ${words}`;
}

export function dataCoding(value) {
  const words = CODINGS[value] ?? (value >= 0xf0 ? "GSM message class" : value >= 0xc0 ? "GSM message waiting" : "reserved");
  return said(value, words);
}

export function address({ ton, npi, address: digits }) {
  return `${digits} · TON ${ton} ${TONS[ton] ?? "reserved"}, NPI ${npi} ${NPIS[npi] ?? "reserved"}`;
}

export function esmClass(value) {
  const words = [MODES[value & 0x03], TYPES[(value >> 2) & 0x0f] ?? "reserved type"];
  if (value & 0x40) words.push("user data header");
  if (value & 0x80) words.push("reply path");
  return said(value, words.join(", "));
}

export function registeredDelivery(value) {
  const words = [`receipt: ${RECEIPTS[value & 0x03]}`];
  if (value & 0x0c) words.push("acknowledgement by the handset");
  if (value & 0x10) words.push("intermediate states");
  return said(value, words.join(", "));
}

export function priority(value) {
  return said(value, ["normal", "above normal", "urgent", "very urgent"][value] ?? "reserved");
}

export function tag(value) {
  return TAGS[value] ?? (value >= 0x1400 && value <= 0x3fff ? "vendor's" : "reserved");
}

export function state(name) {
  return STATES[name] ?? name;
}

export function outcome(name) {
  return OUTCOMES[name] ?? name;
}
