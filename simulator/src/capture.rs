//! A capture file of what ESMEs and the SMSC said, for Wireshark and tshark.
//!
//! ```text
//! connections ─► Tap ─► bounded queue ─► writer thread ─► file (pcap, mode 0600)
//! ```
//!
//! A connection hands over the octets that it read and wrote, as it read and
//! wrote them; what went under TLS is captured in the clear. They are put into
//! TCP segments made up for the purpose, with a handshake before and a FIN
//! after them, so that every reader of captures follows the stream. The SMSC's
//! port is always [`SMPP_PORT`], by which tshark knows SMPP.
//!
//! A session never waits for the file. When the queue has no room or the file
//! has its size, the connection's capture ends there, and that is counted:
//! what is in the file stays whole records of whole streams' beginnings. A gap
//! in the middle would cost the reader the framing of everything after it.
//!
//! The file contains message texts, and with them codes.

use crate::clock;
use prometheus::IntCounter;
use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

/// The port registered for SMPP.
const SMPP_PORT: u16 = 2775;

/// Records that may wait for the writer: a quarter of a second at 16,000
/// messages a second.
const QUEUE_RECORDS_MAX: usize = 4_096;

/// Octets that may wait for the writer.
const QUEUE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Octets of payload in one segment: with its headers it stays below what a
/// capture file's readers take for a packet (65,535).
const SEGMENT_MAX: usize = 32 * 1_024;

/// Octets collected before a write; the rest is written when nothing waits.
const WRITE_BYTES: usize = 256 * 1_024;

/// Readable by its owner alone.
const FILE_MODE: u32 = 0o600;

/// A capture under way.
pub(crate) struct Capture {
    /// `None` once it is finished.
    queue: Mutex<Option<SyncSender<Vec<u8>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    waiting_bytes: Arc<AtomicUsize>,
    connections: AtomicU32,
    /// Connections whose capture ended before they did.
    cut: IntCounter,
}

