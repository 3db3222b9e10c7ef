//! A capture file of what ESMEs and the SMSC said, for Wireshark and tshark.
//!
//! ```text
//! connections ─► Tap ─► bounded queue ─► writer thread ─► file (pcap, mode 0600)
//! ```
//!
//! A connection hands over the bytes that it read and wrote, as it read and wrote them; what went under TLS
//! is captured in the clear. They are put into TCP segments made up for the purpose, with a handshake before
//! and a FIN after them, so that every reader of captures follows the stream. The SMSC's port is always
//! [`SMPP_PORT`], by which tshark knows SMPP.
//!
//! A session never waits for the file. When the queue has no room or the file has its size, the connection's
//! capture ends there, and that is counted: what is in the file stays whole records of whole streams'
//! beginnings. A gap in the middle would cost the reader the framing of everything after it.
//!
//! The file contains message texts, and with them codes.

mod packet;

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use prometheus::IntCounter;

use crate::clock;
use packet::{FILE_HEADER, HEADERS_BYTES_MAX, SEGMENT_BYTES_MAX, Segment, Side, write_record};

/// The port registered for SMPP.
const SMPP_PORT: u16 = 2775;

/// Records that may wait for the writer: a quarter of a second at 16,000 messages a second.
const QUEUE_RECORDS_MAX: usize = 4_096;

/// Bytes that may wait for the writer.
const QUEUE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Bytes collected before a write; the rest is written when nothing waits.
const WRITE_BYTES: usize = 256 * 1_024;

/// Readable by its owner only.
const FILE_MODE: u32 = 0o600;

/// A capture under way.
pub(crate) struct Capture {
    /// `None` once it is finished.
    writer: Mutex<Option<Writer>>,
    waiting_bytes: Arc<AtomicUsize>,
    connections: AtomicU32,
    /// Connections whose capture ended before they did.
    cut: IntCounter,
}

/// The thread that writes records, and the queue that ends it when all its senders are dropped.
struct Writer {
    queue: SyncSender<Vec<u8>>,
    thread: JoinHandle<()>,
}

