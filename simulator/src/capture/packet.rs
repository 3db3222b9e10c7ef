//! Records of a capture file: TCP segments in IP packets, made up for the purpose.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use etherparse::{PacketBuilder, TcpHeader};

/// A pcap file's header: version 2.4, microseconds, packets of at most 65,535 bytes that begin with their IP
/// header (LINKTYPE_RAW, 101).
///
/// This and the sixteen bytes before each packet are all there is to the format. `pcap-file` would write
/// them, too, but its last release (2.0) cannot be flushed, so that nobody could read along.
pub(super) const FILE_HEADER: [u8; 24] =
    [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 101, 0, 0, 0];

/// Bytes of payload in one segment: with its headers it stays below the file header's 65,535.
pub(super) const SEGMENT_BYTES_MAX: usize = 32 * 1_024;

/// Bytes of a record's header, and of IPv6's and TCP's.
pub(super) const HEADERS_BYTES_MAX: usize = 16 + 40 + 20;

const _: () = assert!(SEGMENT_BYTES_MAX + HEADERS_BYTES_MAX <= u16::MAX as usize);

/// One end of a connection.
#[derive(Clone, Copy)]
pub(super) struct Side {
    pub(super) address: SocketAddr,
    /// The TCP sequence number of its next byte.
    pub(super) next: u32,
}

/// What one end says (RFC 9293). Everything but the first SYN acknowledges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    Syn,
    SynAck,
    Ack,
    /// At most [`SEGMENT_BYTES_MAX`].
    Data(&'a [u8]),
    FinAck,
}

/// Appends one record, and moves the sender's sequence number on.
pub(super) fn write_record(
    out: &mut Vec<u8>,
    time: SystemTime,
    from: &mut Side,
    to: &Side,
    segment: Segment<'_>,
) {
    const HOPS: u8 = 64;
    let acknowledges = segment != Segment::Syn;
    let (payload, advance) = match segment {
        Segment::Syn | Segment::SynAck | Segment::FinAck => (&b""[..], 1),
        Segment::Ack => (&b""[..], 0),
        Segment::Data(bytes) => (bytes, u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
    };
    let tcp = TcpHeader {
        syn: matches!(segment, Segment::Syn | Segment::SynAck),
        fin: segment == Segment::FinAck,
        psh: matches!(segment, Segment::Data(_)),
        ack: acknowledges,
        acknowledgment_number: if acknowledges { to.next } else { 0 },
        ..TcpHeader::new(from.address.port(), to.address.port(), from.next, u16::MAX)
    };
    let ip = match (from.address.ip().to_canonical(), to.address.ip().to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            PacketBuilder::ipv4(source.octets(), destination.octets(), HOPS)
        }
        (source, destination) => PacketBuilder::ipv6(as_v6(source), as_v6(destination), HOPS),
    };
    let packet = ip.tcp_header(tcp);
    let length = u32::try_from(packet.size(payload.len())).unwrap_or(u32::MAX);
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // pcap's seconds end in 2106.
    let seconds = u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX);
    for field in [seconds, since_epoch.subsec_micros(), length, length] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    packet.write(out, payload).expect("a segment of at most SEGMENT_BYTES_MAX fits an IP packet");
    from.next = from.next.wrapping_add(advance);
}

fn as_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use etherparse::{NetHeaders, PacketHeaders, TransportHeader};

    use super::*;

    #[test]
    fn checksums_verify_with_both_kinds_of_addresses() {
        for (from, to, v4) in [
            ("127.0.0.1:40000", "10.0.0.7:2775", true),
            ("[::1]:40000", "[fe80::1]:2775", false),
            ("[::1]:40000", "10.0.0.7:2775", false),
            ("[::ffff:127.0.0.1]:40000", "10.0.0.7:2775", true),
        ] {
            let mut from = Side { address: from.parse().unwrap(), next: u32::MAX };
            let to = Side { address: to.parse().unwrap(), next: 9 };
            let mut out = Vec::new();
            let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_000_002);
            write_record(&mut out, time, &mut from, &to, Segment::Data(b"odd"));
            assert_eq!(out[..8], [1, 0, 0, 0, 2, 0, 0, 0], "one second and two microseconds");
            assert_eq!(u32::from_le_bytes(out[8..12].try_into().unwrap()) as usize, out.len() - 16);
            let packet = PacketHeaders::from_ip_slice(&out[16..]).unwrap();
            let Some(TransportHeader::Tcp(tcp)) = packet.transport else { panic!("{packet:?}") };
            let checksum = match packet.net.unwrap() {
                NetHeaders::Ipv4(ip, _) if v4 => {
                    assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                    tcp.calc_checksum_ipv4(&ip, b"odd").unwrap()
                }
                NetHeaders::Ipv6(ip, _) if !v4 => tcp.calc_checksum_ipv6(&ip, b"odd").unwrap(),
                other => panic!("{other:?}"),
            };
            assert_eq!(tcp.checksum, checksum);
            assert_eq!((tcp.source_port, tcp.destination_port), (40_000, 2_775));
            assert_eq!((tcp.sequence_number, tcp.acknowledgment_number), (u32::MAX, 9));
            assert_eq!((packet.payload.slice(), from.next), (&b"odd"[..], 2), "the numbers wrap around");
        }
    }

    #[test]
    fn flags_say_what_a_segment_is() {
        let (mut from, to) = (
            Side { address: "127.0.0.1:1".parse().unwrap(), next: 7 },
            Side { address: "127.0.0.1:2".parse().unwrap(), next: 9 },
        );
        for (segment, flags, acknowledged, next) in [
            (Segment::Syn, [true, false, false, false], 0, 8),
            (Segment::SynAck, [true, true, false, false], 9, 9),
            (Segment::Ack, [false, true, false, false], 9, 9),
            (Segment::Data(b"x"), [false, true, true, false], 9, 10),
            (Segment::FinAck, [false, true, false, true], 9, 11),
        ] {
            let mut out = Vec::new();
            write_record(&mut out, SystemTime::UNIX_EPOCH, &mut from, &to, segment);
            let packet = PacketHeaders::from_ip_slice(&out[16..]).unwrap();
            let Some(TransportHeader::Tcp(tcp)) = packet.transport else { panic!("{packet:?}") };
            assert_eq!([tcp.syn, tcp.ack, tcp.psh, tcp.fin], flags);
            assert_eq!((tcp.acknowledgment_number, from.next), (acknowledged, next));
        }
    }
}