impl Capture {
    /// Begins the file anew, readable by its owner alone, and writes at most
    /// `bytes_max` octets into it.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub(crate) fn create(file: &Path, bytes_max: u64, cut: IntCounter) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(file)?;
        // It may have been there with another mode; a pipe or a device has its own.
        if file.metadata()?.is_file() {
            file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        }
        file.write_all(&FILE_HEADER)?;
        let (queue, records) = sync_channel(QUEUE_RECORDS_MAX);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let left = bytes_max.saturating_sub(FILE_HEADER.len() as u64);
        let writer = thread::Builder::new().name("capture".to_owned()).spawn({
            let waiting_bytes = Arc::clone(&waiting_bytes);
            move || match write(file, &records, &waiting_bytes, left) {
                Ok(End::Finished) => {}
                Ok(End::Full) => tracing::warn!("the capture file has its size: nothing more is captured"),
                Err(error) => tracing::warn!(%error, "writing the capture failed: nothing more is captured"),
            }
        })?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            waiting_bytes,
            connections: AtomicU32::new(1),
            cut,
        })
    }

    /// Follows a connection that has just been accepted.
    pub(crate) fn connection(&self, esme: SocketAddr, smsc: SocketAddr) -> Tap {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        // Streams between the same two ports have to begin at different places,
        // and not at zero, which readers take for unknown.
        let esme_next = number.wrapping_mul(0x9E37_79B1);
        let mut tap = Tap {
            queue: self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            waiting_bytes: Arc::clone(&self.waiting_bytes),
            cut: self.cut.clone(),
            esme: Side { address: esme, next: esme_next },
            smsc: Side { address: SocketAddr::new(smsc.ip(), SMPP_PORT), next: !esme_next },
        };
        tap.greet();
        tap
    }

    /// Writes what waits and closes the file. Connections that are still open
    /// have to be dropped before.
    pub(crate) async fn finish(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has stopped, too.
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

/// How a capture ended.
enum End {
    Finished,
    Full,
}

/// Writes records until there are no more senders, or `left` octets are used.
fn write(
    file: File,
    records: &Receiver<Vec<u8>>,
    waiting_bytes: &AtomicUsize,
    mut left: u64,
) -> io::Result<End> {
    let mut file = BufWriter::with_capacity(WRITE_BYTES, file);
    while let Ok(first) = records.recv() {
        for record in std::iter::once(first).chain(records.try_iter()) {
            waiting_bytes.fetch_sub(record.len(), Ordering::Relaxed);
            let Some(rest) = left.checked_sub(record.len() as u64) else {
                file.flush()?;
                return Ok(End::Full);
            };
            file.write_all(&record)?;
            left = rest;
        }
        // Nothing waits: whoever reads along sees everything.
        file.flush()?;
    }
    Ok(End::Finished)
}

/// One connection's way into the capture. Its drop ends the stream in the file.
pub(crate) struct Tap {
    /// `None` once a record found no room.
    queue: Option<SyncSender<Vec<u8>>>,
    waiting_bytes: Arc<AtomicUsize>,
    cut: IntCounter,
    esme: Side,
    smsc: Side,
}

/// One end of a connection.
#[derive(Clone, Copy)]
struct Side {
    address: SocketAddr,
    /// The TCP sequence number of its next octet.
    next: u32,
}

impl Tap {
    /// What the SMSC read.
    pub(crate) fn received(&mut self, octets: &[u8]) {
        self.say(octets, |tap| (&mut tap.esme, &tap.smsc));
    }

    /// What the SMSC wrote.
    pub(crate) fn sent(&mut self, octets: &[u8]) {
        self.say(octets, |tap| (&mut tap.smsc, &tap.esme));
    }

    fn say(&mut self, octets: &[u8], way: fn(&mut Self) -> (&mut Side, &Side)) {
        if self.queue.is_none() {
            return;
        }
        let time = clock::wall();
        let mut record = Vec::with_capacity(octets.len() + HEADERS_MAX);
        let (from, to) = way(self);
        for piece in octets.chunks(SEGMENT_MAX) {
            segment(&mut record, time, from, to, PSH | ACK, piece);
            from.next = from.next.wrapping_add(u32::try_from(piece.len()).unwrap_or_default());
        }
        self.put(record);
    }

    fn greet(&mut self) {
        let time = clock::wall();
        let mut record = Vec::with_capacity(3 * HEADERS_MAX);
        segment(&mut record, time, &self.esme, &Side { next: 0, ..self.smsc }, SYN, b"");
        self.esme.next = self.esme.next.wrapping_add(1);
        segment(&mut record, time, &self.smsc, &self.esme, SYN | ACK, b"");
        self.smsc.next = self.smsc.next.wrapping_add(1);
        segment(&mut record, time, &self.esme, &self.smsc, ACK, b"");
        self.put(record);
    }

    fn part(&mut self) {
        let time = clock::wall();
        let mut record = Vec::with_capacity(3 * HEADERS_MAX);
        segment(&mut record, time, &self.smsc, &self.esme, FIN | ACK, b"");
        self.smsc.next = self.smsc.next.wrapping_add(1);
        segment(&mut record, time, &self.esme, &self.smsc, FIN | ACK, b"");
        self.esme.next = self.esme.next.wrapping_add(1);
        segment(&mut record, time, &self.smsc, &self.esme, ACK, b"");
        self.put(record);
    }

    /// Never waits: without room, this connection's capture ends here.
    fn put(&mut self, record: Vec<u8>) {
        let Some(queue) = &self.queue else {
            return;
        };
        let bytes = record.len();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > QUEUE_BYTES_MAX || queue.try_send(record).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.queue = None;
            self.cut.inc();
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.part();
    }
}

/// A pcap file's header: version 2.4, microseconds, packets of at most 65,535
/// octets that begin with their IP header (LINKTYPE_RAW, 101).
const FILE_HEADER: [u8; 24] =
    [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 101, 0, 0, 0];

/// A record's header, and IPv6's and TCP's.
const HEADERS_MAX: usize = 16 + 40 + TCP_HEADER;
const TCP_HEADER: usize = 20;
const TCP: u8 = 6;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

const _: () = assert!(SEGMENT_MAX + HEADERS_MAX <= u16::MAX as usize);

/// Appends one record: a TCP segment (RFC 9293) in an IP packet.
fn segment(out: &mut Vec<u8>, time: SystemTime, from: &Side, to: &Side, flags: u8, payload: &[u8]) {
    let tcp_length = u16::try_from(TCP_HEADER + payload.len()).unwrap_or(u16::MAX);
    let (source, destination) = (from.address.ip().to_canonical(), to.address.ip().to_canonical());
    let header = ip_header(source, destination, tcp_length);
    let length = u32::from(tcp_length) + u32::try_from(header.len()).unwrap_or_default();
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // pcap's seconds end in 2106.
    let seconds = u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX);
    for field in [seconds, since_epoch.subsec_micros(), length, length] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(&header);
    let at = out.len();
    out.extend_from_slice(&from.address.port().to_be_bytes());
    out.extend_from_slice(&to.address.port().to_be_bytes());
    out.extend_from_slice(&from.next.to_be_bytes());
    out.extend_from_slice(&to.next.to_be_bytes());
    // A header of five words; the flags; a window of any size; checksum; no urgent data.
    out.extend_from_slice(&[5 << 4, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    out.extend_from_slice(payload);
    let pseudo = sum_address(source) + sum_address(destination) + u32::from(TCP) + u32::from(tcp_length);
    let checksum = checksum(pseudo, &out[at..]);
    out[at + 16..at + 18].copy_from_slice(&checksum.to_be_bytes());
}

/// An IPv4 header (RFC 791) or, if one of the two needs it, one of IPv6 (RFC 8200).
fn ip_header(source: IpAddr, destination: IpAddr, payload_length: u16) -> Vec<u8> {
    const HOPS: u8 = 64;
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) {
        let total = payload_length.saturating_add(20).to_be_bytes();
        let mut header = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, HOPS, TCP, 0, 0];
        header.extend_from_slice(&source.octets());
        header.extend_from_slice(&destination.octets());
        let checksum = checksum(0, &header);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        return header;
    }
    let length = payload_length.to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, length[0], length[1], TCP, HOPS];
    for address in [source, destination] {
        header.extend_from_slice(&as_v6(address));
    }
    header
}