impl Capture {
    /// Begins the file anew, readable by its owner only, and writes at most `bytes_max` bytes into it.
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
        let thread = thread::Builder::new().name("capture".to_owned()).spawn({
            let waiting_bytes = Arc::clone(&waiting_bytes);
            move || match write(file, &records, &waiting_bytes, left) {
                Ok(End::Finished) => {}
                Ok(End::Full) => tracing::warn!("the capture file is full: nothing more is captured"),
                Err(error) => tracing::warn!(%error, "writing the capture failed: nothing more is captured"),
            }
        })?;
        Ok(Self {
            writer: Mutex::new(Some(Writer { queue, thread })),
            waiting_bytes,
            connections: AtomicU32::new(1),
            cut,
        })
    }

    /// Follows a connection that has just been accepted.
    pub(crate) fn connection(&self, esme: SocketAddr, smsc: SocketAddr) -> Tap {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        // Streams between the same two ports have to begin at different places, and not at zero, which
        // readers take for unknown.
        let esme_next = number.wrapping_mul(0x9E37_79B1);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tap = Tap {
            queue: writer.as_ref().map(|writer| writer.queue.clone()),
            waiting_bytes: Arc::clone(&self.waiting_bytes),
            cut: self.cut.clone(),
            esme: Side { address: esme, next: esme_next },
            smsc: Side { address: SocketAddr::new(smsc.ip(), SMPP_PORT), next: !esme_next },
        };
        drop(writer);
        tap.put(&[(By::Esme, Segment::Syn), (By::Smsc, Segment::SynAck), (By::Esme, Segment::Ack)]);
        tap
    }

    /// Writes what waits and closes the file. Connections that are still open have to be dropped before.
    pub(crate) async fn finish(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Writer { queue, thread }) = writer {
            drop(queue);
            // A writer that panicked has stopped, too.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
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

/// Writes records until there are no more senders, or `left` bytes are used.
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

impl Tap {
    /// What the SMSC read.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        self.say(By::Esme, bytes);
    }

    /// What the SMSC wrote.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        self.say(By::Smsc, bytes);
    }

    fn say(&mut self, by: By, bytes: &[u8]) {
        let pieces: Vec<_> =
            bytes.chunks(SEGMENT_BYTES_MAX).map(|piece| (by, Segment::Data(piece))).collect();
        self.put(&pieces);
    }

    /// Never waits: without room, this connection's capture ends here.
    fn put(&mut self, segments: &[(By, Segment<'_>)]) {
        let Some(queue) = &self.queue else {
            return;
        };
        let time = clock::wall();
        let mut record = Vec::with_capacity(HEADERS_BYTES_MAX);
        for &(by, segment) in segments {
            let (from, to) = match by {
                By::Esme => (&mut self.esme, &self.smsc),
                By::Smsc => (&mut self.smsc, &self.esme),
            };
            write_record(&mut record, time, from, to, segment);
        }
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
        self.put(&[(By::Smsc, Segment::FinAck), (By::Esme, Segment::FinAck), (By::Smsc, Segment::Ack)]);
    }
}

/// Which end says something.
#[derive(Clone, Copy)]
enum By {
    Esme,
    Smsc,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut() -> IntCounter {
        IntCounter::new("cut", "Cut.").unwrap()
    }

    fn tap(queue: SyncSender<Vec<u8>>, waiting_bytes: Arc<AtomicUsize>) -> Tap {
        let side = |address: &str| Side { address: address.parse().unwrap(), next: 0 };
        let (esme, smsc) = (side("127.0.0.1:40000"), side("127.0.0.1:2775"));
        Tap { queue: Some(queue), waiting_bytes, cut: cut(), esme, smsc }
    }

    fn capture(bytes_max: u64) -> (tempfile::TempDir, Capture) {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::create(&folder.path().join("test.pcap"), bytes_max, cut()).unwrap();
        (folder, capture)
    }

    fn connect(capture: &Capture) -> Tap {
        capture.connection("127.0.0.1:40000".parse().unwrap(), "127.0.0.1:9".parse().unwrap())
    }

    /// The lengths of the records in a file, whole to the last byte.
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

    #[tokio::test]
    async fn a_connection_is_a_handshake_its_bytes_and_an_end() {
        let (folder, capture) = capture(u64::MAX);
        let mut tap = connect(&capture);
        tap.received(b"four");
        tap.sent(&vec![0; SEGMENT_BYTES_MAX + 1]);
        drop(tap);
        capture.finish().await;
        let payloads: Vec<_> = records(&folder).into_iter().map(|length| length - 40).collect();
        assert_eq!(payloads, [0, 0, 0, 4, SEGMENT_BYTES_MAX, 1, 0, 0, 0]);
        let mode = std::fs::metadata(folder.path().join("test.pcap")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, FILE_MODE);
    }

    #[tokio::test]
    async fn a_file_that_has_its_size_ends_with_a_whole_record() {
        const HANDSHAKE: u64 = 3 * 56;
        let (folder, capture) = capture(FILE_HEADER.len() as u64 + HANDSHAKE + 60);
        let mut tap = connect(&capture);
        tap.received(b"four");
        tap.received(b"one byte too many");
        drop(tap);
        capture.finish().await;
        assert_eq!(records(&folder), [40, 40, 40, 44]);
    }

    #[test]
    fn a_full_queue_ends_that_connections_capture_and_counts_it_once() {
        let (queue, records) = sync_channel(1);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let mut tap = tap(queue, Arc::clone(&waiting_bytes));
        let cut = tap.cut.clone();
        tap.received(b"kept");
        let kept = waiting_bytes.load(Ordering::Relaxed);
        tap.received(b"no room");
        tap.sent(b"not tried any more");
        drop(tap);
        assert_eq!((cut.get(), waiting_bytes.load(Ordering::Relaxed)), (1, kept));
        assert_eq!(records.iter().count(), 1);
    }

    #[test]
    fn bytes_that_wait_are_bounded_as_well() {
        let (queue, _records) = sync_channel(QUEUE_RECORDS_MAX);
        let mut tap = tap(queue, Arc::new(AtomicUsize::new(QUEUE_BYTES_MAX)));
        tap.received(b"x");
        assert_eq!(tap.cut.get(), 1);
    }
}
