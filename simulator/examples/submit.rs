//! Submits messages to an SMSC as fast as its window allows, answers the
//! receipts, and says how long that took. Made to load the simulator:
//!
//! ```text
//! smsc-simulator serve --password secret08 --latency 0s
//! cargo run --release -p smsc-simulator --example submit -- --password secret08 --count 1000000
//! ```
//!
//! With the simulator's process id, it also prints the CPU time that the
//! simulator took for each submit (Linux).

use clap::Parser;
use smpp::codec;
use smpp::frame;
use smpp::pdu::{
    Address, Bind, Body, DeliverSmResp, FINAL_RECEIPT, NO_RECEIPT, Pdu, SequenceNumber, SubmitSm,
};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

#[derive(Parser)]
#[command(about)]
struct Settings {
    /// Where the SMSC is
    #[arg(long, default_value = "127.0.0.1:2775")]
    smpp: SocketAddr,
    #[arg(long, default_value = "gateway")]
    system_id: String,
    #[arg(long)]
    password: String,
    /// Messages to submit
    #[arg(long, default_value_t = 100_000)]
    count: u32,
    /// Submits and receipts that may be unanswered
    #[arg(long, default_value_t = 200)]
    window: u32,
    /// Handsets that the messages go to, in turn
    #[arg(long, default_value_t = 10_000)]
    numbers: u32,
    /// Ask for no delivery receipts
    #[arg(long)]
    no_receipts: bool,
    /// What the messages say
    #[arg(
        long,
        default_value = "Bank Contoh: 482913 untuk Rp1.250.000 ke PT ABC (7890). Ref 7KQ2. JANGAN beri tahu siapa pun."
    )]
    text: String,
    /// The simulator's process id
    #[arg(long)]
    pid: Option<u32>,
}

/// One SMPP link, read and written in large pieces.
struct Link {
    stream: TcpStream,
    received: Vec<u8>,
    filled: usize,
    out: Vec<u8>,
}

/// Octets read at a time.
const READ_BYTES: usize = 64 * 1_024;

impl Link {
    fn send(&mut self, sequence: u32, body: Body<'_>) -> io::Result<()> {
        codec::encode(&Pdu::new(SequenceNumber(sequence), body), &mut self.out).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn fill(&mut self) -> io::Result<()> {
        let count = self.stream.read(&mut self.received[self.filled..])?;
        if count == 0 {
            return Err(io::Error::other("the SMSC closed the connection"));
        }
        self.filled += count;
        Ok(())
    }
}

/// What has been answered.
#[derive(Default)]
struct Answered {
    submits: u32,
    refused: u32,
    receipts: u32,
}

/// Takes in every whole PDU, and answers the receipts.
fn take(link: &mut Link, answered: &mut Answered) -> io::Result<()> {
    let mut at = 0;
    while let Some(frame) =
        frame::cut(&link.received[at..link.filled], READ_BYTES).map_err(io::Error::other)?
    {
        let pdu = codec::decode(frame).map_err(io::Error::other)?.pdu;
        match pdu.body {
            Body::SubmitSmResp(_) => {
                answered.submits += 1;
                answered.refused += u32::from(!pdu.status.is_ok());
            }
            Body::DeliverSm(_) => {
                answered.receipts += 1;
                let answer = Body::DeliverSmResp(DeliverSmResp::default());
                codec::encode(&Pdu::new(pdu.sequence, answer), &mut link.out).map_err(io::Error::other)?;
            }
            Body::EnquireLink => {
                codec::encode(&Pdu::new(pdu.sequence, Body::EnquireLinkResp), &mut link.out)
                    .map_err(io::Error::other)?;
            }
            _ if !pdu.status.is_ok() => return Err(io::Error::other(pdu.status.to_string())),
            _ => {}
        }
        at += frame.len();
    }
    link.received.copy_within(at..link.filled, 0);
    link.filled -= at;
    Ok(())
}

fn submit_all(link: &mut Link, settings: &Settings) -> io::Result<Answered> {
    let registered_delivery = if settings.no_receipts { NO_RECEIPT } else { FINAL_RECEIPT };
    let text =
        smpp::text::gsm7::encode(&settings.text).map_err(|_| io::Error::other("not in the GSM alphabet"))?;
    let expected = if settings.no_receipts { 0 } else { settings.count };
    let mut answered = Answered::default();
    let mut sent = 0;
    while answered.submits < settings.count || answered.receipts < expected - answered.refused.min(expected) {
        while sent < settings.count && sent - answered.submits < settings.window {
            let number = format!("62812{:08}", sent % settings.numbers);
            let submit = SubmitSm {
                source: Address::alphanumeric(b"BankContoh"),
                destination: Address::international(number.as_bytes()),
                validity_period: b"000000000300000R",
                registered_delivery,
                short_message: &text,
                ..SubmitSm::default()
            };
            link.send(sent % SequenceNumber::LAST.0 + 2, Body::SubmitSm(submit))?;
            sent += 1;
        }
        link.flush()?;
        link.fill()?;
        take(link, &mut answered)?;
    }
    link.flush()?;
    Ok(answered)
}

/// CPU time that a process has taken, in user and system mode.
fn cpu_time(pid: u32) -> io::Result<Duration> {
    /// USER_HZ, which Linux fixes at 100 for what it shows to programs.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks =
        |field: usize| after_name.split_whitespace().nth(field).and_then(|ticks| ticks.parse::<u32>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok(TICK * (user + system)),
        _ => Err(io::Error::other("/proc/PID/stat is not as expected")),
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that measures")]
fn main() -> io::Result<()> {
    let settings = Settings::parse();
    let stream = TcpStream::connect(settings.smpp)?;
    stream.set_nodelay(true)?;
    let mut link = Link { stream, received: vec![0; READ_BYTES], filled: 0, out: Vec::new() };
    let bind = Bind {
        system_id: settings.system_id.as_bytes(),
        password: settings.password.as_bytes(),
        ..Bind::default()
    };
    link.send(1, Body::BindTransceiver(bind))?;
    link.flush()?;
    link.fill()?;
    take(&mut link, &mut Answered::default())?;
    let cpu_before = settings.pid.map(cpu_time).transpose()?;
    let start = std::time::Instant::now();
    let answered = submit_all(&mut link, &settings)?;
    let elapsed = start.elapsed();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} submits ({} refused), {} receipts in {:.2} s: {:.0} submits/s",
        answered.submits,
        answered.refused,
        answered.receipts,
        elapsed.as_secs_f64(),
        f64::from(answered.submits) / elapsed.as_secs_f64(),
    )?;
    if let (Some(pid), Some(before)) = (settings.pid, cpu_before) {
        let micros = (cpu_time(pid)?.saturating_sub(before)).as_secs_f64() * 1e6;
        writeln!(out, "simulator: {:.2} µs of CPU for each submit", micros / f64::from(answered.submits))?;
    }
    Ok(())
}