fn as_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// An address's part of the pseudo header's sum. What maps an IPv4 address
/// into IPv6 sums up to 0xFFFF, which is nothing to this checksum.
fn sum_address(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    }
}

/// The Internet checksum (RFC 1071) of `octets`, whose field for it is zero,
/// and of what `pseudo` sums up.
fn checksum(pseudo: u32, octets: &[u8]) -> u16 {
    let mut folded = pseudo + sum(octets);
    while folded > 0xFFFF {
        folded = (folded & 0xFFFF) + (folded >> 16);
    }
    !u16::try_from(folded).unwrap_or_default()
}

/// Sums 16-bit words; 32 bits hold the sum of 128 KiB.
fn sum(octets: &[u8]) -> u32 {
    let (words, rest) = octets.as_chunks::<2>();
    let words: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    words + rest.first().map_or(0, |last| u32::from(*last) << 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn side(address: &str, next: u32) -> Side {
        Side { address: address.parse().unwrap(), next }
    }

    fn capture(bytes_max: u64) -> (tempfile::TempDir, Capture) {
        let folder = tempfile::tempdir().unwrap();
        let cut = IntCounter::new("cut", "Cut.").unwrap();
        let capture = Capture::create(&folder.path().join("test.pcap"), bytes_max, cut).unwrap();
        (folder, capture)
    }

    fn connect(capture: &Capture) -> Tap {
        capture.connection("127.0.0.1:40000".parse().unwrap(), "127.0.0.1:9".parse().unwrap())
    }

    /// The lengths of the records in a file, whole to the last octet.
    fn records(folder: &tempfile::TempDir) -> Vec<usize> {
        let file = std::fs::read(folder.path().join("test.pcap")).unwrap();
        let mut rest = file.strip_prefix(&FILE_HEADER).unwrap();
        let mut lengths = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
            lengths.push(length);
            rest = &rest[16 + length..];
        }
        lengths
    }

    #[test]
    fn checksums_verify_with_both_kinds_of_addresses() {
        for (from, to, header) in [
            ("127.0.0.1:40000", "10.0.0.7:2775", 20),
            ("[::1]:40000", "[fe80::1]:2775", 40),
            ("[::ffff:127.0.0.1]:40000", "10.0.0.7:2775", 20),
        ] {
            let mut out = Vec::new();
            let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_000_002);
            segment(&mut out, time, &side(from, 7), &side(to, 9), PSH | ACK, b"odd");
            assert_eq!(out[..8], [1, 0, 0, 0, 2, 0, 0, 0], "one second and two microseconds");
            let packet = &out[16..];
            assert_eq!(packet.len(), header + TCP_HEADER + 3);
            let addresses = if header == 20 { &packet[12..20] } else { &packet[8..40] };
            let pseudo = sum(addresses) + 6 + 23;
            assert_eq!(checksum(pseudo, &packet[header..]), 0, "{from}: the sum with its checksum is full");
            assert!(header == 40 || checksum(0, &packet[..header]) == 0);
        }
    }

    #[tokio::test]
    async fn a_connection_is_a_handshake_its_octets_and_an_end() {
        let (folder, capture) = capture(u64::MAX);
        let mut tap = connect(&capture);
        tap.received(b"four");
        tap.sent(&vec![0; SEGMENT_MAX + 1]);
        drop(tap);
        capture.finish().await;
        let payloads: Vec<_> = records(&folder).into_iter().map(|length| length - 40).collect();
        assert_eq!(payloads, [0, 0, 0, 4, SEGMENT_MAX, 1, 0, 0, 0]);
        let mode = std::fs::metadata(folder.path().join("test.pcap")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, FILE_MODE);
    }

    #[tokio::test]
    async fn a_file_that_has_its_size_ends_with_a_whole_record() {
        const HANDSHAKE: u64 = 3 * 56;
        let (folder, capture) = capture(FILE_HEADER.len() as u64 + HANDSHAKE + 60);
        let mut tap = connect(&capture);
        tap.received(b"four");
        tap.received(b"one octet too many");
        drop(tap);
        capture.finish().await;
        assert_eq!(records(&folder), [40, 40, 40, 44]);
    }

    #[test]
    fn a_full_queue_ends_that_connections_capture_and_counts_it_once() {
        let (queue, records) = sync_channel(1);
        let cut = IntCounter::new("cut", "Cut.").unwrap();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let mut tap = Tap {
            queue: Some(queue),
            waiting_bytes: Arc::clone(&waiting_bytes),
            cut: cut.clone(),
            esme: side("127.0.0.1:40000", 0),
            smsc: side("127.0.0.1:2775", 0),
        };
        tap.received(b"kept");
        let kept = waiting_bytes.load(Ordering::Relaxed);
        tap.received(b"no room");
        tap.sent(b"not tried any more");
        drop(tap);
        assert_eq!((cut.get(), waiting_bytes.load(Ordering::Relaxed)), (1, kept));
        assert_eq!(records.iter().count(), 1);
    }

    #[test]
    fn octets_that_wait_are_bounded_as_well() {
        let (queue, _records) = sync_channel(QUEUE_RECORDS_MAX);
        let mut tap = Tap {
            queue: Some(queue),
            waiting_bytes: Arc::new(AtomicUsize::new(QUEUE_BYTES_MAX)),
            cut: IntCounter::new("cut", "Cut.").unwrap(),
            esme: side("127.0.0.1:40000", 0),
            smsc: side("127.0.0.1:2775", 0),
        };
        tap.received(b"x");
        assert_eq!(tap.cut.get(), 1);
    }
}
